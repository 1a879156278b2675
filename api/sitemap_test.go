package api

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// sitemapDocument is a document of the sitemap protocol.
type sitemapDocument struct {
	XMLName xml.Name
	Entries []struct {
		Loc     string `xml:"loc"`
		LastMod string `xml:"lastmod"`
	} `xml:",any"`
}

// readSitemap reads a document of the protocol.
func readSitemap(t *testing.T, h http.Handler, target, kind string) sitemapDocument {
	t.Helper()
	w := do(h, "GET", target)
	var a sitemapDocument
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/xml; charset=utf-8" {
		t.Fatalf("%s: %d %v %v", target, w.Code, err, w.Header())
	}
	if a.XMLName.Space != "http://www.sitemaps.org/schemas/sitemap/0.9" || a.XMLName.Local != kind {
		t.Errorf("%s is a %v", target, a.XMLName)
	}
	return a
}

// many is a store of so many packages, with every third id, each of which changed as many
// seconds after 2026 began as its id says.
type many struct {
	*fakeStore
	packages int
}

func changedAt(id int) time.Time { return time.Date(2026, 1, 1, 0, 0, id, 0, time.UTC) }

func (m *many) Package(id int) (record.Package, error) {
	return record.Package{
		Entry:    record.Entry{ID: id, Slug: fmt.Sprintf("p%d", id), Title: `"modified":"never" & <b>`},
		Modified: changedAt(id),
	}, m.err
}

func (m *many) Packages(offset, limit int) ([]record.Package, int, error) {
	return nil, m.packages, m.err
}

func (m *many) Served(id int, use func(store.Served)) error {
	p, err := m.Package(id)
	use(m.serve(p))
	return err
}

func (m *many) ServedPage(offset, limit int, begin func(int), use func(store.Served)) error {
	begin(m.packages)
	use(m.serve(record.Package{Entry: record.Entry{ID: 1}})) // of a state that is gone
	begin(m.packages)
	for i := m.packages - offset; i > 0 && i > m.packages-offset-limit; i-- {
		p, _ := m.Package(3 * i)
		use(m.serve(p))
	}
	return m.err
}

// TestSitemap reads the index, and every part that it lists: each page is in one of them,
// with the time of its last change, and leads to itself.
func TestSitemap(t *testing.T) {
	const n = 2*sitemapURLs + 1
	records := &many{few(), n}
	const site = "https://example.org/a&b"
	h := newHandler(t, Options{Store: records, PublicURL: site})
	var parts []string
	modified := map[string]string{}
	for _, part := range readSitemap(t, h, "/sitemap.xml", "sitemapindex").Entries {
		target := strings.TrimPrefix(part.Loc, site)
		parts = append(parts, target)
		urls := readSitemap(t, h, target, "urlset").Entries
		if len(urls) == 0 || len(urls) > sitemapURLs {
			t.Errorf("%s has %d addresses", target, len(urls))
		}
		for _, u := range urls {
			if _, twice := modified[u.Loc]; twice {
				t.Errorf("%s is listed twice", u.Loc)
			}
			modified[u.Loc] = u.LastMod
			path, ok := strings.CutPrefix(u.Loc, site)
			if !ok {
				t.Errorf("%s does not lie below %s", u.Loc, site)
			}
			if u.LastMod != "" {
				if _, err := time.Parse(time.RFC3339, u.LastMod); err != nil {
					t.Error(err)
				}
			}
			if strings.HasPrefix(path, "/api/v4/packages/") && len(modified)%1000 != 0 {
				continue // to ask for each takes too long
			}
			if page := do(h, "GET", path, "Accept", browser).Body.String(); !strings.Contains(page, `<link rel="canonical" href="https://example.org/a&amp;b`+path+`">`) {
				t.Errorf("%s says that it is another page: %.1500s", path, page)
			}
		}
	}
	want := []string{"/sitemap-lists.xml", "/sitemap-categories.xml", "/sitemap-grids.xml", "/sitemap-packages.xml", "/sitemap-packages.xml?part=2", "/sitemap-packages.xml?part=3"}
	if strings.Join(parts, " ") != strings.Join(want, " ") {
		t.Errorf("the parts are %q", parts)
	}
	if got := len(modified); got != n+5+len(records.grids)+len(records.categories) {
		t.Errorf("%d addresses", got)
	}
	for _, id := range []int{3, 3 * sitemapURLs, 3 * n} {
		if at := changedAt(id).Format(time.RFC3339); modified[site+packagePath(id)] != at {
			t.Errorf("package %d changed at %q, not %s", id, modified[site+packagePath(id)], at)
		}
	}

	first := do(h, "GET", "/sitemap-packages.xml")
	records.packages++
	if w := do(h, "GET", "/sitemap-packages.xml", "If-None-Match", first.Header().Get("ETag")); w.Code != 304 {
		t.Errorf("a new package changes the part of the oldest: %d", w.Code)
	}
}

func TestSitemapRefusals(t *testing.T) {
	records := &many{few(), 3}
	h := newHandler(t, Options{Store: records})
	for _, target := range []string{"/sitemap-packages.xml?part=2", "/sitemap-packages.xml?part=0", "/sitemap-packages.xml?part=-1", "/sitemap-packages.xml?part=x", "/sitemap-packages.xml?part=99999999999999999999999", "/sitemap-people.xml", "/sitemap"} {
		if w := do(h, "GET", target); w.Code != 404 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	for _, target := range []string{"/sitemap.xml", "/sitemap-packages.xml", "/robots.txt"} {
		if w := do(h, "POST", target); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d %v", target, w.Code, w.Header())
		}
		if w := do(h, "HEAD", target); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %s: %d %v", target, w.Code, w.Header())
		}
	}
	records.packages = 0
	if w := do(h, "GET", "/sitemap.xml"); strings.Contains(w.Body.String(), "packages") {
		t.Errorf("a part of nothing: %s", w.Body)
	}
	records.err = errors.New("the database is damaged")
	for _, target := range []string{"/sitemap.xml", "/sitemap-packages.xml", "/sitemap-grids.xml"} {
		if w := do(h, "GET", target); w.Code != 500 || strings.Contains(w.Body.String(), "damaged") {
			t.Errorf("%s over a store that fails: %d %s", target, w.Code, w.Body)
		}
	}
}

// TestRobots: what has no end is closed, by whichever rule a reader goes, and the rest open.
func TestRobots(t *testing.T) {
	h := newHandler(t, Options{Store: few(), PublicURL: "https://example.org/meta"})
	const want = `User-agent: *
Allow: /meta/sitemap
Disallow: /meta/*?
Disallow: /meta/changes/
Disallow: /meta/snapshot/packages.ndjson
Allow: /meta/

Sitemap: https://example.org/meta/sitemap.xml
`
	if w := do(h, "GET", "/robots.txt"); w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
}
