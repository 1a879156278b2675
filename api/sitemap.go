package api

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
	"time"

	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// The sitemap tells search engines the addresses of the pages, by the protocol of
// https://www.sitemaps.org/protocol.html: an index lists the parts, and each part up to
// sitemapURLs pages of one kind.
const (
	sitemapStem = "/sitemap" // of the path of the index, and of those of the parts
	sitemapPath = sitemapStem + ".xml"

	// sitemapURLs is a fifth of what the protocol allows, so that a part stays below its
	// 50 MB however long the addresses are, and takes little memory to make.
	sitemapURLs = 10_000
	// sitemapRead is how many records are read from the store at once.
	sitemapRead = 1000
)

// sitemapPages adds the pages of up to limit records of one kind to a sitemap, highest id
// first, after skipping offset of them. It returns the number of all records.
type sitemapPages func(m *sitemap, offset, limit int) (total int, err error)

// A sitemapKind is what some parts of the sitemap have pages of.
type sitemapKind struct {
	path  string // of its first part; ?part= has the number of a later one
	pages sitemapPages
}

func (a *api) sitemapKinds() []sitemapKind {
	return []sitemapKind{
		{sitemapStem + "-lists.xml", listedPages},
		{sitemapStem + "-categories.xml", a.categoryPages},
		{sitemapStem + "-grids.xml", a.gridPages},
		{sitemapStem + "-packages.xml", a.packagePages},
	}
}

func (a *api) routesOfSitemap(mux *http.ServeMux) {
	mux.HandleFunc(sitemapPath, a.sitemapIndex)
	for _, kind := range a.sitemapKinds() {
		mux.HandleFunc(kind.path, func(w http.ResponseWriter, r *http.Request) { a.sitemapPart(w, r, kind.pages) })
	}
}

// sitemapIndex serves the list of the parts.
func (a *api) sitemapIndex(w http.ResponseWriter, r *http.Request) {
	m := newSitemap(a.base.of(r), "sitemapindex", "sitemap")
	for _, kind := range a.sitemapKinds() {
		total, err := kind.pages(m, 0, 0)
		if err != nil {
			a.failSitemap(w, r, err)
			return
		}
		for part := range (total + sitemapURLs - 1) / sitemapURLs {
			path := kind.path
			if part > 0 {
				path += "?part=" + strconv.Itoa(part+1)
			}
			m.add(path, "")
		}
	}
	a.sendSitemap(w, r, m)
}

// sitemapPart serves the part of a kind of pages that ?part= names. Parts begin with the
// lowest ids, so that new records change none but the last. A record that comes or goes
// while a part is made may be in it twice, or left out until it is asked for again.
func (a *api) sitemapPart(w http.ResponseWriter, r *http.Request, pages sitemapPages) {
	m := newSitemap(a.base.of(r), "urlset", "url")
	total, err := pages(m, 0, 0)
	part := 1
	if s, given := parseQuery(r.URL.RawQuery).get("part"); given {
		part, _ = parseID(s) // 0, which is no part, if it is not a number
	}
	if err == nil && (part < 1 || part > (total+sitemapURLs-1)/sitemapURLs) {
		a.unknown(w, r)
		return
	}
	end := min(part*sitemapURLs, total)
	for at := (part - 1) * sitemapURLs; at < end && err == nil; at += sitemapRead {
		n := min(sitemapRead, end-at)
		_, err = pages(m, total-at-n, n)
	}
	if err != nil {
		a.failSitemap(w, r, err)
		return
	}
	a.sendSitemap(w, r, m)
}

var typeXML = []string{"application/xml; charset=utf-8"}

func (a *api) sendSitemap(w http.ResponseWriter, r *http.Request, m *sitemap) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		sendText(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	h := w.Header()
	h["Content-Type"] = typeXML
	h["Vary"] = varyEncoding
	a.send(w, r, http.StatusOK, m.end(), time.Time{})
}

func (a *api) failSitemap(w http.ResponseWriter, r *http.Request, err error) {
	p := a.explain(r, err)
	sendText(w, r, p.status, p.detail+"\n")
}

func listedPages(m *sitemap, _, limit int) (int, error) {
	paths := []string{root, root + "packages/", root + "grids/", root + "categories/", statusPath}
	for _, path := range paths[:min(limit, len(paths))] {
		m.add(path, "")
	}
	return len(paths), nil
}

func (a *api) categoryPages(m *sitemap, offset, limit int) (int, error) {
	categories, total, err := a.store.Categories(offset, limit)
	for _, c := range categories {
		m.add(categoryPath(c.ID), a.sitemapTime(c.Modified))
	}
	return total, err
}

func (a *api) gridPages(m *sitemap, offset, limit int) (int, error) {
	grids, total, err := a.store.Grids(offset, limit)
	for _, g := range grids {
		m.add(gridPath(g.ID), a.sitemapTime(g.Modified))
	}
	return total, err
}

func (a *api) packagePages(m *sitemap, offset, limit int) (total int, err error) {
	before := m.out.Len()
	err = a.store.ServedPage(offset, limit, func(n int) {
		total = n
		m.out.Truncate(before)
	}, func(p store.Served) {
		m.add(packagePath(p.ID), render.Modified(p.Body))
	})
	return total, err
}

func (a *api) sitemapTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.location).Format(time.RFC3339)
}

// A sitemap is a document of the protocol: a list of addresses.
type sitemap struct {
	out        bytes.Buffer
	base       string // scheme://host[/prefix]
	list, item string // names of the elements
}

func newSitemap(base, list, item string) *sitemap {
	m := &sitemap{base: base, list: list, item: item}
	m.out.WriteString(xml.Header + "<" + list + ` xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">` + "\n")
	return m
}

// add adds the address of a path, below the prefix, with the time of the last change there;
// "" if that is unknown.
func (m *sitemap) add(path, modified string) {
	m.out.WriteString("<" + m.item + "><loc>")
	_ = xml.EscapeText(&m.out, []byte(m.base+path)) // writing to a bytes.Buffer does not fail
	m.out.WriteString("</loc>")
	if modified != "" {
		m.out.WriteString("<lastmod>" + modified + "</lastmod>")
	}
	m.out.WriteString("</" + m.item + ">\n")
}

// end returns the complete document.
func (m *sitemap) end() []byte {
	m.out.WriteString("</" + m.list + ">\n")
	return m.out.Bytes()
}
