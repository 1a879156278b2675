package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"pkgmetad/internal/record"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

const (
	notFound      = `{"detail":"Not found."}`
	noPackage     = `{"detail":"No Package matches the given query."}`
	noGrid        = `{"detail":"No Grid matches the given query."}`
	noCategory    = `{"detail":"No Category matches the given query."}`
	notAcceptable = `{"detail":"Could not satisfy the request Accept header."}`
	serverError   = `{"detail":"Internal server error."}`
)

// few returns a handful of records whose keys are alike.
func few() *fakeStore {
	entry := func(id int, slug string, grids ...int) record.Package {
		return record.Package{Entry: record.Entry{ID: id, Slug: slug, Title: slug, Grids: grids}}
	}
	return &fakeStore{
		packages: []record.Package{
			entry(1, "one", 7), entry(2, "2024", 7), entry(3, "3"), entry(4, "Four_x-y"),
			entry(5, "9223372036854775808"), entry(10, "ünï"),
		},
		grids:      []record.Grid{{ID: 7, Slug: "seven"}, {ID: 8, Slug: "10"}},
		categories: []record.Category{{ID: 3, Slug: "apps"}, {ID: 10, Slug: "3"}},
	}
}

// TestChecks holds which answer wins where more than one could be given, and
// the lookup of records.
func TestChecks(t *testing.T) {
	h := newHandler(t, Options{Store: few()})
	const p, g, c = "/api/v4/packages/", "/api/v4/grids/", "/api/v4/categories/"
	tests := []struct {
		method, target, accept string
		status                 int
		body                   string // a part of it
	}{
		// An id comes before a slug, and a slug may consist of digits.
		{"GET", p + "1/", "", 200, `"id":1,`},
		{"GET", p + "0001/", "", 200, `"id":1,`},
		{"GET", p + "one/", "", 200, `"id":1,`},
		{"GET", p + "One/", "", 404, noPackage},
		{"GET", p + "Four_x-y/", "", 200, `"id":4,`},
		{"GET", p + "2024/", "", 200, `"id":2,`},
		{"GET", p + "3/", "", 200, `"id":3,`},
		{"GET", p + "9223372036854775808/", "", 200, `"id":5,`},
		{"GET", p + "9223372036854775807/", "", 404, noPackage},
		{"GET", p + "12345678901234567890123/", "", 404, noPackage},
		{"GET", p + "%D9%A1/", "", 200, `"id":1,`}, // an Arabic one
		{"GET", p + "%C2%B2/", "", 404, noPackage}, // a superscript two
		{"GET", p + "%C3%BCn%C3%AF/", "", 200, `"id":10,`},
		{"GET", p + "%FF/", "", 404, noPackage},
		{"GET", p + "-1/", "", 404, noPackage},
		{"GET", p + "+1/", "", 404, noPackage},
		{"GET", p + "1_0/", "", 404, noPackage},
		{"GET", p + "%201/", "", 404, noPackage},
		{"GET", g + "7/", "", 200, `"id":7,`},
		{"GET", g + "seven/", "", 200, `"packages":["http://example.com/api/v4/packages/2/","http://example.com/api/v4/packages/1/"]`},
		{"GET", g + "10/", "", 200, `"id":8,`},
		{"GET", g + "0/", "", 404, noGrid},
		// A category has no other key than its id, read as int() does.
		{"GET", c + "3/", "", 200, `"id":3,`},
		{"GET", c + "+3/", "", 200, `"id":3,`},
		{"GET", c + "1_0/", "", 200, `"id":10,`},
		{"GET", c + "apps/", "", 404, noCategory},
		{"GET", c + "-3/", "", 404, noCategory},
		{"GET", c + "99999999999999999999/", "", 404, noCategory},

		// First the format and the Accept header, then the method, then the record.
		{"POST", p + "1/", "application/xml", 406, notAcceptable},
		{"POST", p + "1/?format=xml", "", 404, notFound},
		{"POST", p + "nobody/", "", 405, `{"detail":"Method \"POST\" not allowed."}`},
		{"TRACE", p + "1/", "", 405, `{"detail":"Method \"TRACE\" not allowed."}`},
		{"PURGE", "/api/v4/", "", 405, `{"detail":"Method \"PURGE\" not allowed."}`},
		{"GET", p + "nobody/", "application/xml", 406, notAcceptable},
		{"GET", p + "nobody/?format=xml", "", 404, notFound},
		{"GET", p + "1/?format=xml", "application/xml", 404, notFound},
		{"OPTIONS", p + "nobody/", "", 200, `{"name":"Package Instance","description":"API endpoint that allows packages to be viewed or edited.",`},
		{"OPTIONS", p + "1/", "application/xml", 406, notAcceptable},
		{"OPTIONS", p + "1/?format=xml", "", 404, notFound},
		{"OPTIONS", p + "?format=json", "", 200, `{"name":"Package List",`},
		{"OPTIONS", g, "", 200, `{"name":"Grid List","description":"",`},
		{"OPTIONS", c, "", 200, `{"name":"Category List","description":"",`},
		{"OPTIONS", c + "3/", "application/json; indent=1", 200, "{\n \"name\": \"Category Instance\",\n \"description\": \"\",\n \"renders\": [\n  \"application/json\",\n  \"text/html\"\n ],"},
		// A problem is indented as well, but for one of the negotiation itself.
		{"GET", p + "nobody/", "application/json; indent=3", 404, "{\n   \"detail\": \"No Package matches the given query.\"\n}"},
		{"PUT", p, "application/json; indent=1", 405, "{\n \"detail\": \"Method \\\"PUT\\\" not allowed.\"\n}"},
		{"GET", p + "1/?format=xml", "application/json; indent=4", 404, notFound},
		{"GET", p + "1/?format=api", "application/json; indent=4", 406, notAcceptable},
	}
	for _, test := range tests {
		var headers []string
		if test.accept != "" {
			headers = []string{"Accept", test.accept}
		}
		w := do(h, test.method, test.target, headers...)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s %s, Accept %q:\n got %d %s\nwant %d %s", test.method, test.target, test.accept, w.Code, w.Body, test.status, test.body)
		}
		want := http.Header{
			"Allow":                  {"GET, HEAD, OPTIONS"},
			"Content-Length":         w.Header()["Content-Length"],
			"Content-Type":           {"application/json"},
			"Vary":                   {"Accept, Accept-Encoding"},
			"Cache-Control":          {"public, no-cache"},
			"X-Content-Type-Options": {"nosniff"},
		}
		if test.status == 200 && test.method == "GET" {
			want["Etag"], want["Last-Modified"] = w.Header()["Etag"], w.Header()["Last-Modified"]
		}
		if diff := cmp.Diff(want, w.Header()); diff != "" {
			t.Errorf("%s %s: headers (-want +got):\n%s", test.method, test.target, diff)
		}
	}
}

