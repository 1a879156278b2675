package api

import (
	"errors"
	"strings"
	"testing"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

func TestRoutes(t *testing.T) {
	h := newHandler(t, Options{Store: few()})
	tests := []struct {
		method, target string
		status         int
		location       string // of a redirect
	}{
		{"GET", "/api/v4/", 200, ""},
		{"GET", "/api/v4", 301, "/api/v4/"},
		{"GET", "/api/v4/packages", 301, "/api/v4/packages/"},
		{"HEAD", "/api/v4/grids?a=1&b=%zz", 301, "/api/v4/grids/?a=1&b=%zz"},
		{"POST", "/api/v4/packages/1", 301, "/api/v4/packages/1/"},
		{"OPTIONS", "/api/v4/categories", 301, "/api/v4/categories/"},
		{"GET", "/api/v4/packages/nobody?x", 301, "/api/v4/packages/nobody/?x"},
		{"GET", "/api/v4/packages/a%20b;c=%C3%BC@$", 301, "/api/v4/packages/a%20b%3Bc%3D%C3%BC@$/"},
		{"GET", "/api/v4/packages/one?", 301, "/api/v4/packages/one/"},
		{"GET", `/api/v4/packages/one?a="<b>"`, 301, "/api/v4/packages/one/?a=%22%3Cb%3E%22"},

		{"GET", "/api/v4/packages.json", 200, ""},
		{"GET", "/api/v4/packages.json/", 200, ""},
		{"GET", "/api/v4/packages/one.json", 200, ""},
		{"GET", "/api/v4/packages/1.json/", 200, ""},
		{"GET", "/api/v4/grids/7.api", 200, ""},
		{"GET", "/api/v4/.json", 200, ""},
		{"POST", "/api/v4/packages.json", 405, ""},
		{"GET", "/api/v4/packages.xml", 404, ""},
		{"GET", "/api/v4/packages/one.xml", 404, ""},
		{"GET", "/api/v4/packages/one.JSON", 404, ""},
		{"GET", "/api/v4/packages/one.x.json", 404, ""},
		{"GET", "/api/v4/packages/.json", 404, ""},
		{"GET", "/api/v4/packages/one.", 404, ""},
		{"GET", "/api/v4/search.json", 200, ""},

		{"GET", "/", 200, ""},
		{"POST", "/", 405, ""},
		{"GET", "/livez", 200, ""},
		{"HEAD", "/readyz", 200, ""},
		{"DELETE", "/readyz", 405, ""},
		{"GET", "/livez/", 404, ""},
		{"GET", "/api/", 404, ""},
		{"GET", "/api/v2/packages/", 404, ""},
		{"GET", "/api/v4/search/", 200, ""},
		{"GET", "/api/v4/search", 301, "/api/v4/search/"},
		{"POST", "/api/v4/unknown", 404, ""},
		{"GET", "/api/v4/packages/1/2/", 404, ""},
		{"GET", "/api/v4/packages/a%2Fb/", 404, ""},
		{"GET", "/api/v4//packages/", 404, ""},
		{"GET", "//", 404, ""},
		{"GET", "//example.org/", 404, ""},
		{"GET", "/api/v4/packages/../grids/", 404, ""},
		{"GET", "/api/v4/packages/%2E%2E/", 404, ""},
		{"GET", "/api/v4/./", 404, ""},
	}
	for _, test := range tests {
		w := do(h, test.method, "http://example.com"+test.target)
		if location := w.Header().Get("Location"); w.Code != test.status || location != test.location {
			t.Errorf("%s %s: %d to %q, want %d to %q", test.method, test.target, w.Code, location, test.status, test.location)
		}
		if test.status == 301 && (w.Body.Len() != 0 || w.Header().Get("Content-Type") != "text/html; charset=utf-8") {
			t.Errorf("%s %s: the redirect has %q of %s", test.method, test.target, w.Body, w.Header().Get("Content-Type"))
		}
		if test.status == 404 && w.Body.String() != notFound {
			t.Errorf("%s %s: %s", test.method, test.target, w.Body)
		}
	}
}

// TestFormatInLinks: the links of an answer ask for the format it was asked in.
func TestFormatInLinks(t *testing.T) {
	h := newHandler(t, Options{Store: few()})
	const site = "http://example.com/api/v4/"
	for target, want := range map[string]string{
		"/api/v4/?format=json":                         `"search":"` + site + `search/?format=json"`,
		"/api/v4/.json":                                `"packages":"` + site + `packages.json"`,
		"/api/v4/packages/1/?format=":                  `"grids":["` + site + `grids/7/?format="]`,
		"/api/v4/packages/1/?format=xml&format=json":   `"grids":["` + site + `grids/7/?format=json"]`,
		"/api/v4/packages/1.json":                      `"grids":["` + site + `grids/7.json"]`,
		"/api/v4/packages/1.json/?format=%22%C3%BC+":   `"grids":["` + site + `grids/7.json?format=%22%C3%BC+"]`,
		"/api/v4/packages/1/?Format=xml":               `"grids":["` + site + `grids/7/"]`,
		"/api/v4/grids/7/?format=json&limit=3":         `"` + site + `packages/2/?format=json"`,
		"/api/v4/packages.json?limit=1":                `"next":"` + site + `packages.json?limit=1&offset=1"`,
		"/api/v4/packages.json/?limit=1&format=nobody": `"next":"` + site + `packages.json/?format=nobody&limit=1&offset=1"`,
	} {
		if w := do(h, "GET", target); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d without %s:\n%s", target, w.Code, want, w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	records := few()
	var problems []record.Problem
	h := newHandler(t, Options{Store: records, Activity: func() status.Activity { return status.Activity{Problems: problems} }})
	check := func(target string, code int, body string) {
		t.Helper()
		w := do(h, "GET", target)
		if w.Code != code || w.Body.String() != body || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %q of %s, want %d %q", target, w.Code, w.Body, w.Header().Get("Content-Type"), code, body)
		}
	}
	check("/", 200, "The API is at http://example.com/api/v4/\n")
	check("/livez", 200, "ok")
	check("/readyz", 200, "ok")
	problems = []record.Problem{{Kind: "store_writes", Detail: "no space left"}, {Kind: "backup", Detail: "no folder"}}
	check("/readyz", 200, "ok\nstore_writes: no space left\nbackup: no folder")
	records.err = errors.New("the catalogue was never synced")
	check("/livez", 200, "ok")
	check("/readyz", 503, "the catalogue was never synced\nstore_writes: no space left\nbackup: no folder\n")
	if w := do(h, "HEAD", "/livez"); w.Body.Len() != 0 || w.Header().Get("Content-Length") != "2" {
		t.Errorf("HEAD /livez: %q, Content-Length %s", w.Body, w.Header().Get("Content-Length"))
	}
}
