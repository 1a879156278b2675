package importer

import (
	"encoding/json"
	"fmt"
	"net/http"
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

func TestReadSiteV3(t *testing.T) {
	f := newFakeSite(t, 7)
	f.v3 = true
	s := f.site(t)
	got, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.requests) != 6 || f.requests[0] != rootV3 || f.requests[1] != rootV3+"categories/?limit=100" || f.requests[5] != rootV3+"packages/?limit=3&offset=6" {
		t.Errorf("it asked for %q", f.requests)
	}
	fetched := time.Date(1999, 2, 16, 1, 1, 26, 546000000, time.UTC)
	ok := record.Status{State: record.StateOK, LastAttempt: fetched, LastSuccess: fetched, NextDue: fetched.Add(24 * time.Hour)}
	due := ok
	due.NextDue = time.Time{}
	want := record.Package{
		Entry: record.Entry{ID: 1, Slug: "p1", Title: "Package 1", Category: 1, Grids: []int{2, 1}, RepoURL: new("https://github.com/a/b"), PyPIURL: new(""), Created: time.Date(1992, 12, 26, 9, 29, 30, 670000000, time.UTC)},
		Repo:  record.Repo{Stars: 251, Forks: 85, Description: "d", Participants: []string{"x", "y"}, Commits52: []int{0, 2}}, Project: record.Project{Version: new("0.10")},
		GitHub: due, PyPI: ok, Modified: time.Date(1999, 1, 28, 19, 51, 38, 364000000, time.UTC), LastFetched: fetched,
	}
	if diff := cmp.Diff(want, got.Records[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Records) != 7 || len(got.Problems)+got.Skipped+got.Dropped != 0 || len(got.Warnings) != 1 || !got.Zone.Is(time.FixedZone("elsewhere", 3600)) {
		t.Errorf("%d records, %q, %q, %s", len(got.Records), got.Problems, got.Warnings, &got.Zone)
	}
	if c := got.Catalogue(); len(c.Packages) != 7 || c.Grids[0].Slug != "g1" || c.Grids[1].ID != 2 || !c.Categories[0].ShowPyPI || !c.Grids[0].Header {
		t.Errorf("the catalogue is %+v", c)
	}
}

// TestIDsOfV3: what is known here keeps its id; everything else gets the next ones by age.
func TestIDsOfV3(t *testing.T) {
	read := func(known IDs) string {
		f := newFakeSite(t, 4)
		f.v3 = true
		for i, day := range []int{3, 9, 1, 3} { // of p4, p3, p2 and p1
			f.lists["packages"][i] = f.lists["packages"][i].(entry).with("created", fmt.Sprintf("1992-12-0%dT09:29:30Z", day))
		}
		s := f.site(t)
		s.IDs = func() (IDs, error) { return known, nil }
		c, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, r := range c.Records {
			said += fmt.Sprintf("%s=%d in %d %v ", r.Slug, r.ID, r.Category, r.Grids)
		}
		for _, g := range c.Grids {
			said += fmt.Sprintf("%s=%d ", g.Slug, g.ID)
		}
		return said + fmt.Sprint(c.Categories[0].Slug, "=", c.Categories[0].ID)
	}
	for want, known := range map[string]IDs{
		"p2=1 in 1 [2 1] p1=2 in 1 [2 1] p4=3 in 1 [2 1] p3=4 in 1 [2 1] g1=1 g2=2 c1=1": {},
		"p2=7 in 5 [3 4] p1=31 in 5 [3 4] p4=32 in 5 [3 4] p3=33 in 5 [3 4] g2=3 g1=4 c1=5": {
			Packages: map[string]int{"p3": 7, "p2": 7, "gone": 20}, Highest: 30, Grids: map[string]int{"g2": 3}, Categories: map[string]int{"c1": 5},
		},
	} {
		if got := read(known); got != want {
			t.Errorf("ids\n got %s\nwant %s", got, want)
		}
	}
}

func TestInvalidEntriesOfV3(t *testing.T) {
	p := aPackage(3)
	for _, test := range []struct {
		list    string
		entry   any
		problem string
	}{
		{"packages", 3, "entry 1 of page 1 of packages: is a number, not a JSON object; skipped"},
		{"packages", p.with("slug", missing), "entry 1 of page 1 of packages: slug is null or missing; skipped"},
		{"packages", p.with("slug", "a/b"), `entry 1 of page 1 of packages: "a/b" is not a slug; skipped`},
		{"packages", p.with("title", nil), "package p3: title is null or missing; skipped"},
		{"packages", p.with("repo_forks", "85"), "package p3: repo_forks is text, not a whole number; skipped"},
		{"packages", p.with("repo_watchers", -1), "package p3: repo_watchers is -1; skipped"},
		{"packages", p.with("commits_over_52", missing), "package p3: commits_over_52 is null or missing; skipped"},
		{"packages", p.with("commits_over_52", []bool{}), "package p3: commits_over_52 is a list, not text; skipped"},
		{"packages", p.with("commits_over_52", "1,-1"), `package p3: commits_over_52 has "-1", not a number of commits; skipped`},
		{"packages", p.with("commits_over_52", "1,,2"), `package p3: commits_over_52 has "", not a number of commits; skipped`},
		{"packages", p.with("commits_over_52", "01"), `package p3: commits_over_52 has "01", not a number of commits; skipped`},
		{"packages", p.with("participants", nil), "package p3: participants is null or missing; skipped"},
		{"packages", p.with("category", "/api/v3/categories/no slug/"), `package p3: category: "/api/v3/categories/no%20slug/" is not a link to one of the categories; skipped`},
		{"packages", p.with("category", "/api/v3/categories/"+strings.Repeat("a", record.MaxSlug+1)+"/"), `package p3: category: "/api/v3/categories/` + strings.Repeat("a", 41) + `…" is not a link to one of the categories; skipped`},
		{"packages", p.with("category", "/api/v3/grids/g1/"), `package p3: category: "/api/v3/grids/g1/" is not a link to one of the categories; skipped`},
		{"packages", p.with("category", "//other.test/api/v3/categories/c1/"), `package p3: category: "//other.test/api/v3/categories/c1/" is not an http or https URL; skipped`},
		{"packages", p.with("category", "https://other.test/api/v3/categories/c1/"), `package p3: category: "https://other.test/api/v3/categories/c1/" leads to another host than site.test; skipped`},
		{"packages", p.with("grids", []string{"/api/v3/grids/g1/", "/api/v3/grids/g1/"}), "package p3: grids has grid g1 twice; skipped"},
		{"packages", p.with("created", "yesterday"), `package p3: created is "yesterday", not a time like 2012-12-26T09:29:30.670172Z; skipped`},
		{"packages", p.with("category", "/api/v3/categories/c9/"), "package p3: category c9 is not listed; imported without it"},
		{"packages", p.with("grids", []string{"/api/v3/grids/g2/", "/api/v3/grids/g9/"}), "package p3: grid g9 is not listed; imported without it"},
		{"categories", aCategory(3).with("show_pypi", "yes"), "category c3: show_pypi is text, not true or false; skipped"},
		{"grids", aGrid(3).with("header", nil), "grid g3: header is null or missing; skipped"},
	} {
		f := newFakeSite(t, 2)
		f.v3 = true
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
		if strings.HasSuffix(test.problem, "skipped") && (c.Skipped != 1 || len(c.Records) != 2) || strings.HasSuffix(test.problem, "without it") && (c.Dropped != 1 || len(c.Records) != 3) {
			t.Errorf("%v: %d skipped, %d dropped, %d records", test.entry, c.Skipped, c.Dropped, len(c.Records))
		}
	}
}

// TestMixedAPIs: a site that answers as API v4 and then as v3, or the other way round, is not read.
func TestMixedAPIs(t *testing.T) {
	for _, v3 := range []bool{false, true} {
		f := newFakeSite(t, 2)
		f.v3 = v3
		f.fault = func(n int, _ *http.Request) (*http.Response, error) {
			switch {
			case n < 3:
				return nil, nil
			case v3:
				return answerJSON(map[string]any{"count": 0, "next": nil, "results": []int{}}), nil
			}
			return answerJSON(map[string]any{"meta": map[string]any{"total_count": 0, "next": nil}, "objects": []int{}}), nil
		}
		if _, err := f.site(t).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "is not a page of a list with count and results, nor one of API v3 with meta and objects; it starts with ") {
			t.Errorf("v3 %t: %v", v3, err)
		}
	}
}