// TestStoreFailure: what the store says is for the log, not for the client.
func TestStoreFailure(t *testing.T) {
	broken := few()
	broken.err = errors.New("page 17 is garbage")
	var log strings.Builder
	h, err := New(Options{Store: broken, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{
		"/api/v4/packages/", "/api/v4/packages/1/", "/api/v4/packages/one/", "/api/v4/grids/", "/api/v4/grids/7/",
		"/api/v4/grids/seven/", "/api/v4/categories/", "/api/v4/categories/3/",
	} {
		log.Reset()
		w := do(h, "GET", target)
		if w.Code != http.StatusInternalServerError || w.Body.String() != serverError {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		for _, part := range []string{`"level":"error"`, "page 17 is garbage", target} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("%s: the log lacks %q: %s", target, part, log.String())
			}
		}
	}
	for target, status := range map[string]int{"/api/v4/": 200, "/livez": 200, "/readyz": 503} {
		if w := do(h, "GET", target); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
}

// membersFail is a store that fails in the middle of an answer.
type membersFail struct{ *fakeStore }

func (membersFail) GridPackages(int) ([]int, error) { return nil, errors.New("no members") }

func TestFailureMidway(t *testing.T) {
	w := do(newHandler(t, Options{Store: membersFail{few()}}), "GET", "/api/v4/grids/", "Accept", "application/json; indent=2")
	if want := "{\n  \"detail\": \"Internal server error.\"\n}"; w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, want)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no store":     {},
		"negative cap": {Store: few(), MaxLimit: -1},
		"public URL":   {Store: few(), PublicURL: "example.com"},
	} {
		if h, err := New(o); err == nil || h != nil {
			t.Errorf("%s: no error", name)
		}
	}
}
