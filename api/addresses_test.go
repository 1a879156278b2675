package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// follow asks as do does, and follows redirects as a client of a site at the public URL
// https://example.org/meta would.
func follow(t *testing.T, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := do(h, "GET", target, headers...)
	for range 3 {
		if w.Code != http.StatusMovedPermanently {
			return w
		}
		path, below := strings.CutPrefix(w.Header().Get("Location"), "/meta/")
		if !below {
			t.Fatalf("%s leads out of the prefix, to %q", target, w.Header().Get("Location"))
		}
		w = do(h, "GET", "/"+path, headers...)
	}
	t.Fatalf("%s leads nowhere", target)
	return nil
}

// TestAbsoluteURLs: each address of a page that the contract's answers name leads to the
// page of that record.
func TestAbsoluteURLs(t *testing.T) {
	records, zone := documented(t)
	var found finds
	pages := map[string]string{} // where each address should lead
	for _, p := range records.packages {
		found = append(found, Hit{ID: p.ID})
		pages["/packages/p/"+p.Slug+"/"] = packagePath(p.ID)
	}
	for _, g := range records.grids {
		found = append(found, Hit{Grid: true, ID: g.ID})
		pages["/grids/g/"+g.Slug+"/"] = gridPath(g.ID)
	}
	for _, c := range records.categories {
		pages["/categories/"+c.Slug+"/"] = categoryPath(c.ID)
	}
	h := newHandler(t, Options{Store: records, Location: zone, PublicURL: "https://example.org/meta", Searcher: found})
	named := map[string]bool{}
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				visit(item)
			}
		case map[string]any:
			if path, _ := v["absolute_url"].(string); path != "" {
				path = strings.TrimPrefix(path, "/meta")
				named[path] = true
				for _, accept := range []string{browser, "*/*"} {
					w := follow(t, h, path, "Accept", accept)
					if w.Code != 200 || !strings.Contains(w.Body.String(), `<link rel="canonical" href="https://example.org/meta`+pages[path]+`">`) {
						t.Errorf("%s, Accept %s: %d", path, accept, w.Code)
					}
				}
			}
			for _, item := range v {
				visit(item)
			}
		}
	}
	for _, target := range []string{"/api/v4/search/?q=x", "/api/v3/packages/?limit=1000", "/api/v3/grids/?limit=1000", "/api/v3/categories/?limit=1000"} {
		var answer any
		if err := json.Unmarshal(do(h, "GET", target).Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		visit(answer)
	}
	if len(named) != len(pages) {
		t.Errorf("%d addresses are named, not %d", len(named), len(pages))
	}
}

func TestOldPages(t *testing.T) {
	records := few()
	h := newHandler(t, Options{Store: records, PublicURL: "https://example.org/meta"})
	const program = "application/json"
	for _, test := range []struct{ method, target, accept, location string }{
		{"GET", "/packages/p/one/", browser, "/meta/api/v4/packages/1/"},
		{"GET", "/packages/p/one", browser, "/meta/api/v4/packages/1/"},
		{"HEAD", "/packages/p/one/", browser, "/meta/api/v4/packages/1/"},
		{"GET", "/packages/p/one/", program, "/meta/api/v4/packages/1/"},
		{"GET", "/packages/p/one/", "*/*", "/meta/api/v4/packages/1/?format=api"},
		{"GET", "/packages/p/one/", "", "/meta/api/v4/packages/1/?format=api"},
		{"GET", "/packages/p/one/?utm=%22x&y", browser, "/meta/api/v4/packages/1/?utm=%22x&y"},
		{"GET", "/packages/p/one/?format=json", "", "/meta/api/v4/packages/1/?format=json"},
		{"GET", "/grids/g/" + records.grids[0].Slug + "/", browser, "/meta/api/v4/grids/7/"},
		{"GET", "/grids/g/" + records.grids[0].Slug, browser, "/meta/api/v4/grids/7/"},
		{"GET", "/categories/" + records.categories[0].Slug + "/", browser, "/meta" + categoryPath(records.categories[0].ID)},
		{"GET", "/packages/", browser, "/meta/api/v4/packages/"},
		{"GET", "/packages", browser, "/meta/api/v4/packages/"},
		{"GET", "/grids/", browser, "/meta/api/v4/grids/"},
		{"GET", "/categories/", browser, "/meta/api/v4/categories/"},
		{"GET", "/search/?q=a+b", browser, "/meta/api/v4/search/?q=a+b"},
		{"GET", "/search/?q=a+b", "*/*", "/meta/api/v4/search/?q=a+b&format=api"},
	} {
		var headers []string
		if test.accept != "" {
			headers = []string{"Accept", test.accept}
		}
		w := do(h, test.method, test.target, headers...)
		if location := w.Header().Get("Location"); w.Code != 301 || location != test.location || w.Header().Get("Cache-Control") != "public, max-age=3600" || w.Header().Get("Vary") != "Accept, Accept-Encoding" {
			t.Errorf("%s %s, Accept %s: %d to %q, want %q; %v", test.method, test.target, test.accept, w.Code, location, test.location, w.Header())
		}
	}
	for _, target := range []string{"/packages/p/nobody/", "/packages/p/1/", "/packages/p/a%2Fb/", "/grids/g/nobody/", "/grids/g/7/", "/categories/nobody", "/categories/%22%3Cscript%3E/", "/packages/p/", "/packages/one/", "/grids/one/", "/packages/p/one/two/"} {
		w := do(h, "GET", target, "Accept", browser)
		if w.Code != 404 || !strings.Contains(w.Body.String(), "There is nothing at this address") || strings.Contains(w.Body.String(), "<script") || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		if w := do(h, "GET", target); w.Code != 404 || !strings.HasPrefix(w.Body.String(), `{"detail":"`) {
			t.Errorf("%s for a program: %d %s", target, w.Code, w.Body)
		}
	}
}
