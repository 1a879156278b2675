package api

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// rootV3 is the path of the older API, v3, below the public URL. It finds records by their
// slugs only, lists them by title, and answers in one format whatever a client asks for.
const rootV3 = render.RootV3

// A viewV3 writes the answer to GET and HEAD. Its error is as that of view.get.
type viewV3 func(e *render.Encoder, rq *request) error

func (a *api) routesV3(mux *http.ServeMux) {
	for path, v := range map[string]viewV3{
		"":                       a.getRootV3,
		"packages/":              a.getPackagesV3,
		"packages/{slug}/":       a.getPackageV3,
		"grids/":                 a.getGridsV3,
		"grids/{slug}/":          a.getGridV3,
		"grids/{slug}/packages/": a.getGridPackagesV3,
		"categories/":            a.getCategoriesV3,
		"categories/{slug}/":     a.getCategoryV3,
		"users/":                 noUsersV3,
		"users/{slug}/":          noUsersV3,
	} {
		mux.HandleFunc(rootV3+path+"{$}", a.serveV3(v))
		mux.HandleFunc(strings.TrimSuffix(rootV3+path, "/"), a.serveV3(v))
	}
}

func (a *api) serveV3(v viewV3) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		slug := r.PathValue("slug")
		switch {
		case slug != "" && !record.IsSlug(slug):
			a.unknown(w, r)
		case !strings.HasSuffix(r.URL.Path, "/"):
			a.appendSlash(w, r)
		default:
			a.answerV3(w, r, v, slug)
		}
	}
}

var (
	allowedV3    = []string{"GET, HEAD"}
	varyEncoding = []string{"Accept-Encoding"}
)

func (a *api) answerV3(w http.ResponseWriter, r *http.Request, v viewV3, slug string) {
	e := a.encoder()
	defer a.release(e)
	e.ResetPython()
	h := w.Header()
	h["Vary"] = varyEncoding
	h["Content-Type"] = typeJSON
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h["Allow"] = allowedV3
		a.refuseV3(w, r, e, &problem{http.StatusMethodNotAllowed, "Only GET and HEAD are answered here."})
		return
	}
	rq := request{Request: r, key: slug, query: parseQuery(r.URL.RawQuery), path: a.base.prefix + r.URL.Path}
	rq.changed = latest(a.store.Changed(), a.pagesChanged) // before the records are read, so that these are not older
	if err := v(e, &rq); err != nil {
		a.refuseV3(w, r, e, a.explain(r, err))
		return
	}
	a.send(w, r, http.StatusOK, e.Bytes(), rq.changed)
}

func (a *api) refuseV3(w http.ResponseWriter, r *http.Request, e *render.Encoder, p *problem) {
	e.ResetPython()
	e.Open('{')
	e.Key("error")
	e.Int(p.status)
	e.Key("message")
	e.String(p.detail)
	e.Close('}')
	a.send(w, r, p.status, e.Bytes(), time.Time{})
}

func (a *api) v3() render.V3 { return render.V3{Prefix: a.base.prefix} }

// getRootV3 lists the collections: also users, which that API has and this service does not.
func (a *api) getRootV3(e *render.Encoder, rq *request) error {
	e.Open('{')
	for _, name := range []string{"categories", "grids", "packages", "users"} {
		e.Key(name)
		e.String(rq.path + name + "/")
	}
	e.Close('}')
	return nil
}

func noUsersV3(*render.Encoder, *request) error {
	return &problem{http.StatusNotFound, "There are no users here."}
}

func (a *api) getPackageV3(e *render.Encoder, rq *request) error {
	var id int
	var template string // a copy: the store must not be asked for more while it passes what it serves
	if err := a.store.ServedBySlug(rq.key, func(p store.Served) { id, template = p.ID, string(p.Body) }); err != nil {
		return missing("Package", err)
	}
	if a.read != nil {
		a.read(id)
	}
	return a.packageWriterV3()(e, &template)
}

func (a *api) getPackagesV3(e *render.Encoder, rq *request) error {
	page, err := newPageV3(rq.query)
	if err != nil {
		return err
	}
	filter := 0 // a slug that no category has filters nothing
	if slug, given := rq.query.get("category"); given {
		c, err := a.categoryV3(slug)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		filter = c.ID
	}
	offset, limit := page.window(a.maxLimit)
	var templates []string
	var total int
	if err := a.store.ServedByTitle(filter, offset, limit,
		func(n int) { templates, total = templates[:0], n },
		func(p store.Served) { templates = append(templates, string(p.Body)) },
	); err != nil {
		return err
	}
	page.begin(e, rq, a.maxLimit, total)
	e.Key("category")
	e.Null() // even with a filter
	return writeObjectsV3(e, templates, a.packageWriterV3())
}

