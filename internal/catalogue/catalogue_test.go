package catalogue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
	"pkgmetad/internal/strict/stricttest"
)

const badFiles = "testdata/bad"

func TestBadFiles(t *testing.T) {
	stricttest.Golden(t, badFiles, func(path string) error {
		_, err := Load(path)
		return err
	})
}

func pointer(s string) *string { return &s }

func TestExampleCatalogue(t *testing.T) {
	cat, err := Load("../../packaging/catalogue.example.yaml")
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
  - {slug: by-id, category: 1, grids: [], created: 2020-02-29, stale_after: 90m}
  - {slug: nothing, category: null, grids: null}
grids:
  - {id: 1, slug: g1, title: One, description: "d\u00e9\U0001F600", is_locked: true, header: true, created: 2001-01-01, modified: 2002-02-02}
  - {id: 2, slug: g2}
categories:
  - {id: 1, slug: apps, title: App, title_plural: Apps, description: d, show_pypi: true, created: 2001-01-01, modified: 2002-02-02, stale_after: 168h}
`,
	"c.json": `{"packages": [
 {"slug": "only-a-slug"},
 {"id": 7, "slug": "2048", "title": "a\nb", "category": "apps", "grids": ["g2", 1], "repo_url": "", "pypi_url": null, "documentation_url": " x ", "created": "2012-12-26T11:29:30.6701729+02:00"},
 {"slug": "by-id", "category": 1, "grids": [], "created": "2020-02-29", "stale_after": "90m"},
 {"slug": "nothing", "category": null, "grids": null}],
"grids": [{"id": 1, "slug": "g1", "title": "One", "description": "dé😀", "is_locked": true, "header": true, "created": "2001-01-01", "modified": "2002-02-02"}, {"id": 2, "slug": "g2"}],
"categories": [{"id": 1, "slug": "apps", "title": "App", "title_plural": "Apps", "description": "d", "show_pypi": true, "created": "2001-01-01", "modified": "2002-02-02", "stale_after": "168h"}]}`,
	"c.ndjson": "\ufeff" + `{"slug": "only-a-slug"}` + "\r\n\r\n" +
		`{"kind": "package", "id": 7, "slug": "2048", "title": "a\nb", "category": "apps", "grids": ["g2", 1], "repo_url": "", "pypi_url": null, "documentation_url": " x ", "created": "2012-12-26T11:29:30.6701729+02:00"}
  {"slug":"by-id","category":1,"grids":[],"created":"2020-02-29","stale_after":"90m"}
{"\u0073lug": "nothing", "category": null, "grids": null}
{"id": 1, "slug": "g1", "title": "One", "description": "d\u00e9\ud83d\ude00", "is_locked": true, "header": true, "created": "2001-01-01", "modified": "2002-02-02", "kind": "grid"}
{"kind": "grid", "id": 2, "slug": "g2"}
{"kind": "category", "id": 1, "slug": "apps", "title": "App", "title_plural": "Apps", "description": "d", "show_pypi": true, "created": "2001-01-01", "modified": "2002-02-02", "stale_after": "168h"}`,
}

func TestFormats(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	want := record.Catalogue{
		Categories: []record.Category{{ID: 1, Slug: "apps", Title: "App", TitlePlural: "Apps", Description: "d", ShowPyPI: true, Created: day(2001, 1, 1), Modified: day(2002, 2, 2), StaleAfter: 168 * time.Hour}},
		Grids: []record.Grid{
			{ID: 1, Slug: "g1", Title: "One", Description: "dé😀", IsLocked: true, Header: true, Created: day(2001, 1, 1), Modified: day(2002, 2, 2)},
			{ID: 2, Slug: "g2", Title: "g2"},
		},
		Packages: []record.Entry{
			{Slug: "only-a-slug", Title: "only-a-slug"},
			{ID: 7, Slug: "2048", Title: "a\nb", Category: 1, Grids: []int{2, 1}, RepoURL: pointer(""), DocumentationURL: pointer(" x "), Created: time.Date(2012, 12, 26, 9, 29, 30, 670172000, time.UTC)},
			{Slug: "by-id", Title: "by-id", Category: 1, Created: day(2020, 2, 29), StaleAfter: 90 * time.Minute},
			{Slug: "nothing", Title: "nothing"},
		},
	}
	for name, content := range sameCatalogue {
		t.Run(name, func(t *testing.T) {
			got, err := Load(stricttest.WriteFile(t, name, content))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEmptyOnPurpose(t *testing.T) {
	for _, content := range []string{"packages: []\n", "grids:\n"} {
		if _, err := Load(stricttest.WriteFile(t, "c.yaml", content)); err != nil {
			t.Error(err)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"none.yaml", "none.ndjson"} {
		path := filepath.Join(folder, name)
		if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": cannot be opened: no such file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	huge := stricttest.WriteFile(t, "huge.yaml", strings.Repeat("#\n", maxYAML/2+1))
	if _, err := Load(huge); err == nil || !strings.Contains(err.Error(), "write it as NDJSON") {
		t.Errorf("error %v", err)
	}
}

func TestKeysAreMatchedByCase(t *testing.T) {
	for name, content := range map[string]string{"c.yaml": "packages:\n  - slug: a\n    Title: x\n", "c.ndjson": `{"slug":"a","Title":"x"}`} {
		if _, err := Load(stricttest.WriteFile(t, name, content)); err == nil || !strings.Contains(err.Error(), "packages[a].Title: is not a key; did you mean title?") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzCatalogueYAML(f *testing.F) {
	stricttest.Seed(f, badFiles)
	for _, content := range sameCatalogue {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkCatalogue(t, func(b *builder) { readYAML(data, b) })
	})
}

func FuzzCatalogueNDJSON(f *testing.F) {
	stricttest.Seed(f, badFiles)
	for _, content := range sameCatalogue {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkCatalogue(t, func(b *builder) { readLines(bytes.NewReader(data), b) })
	})
}

// checkCatalogue reads a catalogue that is either refused or sound.
func checkCatalogue(t *testing.T, read func(*builder)) {
	var ps strict.Problems
	b := newBuilder(&ps)
	read(b)
	cat := b.finish()
	if err := ps.Err("c", maxShown); err != nil {
		stricttest.OneLineEach(t, err)
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
				var ps strict.Problems
				builder := newBuilder(&ps)
				if bb.ndjson {
					readLines(bytes.NewReader(data), builder)
				} else {
					readYAML(data, builder)
				}
				if cat := builder.finish(); !ps.Empty() || len(cat.Packages) != bb.packages {
					b.Fatal(ps.Err("c", maxShown))
				}
			}
			b.ReportMetric(float64(bb.packages)*float64(b.N)/b.Elapsed().Seconds(), "packages/s")
		})
	}
}
