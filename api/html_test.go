package api

import (
	"html"
	"strings"
	"testing"

	"pkgmetad/internal/web"
)

// browser is what a browser accepts.
const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func TestPagesForPeople(t *testing.T) {
	h, _, _ := withSnapshot(t)
	for target, want := range map[string]struct {
		status int
		parts  []string
	}{
		"/api/v4/":                       {200, []string{">46<", "/api/v4/search/"}},
		"/api/v4/packages/":              {200, []string{"?limit=20&offset=20"}},
		"/api/v4/packages/?offset=20":    {200, []string{"21", "40"}},
		"/api/v4/packages/1609/":         {200, []string{"djorm-ext-pgfulltext", "PostgreSQL full-text search", "251"}},
		"/api/v4/packages/1609.api":      {200, []string{"djorm-ext-pgfulltext"}},
		"/api/v4/grids/":                 {200, []string{"/api/v4/grids/58/"}},
		"/api/v4/grids/58/":              {200, []string{"/api/v4/packages/1609/"}},
		"/api/v4/categories/":            {200, []string{"/api/v4/categories/1/"}},
		"/api/v4/categories/1/":          {200, []string{"<h1"}},
		"/api/v4/search/?q=none":         {200, []string{`value="none"`}},
		"/changes/":                      {200, []string{"upsert"}},
		"/status/":                       {200, []string{"GitHub", "PyPI"}},
		"/status/packages/1609/":         {200, []string{"djorm-ext-pgfulltext"}},
		"/api/v4/packages/nobody/":       {404, []string{"No Package matches the given query."}},
		"/api/v4/packages/1609/?limit=x": {200, []string{"djorm-ext-pgfulltext"}},
		"/changes/?since=5":              {410, []string{snapshotPath}},
		"/changes/?since=x":              {400, []string{"whole number"}},
	} {
		w := do(h, "GET", target, "Accept", browser)
		page := html.UnescapeString(w.Body.String())
		if w.Code != want.status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Content-Security-Policy") != web.Policy {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
		for _, part := range append(want.parts, "<!doctype html>", "<h1", target, "Allow", "GET, HEAD, OPTIONS") {
			if !strings.Contains(w.Body.String(), part) && !strings.Contains(page, part) {
				t.Errorf("%s lacks %q", target, part)
			}
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept") {
			t.Errorf("%s: Vary %q", target, w.Header().Get("Vary"))
		}
	}
	if w := do(h, "GET", "/no/such/page", "Accept", browser); w.Code != 404 || !strings.Contains(w.Body.String(), "<h1") {
		t.Errorf("an unknown page: %d %s", w.Code, w.Body)
	}
	for target, accept := range map[string]string{
		"/api/v4/packages/?format=api":  "*/*",
		"/api/v4/packages/.api":         "",
		"/api/v4/packages/?format=json": browser,
		"/api/v4/packages/1609/":        "application/json, text/html",
	} {
		var headers []string
		if accept != "" {
			headers = []string{"Accept", accept}
		}
		w := do(h, "GET", target, headers...)
		if wantPage := strings.Contains(target, "api?") || strings.Contains(target, "format=api"); w.Code == 200 && strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") != wantPage {
			t.Errorf("%s, Accept %s: %s", target, accept, w.Header().Get("Content-Type"))
		}
	}
}

// TestIndexForPeople: the first page is the API's.
func TestIndexForPeople(t *testing.T) {
	h := newHandler(t, Options{Store: few(), PublicURL: "https://example.org/meta"})
	if w := do(h, "GET", "/", "Accept", browser); w.Code != 302 || w.Header().Get("Location") != "/meta/api/v4/" {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
}

// TestPagesBelowAPrefix: every link to this service stands below the public URL's path.
func TestPagesBelowAPrefix(t *testing.T) {
	records, zone := documented(t)
	h := newHandler(t, Options{Store: records, Location: zone, PublicURL: "https://example.org/meta"})
	for _, target := range []string{"/api/v4/", "/api/v4/packages/1609/", "/api/v4/packages/", "/status/"} {
		page := do(h, "GET", target, "Accept", browser).Body.String()
		for _, bad := range []string{`href="/api`, `href="/static`, `href="/status`, `action="/api`} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %s", target, bad)
			}
		}
		if !strings.Contains(page, `href="/meta/static/`) {
			t.Errorf("%s has no style sheet", target)
		}
	}
}

// TestAssets: the files that the pages name are there, to be kept for ever.
func TestAssets(t *testing.T) {
	h := newHandler(t, Options{Store: few()})
	page := do(h, "GET", "/api/v4/", "Accept", browser).Body.String()
	_, rest, ok := strings.Cut(page, `rel="stylesheet" href="`)
	path, _, _ := strings.Cut(rest, `"`)
	if w := do(h, "GET", path); !ok || w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%q: %d %v", path, w.Code, w.Header())
	}
	icon := do(h, "GET", "/favicon.ico")
	if w := do(h, "GET", icon.Header().Get("Location")); icon.Code != 301 || w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("the icon: %d to %s: %d", icon.Code, icon.Header().Get("Location"), w.Code)
	}
	if w := do(h, "GET", "/static/nothing.css"); w.Code != 404 {
		t.Errorf("what is not there: %d", w.Code)
	}
}
