package api

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

// TestHeads: what the head of each page says to machines.
func TestHeads(t *testing.T) {
	records, zone := documented(t)
	long := strings.Repeat("word ", 80)
	for i := range records.packages {
		if records.packages[i].ID == 704 {
			records.packages[i].Repo.Description = "Two\n lines \"of\" <b>text</b>. " + long
		}
	}
	h := newHandler(t, Options{
		Store: records, Location: zone, PublicURL: "https://example.org/meta", Searcher: finds{{ID: 1609}},
		Site: Site{Name: "Example & Co", Description: "All that we use."},
	})
	const site = "https://example.org/meta"
	for target, want := range map[string]struct {
		title, canonical, json, description string
	}{
		"/api/v4/":                                    {"Example & Co", "/api/v4/", "/api/v4/?format=json", "All that we use."},
		"/api/v4/packages/":                           {"Packages", "/api/v4/packages/", "/api/v4/packages/?format=json", "All packages"},
		"/api/v4/packages/?sort=-stars&limit=5":       {"Packages", "/api/v4/packages/", "/api/v4/packages/?format=json&limit=5", "All packages"},
		"/api/v4/packages/?format=api&x=1":            {"Packages", "/api/v4/packages/", "/api/v4/packages/?format=json", "All packages"},
		"/api/v4/packages.api?offset=20&limit=20":     {"Packages", "/api/v4/packages/?limit=20&offset=20", "/api/v4/packages/?format=json&limit=20&offset=20", "All packages"},
		"/api/v4/packages/1609/":                      {"djorm-ext-pgfulltext", "/api/v4/packages/1609/", "/api/v4/packages/1609/?format=json", "PostgreSQL full-text search integration with django orm."},
		"/api/v4/packages/djorm-ext-pgfulltext/?sort": {"djorm-ext-pgfulltext", "/api/v4/packages/1609/", "/api/v4/packages/djorm-ext-pgfulltext/?format=json", "PostgreSQL full-text"},
		"/api/v4/packages/704.api":                    {"", "/api/v4/packages/704/", "/api/v4/packages/704/?format=json", `Two lines "of" <b>text</b>. word`},
		"/api/v4/grids/?sort=x":                       {"Grids", "/api/v4/grids/", "/api/v4/grids/?format=json", "Comparisons"},
		"/api/v4/grids/58/?sort=-stars&stable=1":      {"", "/api/v4/grids/58/", "/api/v4/grids/58/?format=json", ""},
		"/api/v4/categories/":                         {"Categories", "/api/v4/categories/", "/api/v4/categories/?format=json", "kinds"},
		"/api/v4/categories/1/":                       {"", "/api/v4/categories/1/", "/api/v4/categories/1/?format=json", ""},
		"/api/v4/search/":                             {"Search", "/api/v4/search/", "/api/v4/search/?format=json", "Find"},
		"/api/v4/search/?q=full+%22text&format=api":   {"Search", "", "/api/v4/search/?format=json&q=full+%22text", "Find"},
		"/status/":                 {"Status", "/status/", "/status/?format=json", "How fresh"},
		"/status/packages/1609/":   {"Status of djorm-ext-pgfulltext", "", "/status/packages/1609/?format=json", "All that we use."},
		"/changes/?since=0&wait=0": {"Changes", "", "/changes/?format=json&since=0", "All that we use."},
		"/api/v4/packages/nobody/": {"404 Not Found", "", "", "All that we use."},
		"/no/such/page":            {"404 Not Found", "", "", "All that we use."},
	} {
		page := do(h, "GET", target, "Accept", browser).Body.String()
		head, _, _ := strings.Cut(page, "</head>")
		is := func(what, pattern, wanted string) {
			t.Helper()
			got := ""
			if m := regexp.MustCompile(pattern).FindStringSubmatch(head); m != nil {
				got = html.UnescapeString(m[1])
			}
			if got != wanted {
				t.Errorf("%s: %s is %q, want %q", target, what, got, wanted)
			}
		}
		title := want.title
		if title != "" && title != "Example & Co" {
			is("the title", `<title>([^<]*)</title>`, title+" – Example & Co")
		} else if title != "" {
			is("the title", `<title>([^<]*)</title>`, title)
		}
		canonical, noindex := "", "noindex"
		if want.canonical != "" {
			canonical, noindex = site+want.canonical, ""
			is("og:type", `property="og:type" content="([^"]*)"`, "website")
			is("og:site_name", `property="og:site_name" content="([^"]*)"`, "Example & Co")
		}
		is("the canonical address", `rel="canonical" href="([^"]*)"`, canonical)
		is("og:url", `property="og:url" content="([^"]*)"`, canonical)
		is("robots", `name="robots" content="([^"]*)"`, noindex)
		if title != "" && want.canonical != "" {
			is("og:title", `property="og:title" content="([^"]*)"`, title)
		}
		alternate := ""
		if want.json != "" {
			alternate = "/meta" + want.json
			if w := do(h, "GET", want.json, "Accept", browser); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: the alternate %s is %d %v", target, want.json, w.Code, w.Header())
			}
		}
		is("the alternate", `rel="alternate" type="application/json" href="([^"]*)"`, alternate)
		m := regexp.MustCompile(`name="description" content="([^"]*)"`).FindStringSubmatch(head)
		if m == nil || !strings.Contains(html.UnescapeString(m[1]), want.description) || len([]rune(html.UnescapeString(m[1]))) > 200 {
			t.Errorf("%s: the description is %q, want one with %q", target, m, want.description)
		}
		if strings.Count(head, `name="theme-color"`) != 2 {
			t.Errorf("%s has no theme colours", target)
		}
		if !strings.Contains(page, "<bdi>Example &amp; Co</bdi></a>") {
			t.Errorf("%s does not name the site", target)
		}
	}
	if page := do(h, "GET", "/api/v4/", "Accept", browser).Body.String(); !strings.Contains(page, ">Example &amp; Co</h1>") || !strings.Contains(page, ">All that we use.</p>") {
		t.Errorf("the first page says nothing of the site: %s", page)
	}
}
