package api

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// pageIndent is how many spaces a level the JSON on a page is indented by.
const pageIndent = 4

var (
	typeHTML       = []string{"text/html; charset=utf-8"}
	pagePolicy     = []string{web.Policy}
	noReferrer     = []string{"no-referrer"}
	sameOriginOnly = []string{"same-origin"}
)

// answerPage sends an HTML page that shows the JSON answer in e, and what the
// view's own page adds to it.
func (a *api) answerPage(w http.ResponseWriter, rq *request, v view, status int, e *render.Encoder) {
	method := rq.Method
	if method == http.MethodHead { // whose page, of which only the header is sent, is that for GET
		method = http.MethodGet
	}
	f := web.Frame{
		Site: a.site, Prefix: a.base.prefix, Base: a.base.of(rq.Request),
		Title: v.name, JSON: jsonPath(rq),
		Answer: &web.Answer{
			Method: method, Path: rq.URL.RequestURI(), Status: status,
			Header: [][2]string{{"Content-Type", typeJSON[0]}, {"Vary", "Accept"}},
			Body:   e.Bytes(), Base: a.base.of(rq.Request),
		},
	}
	if allow := w.Header()["Allow"]; allow != nil {
		f.Answer.Header = append([][2]string{{"Allow", allow[0]}}, f.Answer.Header...)
	}
	var b bytes.Buffer
	err := v.writePage(&b, rq, status, f)
	if err != nil { // usually the record has been deleted since the answer was written
		p := a.explain(rq.Request, err)
		status = p.status
		e.Reset(pageIndent)
		writeProblem(e, p)
		f.Answer.Status, f.Answer.Body = status, e.Bytes()
		b.Reset()
		err = v.writePage(&b, rq, status, f)
	}
	if err != nil { // not the store's: an error page shows no record
		a.failures.note(rq.Request, err, "a page could not be written")
	}
	h := w.Header()
	h["Content-Type"] = typeHTML
	h["Content-Security-Policy"] = pagePolicy
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Opener-Policy"] = sameOriginOnly
	a.send(w, rq.Request, status, b.Bytes(), time.Time{})
}

// writePage writes the page that fits the status of the answer.
func (v *view) writePage(w io.Writer, rq *request, status int, f web.Frame) error {
	switch {
	case status != http.StatusOK:
		f.JSON = ""
		f.Title = strconv.Itoa(status) + " " + http.StatusText(status)
		p := web.PlainPage{Heading: http.StatusText(status), Text: statusTexts[status]}
		if status == http.StatusNotFound && v.near != nil {
			p.Near = v.near(rq)
		}
		return web.Plain(w, f, p)
	case v.page == nil || rq.Method == http.MethodOptions:
		return web.Plain(w, f, web.PlainPage{Heading: v.name, Text: v.description})
	}
	return v.page(w, rq, f)
}

// statusTexts explain the status on an error page.
var statusTexts = map[int]string{
	http.StatusBadRequest:       "A parameter in the address is not valid.",
	http.StatusNotFound:         "There is nothing at this address. It may have been removed from the catalogue, or it was never there.",
	http.StatusMethodNotAllowed: "This service is read-only.",
	http.StatusGone:             "The feed does not reach back that far.",

	http.StatusServiceUnavailable:  "This is not available right now. Try again later.",
	http.StatusInternalServerError: "The page could not be made. The log of the daemon says why.",
}

// jsonParameters are the query parameters that what a page shows as JSON depends on.
var jsonParameters = []string{"limit", "offset", "q", "since"}

// jsonPath returns the address of what a page shows as JSON.
func jsonPath(rq *request) string {
	kept := query{{"format", "json"}}
	for _, f := range rq.query {
		if slices.Contains(jsonParameters, f.key) {
			kept = append(kept, f)
		}
	}
	return plainPath(rq) + "?" + kept.encode()
}

