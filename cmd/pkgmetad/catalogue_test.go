package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"pkgmetad/internal/record"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func pointer(s string) *string { return &s }

func TestExampleCatalogue(t *testing.T) {
	cat, err := LoadCatalogue("../../packaging/catalogue.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(cat.Packages) != 6 {
		t.Errorf("%d packages", len(cat.Packages))
	}
	want := record.Entry{
		ID: 1609, Slug: "djorm-ext-pgfulltext", Title: "djorm-ext-pgfulltext", Category: 1, Grids: []int{58, 161, 14},
		RepoURL: pointer("https://github.com/linuxlewis/djorm-ext-pgfulltext"),
		PyPIURL: pointer("http://pypi.python.org/pypi/djorm-ext-pgfulltext"),
		Created: time.Date(2012, 12, 26, 9, 29, 30, 670172000, time.UTC),
	}
	for _, p := range cat.Packages {
		if p.ID == want.ID {
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			return
		}
	}
	t.Error("package 1609 is missing")
}

// One catalogue, written in each format.
var sameCatalogue = map[string]string{
	"c.yaml": `
packages:
  - slug: only-a-slug
  - {id: 7, slug: "2048", title: "a\nb", category: apps, grids: [g2, 1], repo_url: "", pypi_url: null, documentation_url: " x ", created: 2012-12-26T11:29:30.6701729+02:00}
  - {slug: by-id, category: 1, grids: [], created: 2020-02-29}
  - {slug: nothing, category: null, grids: null}
grids:
  - {id: 1, slug: g1, title: One, description: "d\u00e9\U0001F600", is_locked: true, header: true, created: 2001-01-01, modified: 2002-02-02}
  - {id: 2, slug: g2}
categories:
  - {id: 1, slug: apps, title: App, title_plural: Apps, description: d, show_pypi: true, created: 2001-01-01, modified: 2002-02-02}
`,
	"c.json": `{"packages": [
 {"slug": "only-a-slug"},
 {"id": 7, "slug": "2048", "title": "a\nb", "category": "apps", "grids": ["g2", 1], "repo_url": "", "pypi_url": null, "documentation_url": " x ", "created": "2012-12-26T11:29:30.6701729+02:00"},
 {"slug": "by-id", "category": 1, "grids": [], "created": "2020-02-29"},
 {"slug": "nothing", "category": null, "grids": null}],
"grids": [{"id": 1, "slug": "g1", "title": "One", "description": "dé😀", "is_locked": true, "header": true, "created": "2001-01-01", "modified": "2002-02-02"}, {"id": 2, "slug": "g2"}],
"categories": [{"id": 1, "slug": "apps", "title": "App", "title_plural": "Apps", "description": "d", "show_pypi": true, "created": "2001-01-01", "modified": "2002-02-02"}]}`,
	"c.ndjson": "\ufeff" + `{"slug": "only-a-slug"}` + "\r\n\r\n" +
		`{"kind": "package", "id": 7, "slug": "2048", "title": "a\nb", "category": "apps", "grids": ["g2", 1], "repo_url": "", "pypi_url": null, "documentation_url": " x ", "created": "2012-12-26T11:29:30.6701729+02:00"}
  {"slug":"by-id","category":1,"grids":[],"created":"2020-02-29"}
{"\u0073lug": "nothing", "category": null, "grids": null}
{"id": 1, "slug": "g1", "title": "One", "description": "d\u00e9\ud83d\ude00", "is_locked": true, "header": true, "created": "2001-01-01", "modified": "2002-02-02", "kind": "grid"}
{"kind": "grid", "id": 2, "slug": "g2"}
{"kind": "category", "id": 1, "slug": "apps", "title": "App", "title_plural": "Apps", "description": "d", "show_pypi": true, "created": "2001-01-01", "modified": "2002-02-02"}`,
}

