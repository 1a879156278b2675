package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
)

// TestPagesV3: what the pages of seven packages say of themselves, where the documented cases
// end: below zero, beyond 64 bits, and at the limit that the operator sets.
func TestPagesV3(t *testing.T) {
	records := &fakeStore{}
	for id := 1; id <= 7; id++ {
		records.packages = append(records.packages, record.Package{Entry: record.Entry{ID: id, Slug: fmt.Sprint("p", id), Title: fmt.Sprint(9 - id)}})
	}
	records.categories = []record.Category{{ID: 1, Slug: "one"}}
	records.packages[2].Category = 1
	nines := strings.Repeat("9", 40)
	const path = "/meta/api/v3/packages/"
	tests := []struct {
		maxLimit                     int
		query                        string
		limit, offset, next, earlier string // as JSON, without the path
		total                        int
		slugs                        string
	}{
		{0, "", "20", "0", "null", "null", 7, "p7 p6 p5 p4 p3 p2 p1"},
		{0, "limit=-5&offset=10", "-5", "10", `"?limit=-5&offset=5"`, `"?limit=-5&offset=15"`, 7, ""},
		{0, "limit=-5&offset=5", "-5", "5", `"?limit=-5&offset=0"`, `"?limit=-5&offset=10"`, 7, ""},
		{0, "limit=" + nines, nines, "0", "null", "null", 7, "p7 p6 p5 p4 p3 p2 p1"},
		{0, "limit=2&offset=" + nines, "2", nines, "null", `"?limit=2&offset=` + nines[1:] + `7"`, 7, ""},
		{0, "limit=-" + nines + "&offset=1" + nines, "-" + nines, "1" + nines, "null", `"?limit=-` + nines + `&offset=2` + nines[1:] + `8"`, 7, ""},
		{0, "category=one", "20", "0", "null", "null", 1, "p3"},
		{3, "", "3", "0", `"?limit=3&offset=3"`, "null", 7, "p7 p6 p5"},
		{3, "limit=100000", "3", "0", `"?limit=3&offset=3"`, "null", 7, "p7 p6 p5"},
		{3, "limit=100000&offset=4", "100000", "4", "null", `"?limit=100000&offset=0"`, 7, "p3 p2 p1"},
		{3, "limit=2", "2", "0", `"?limit=2&offset=2"`, "null", 7, "p7 p6"},
		{7, "limit=100000", "100000", "0", "null", "null", 7, "p7 p6 p5 p4 p3 p2 p1"},
	}
	for _, test := range tests {
		h := newHandler(t, Options{Store: records, MaxLimit: test.maxLimit, PublicURL: "https://example.org/meta"})
		w := do(h, "GET", "/api/v3/packages/?"+test.query)
		link := func(s string) string { return strings.Replace(s, "?", path+"?", 1) }
		want := fmt.Sprintf(`{"meta": {"limit": %s, "next": %s, "offset": %s, "previous": %s, "total_count": %d}, "category": null, "objects": [`,
			test.limit, link(test.next), test.offset, link(test.earlier), test.total)
		meta, objects, _ := strings.Cut(w.Body.String(), `"objects": [`)
		if diff := cmp.Diff(want, meta+`"objects": [`); w.Code != 200 || diff != "" {
			t.Errorf("%d: %s is %d (-want +got):\n%s", test.maxLimit, test.query, w.Code, diff)
		}
		var slugs []string
		for _, part := range strings.Split(objects, `"slug": "`)[1:] {
			slug, _, _ := strings.Cut(part, `"`)
			slugs = append(slugs, slug)
		}
		if got := strings.Join(slugs, " "); got != test.slugs {
			t.Errorf("%d: %s lists %s, want %s", test.maxLimit, test.query, got, test.slugs)
		}
	}
	h := newHandler(t, Options{Store: records})
	for _, query := range []string{"limit=-1", "offset=-1", "limit=-5&offset=4", "limit=5&offset=-3", "offset=-" + nines, "limit=-" + nines + "&offset=5"} {
		for _, list := range []string{"packages", "grids", "categories"} {
			if w := do(h, "GET", "/api/v3/"+list+"/?"+query); w.Code != 400 || w.Body.String() != `{"error": 400, "message": "limit and offset must not be negative."}` {
				t.Errorf("%s?%s: %d %s", list, query, w.Code, w.Body)
			}
		}
	}
}

