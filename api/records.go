package api

import (
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

func (a *api) packages() collection {
	const description = "API endpoint that allows packages to be viewed or edited."
	return collection{
		path:     "packages",
		list:     view{name: "Package List", description: description, get: a.getPackages, page: a.packagesPage},
		instance: view{name: "Package Instance", description: description, get: a.getPackage, page: a.packagePage, near: a.nearPackages},
	}
}

func (a *api) getPackage(e *render.Encoder, rq *request) error {
	use := func(p store.Served) {
		e.Template(p.Body, rq.links)
		rq.changed = p.Changed
		if a.read != nil {
			a.read(p.ID)
		}
	}
	type none struct{}
	_, err := find("Package", rq.key,
		func(id int) (none, error) { return none{}, a.store.Served(id, use) },
		func(slug string) (none, error) { return none{}, a.store.ServedBySlug(slug, use) })
	return err
}

func (a *api) getPackages(e *render.Encoder, rq *request) error {
	p := a.page(rq)
	offset, limit := p.window()
	err := a.store.ServedPage(offset, limit, func(count int) {
		e.Reset(e.Indent())
		beginPage(e, rq, p, count)
	}, func(served store.Served) {
		e.Item()
		e.Template(served.Body, rq.links)
	})
	endPage(e)
	return err
}

func (a *api) grids() collection {
	return collection{
		path: "grids",
		list: view{name: "Grid List", page: a.gridsPage, get: func(e *render.Encoder, rq *request) error {
			return list(e, rq, a.page(rq), a.store.Grids, a.writeGrid)
		}},
		instance: view{name: "Grid Instance", page: a.gridPage, near: a.nearGrids, get: func(e *render.Encoder, rq *request) error {
			g, err := find("Grid", rq.key, a.store.Grid, a.store.GridBySlug)
			if err != nil {
				return err
			}
			return a.writeGrid(e, rq, &g)
		}},
	}
}

func (a *api) categories() collection {
	return collection{
		path: "categories",
		list: view{name: "Category List", page: a.categoriesPage, get: func(e *render.Encoder, rq *request) error {
			return list(e, rq, a.page(rq), a.store.Categories, a.writeCategory)
		}},
		instance: view{name: "Category Instance", page: a.categoryPage, near: a.nearCategories, get: func(e *render.Encoder, rq *request) error {
			c, err := a.category(rq.key)
			if err != nil {
				return err
			}
			return a.writeCategory(e, rq, &c)
		}},
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
func (a *api) getRoot(e *render.Encoder, rq *request) error {
	e.Open('{')
	for _, name := range []string{"packages", "search", "grids", "categories"} {
		e.Key(name)
		e.String(rq.links.Base + root + name + rq.links.Suffix)
	}
	e.Close('}')
	return nil
}

// page returns the page of a list that a request asks for. It counts a change of
// the settings for lists as a change of the answer.
func (a *api) page(rq *request) page {
	rq.changed = latest(rq.changed, a.pagesChanged)
	return newPage(rq.query, a.maxLimit)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// list writes a page of a list: the number of all records, the links to the next
// and the previous page, and the records. read returns these, and write writes one.
func list[T any](e *render.Encoder, rq *request, p page, read func(offset, limit int) ([]T, int, error), write func(*render.Encoder, *request, *T) error) error {
	items, count, err := read(p.window())
	if err != nil {
		return err
	}
	beginPage(e, rq, p, count)
	for i := range items {
		e.Item()
		if err := write(e, rq, &items[i]); err != nil {
			return err
		}
	}
	endPage(e)
	return nil
}

// beginPage writes a page up to its records.
func beginPage(e *render.Encoder, rq *request, p page, count int) {
	e.Open('{')
	e.Key("count")
	e.Int(count)
	next, ok := p.next(rq.query, count)
	e.Key("next")
	writePageLink(e, rq, next, ok)
	previous, ok := p.previous(rq.query)
	e.Key("previous")
	writePageLink(e, rq, previous, ok)
	e.Key("results")
	e.Open('[')
}

func endPage(e *render.Encoder) {
	e.Close(']')
	e.Close('}')
}

// writePageLink writes the link to a page given by its query, or null if ok is false.
func writePageLink(e *render.Encoder, rq *request, query string, ok bool) {
	if !ok {
		e.Null()
		return
	}
	e.String(rq.links.Base + rq.path + "?" + query)
}

func (a *api) writeGrid(e *render.Encoder, rq *request, g *record.Grid) error {
	packages, err := a.store.GridPackages(g.ID)
	if err != nil {
		return err
	}
	e.Open('{')
	e.Key("id")
	e.Int(g.ID)
	e.Key("title")
	e.String(g.Title)
	e.Key("slug")
	e.String(g.Slug)
	e.Key("description")
	e.String(g.Description)
	e.Key("is_locked")
	e.Bool(g.IsLocked)
	e.Key("packages")
	e.LinkList(rq.links, "packages/", packages)
	e.Key("header")
	e.Bool(g.Header)
	e.Key("created")
	e.Time(g.Created, a.location)
	e.Key("modified")
	e.Time(g.Modified, a.location)
	e.Close('}')
	return nil
}

func (a *api) writeCategory(e *render.Encoder, _ *request, c *record.Category) error {
	e.Open('{')
	e.Key("id")
	e.Int(c.ID)
	e.Key("title")
	e.String(c.Title)
	e.Key("slug")
	e.String(c.Slug)
	e.Key("description")
	e.String(c.Description)
	e.Key("title_plural")
	e.String(c.TitlePlural)
	e.Key("show_pypi")
	e.Bool(c.ShowPyPI)
	e.Key("created")
	e.Time(c.Created, a.location)
	e.Key("modified")
	e.Time(c.Modified, a.location)
	e.Close('}')
	return nil
}