// plainPath returns the path that was asked for without a format suffix.
func plainPath(rq *request) string {
	path := strings.TrimSuffix(rq.path, "/")
	dir, name := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ = strings.Cut(name, ".")
	if name == "" {
		return dir
	}
	return dir + name + "/"
}

// canonicalPath returns the address of a page of the list at path; of its first page if it is
// sorted or filtered, because search engines are to know each package from one list.
func canonicalPath(path string, q query) string {
	if len(q.without("format", "limit", "offset")) > 0 {
		return path
	}
	var kept query
	for _, name := range []string{"limit", "offset"} {
		if value, given := q.get(name); given {
			kept = append(kept, field{name, value})
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + kept.encode()
}

func (a *api) clock() web.Clock { return web.Clock{Now: time.Now(), Zone: a.location} }

func packagePath(id int) string { return root + "packages/" + strconv.Itoa(id) + "/" }

func gridPath(id int) string { return root + "grids/" + strconv.Itoa(id) + "/" }

func categoryPath(id int) string { return root + "categories/" + strconv.Itoa(id) + "/" }

// pager describes the page p, with so many items shown, of a list of count items.
func (a *api) pager(rq *request, p page, count, shown int) web.Pager {
	link := func(query string, ok bool) *string {
		if !ok {
			return nil
		}
		address := rq.path + "?" + query
		return &address
	}
	pager := web.Pager{Count: count, Previous: link(p.previous(rq.query)), Next: link(p.next(rq.query, count))}
	if offset, _ := p.window(); shown > 0 {
		pager.First, pager.Last = offset+1, offset+shown
	}
	return pager
}

func (a *api) rootPage(w io.Writer, rq *request, f web.Frame) error {
	f.Title, f.Path = "", root
	var p web.RootPage
	var err error
	if _, p.Packages, err = a.store.Packages(0, 0); err != nil {
		return err
	}
	if _, p.Grids, err = a.store.Grids(0, 0); err != nil {
		return err
	}
	if _, p.Categories, err = a.store.Categories(0, 0); err != nil {
		return err
	}
	more := func(title, path, text string) {
		p.More = append(p.More, web.RootLink{Link: web.Link{Title: title, Path: path}, Text: text})
	}
	more("Changes", changesPath, "what has changed, for programs that keep a copy")
	if a.snapshots != nil {
		more("Snapshot", snapshotPath, "all packages in one file, one a line")
	}
	more("OpenAPI", openAPIPath, "all of the API, described for machines")
	return web.Root(w, f, p)
}

func (a *api) packagesPage(w io.Writer, rq *request, f web.Frame) error {
	p := newPage(rq.query, a.maxLimit)
	q := listQuery(rq, p)
	q.Django = false // too many to be compared
	var l web.List
	var err error
	if isAltered(q) {
		l, err = a.list(rq, p, q)
	} else { // which costs less
		var recs []record.Package
		var count int
		recs, count, err = a.store.Packages(p.window())
		l = a.viewOf(rq, p, q, count, recs)
	}
	if err != nil {
		return err
	}
	f.Title, f.Path = "Packages", canonicalPath(root+"packages/", rq.query)
	f.Description = "All packages of the catalogue, with stars, commits and versions."
	l.Own = "newest in the catalogue first"
	return web.Packages(w, f, web.ListPage{Clock: a.clock(), List: l})
}

func items(recs []record.Package) []web.Item {
	all := make([]web.Item, len(recs))
	for i := range recs {
		all[i] = web.Item{Record: recs[i], Path: packagePath(recs[i].ID)}
	}
	return all
}

func (a *api) packagePage(w io.Writer, rq *request, f web.Frame) error {
	rec, err := a.find(rq.key)
	if err != nil {
		return err
	}
	p := web.PackagePage{Clock: a.clock(), Record: rec, JSON: packagePath(rec.ID) + "?format=json", Status: packageStatusPath(rec.Slug)}
	switch c, err := a.store.Category(rec.Category); {
	case err == nil:
		p.Category = web.Link{Title: cmp.Or(c.Title, c.Slug), Path: categoryPath(c.ID)}
	case !errors.Is(err, store.ErrNotFound): // the catalogue may give it none
		return err
	}
	for _, id := range rec.Grids {
		switch g, err := a.store.Grid(id); {
		case err == nil:
			p.Grids = append(p.Grids, web.Link{Title: cmp.Or(g.Title, g.Slug), Path: gridPath(id)})
		case !errors.Is(err, store.ErrNotFound): // it has just been deleted
			return err
		}
	}
	f.Title, f.Path, f.Description = cmp.Or(rec.Title, rec.Slug), packagePath(rec.ID), rec.Repo.Description
	return web.Package(w, f, p)
}

func (a *api) gridsPage(w io.Writer, rq *request, f web.Frame) error {
	part := newPage(rq.query, a.maxLimit)
	grids, count, err := a.store.Grids(part.window())
	if err != nil {
		return err
	}
	p := web.GridsPage{Pager: a.pager(rq, part, count, len(grids))}
	for _, g := range grids {
		ids, err := a.store.GridPackages(g.ID)
		if err != nil {
			return err
		}
		p.Items = append(p.Items, web.GridItem{Grid: g, Path: gridPath(g.ID), Packages: len(ids)})
	}
	f.Title, f.Path = "Grids", canonicalPath(root+"grids/", rq.query)
	f.Description = "Comparisons of packages for one purpose."
	return web.Grids(w, f, p)
}

func (a *api) gridPage(w io.Writer, rq *request, f web.Frame) error {
	g, err := find("Grid", rq.key, a.store.Grid, a.store.GridBySlug)
	if err != nil {
		return err
	}
	ids, err := a.store.GridPackages(g.ID)
	if err != nil {
		return err
	}
	if ids == nil {
		ids = []int{} // a grid of nothing, not the list of everything
	}
	l, err := a.comparedList(rq, record.ListQuery{IDs: ids})
	if err != nil {
		return err
	}
	f.Title, f.Path, f.Description = titleOf(l, g.Title, g.Slug), canonicalPath(gridPath(g.ID), rq.query), g.Description
	return web.Grid(w, f, web.GridPage{Clock: a.clock(), Grid: g, List: l, JSON: gridPath(g.ID) + "?format=json"})
}

func (a *api) categoriesPage(w io.Writer, rq *request, f web.Frame) error {
	part := newPage(rq.query, a.maxLimit)
	categories, count, err := a.store.Categories(part.window())
	if err != nil {
		return err
	}
	p := web.CategoriesPage{Pager: a.pager(rq, part, count, len(categories))}
	for _, c := range categories {
		p.Items = append(p.Items, web.CategoryItem{Category: c, Path: categoryPath(c.ID)})
	}
	f.Title, f.Path = "Categories", canonicalPath(root+"categories/", rq.query)
	f.Description = "The kinds of packages in the catalogue."
	return web.Categories(w, f, p)
}

func (a *api) categoryPage(w io.Writer, rq *request, f web.Frame) error {
	c, err := a.category(rq.key)
	if err != nil {
		return err
	}
	l, err := a.comparedList(rq, record.ListQuery{Category: c.ID})
	if err != nil {
		return err
	}
	f.Title, f.Path, f.Description = titleOf(l, c.Title, c.Slug), canonicalPath(categoryPath(c.ID), rq.query), c.Description
	return web.Category(w, f, web.CategoryPage{Clock: a.clock(), Category: c, List: l, JSON: categoryPath(c.ID) + "?format=json"})
}

// titleOf is the title of a page that lists packages: of what they are in, and how they are
// shown where that is not as usual.
func titleOf(l web.List, title, slug string) string {
	title = cmp.Or(title, slug)
	if l.Readiness {
		title += ": Django readiness"
	}
	return title
}
