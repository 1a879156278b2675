package api

import (
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func (a *api) packages() collection {
	const description = "API endpoint that allows packages to be viewed or edited."
	return collection{
		path:     "packages",
		list:     view{"Package List", description, a.getPackages, a.packagesPage},
		instance: view{"Package Instance", description, a.getPackage, a.packagePage},
	}
}

func (a *api) getPackage(e *encoder, rq *request) error {
	use := func(p store.Served) {
		e.served(rq, p.Body)
		rq.changed = p.Changed
	}
	type none struct{}
	_, err := find("Package", rq.key,
		func(id int) (none, error) { return none{}, a.store.Served(id, use) },
		func(slug string) (none, error) { return none{}, a.store.ServedBySlug(slug, use) })
	return err
}

func (a *api) getPackages(e *encoder, rq *request) error {
	p := newPage(rq.query, a.maxLimit)
	offset, limit := p.window()
	err := a.store.ServedPage(offset, limit, func(count int) {
		e.reset(e.indent)
		e.beginPage(rq, p, count)
	}, func(served store.Served) {
		e.item()
		e.served(rq, served.Body)
	})
	e.endPage()
	return err
}

func (a *api) grids() collection {
	return collection{
		path: "grids",
		list: view{"Grid List", "", func(e *encoder, rq *request) error {
			return list(e, rq, a.maxLimit, a.store.Grids, a.writeGrid)
		}, a.gridsPage},
		instance: view{"Grid Instance", "", func(e *encoder, rq *request) error {
			g, err := find("Grid", rq.key, a.store.Grid, a.store.GridBySlug)
			if err != nil {
				return err
			}
			return a.writeGrid(e, rq, &g)
		}, a.gridPage},
	}
}

func (a *api) categories() collection {
	return collection{
		path: "categories",
		list: view{"Category List", "", func(e *encoder, rq *request) error {
			return list(e, rq, a.maxLimit, a.store.Categories, a.writeCategory)
		}, a.categoriesPage},
		instance: view{"Category Instance", "", func(e *encoder, rq *request) error {
			c, err := a.category(rq.key)
			if err != nil {
				return err
			}
			return a.writeCategory(e, rq, &c)
		}, a.categoryPage},
	}
}

func (a *api) category(key string) (c record.Category, err error) {
	id, ok := parseID(key)
	if !ok {
		return c, missing("Category", store.ErrNotFound)
	}
	c, err = a.store.Category(id)
	return c, missing("Category", err)
}

// getRoot lists the collections.
func (a *api) getRoot(e *encoder, rq *request) error {
	e.open('{')
	for _, name := range []string{"packages", "search", "grids", "categories"} {
		e.key(name)
		e.str(rq.base + root + name + rq.tail)
	}
	e.close('}')
	return nil
}

// list writes a page: the count of all records, the links to the pages beside
// it, and its records, which read gets and write writes.
func list[T any](e *encoder, rq *request, maxLimit int, read func(offset, limit int) ([]T, int, error), write func(*encoder, *request, *T) error) error {
	p := newPage(rq.query, maxLimit)
	items, count, err := read(p.window())
	if err != nil {
		return err
	}
	e.beginPage(rq, p, count)
	for i := range items {
		e.item()
		if err := write(e, rq, &items[i]); err != nil {
			return err
		}
	}
	e.endPage()
	return nil
}

// beginPage writes what stands before the records of a page.
func (e *encoder) beginPage(rq *request, p page, count int) {
	e.open('{')
	e.key("count")
	e.int(count)
	e.key("next")
	e.pageLink(rq, func() (string, bool) { return p.next(rq.query, count) })
	e.key("previous")
	e.pageLink(rq, func() (string, bool) { return p.previous(rq.query) })
	e.key("results")
	e.open('[')
}

func (e *encoder) endPage() {
	e.close(']')
	e.close('}')
}

// pageLink writes the link to a page beside this one, or null for none.
func (e *encoder) pageLink(rq *request, beside func() (query string, ok bool)) {
	query, ok := beside()
	if !ok {
		e.null()
		return
	}
	e.str(rq.base + rq.path + "?" + query)
}

// Record returns a package as it is served: with the links below base, which
// reads scheme://host[/prefix], the times in location, nil for UTC, and indent
// spaces a level, 0 for the compact form.
func Record(rec record.Package, base string, location *time.Location, indent int) []byte {
	base = strings.TrimRight(base, "/")
	if b, err := newBase(base, nil); err == nil {
		base = b.public // in the form that the API serves it in
	}
	a := api{location: location}
	if location == nil {
		a.location = time.UTC
	}
	var e encoder
	e.reset(max(indent, 0))
	a.writePackage(&e, &request{base: base, tail: "/"}, &rec)
	return e.buf
}

func (a *api) writePackage(e *encoder, rq *request, p *record.Package) error {
	e.open('{')
	e.key("category")
	if p.Category == 0 {
		e.null()
	} else {
		e.link(rq, "categories/", p.Category)
	}
	e.key("grids")
	e.links(rq, "grids/", p.Grids)
	e.key("id")
	e.int(p.ID)
	e.key("title")
	e.str(p.Title)
	e.key("slug")
	e.str(p.Slug)
	e.key("last_updated")
	e.timeOrNull(p.Repo.LastCommit, a.location)
	e.key("last_fetched")
	e.time(p.LastFetched, a.location)
	e.key("repo_url")
	e.strOrNull(p.RepoURL)
	e.key("pypi_version")
	e.strOrNull(p.Project.Version)
	e.key("created")
	e.time(p.Created, a.location)
	e.key("modified")
	e.time(p.Modified, a.location)
	e.key("repo_forks")
	e.int(p.Repo.Forks)
	e.key("repo_description")
	e.str(p.Repo.Description)
	e.key("pypi_url")
	e.strOrNull(p.PyPIURL)
	e.key("documentation_url")
	e.strOrNull(p.DocumentationURL)
	e.key("repo_watchers")
	e.int(p.Repo.Stars)
	e.key("commits_over_52")
	e.ints(p.Repo.Commits52)
	e.key("participants")
	e.strings(p.Repo.Participants...)
	e.close('}')
	return nil
}

func (a *api) writeGrid(e *encoder, rq *request, g *record.Grid) error {
	packages, err := a.store.GridPackages(g.ID)
	if err != nil {
		return err
	}
	e.open('{')
	e.key("id")
	e.int(g.ID)
	e.key("title")
	e.str(g.Title)
	e.key("slug")
	e.str(g.Slug)
	e.key("description")
	e.str(g.Description)
	e.key("is_locked")
	e.bool(g.IsLocked)
	e.key("packages")
	e.links(rq, "packages/", packages)
	e.key("header")
	e.bool(g.Header)
	e.key("created")
	e.time(g.Created, a.location)
	e.key("modified")
	e.time(g.Modified, a.location)
	e.close('}')
	return nil
}

func (a *api) writeCategory(e *encoder, _ *request, c *record.Category) error {
	e.open('{')
	e.key("id")
	e.int(c.ID)
	e.key("title")
	e.str(c.Title)
	e.key("slug")
	e.str(c.Slug)
	e.key("description")
	e.str(c.Description)
	e.key("title_plural")
	e.str(c.TitlePlural)
	e.key("show_pypi")
	e.bool(c.ShowPyPI)
	e.key("created")
	e.time(c.Created, a.location)
	e.key("modified")
	e.time(c.Modified, a.location)
	e.close('}')
	return nil
}

// link writes the link to a record. No part of it needs escapes.
func (e *encoder) link(rq *request, collection string, id int) {
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, rq.base...)
	e.buf = append(e.buf, root...)
	e.buf = append(e.buf, collection...)
	e.buf = strconv.AppendInt(e.buf, int64(id), 10)
	e.buf = append(e.buf, rq.tail...)
	e.buf = append(e.buf, '"')
}

func (e *encoder) links(rq *request, collection string, ids []int) {
	e.open('[')
	for _, id := range ids {
		e.item()
		e.link(rq, collection, id)
	}
	e.close(']')
}
