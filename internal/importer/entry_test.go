package importer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
)

// TestInvalidEntries: each error is reported with the id, and costs that entry alone.
func TestInvalidEntries(t *testing.T) {
	p := aPackage(3)
	for _, test := range []struct {
		list    string
		entry   any
		problem string
	}{
		{"packages", p.with("id", missing), "entry 1 of page 1 of packages: has no id; skipped"},
		{"packages", p.with("id", 0), "entry 1 of page 1 of packages: its id is 0; skipped"},
		{"packages", p.with("id", -3), "entry 1 of page 1 of packages: its id is -3; skipped"},
		{"packages", p.with("id", 1<<53), "entry 1 of page 1 of packages: its id is 9007199254740992; skipped"},
		{"packages", p.with("id", "3"), "entry 1 of page 1 of packages: id is text, not a whole number; skipped"},
		{"packages", p.with("id", 3.5), "entry 1 of page 1 of packages: id is 3.5, not a whole number; skipped"},
		{"packages", p.with("id", json.Number("1e999")), "entry 1 of page 1 of packages: id is 1e999, not a whole number; skipped"},
		{"packages", 3, "entry 1 of page 1 of packages: is a number, not a JSON object; skipped"},
		{"packages", nil, "entry 1 of page 1 of packages: has no id; skipped"},
		{"packages", p.with("slug", missing), "package 3: slug is null or missing; skipped"},
		{"packages", p.with("slug", ""), `package 3: "" is not a slug; skipped`},
		{"packages", p.with("slug", "a/b"), `package 3: "a/b" is not a slug; skipped`},
		{"packages", p.with("slug", strings.Repeat("a", 256)), `package 3: "` + strings.Repeat("a", 60) + `…" is not a slug; skipped`},
		{"packages", p.with("slug", "p2"), "package 2: its slug p2 is that of package 3; skipped"},
		{"packages", p.with("id", 2), "package 2: occurs twice, as p3 and as p2; skipped"},
		{"packages", p.with("title", nil), "package 3: title is null or missing; skipped"},
		{"packages", p.with("repo_watchers", -1), "package 3: repo_watchers is -1; skipped"},
		{"packages", p.with("repo_watchers", nil), "package 3: repo_watchers is null or missing; skipped"},
		{"packages", p.with("repo_forks", "85"), "package 3: repo_forks is text, not a whole number; skipped"},
		{"packages", p.with("repo_description", nil), "package 3: repo_description is null or missing; skipped"},
		{"packages", p.with("commits_over_52", []int{1, -1}), "package 3: commits_over_52 is -1; skipped"},
		{"packages", p.with("commits_over_52", []any{1, nil}), "package 3: commits_over_52 is null, not a whole number; skipped"},
		{"packages", p.with("commits_over_52", "0,1"), "package 3: commits_over_52 is text, not a list; skipped"},
		{"packages", p.with("commits_over_52", missing), "package 3: commits_over_52 is missing; skipped"},
		{"packages", p.with("participants", nil), "package 3: participants is null, not a list; skipped"},
		{"packages", p.with("participants", []int{1}), "package 3: participants is a number, not text; skipped"},
		{"packages", p.with("pypi_version", 1.0), "package 3: pypi_version is a number, not text; skipped"},
		{"packages", p.with("category", 1), "package 3: category is a number, not text; skipped"},
		{"packages", p.with("category", "https://other.test/api/v4/categories/1/"), `package 3: category: "https://other.test/api/v4/categories/1/" leads to another host than site.test; skipped`},
		{"packages", p.with("category", "https://ops:canary@site.test/api/v4/categories/1/"), `package 3: category: "https://ops:xxxxx@site.test/api/v4/categories/1/" contains a user name or password; skipped`},
		{"packages", p.with("category", root+"grids/1/"), `package 3: category: "https://site.test/api/v4/grids/1/" is not a link to one of the categories; skipped`},
		{"packages", p.with("grids", []string{root + "grids/one/"}), `package 3: grids: "https://site.test/api/v4/grids/one/" is not a link to one of the grids; skipped`},
		{"packages", p.with("grids", []string{root + "grids/1/", root + "grids/1/"}), "package 3: grids has grid 1 twice; skipped"},
		{"packages", p.with("grids", missing), "package 3: grids is missing; skipped"},
		{"packages", p.with("created", "yesterday"), `package 3: created is "yesterday", not a time like 2012-12-26T09:29:30.670172Z; skipped`},
		{"packages", p.with("created", nil), "package 3: created is null or missing; skipped"},
		{"packages", p.with("modified", "1969-12-31T23:59:59Z"), `package 3: modified is "1969-12-31T23:59:59Z", outside the years 1970 to 9999; skipped`},
		{"packages", p.with("last_fetched", ""), `package 3: last_fetched is "", not a time like 2012-12-26T09:29:30.670172Z; skipped`},
		{"packages", p.with("last_updated", 5), "package 3: last_updated is a number, not text; skipped"},
		{"packages", p.with("category", root+"categories/9/"), "package 3: category 9 is not listed; imported without it"},
		{"packages", p.with("grids", []string{root + "grids/2/", root + "grids/9/"}), "package 3: grid 9 is not listed; imported without it"},
		{"categories", aCategory(3).with("slug", "ä"), `category 3: "ä" is not a slug; skipped`},
		{"categories", aCategory(3).with("show_pypi", "yes"), "category 3: show_pypi is text, not true or false; skipped"},
		{"categories", aCategory(3).with("slug", "c1"), "category 1: its slug c1 is that of category 3; skipped"},
		{"categories", aCategory(3).with("modified", missing), "category 3: modified is null or missing; skipped"},
		{"categories", aCategory(3).with("description", nil), "category 3: description is null or missing; skipped"},
		{"grids", aGrid(3).with("header", nil), "grid 3: header is null or missing; skipped"},
		{"grids", aGrid(3).with("title", []int{}), "grid 3: title is a list, not text; skipped"},
		{"grids", aGrid(3).with("created", "2012-12-26"), `grid 3: created is "2012-12-26", not a time like 2012-12-26T09:29:30.670172Z; skipped`},
	} {
		f := newFakeSite(t, 2)
		f.lists[test.list] = slices.Insert(f.lists[test.list], 0, test.entry)
		c, err := f.site(t).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(c.Problems, test.problem) {
			t.Errorf("%v:\n got %q\nwant %q", test.entry, c.Problems, test.problem)
		}
		if len(c.Unsettled) != 0 {
			t.Errorf("%v: taken for one that was missed", test.entry)
		}
		if strings.HasSuffix(test.problem, "skipped") && (c.Skipped == 0 || len(c.Records) < 1) || strings.HasSuffix(test.problem, "without it") && (c.Dropped != 1 || len(c.Records) != 3) {
			t.Errorf("%v: %d skipped, %d dropped, %d records", test.entry, c.Skipped, c.Dropped, len(c.Records))
		}
	}
}