// casesV3 are the bodies that API v3 documents for a path.
func casesV3(t testing.TB) map[string]string {
	data, err := os.ReadFile(filepath.Join("..", "..", "api", "testdata", "v3-cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Request  struct{ Method, Path string }
		Response struct {
			Status int
			Body   string
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, c := range cases {
		if c.Request.Method == "GET" && c.Response.Status == 200 {
			bodies[c.Request.Path] = c.Response.Body
		}
	}
	return bodies
}

// readV3 reads a package, and returns it with what API v3 serves of it.
func readV3(data []byte) (record.Package, string, error) {
	d := decoder{origin: &origin{scheme: "https", host: "site.test"}, staleAfter: time.Hour, zone: new(Zone), names: new(names)}
	rec, err := d.record(data)
	if err != nil {
		return rec, "", err
	}
	category := ""
	if rec.Category != 0 {
		category = d.names.categories.slug(rec.Category)
	}
	var grids []string
	for _, id := range rec.Grids {
		grids = append(grids, d.names.grids.slug(id))
	}
	var e render.Encoder
	e.ResetPython()
	render.V3{}.Package(&e, &rec, category, grids)
	return rec, string(e.Bytes()), nil
}

// TestV3IsServedAsRead: each documented package is served as it was read, byte for byte.
func TestV3IsServedAsRead(t *testing.T) {
	tried := 0
	check := func(body string) {
		if _, served, err := readV3([]byte(body)); err != nil || served != body {
			t.Errorf("%v\n-read +served:\n%s", err, cmp.Diff(body, served))
		}
		tried++
	}
	for path, body := range casesV3(t) {
		if strings.HasPrefix(path, "/api/v3/packages/") && strings.HasPrefix(body, `{"absolute_url"`) {
			check(body)
		}
		if path == "/api/v3/packages/?limit=100000" {
			_, objects, _ := strings.Cut(body, `"objects": [`)
			for _, object := range strings.Split(strings.TrimSuffix(objects, "]}"), `, {"absolute_url"`) {
				if !strings.HasPrefix(object, "{") {
					object = `{"absolute_url"` + object
				}
				check(object)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d packages were tried", tried)
	}
}

// FuzzRecordV3: whatever the bytes, a package that is accepted is served, and what is served
// is read as the same.
func FuzzRecordV3(f *testing.F) {
	for _, body := range casesV3(f) {
		f.Add([]byte(body))
	}
	for _, seed := range []string{"", "null", "{}", `{"slug":"a","commits_over_52":",","participants":","}`, `{"category":"//","slug":7}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, served, err := readV3(data)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an empty error")
			}
			return
		}
		if !record.IsSlug(rec.Slug) || rec.Repo.Stars < 0 || rec.Repo.Forks < 0 {
			t.Errorf("taken: %+v", rec)
		}
		_, again, err := readV3([]byte(served))
		if err != nil || again != served {
			t.Errorf("served again otherwise: %v\n%s", err, cmp.Diff(served, again))
		}
	})
}