// packageWriterV3 returns a function that writes packages from their templates. It looks up
// the slug of each category and grid that they refer to, and keeps it for the next package.
func (a *api) packageWriterV3() func(e *render.Encoder, template *string) error {
	categories, grids := map[int]string{}, map[int]string{}
	return func(e *render.Encoder, template *string) error {
		p, err := render.ReadTemplate(*template)
		if err != nil {
			return err
		}
		category, err := kept(categories, p.Category, func(id int) (string, error) {
			c, err := a.store.Category(id)
			return c.Slug, err
		})
		if err != nil {
			return err
		}
		var of []string
		for _, id := range p.Grids {
			slug, err := kept(grids, id, func(id int) (string, error) {
				g, err := a.store.Grid(id)
				return g.Slug, err
			})
			if err != nil {
				return err
			}
			if slug != "" {
				of = append(of, slug)
			}
		}
		a.v3().Package(e, &p, category, of)
		return nil
	}
}

// kept returns the slug for an id, which it looks up once; "" for one that is not there.
func kept(slugs map[int]string, id int, find func(int) (string, error)) (string, error) {
	if slug, known := slugs[id]; known || id == 0 {
		return slug, nil
	}
	slug, err := find(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	slugs[id] = slug
	return slug, nil
}

func (a *api) getGridsV3(e *render.Encoder, rq *request) error {
	grids, _, err := a.store.Grids(0, math.MaxInt)
	if err != nil {
		return err
	}
	slices.SortFunc(grids, func(x, y record.Grid) int {
		return cmp.Or(cmp.Compare(x.Title, y.Title), cmp.Compare(x.ID, y.ID))
	})
	return listV3(a, e, rq, grids, a.writeGridV3)
}

func (a *api) getGridV3(e *render.Encoder, rq *request) error {
	g, err := a.store.GridBySlug(rq.key)
	if err != nil {
		return missing("Grid", err)
	}
	return a.writeGridV3(e, &g)
}

func (a *api) writeGridV3(e *render.Encoder, g *record.Grid) error {
	ids, err := a.store.GridPackages(g.ID)
	if err != nil {
		return err
	}
	slugs, err := a.store.Slugs(ids)
	if err != nil {
		return err
	}
	a.v3().Grid(e, g, slugs)
	return nil
}

// getGridPackagesV3 lists the packages of a grid, after the grid itself.
func (a *api) getGridPackagesV3(e *render.Encoder, rq *request) error {
	g, err := a.store.GridBySlug(rq.key)
	if err != nil {
		return missing("Grid", err)
	}
	page, err := newPageV3(rq.query)
	if err != nil {
		return err
	}
	ids, err := a.store.GridPackages(g.ID)
	if err != nil {
		return err
	}
	page.begin(e, rq, a.maxLimit, len(ids))
	e.Key("grid")
	if err := a.writeGridV3(e, &g); err != nil {
		return err
	}
	var templates []string
	use := func(p store.Served) { templates = append(templates, string(p.Body)) }
	for _, id := range part(ids, page, a.maxLimit) {
		if err := a.store.Served(id, use); err != nil && !errors.Is(err, store.ErrNotFound) { // it has just been deleted
			return err
		}
	}
	return writeObjectsV3(e, templates, a.packageWriterV3())
}

func (a *api) getCategoriesV3(e *render.Encoder, rq *request) error {
	categories, _, err := a.store.Categories(0, math.MaxInt)
	if err != nil {
		return err
	}
	slices.SortFunc(categories, func(x, y record.Category) int {
		return cmp.Or(cmp.Compare(x.Title, y.Title), cmp.Compare(x.ID, y.ID))
	})
	return listV3(a, e, rq, categories, a.writeCategoryV3)
}

func (a *api) getCategoryV3(e *render.Encoder, rq *request) error {
	c, err := a.categoryV3(rq.key)
	if err != nil {
		return missing("Category", err)
	}
	return a.writeCategoryV3(e, &c)
}

// categoryV3 returns the category with a slug, or store.ErrNotFound.
func (a *api) categoryV3(slug string) (record.Category, error) {
	categories, _, err := a.store.Categories(0, math.MaxInt)
	if err != nil {
		return record.Category{}, err
	}
	i := slices.IndexFunc(categories, func(c record.Category) bool { return c.Slug == slug })
	if i < 0 {
		return record.Category{}, store.ErrNotFound
	}
	return categories[i], nil
}

func (a *api) writeCategoryV3(e *render.Encoder, c *record.Category) error {
	a.v3().Category(e, c)
	return nil
}

// listV3 writes the page of a list that a request asks for.
func listV3[T any](a *api, e *render.Encoder, rq *request, all []T, write func(*render.Encoder, *T) error) error {
	page, err := newPageV3(rq.query)
	if err != nil {
		return err
	}
	page.begin(e, rq, a.maxLimit, len(all))
	return writeObjectsV3(e, part(all, page, a.maxLimit), write)
}

// writeObjectsV3 writes the objects of a page, and its end.
func writeObjectsV3[T any](e *render.Encoder, items []T, write func(*render.Encoder, *T) error) error {
	e.Key("objects")
	e.Open('[')
	for i := range items {
		e.Item()
		if err := write(e, &items[i]); err != nil {
			return err
		}
	}
	e.Close(']')
	e.Close('}')
	return nil
}