// TestSkippedCategory: the packages of an invalid category are kept.
func TestSkippedCategory(t *testing.T) {
	f := newFakeSite(t, 2)
	f.lists["categories"][0] = aCategory(1).with("slug", "no slug")
	c, err := f.site(t).Read(t.Context())
	if err != nil || c.Skipped != 1 || c.Dropped != 2 || len(c.Records) != 2 || c.Records[0].Category != 0 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestLinks(t *testing.T) {
	home := &origin{scheme: "https", host: "site.test"}
	for link, want := range map[string]int{
		root + "categories/1/": 1, root + "categories/17": 17, root + "categories/17.json": 17, root + "categories/17.json/": 17,
		root + "categories/17/?format=json": 17, "http://site.test/categories/5/": 5, "http://SITE.TEST:80/x/categories/5/": 5,
		root + "categories/0/": 0, root + "categories/-1/": 0, root + "categories/01/": 0, root + "categories/+1/": 0, root + "categories//": 0,
		root + "categories/9007199254740992/": 0, root + "categories/99999999999999999999/": 0, root + "categories/1/x/": 0,
		root + "grids/1/": 0, root + "xcategories/1/": 0, "/api/v4/categories/1/": 0, "": 0, "categories/1": 0, "https://site.test.evil/categories/1/": 0,
		"ftp://site.test/categories/1/": 0, "https://site.test:8443/categories/1/": 0, "https://%zz/": 0,
	} {
		got, err := home.id(link, "categories")
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%s: %d, %v; want %d", link, got, err, want)
		}
	}
	if id, err := (*origin)(nil).id("https://anywhere.test/api/v4/categories/3/", "categories"); id != 3 || err != nil {
		t.Errorf("from a file: %d, %v", id, err)
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"2012-12-26T09:29:30.670172Z":       "2012-12-26T09:29:30.670172Z",
		"2012-12-26T04:29:30.670172-05:00":  "2012-12-26T09:29:30.670172Z",
		"2012-12-26T04:29:30-05:00":         "2012-12-26T09:29:30Z",
		"2012-12-26T09:29:30.6701729+00:00": "2012-12-26T09:29:30.670172Z",
		"1971-06-01T00:00:00-00:44:30":      "1971-06-01T00:44:30Z",
		"1970-01-01T00:00:00Z":              "1970-01-01T00:00:00Z",
		"9999-12-31T23:59:59-01:00":         "",
		"1970-01-01T00:00:00+01:00":         "",
		"0001-01-01T00:00:00Z":              "",
		"2012-13-26T09:29:30Z":              "",
		"2012-12-26 09:29:30Z":              "",
		"2012-12-26T09:29:30":               "",
		"":                                  "",
	} {
		got, offset, err := parseTime(in)
		if err == nil && got.Format(time.RFC3339Nano) != want || err != nil && want != "" {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
		if _, wantOffset := got.Zone(); wantOffset != 0 || err == nil && strings.HasSuffix(in, "-05:00") && offset != -5*3600 {
			t.Errorf("%s: in %s, offset %d", in, got.Location(), offset)
		}
	}
}

func TestZone(t *testing.T) {
	for want, times := range map[string][]string{
		"UTC":                            {},
		"America/Chicago":                {"2012-12-26T09:29:30-06:00", "2012-07-26T09:29:30-05:00"},
		"America/Bogota":                 {"2012-12-26T09:29:30-05:00", "2012-07-26T09:29:30-05:00"},
		"Asia/Kolkata":                   {"2012-12-26T09:29:30+05:30"},
		"a zone with the offsets -13:00": {"2012-12-26T09:29:30-13:00"},
		"a zone with the offsets -05:00 and +00:00": {"2012-12-26T09:29:30Z", "2012-12-26T09:29:30-05:00"},
	} {
		var z Zone
		for _, s := range times {
			at, offset, err := parseTime(s)
			if err != nil {
				t.Fatal(err)
			}
			z.saw(at, offset)
		}
		if z.String() != want || z.Is(time.UTC) != (want == "UTC") {
			t.Errorf("%q: %s, want %s", times, &z, want)
		}
	}
}

// FuzzRecord: whatever the bytes, a record that is accepted can be held by the store,
// the catalogue and the API, and is served as it was read.
func FuzzRecord(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("..", "..", "api", "testdata", "cases.json"))
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Response struct{ Body string } }
	if err := json.Unmarshal(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		if strings.HasPrefix(c.Response.Body, `{"category"`) {
			f.Add([]byte(strings.ReplaceAll(c.Response.Body, "{BASE}", "http://example.com")))
		}
	}
	for _, seed := range []string{"", "null", "{}", `{"id":1e9}`, `{"ID":1,"id":"x"}`, `{"grids":[null]}`, `[{}]`} {
		f.Add([]byte(seed))
	}
	complete, err := json.Marshal(aPackage(5).with("title", "\u2028\ufffd\x01", "grids", []string{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(complete)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := decoder{staleAfter: time.Hour, zone: new(Zone)}
		rec, err := d.record(data)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an empty error")
			}
			return
		}
		if rec.ID < 1 || !record.IsSlug(rec.Slug) || rec.Repo.Stars < 0 || rec.Repo.Forks < 0 || slices.Contains(rec.Grids, 0) {
			t.Errorf("taken: %+v", rec)
		}
		served := render.Rendering{Zone: time.UTC, Base: "https://site.test"}.Record(&rec, 0)
		again, err := (&decoder{origin: &origin{scheme: "https", host: "site.test"}, staleAfter: time.Hour, zone: new(Zone)}).record(served)
		if err != nil {
			t.Fatalf("what is served is not taken: %v\n%s", err, served)
		}
		if diff := cmp.Diff(rec, again); diff != "" {
			t.Errorf("-read +served and read again:\n%s", diff)
		}
		if _, err := json.Marshal([]record.Package{rec}); err != nil {
			t.Error(err)
		}
	})
}
