package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"pkgmetad/internal/web"
)

// TestBrowser looks at the pages of the daemon with a real browser.
func TestBrowser(t *testing.T) {
	program := findBrowser(t)
	s := startSite(t)
	browser := startBrowser(t, program) // ends first: a server waits for connections that nothing was asked on
	for _, test := range []struct {
		name string
		run  func(*tab)
	}{
		{"pages", testPages},
		{"links", testLinks},
		{"lists", testLists},
		{"search", testSearch},
		{"chart", testChart},
		{"answer", testAnswer},
		{"hostile", testHostile},
		{"policy", testPolicy},
		{"keyboard", testKeyboard},
		{"details", testDetails},
		{"install", testInstall},
		{"colours", testColours},
		{"axe", testAxe},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(openTab(t, browser, s)) })
	}
	t.Run("other origin", func(t *testing.T) { testOtherOrigin(t, browser, s) })
	t.Run("watch", func(t *testing.T) {
		bad := httptest.NewServer(http.HandlerFunc(badPage))
		defer bad.Close()
		testWatch(openTab(t, browser, &site{url: bad.URL}))
	})
}

// rendered is what of a page can be measured.
type rendered struct {
	Title    string
	Headings []string // h1
	Text     string   // as it is seen
	Width    int      // px, of all that is there
	Tall     bool     // the style sheet is there
	Links    []string // absolute
}

const measure = `({
	Title: document.title,
	Headings: [...document.querySelectorAll('h1')].filter(h => h.checkVisibility()).map(h => h.textContent),
	Text: document.querySelector('main')?.innerText ?? '',
	Width: document.documentElement.scrollWidth,
	Tall: document.body.offsetHeight >= innerHeight,
	Links: [...document.querySelectorAll('a[href], link[href]')].map(a => a.href),
})`

// well checks what holds for every page: one heading, the style sheet, and
// nothing that sticks out at the side.
func (b *tab) well(where string, width int) rendered {
	b.Helper()
	r := eval[rendered](b, measure)
	if len(r.Headings) != 1 || strings.TrimSpace(r.Headings[0]) == "" {
		b.Errorf("%s: headings %q, want one", where, r.Headings)
	}
	if !strings.HasSuffix(r.Title, "pkgmetad") {
		b.Errorf("%s: the title is %q", where, r.Title)
	}
	if r.Width > width {
		b.Errorf("%s: %d px wide where there are %d", where, r.Width, width)
	}
	if !r.Tall {
		b.Errorf("%s: the style sheet is not in force", where)
	}
	return r
}

// testPages opens each kind of page, wide and on a phone.
func testPages(b *tab) {
	for _, p := range []struct {
		path, heading string
		facts         []string
	}{
		{"/", "pkgmetad", []string{"Package facts, kept fresh", "Facts about 24 packages", "Grids", "Categories", "Changes", "OpenAPI", "Snapshot"}},
		{"/api/v4/packages/", "Packages", []string{"Packages 1 to 20 of 24", "Next →"}},
		{"/api/v4/packages/1609/", "djorm-ext-pgfulltext", []string{"PostgreSQL full-text search integration with django orm.", "251", "85", "0.10", "There were no commits in these 52 weeks", "linuxlewis", "BSD", "Beta", "github.com/linuxlewis/djorm-ext-pgfulltext"}},
		{"/api/v4/packages/lively/", "Lively", []string{"A package that much happens to.", "1,234", "56", "4.1", "yanked", "Last release", "marks the week with a release", "python -m pip install lively", "up to date, ", "older versions", "Participants 60", "person-0", "MIT", ">=3.9", "Production/stable", "Tool", "Kinds"}},
		{"/api/v4/packages/gone/", "Gone", []string{"not found, nothing fetched so far", "Nothing was fetched so far.", "GitHub shows no repository at that address", "No participants are known"}},
		{"/api/v4/packages/failing/", "Failing", []string{"last attempt failed", "It has never answered", "502", "not from all sources yet"}},
		{"/api/v4/packages/elsewhere/", "Elsewhere", []string{"codeberg.org/people/elsewhere", "Stars\nunknown", "cannot be asked", "there is no repository to ask GitHub about", "0.0", "yanked", "The latest version, 0.0, was withdrawn"}},
		{"/api/v4/packages/wide/", wide, []string{"57 commits", "archived", "The repository is read-only", "is now called people/" + wide + "-renamed"}},
		{"/api/v4/packages/counting/", "Counting", []string{"to be asked again soon", "GitHub has not provided it yet"}},
		{"/api/v4/grids/", "Grids", []string{"Kinds"}},
		{"/api/v4/grids/kinds/", "Kinds", []string{"7 packages compared", "Lively", "1,234", "Licence", "MIT"}},
		{"/api/v4/grids/kinds/?view=django", "Kinds", []string{"which versions of Django", "Lively"}},
		{"/api/v4/categories/", "Categories", []string{"Tool", "Tools"}},
		{"/api/v4/categories/90/", "Tool", []string{"Tools", "2019-03-01", "7 packages compared", "Lively"}},
		{"/api/v4/search/?format=api", "Search", []string{"Type a part of a name"}},
		{"/api/v4/search/?q=nothingiscalledthis&format=api", "Search", []string{"Nothing was found for"}},
		{"/status/", "Status", []string{"24", "What fails", "Failing", "Gone", "502", "5,000 requests", "Passes of the last day", "Times are in UTC"}},
		{"/status/packages/failing/", "Failing", []string{"last attempt failed", "Failures in a row", "502", "never"}},
		{"/packages/p/lively/", "Lively", []string{"A package that much happens to."}},
		{"/grids/g/kinds/", "Kinds", []string{"Lively"}},
		{"/categories/tools/", "Tool", []string{"Tools"}},
		{"/packages/p/nothing/", "Not Found", []string{"There is nothing at this address"}},
		{"/changes/", "Changes", []string{"HTTP 200 OK", "lively"}},
		{"/api/v4/packages/nothing/", "Not Found", []string{"There is nothing at this address"}},
		{"/api/v4/packages/livly/", "Not Found", []string{"There is nothing at this address", "Did you mean", "lively"}},
		{"/no/such/page", "Not Found", []string{"There is nothing at this address"}},
	} {
		status := int64(http.StatusOK)
		if p.heading == "Not Found" {
			status = http.StatusNotFound
			b.absent = b.site.url + p.path
		}
		b.resize(1280, 800)
		if resp := b.visit(p.path); resp.Status != status {
			b.Errorf("%s: HTTP %d, want %d", p.path, resp.Status, status)
		}
		r := b.well(p.path, 1280)
		if len(r.Headings) > 0 && r.Headings[0] != p.heading {
			b.Errorf("%s: the heading is %q, want %q", p.path, r.Headings[0], p.heading)
		}
		for _, fact := range p.facts {
			if !strings.Contains(r.Text, fact) {
				b.Errorf("%s: %q is not on the page:\n%s", p.path, fact, r.Text)
			}
		}
		if open := eval[bool](b, `document.querySelector('details.answer').open`); open != (p.heading == "Changes") {
			b.Errorf("%s: the answer is unfolded: %t; it should be where the page has nothing else", p.path, open)
		}
		b.phone()
		b.well(p.path, phoneWidth)
	}
}