func TestRoutesV3(t *testing.T) {
	h := newHandler(t, Options{Store: few(), PublicURL: "https://example.org/meta"})
	for _, test := range []struct {
		method, target string
		status         int
		location       string
	}{
		{"GET", "/api/v3", 301, "/meta/api/v3/"},
		{"GET", "/api/v3/packages/one", 301, "/meta/api/v3/packages/one/"},
		{"GET", "/api/v3/grids/none/packages?limit=1&x=%2F", 301, "/meta/api/v3/grids/none/packages/?limit=1&x=%2F"},
		{"GET", "/api/v3/users", 301, "/meta/api/v3/users/"},
		{"GET", "/api/v3/users/", 404, ""},
		{"GET", "/api/v3/users/me/", 404, ""},
		{"GET", "/api/v3/nope/", 404, ""},
		{"GET", "/api/v3/nope", 404, ""},
		{"GET", "/api/v3/search/", 404, ""},
		{"GET", "/api/v3/packages/one.json", 404, ""},
		{"GET", "/api/v3/packages/o.ne/", 404, ""},
		{"GET", "/api/v3/packages/%C3%BC/", 404, ""},
		{"GET", "/api/v3/packages/one/more/", 404, ""},
		{"POST", "/api/v3/packages/", 405, ""},
		{"PUT", "/api/v3/packages/one/", 405, ""},
		{"OPTIONS", "/api/v3/", 405, ""},
		{"DELETE", "/api/v3/grids/", 405, ""},
	} {
		w := do(h, test.method, test.target)
		if location := w.Header().Get("Location"); w.Code != test.status || location != test.location {
			t.Errorf("%s %s: %d to %q, want %d to %q", test.method, test.target, w.Code, location, test.status, test.location)
		}
		if test.status == 405 && (w.Header().Get("Allow") != "GET, HEAD" || w.Body.String() != `{"error": 405, "message": "Only GET and HEAD are answered here."}`) {
			t.Errorf("%s %s: Allow is %s, %s", test.method, test.target, w.Header().Get("Allow"), w.Body)
		}
	}
}

// TestV3OfFewRecords: links carry the prefix of the public URL, what is missing is null, and a
// read package is counted.
func TestV3OfFewRecords(t *testing.T) {
	records := few()
	var read []int
	h := newHandler(t, Options{Store: records, PublicURL: "https://example.org/meta", Read: func(id int) { read = append(read, id) }})
	w := do(h, "GET", "/api/v3/packages/one/")
	for _, want := range []string{`{"absolute_url": "/meta/packages/p/one/", `, `"resource_uri": "/meta/api/v3/packages/one/"`, `"usage_count": 0}`, `"created_by": null, `, `"last_modified_by": null, `} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("without %s:\n%s", want, w.Body)
		}
	}
	if len(read) != 1 || read[0] != 1 {
		t.Errorf("read were %v", read)
	}
	records.packages[0].Category, records.packages[0].Grids = 0, append(records.packages[0].Grids, 999)
	if w := do(h, "GET", "/api/v3/packages/one/"); !strings.Contains(w.Body.String(), `"category": null, `) || strings.Contains(w.Body.String(), "999") {
		t.Errorf("without a category, and in a grid that is gone: %s", w.Body)
	}
	tag := w.Header().Get("ETag")
	if w := do(h, "GET", "/api/v3/", "If-None-Match", do(h, "GET", "/api/v3/").Header().Get("ETag")); w.Code != 304 || tag == "" || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("asked again: %d with %v", w.Code, w.Header())
	}
	records.err = errors.New("the database is damaged")
	for _, target := range []string{"packages/", "packages/one/", "packages/?category=x", "grids/", "grids/x/", "grids/x/packages/", "categories/", "categories/x/"} {
		w := do(h, "GET", "/api/v3/"+target)
		if w.Code != 500 || w.Body.String() != `{"error": 500, "message": "Internal server error."}` {
			t.Errorf("%s over a store that fails: %d %s", target, w.Code, w.Body)
		}
	}
}
