package catalogue

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
)

// hostile is text that some reader of some format takes for something else.
var hostile = []string{
	"plain", "two words", "a: b", "a #b", "#a", "- a", "a - b", "a -b", "-", "a:", ":a", "a : b", "? a", "[a]", "{a: b}", "a, b", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`",
	"null", "Null", "~", "true", "False", "yes", "No", "on", "off", "y", "N", ".inf", ".nan", "nan", "inf", "1", "1.0", "1e3", "0x1f", "0o7", "1_000", "12:30", "2012-12-26", "2012-12-26T09:29:30Z", "=", "<<", "---", "...", "--- a",
	`"`, `'`, `it's`, `"quoted"`, `'quoted'`, `\`, `\n`, `back\slash`, "a\nb", "a\n\nb\n", "a\tb", "\ta", " a", "a ", "  ", "\r", "a\r\nb", "\x00", "\x01\x1f\x7f", "\u0080\u0085\u00a0",
	"Ünïcödé — “quotes” & <b>markup</b>", "日本語のパッケージ 🚀", "\u2028\u2029", "\ufeff", "a\ufeffb", "\ufffd", "\ufffe\uffff", "\U000e0001", "\U0010ffff", "e\u0301", "\u202e", "\u200b",
	"https://github.com/a/b?c=d&e=f#g", "http://h:80/a:b", "a://b", strings.Repeat("long ", 1000), strings.Repeat("x", 5000), "{{ a }}", "${a}", "$(a)", "a/b", "a=b", "(a)", "a(b)", "C++", "C#", "a b: c", "a b:", "key: value # not a comment",
}

func hostileCatalogue() (c record.Catalogue) {
	at := time.Date(2012, 12, 26, 9, 29, 30, 670172000, time.UTC)
	text := func(s string) *string { return &s }
	for i, s := range hostile {
		id := i + 1
		c.Categories = append(c.Categories, record.Category{ID: id, Slug: fmt.Sprint("c", id), Title: s, TitlePlural: s, Description: s, ShowPyPI: i%2 == 0, Created: at, Modified: at.Add(time.Duration(i) * time.Microsecond), StaleAfter: time.Duration(i) * time.Hour})
		c.Grids = append(c.Grids, record.Grid{ID: id, Slug: fmt.Sprint(id), Title: s, Description: s, IsLocked: i%2 == 0, Header: i%3 == 0, Created: at, Modified: at})
		c.Packages = append(c.Packages, record.Entry{ID: id, Slug: fmt.Sprint("p", id), Title: s, Category: id, Grids: []int{1 + i/2, id + 1}[:1+i%2], RepoURL: text(s), Created: at})
	}
	c.Packages[len(c.Packages)-1].Grids = nil
	c.Packages = append(c.Packages,
		record.Entry{ID: 1000, Slug: "null", Title: "null", RepoURL: text(""), PyPIURL: text(""), DocumentationURL: text(""), StaleAfter: 90*time.Minute + 1500*time.Millisecond},
		record.Entry{ID: record.MaxID, Slug: "2048", Title: "2048", Created: time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC)},
		record.Entry{ID: record.MaxID - 1, Slug: "-", Title: "-", Created: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		record.Entry{Slug: "no-id", Title: "no-id"},
		record.Entry{Slug: "no-id-2", Title: "2"},
	)
	return c
}

// inIDOrder is the order that a catalogue is written in.
func inIDOrder(c record.Catalogue) record.Catalogue {
	n := len(c.Packages)
	c.Packages = append([]record.Entry(nil), c.Packages...)
	c.Packages[n-4], c.Packages[n-3] = c.Packages[n-3], c.Packages[n-4]
	return c
}

func TestRoundTrip(t *testing.T) {
	want := inIDOrder(hostileCatalogue())
	for _, name := range []string{"c.yaml", "c.yml", "c.json", "c.ndjson", "c.JSONL"} {
		path := filepath.Join(t.TempDir(), name)
		f, err := Stage(path, hostileCatalogue())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		// The order it comes in does not matter.
		again, err := Stage(path, got)
		if err != nil || again.Changes() {
			t.Errorf("%s: written differently the second time: %v", name, err)
		}
	}
}