var otherwise = regexp.MustCompile(`/(packages|grids|categories)/.*[?&](?:sort|alive|python3|stable)=`)

// testLinks follows every link of the site, as a phone shows it, but of lists that are sorted
// and filtered only the first of each kind: there are too many combinations.
func testLinks(b *tab) {
	b.phone()
	seen := map[string]bool{"/": true}
	kinds := map[string]int{} // answers by media type
	lists := map[string]int{} // that are sorted or filtered, by what they list
	for queue := []string{"/"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		resp, _ := b.site.get(b.T, path, "text/html,*/*;q=0.8")
		kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		kinds[kind]++
		if resp.StatusCode != http.StatusOK {
			b.Errorf("%s: %s", path, resp.Status)
		}
		if kind != "text/html" {
			continue
		}
		if policy := resp.Header.Values("Content-Security-Policy"); len(policy) != 1 || policy[0] != web.Policy {
			b.Errorf("%s: Content-Security-Policy is %q, want %q", path, policy, web.Policy)
		}
		b.visit(path)
		for _, link := range b.well(path, phoneWidth).Links {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" {
				b.Errorf("%s: a link leads to %q", path, link)
				continue
			}
			u.Fragment = ""
			if to := u.RequestURI(); u.Scheme+"://"+u.Host == b.site.url && !seen[to] {
				if of := otherwise.FindStringSubmatch(to); of != nil {
					if lists[of[1]]++; lists[of[1]] > 20 {
						continue
					}
				}
				seen[to] = true
				queue = append(queue, to)
			}
		}
		if len(seen) > 600 {
			b.Fatalf("more than 600 addresses; the last is %s", path)
		}
	}
	b.Logf("%d addresses: %v", len(seen), kinds)
	if kinds["text/html"] < 60 || kinds["application/json"] < 60 || kinds["text/css"] == 0 || kinds["image/svg+xml"] == 0 {
		b.Errorf("answers by type: %v; that is not the whole site", kinds)
	}
}

// testSearch goes from the list over its pages to a search.
func testSearch(b *tab) {
	b.visit("/api/v4/packages/")
	b.follow(chromedp.Click(chromedp.CSS(`a[rel=next]`)))
	if r := b.well("the second page", 1280); !strings.Contains(r.Text, "Packages 21 to 24 of 24") {
		b.Errorf("the second page shows\n%s", r.Text)
	}
	b.follow(chromedp.Click(chromedp.CSS(`a[rel=prev]`)))
	if r := b.well("the first page again", 1280); !strings.Contains(r.Text, "Packages 1 to 20 of 24") {
		b.Errorf("the first page shows\n%s", r.Text)
	}
	b.follow(chromedp.Click(chromedp.CSS(`header a[href$="/search/"]`)))
	b.follow(chromedp.SendKeys(chromedp.CSS(`#q`), "livel\r"))
	if p := b.path(); p != "/api/v4/search/?q=livel&format=api" {
		b.Errorf("the form leads to %s", p)
	}
	r := b.well("the results", 1280)
	if !strings.Contains(r.Text, "1 result for livel") && !strings.Contains(r.Text, "1 result for “livel”") || !strings.Contains(r.Text, "A package that much happens to.") ||
		!strings.Contains(r.Text, "version 4.1") || !strings.Contains(r.Text, "last commit ") || eval[int](b, `document.querySelectorAll('.hits .spark').length`) != 1 {
		b.Errorf("the results are\n%s", r.Text)
	}
	if q := eval[string](b, `document.querySelector('#q').value`); q != "livel" {
		b.Errorf("the form forgot the query: %q", q)
	}
	b.follow(chromedp.Click(chromedp.CSS(`.hits a`)))
	if r := b.well("what was found", 1280); r.Headings[0] != "Lively" || b.path() != "/api/v4/packages/901/" {
		b.Errorf("the result leads to %s, %q", b.path(), r.Headings)
	}
}
