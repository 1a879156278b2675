package api

import (
	"net/http"
	"strings"

	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// Pages that moved: the addresses that a Django Packages site has its pages at. Both APIs
// name them in absolute_url, and the bookmarks of a site that is served here now hold them.
const (
	oldPackages   = "/packages/"
	oldGrids      = "/grids/"
	oldCategories = "/categories/"
	oldSearch     = "/search/"
)

// movedAge lets caches keep a redirect for an hour: a slug may get another record.
var movedAge = []string{"public, max-age=3600"}

// routesOfOldPages leads from those addresses to the pages here.
func (a *api) routesOfOldPages(mux *http.ServeMux) {
	handle := func(path string, h http.HandlerFunc) {
		mux.HandleFunc(path+"{$}", h)
		mux.HandleFunc(strings.TrimSuffix(path, "/"), h)
	}
	for _, path := range []string{oldPackages, oldGrids, oldCategories, oldSearch} {
		handle(path, func(w http.ResponseWriter, r *http.Request) { a.movedTo(w, r, strings.TrimSuffix(root, "/")+path) })
	}
	handle(oldPackages+"p/{slug}/", a.moved("Package", a.packages().instance, func(slug string) (path string, err error) {
		err = a.store.ServedBySlug(slug, func(p store.Served) { path = packagePath(p.ID) })
		return path, err
	}))
	handle(oldGrids+"g/{slug}/", a.moved("Grid", a.grids().instance, func(slug string) (string, error) {
		g, err := a.store.GridBySlug(slug)
		return gridPath(g.ID), err
	}))
	handle(oldCategories+"{slug}/", a.moved("Category", a.categories().instance, func(slug string) (string, error) {
		c, err := a.categoryV3(slug)
		return categoryPath(c.ID), err
	}))
}

// moved leads to the page of the record with the slug in the path. Where there is none, the
// answer is that of the page for a record that is missing.
func (a *api) moved(name string, page view, find func(slug string) (path string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		slug := r.PathValue("slug")
		path, err := find(slug)
		if err != nil {
			page := page
			page.get = func(*render.Encoder, *request) error { return missing(name, err) }
			a.answer(w, r, page, slug, "")
			return
		}
		a.movedTo(w, r, path)
	}
}

// movedTo redirects to a page, below the prefix, and keeps the query. A client that takes
// anything, which the API answers with JSON, gets the page, too.
func (a *api) movedTo(w http.ResponseWriter, r *http.Request, path string) {
	kept := quote(r.URL.RawQuery, querySafe)
	if _, given := parseQuery(r.URL.RawQuery).get("format"); !given && takesAnything(r.Header["Accept"]) {
		if kept != "" {
			kept += "&"
		}
		kept += "format=api"
	}
	location := a.base.prefix + path
	if kept != "" {
		location += "?" + kept
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Vary"] = varyAccept
	h["Cache-Control"] = movedAge
	h["Content-Type"] = typeHTML
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusMovedPermanently)
}

// takesAnything reports whether a client has no preference among media types.
func takesAnything(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for token := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if m := parseMediaType(token); m.mainType != "*" {
			return false
		}
	}
	return true
}