func TestLayout(t *testing.T) {
	text := func(s string) *string { return &s }
	c := record.Catalogue{
		Categories: []record.Category{{ID: 1, Slug: "apps", Title: "App", ShowPyPI: true, StaleAfter: 168 * time.Hour}},
		Packages: []record.Entry{
			{Slug: "wagtail", Title: "Wagtail", Category: 1, RepoURL: text("https://github.com/wagtail/wagtail"), PyPIURL: text("")},
			{ID: 7, Slug: "other", Title: "no: it's", Created: time.Date(2012, 12, 26, 0, 0, 0, 0, time.UTC), StaleAfter: 90 * time.Minute},
		},
	}
	for name, want := range map[string]string{
		"c.yaml": head + `
categories:
  - id: 1
    slug: apps
    title: App
    show_pypi: true
    stale_after: 168h

grids: []

packages:
  - id: 7
    slug: other
    title: "no: it's"
    created: 2012-12-26T00:00:00Z
    stale_after: 1h30m

  - slug: wagtail
    title: Wagtail
    category: 1
    repo_url: https://github.com/wagtail/wagtail
    pypi_url: ""
`,
		"c.ndjson": `{"kind": "category", "id": 1, "slug": "apps", "title": "App", "show_pypi": true, "stale_after": "168h"}
{"id": 7, "slug": "other", "title": "no: it's", "created": "2012-12-26T00:00:00Z", "stale_after": "1h30m"}
{"slug": "wagtail", "title": "Wagtail", "category": 1, "repo_url": "https://github.com/wagtail/wagtail", "pypi_url": ""}
`,
		"c.json": `{
"categories": [
  {"id": 1, "slug": "apps", "title": "App", "show_pypi": true, "stale_after": "168h"}
],
"grids": [],
"packages": [
  {"id": 7, "slug": "other", "title": "no: it's", "created": "2012-12-26T00:00:00Z", "stale_after": "1h30m"},
  {"slug": "wagtail", "title": "Wagtail", "category": 1, "repo_url": "https://github.com/wagtail/wagtail", "pypi_url": ""}
]
}
`,
	} {
		path := filepath.Join(t.TempDir(), name)
		f, err := Stage(path, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v -want +got:\n%s", name, err, diff)
		}
	}
}