func TestCatalogueFormats(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	want := record.Catalogue{
		Categories: []record.Category{{ID: 1, Slug: "apps", Title: "App", TitlePlural: "Apps", Description: "d", ShowPyPI: true, Created: day(2001, 1, 1), Modified: day(2002, 2, 2)}},
		Grids: []record.Grid{
			{ID: 1, Slug: "g1", Title: "One", Description: "dé😀", IsLocked: true, Header: true, Created: day(2001, 1, 1), Modified: day(2002, 2, 2)},
			{ID: 2, Slug: "g2", Title: "g2"},
		},
		Packages: []record.Entry{
			{Slug: "only-a-slug", Title: "only-a-slug"},
			{ID: 7, Slug: "2048", Title: "a\nb", Category: 1, Grids: []int{2, 1}, RepoURL: pointer(""), DocumentationURL: pointer(" x "), Created: time.Date(2012, 12, 26, 9, 29, 30, 670172000, time.UTC)},
			{Slug: "by-id", Title: "by-id", Category: 1, Created: day(2020, 2, 29)},
			{Slug: "nothing", Title: "nothing"},
		},
	}
	for name, content := range sameCatalogue {
		t.Run(name, func(t *testing.T) {
			got, err := LoadCatalogue(writeFile(t, name, content))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestCatalogueThatIsEmptyOnPurpose(t *testing.T) {
	for _, content := range []string{"packages: []\n", "grids:\n"} {
		if _, err := LoadCatalogue(writeFile(t, "c.yaml", content)); err != nil {
			t.Error(err)
		}
	}
}

func TestCatalogueThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"none.yaml", "none.ndjson"} {
		path := filepath.Join(folder, name)
		if _, err := LoadCatalogue(path); err == nil || !strings.HasPrefix(err.Error(), path+": cannot be opened: no such file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	huge := writeFile(t, "huge.yaml", strings.Repeat("#\n", maxCatalogueYAML/2+1))
	if _, err := LoadCatalogue(huge); err == nil || !strings.Contains(err.Error(), "write it as NDJSON") {
		t.Errorf("error %v", err)
	}
}

func TestKeysAreMatchedByCase(t *testing.T) {
	for name, content := range map[string]string{"c.yaml": "packages:\n  - slug: a\n    Title: x\n", "c.ndjson": `{"slug":"a","Title":"x"}`} {
		if _, err := LoadCatalogue(writeFile(t, name, content)); err == nil || !strings.Contains(err.Error(), "packages[a].Title: is not a key; did you mean title?") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestNDJSONLineBound(t *testing.T) {
	line := func(size int) string {
		const frame = `{"slug":"a","title":""}`
		return `{"slug":"a","title":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	if _, err := LoadCatalogue(writeFile(t, "c.ndjson", line(maxNDJSONLine)+"\r\n")); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	path := writeFile(t, "c.ndjson", line(3*maxNDJSONLine)+"\n{\"slug\":\"b\"\n")
	_, err := LoadCatalogue(path)
	want := path + ":1:1: is a line of more than 1 MiB; write one entry a line\n" +
		path + ":2:12: is not a JSON object on a line of its own: a comma or } is missing here"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// What these files look like to the parser would cost it its stack or minutes.
func TestYAMLBounds(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"brackets":     {strings.Repeat("[", 1<<16), "nested more than"},
		"dashes":       {strings.Repeat("- ", 1<<16), "nested more than"},
		"braces":       {strings.Repeat("{a: ", 1<<16), "nested more than"},
		"keys":         {strings.Repeat("a: 1\n", 1<<16), "a mapping of more than"},
		"empty items":  {"packages:\n" + strings.Repeat("-\n", 1<<16), "values are left empty"},
		"empty values": {"packages:\n" + strings.Repeat("- slug:\n", 1<<15), "values are left empty"},
		"flow values":  {"packages: [" + strings.Repeat("{slug: },", 1<<15) + "]", "values are left empty"},
		"flow keys":    {"packages: [" + strings.Repeat("{slug},", 1<<15) + "]", "values are left empty"},
		"tags":         {strings.Repeat("!a ", 1<<16), "tags (!) are not supported"},
		"aliases":      {"a: &a [x]\nb: [" + strings.Repeat("*a,", 1<<16) + "]", "anchors (&) are not supported"},
		"tokens":       {"packages:\n" + strings.Repeat("- a: 1\n", maxTokens/4+1), "YAML tokens"},
		"documents":    {strings.Repeat("---\n", 1<<16), "a second document"},
	} {
		t.Run(name, func(t *testing.T) {
			var ps problems
			readYAMLCatalogue([]byte(tt.text), newCatalogueBuilder(&ps))
			if err := ps.report("c.yaml", 50); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzCatalogueYAML(f *testing.F) {
	seedFolder(f, filepath.Join("testdata", "catalogue"))
	for _, content := range sameCatalogue {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkCatalogue(t, func(b *catalogueBuilder) { readYAMLCatalogue(data, b) })
	})
}

func FuzzCatalogueNDJSON(f *testing.F) {
	seedFolder(f, filepath.Join("testdata", "catalogue"))
	for _, content := range sameCatalogue {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkCatalogue(t, func(b *catalogueBuilder) { readNDJSON(bytes.NewReader(data), b) })
	})
}

// FuzzJSONObject holds the scanner against encoding/json: what one of them
// takes for a flat object, the other must take, with the same text.
func FuzzJSONObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"b\u00e9\"","c":[1,-2.5e3,true,null],"d":0}`, `{"a":01}`, `{"a":+1}`, `{"a":1,}`, `{"a":"\ud83d"}`, "{\"a\":\"\x01\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if invalidUTF8(data) >= 0 {
			return
		}
		var s jsonScanner
		err := s.object(data)
		var std map[string]any
		stdErr := json.Unmarshal(data, &std)
		if err == nil && stdErr != nil {
			t.Fatalf("taken, but %v", stdErr)
		}
		if err != nil {
			if stdErr == nil && std != nil && len(std) < maxJSONFields && !strings.Contains(err.Error(), "has no place here") && !strings.Contains(err.Error(), "more than") {
				t.Fatalf("refused, but JSON: %v", err)
			}
			return
		}
		for i := len(s.fields) - 1; i >= 0; i-- { // encoding/json keeps the last of two
			field := &s.fields[i]
			want, ok := std[string(field.key)]
			if !ok {
				t.Fatalf("no key %q", field.key)
			}
			if want, isText := want.(string); isText && !hasLater(s.fields[i+1:], field.key) && want != field.value.text {
				t.Fatalf("%q is %q, want %q", field.key, field.value.text, want)
			}
		}
	})
}

func hasLater(fields []jsonField, key []byte) bool {
	for i := range fields {
		if bytes.Equal(fields[i].key, key) {
			return true
		}
	}
	return false
}

// checkCatalogue reads a catalogue that is either refused or sound.
func checkCatalogue(t *testing.T, read func(*catalogueBuilder)) {
	var ps problems
	b := newCatalogueBuilder(&ps)
	read(b)
	cat := b.finish()
	if err := ps.report("c", shownCatalogueProblems); err != nil {
		if strings.Count(err.Error(), "\n")+1 != len(err.Problems)+min(err.More, 1) {
			t.Errorf("a problem of more than one line:\n%s", err)
		}
		return
	}
	slugs, ids := map[string]bool{}, map[int]bool{}
	for _, p := range cat.Packages {
		if !record.IsSlug(p.Slug) || slugs[p.Slug] || p.ID < 0 || p.ID > 0 && ids[p.ID] {
			t.Errorf("accepted: %+v", p)
		}
		slugs[p.Slug], ids[p.ID] = true, true
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	}
}

func bigCatalogue(n int, ndjson bool) []byte {
	var b bytes.Buffer
	if !ndjson {
		b.WriteString("categories: [{id: 1, slug: apps}]\ngrids: [{id: 1, slug: g1}, {id: 2, slug: g2}]\npackages:\n")
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "  - id: %d\n    slug: package-%[1]d\n    title: Package %[1]d\n    category: 1\n    grids: [1, 2]\n    repo_url: https://github.com/owner/package-%[1]d\n    pypi_url: https://pypi.org/project/package-%[1]d/\n    documentation_url: null\n    created: 2012-12-26T09:29:30.670172Z\n", i)
		}
		return b.Bytes()
	}
	b.WriteString(`{"kind":"category","id":1,"slug":"apps"}` + "\n" + `{"kind":"grid","id":1,"slug":"g1"}` + "\n" + `{"kind":"grid","id":2,"slug":"g2"}` + "\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"slug":"package-%[1]d","title":"Package %[1]d","category":1,"grids":[1,2],"repo_url":"https://github.com/owner/package-%[1]d","pypi_url":"https://pypi.org/project/package-%[1]d/","documentation_url":null,"created":"2012-12-26T09:29:30.670172Z"}`+"\n", i)
	}
	return b.Bytes()
}

func BenchmarkCatalogue(b *testing.B) {
	for _, bb := range []struct {
		name     string
		packages int
		ndjson   bool
	}{{"YAML-5500", 5_500, false}, {"NDJSON-5500", 5_500, true}, {"NDJSON-100000", 100_000, true}} {
		data := bigCatalogue(bb.packages, bb.ndjson)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var ps problems
				builder := newCatalogueBuilder(&ps)
				if bb.ndjson {
					readNDJSON(bytes.NewReader(data), builder)
				} else {
					readYAMLCatalogue(data, builder)
				}
				if cat := builder.finish(); len(ps.list) > 0 || len(cat.Packages) != bb.packages {
					b.Fatal(ps.list)
				}
			}
			b.ReportMetric(float64(bb.packages)*float64(b.N)/b.Elapsed().Seconds(), "packages/s")
		})
	}
}