// TestFiles: what stands in the folder after each step.
func TestFiles(t *testing.T) {
	folder := t.TempDir()
	holds := func(want map[string]string) {
		t.Helper()
		got := map[string]string{}
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			got[f.Name()] = string(data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	const one, two, old = `{"id": 1, "slug": "a", "title": "a"}` + "\n", `{"id": 1, "slug": "a", "title": "b"}` + "\n", "# old\n"
	c := record.Catalogue{Packages: []record.Entry{{ID: 1, Slug: "a", Title: "a"}}}
	path := filepath.Join(folder, "c.ndjson")
	f, err := Stage(path, c)
	if err != nil {
		t.Fatal(err)
	}
	holds(map[string]string{"c.new.ndjson": one})
	f.Discard()
	holds(map[string]string{})

	write(t, path, old) // 0600
	write(t, filepath.Join(folder, "c.new.ndjson"), "left by a kill")
	if f, err = Stage(path, c); err != nil {
		t.Fatal(err)
	}
	holds(map[string]string{"c.ndjson": old, "c.new.ndjson": one})
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Discard() // does nothing any more
	holds(map[string]string{"c.ndjson": one, "c.ndjson.bak": old})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if f, err = Stage(path, c); err != nil || f.Changes() {
		t.Errorf("the same again: %v", err)
	}
	holds(map[string]string{"c.ndjson": one, "c.ndjson.bak": old})

	if err := os.Chmod(path, 0o664); err != nil { // more than a umask lets a new file have
		t.Fatal(err)
	}
	// A link stays a link.
	link := filepath.Join(t.TempDir(), "link.ndjson")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	c.Packages[0].Title = "b"
	if f, err = Stage(link, c); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	holds(map[string]string{"c.ndjson": two, "c.ndjson.bak": one})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o664 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link leads to %s, %v", target, err)
	}

	if _, err := Stage(filepath.Join(folder, "c.txt"), c); err == nil || !strings.Contains(err.Error(), "its name does not say its format") {
		t.Errorf("c.txt: %v", err)
	}
	if _, err := Stage(filepath.Join(folder, "none", "c.yaml"), c); err == nil {
		t.Error("a folder that is not there")
	}
}

// TestTooLargeForYAML: what a daemon could not load is not written.
func TestTooLargeForYAML(t *testing.T) {
	url := "https://github.com/" + strings.Repeat("a", 30_000)
	var c record.Catalogue
	for id := 1; id <= 300; id++ {
		slug := fmt.Sprint("p", id)
		c.Packages = append(c.Packages, record.Entry{ID: id, Slug: slug, Title: slug, RepoURL: &url})
	}
	folder := t.TempDir()
	_, err := Stage(filepath.Join(folder, "c.yaml"), c)
	if err == nil || !strings.Contains(err.Error(), "300 packages take 8.6 MiB, and a catalogue in YAML has 8 MiB at most; nothing was changed: give catalogue.path a name that ends in .ndjson") {
		t.Errorf("error %v", err)
	}
	if files, _ := os.ReadDir(folder); len(files) != 0 {
		t.Errorf("it left %v", files)
	}
	if _, err := Stage(filepath.Join(folder, "c.ndjson"), c); err != nil {
		t.Errorf("as NDJSON: %v", err)
	}
}

func TestReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	for content, want := range map[string]string{
		"packages: [}\n": "it would not load again: ",
		"packages: [{slug: a}]\n" + strings.Repeat("# more\n", 10): "it would load as another catalogue",
	} {
		write(t, path, content)
		if err := readsBack(path, 1, writeYAML); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// FuzzCatalogueWrite: any text reads back as it was, from every format.
func FuzzCatalogueWrite(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 1)
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, s string, id int) {
		s = strings.ToValidUTF8(s, "\ufffd") // as all that an import reads is
		if s == "" || id < 1 || id > record.MaxID {
			return
		}
		c := record.Catalogue{
			Categories: []record.Category{{ID: id, Slug: "c", Title: s, Description: s}},
			Packages:   []record.Entry{{ID: id, Slug: "p", Title: s, Category: id, PyPIURL: &s}},
		}
		for _, name := range []string{"c.yaml", "c.json", "c.ndjson"} {
			path := filepath.Join(folder, name)
			write, err := writerFor(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(file, c); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeepStaleAfter: an import of what does not know stale_after takes nobody's away.
func TestKeepStaleAfter(t *testing.T) {
	present := Present{Catalogue: record.Catalogue{
		Categories: []record.Category{{ID: 1, StaleAfter: time.Hour}, {ID: 2}},
		Packages:   []record.Entry{{ID: 1, Slug: "renamed", StaleAfter: 2 * time.Hour}, {Slug: "no-id", StaleAfter: 3 * time.Hour}, {ID: 3, Slug: "none"}, {ID: 9, Slug: "other-id", StaleAfter: 4 * time.Hour}},
	}}
	next := record.Catalogue{
		Categories: []record.Category{{ID: 1}, {ID: 2}, {ID: 3}},
		Packages:   []record.Entry{{ID: 1, Slug: "new-name"}, {ID: 2, Slug: "no-id"}, {ID: 3, Slug: "none"}, {ID: 4, Slug: "other-id"}, {ID: 5, Slug: "new"}},
	}
	present.KeepStaleAfter(&next)
	var got []time.Duration
	for _, c := range next.Categories {
		got = append(got, c.StaleAfter/time.Hour)
	}
	for _, e := range next.Packages {
		got = append(got, e.StaleAfter/time.Hour)
	}
	if diff := cmp.Diff([]time.Duration{1, 0, 0, 2, 3, 0, 4, 0}, got); diff != "" {
		t.Errorf("hours, -want +got:\n%s", diff)
	}
}
