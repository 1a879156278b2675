package api

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// A Searcher finds packages and grids by words of their texts, the best first.
// Nothing in a query is an error. It is called concurrently.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]Hit, error)
}

// Hit names what a search found.
type Hit struct {
	Grid bool // else a package
	ID   int
}

// mostHits is how many results a search returns.
const mostHits = 20

func (a *api) search() view {
	return view{name: "Search", description: "Packages and grids that match ?q=, the best first.", get: a.getSearch, page: a.searchPage}
}

// A result is what a search found, as it is told of.
type result struct {
	grid     *store.Grid
	pkg      *store.Record
	category string // its title
}

// results looks up what the query finds. What has left meanwhile is left out.
func (a *api) results(rq *request) (found []result, err error) {
	q, _ := rq.query.get("q")
	if q = strings.TrimSpace(q); q == "" || a.searcher == nil {
		return nil, nil
	}
	hits, err := a.searcher.Search(rq.Context(), q, mostHits)
	if err != nil {
		return nil, err
	}
	for _, hit := range hits {
		var r result
		if hit.Grid {
			var g store.Grid
			g, err = a.store.Grid(hit.ID)
			r.grid = &g
		} else {
			var p store.Record
			p, err = a.store.Package(hit.ID)
			r.pkg = &p
			if c, err := a.store.Category(p.Category); err == nil {
				r.category = c.Title
			}
		}
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

func (a *api) getSearch(e *encoder, rq *request) error {
	rq.changed = time.Time{} // the scores change with the time
	found, err := a.results(rq)
	if err != nil {
		return err
	}
	now := time.Now()
	e.open('[')
	for _, r := range found {
		e.item()
		if r.grid != nil {
			e.gridResult(r.grid, a.location)
		} else {
			e.packageResult(r.pkg, r.category, now, a.location)
		}
	}
	e.close(']')
	return nil
}

func (e *encoder) packageResult(p *store.Record, category string, now time.Time, location *time.Location) {
	e.open('{')
	e.key("absolute_url")
	e.str("/packages/p/" + p.Slug + "/")
	e.key("category")
	e.str(category)
	e.key("clean_title")
	e.str(cleanTitle(noPrefix(p.Slug)))
	e.key("created")
	e.time(p.Created, location)
	e.key("description")
	e.str(p.Repo.Description)
	e.key("item_type")
	e.str("package")
	e.key("last_committed")
	e.timeOrNull(p.Repo.LastCommit, location)
	e.key("last_released")
	e.timeOrNull(lastReleased(p), location)
	e.key("modified")
	e.time(p.Modified, location)
	e.key("participants")
	e.str(strings.Join(p.Repo.Participants, ","))
	e.key("pypi_downloads")
	e.int(0)
	e.key("repo_forks")
	e.int(p.Repo.Forks)
	e.key("repo_watchers")
	e.int(p.Repo.Stars)
	e.key("score")
	e.int(score(p, now))
	e.names(p.Slug, p.Title)
	e.key("usage")
	e.int(0)
	e.key("weight")
	e.int(weight(p, now))
	e.close('}')
}

// gridResult writes a grid in the shape of a package: what it has none of is
// empty or zero.
func (e *encoder) gridResult(g *store.Grid, location *time.Location) {
	e.open('{')
	e.key("absolute_url")
	e.str("/grids/g/" + g.Slug + "/")
	e.key("category")
	e.str("")
	e.key("clean_title")
	e.str(cleanTitle(noPrefix(g.Slug)))
	e.key("created")
	e.time(g.Created, location)
	e.key("description")
	e.str(g.Description)
	e.key("item_type")
	e.str("grid")
	e.key("last_committed")
	e.null()
	e.key("last_released")
	e.null()
	e.key("modified")
	e.time(g.Modified, location)
	e.key("participants")
	e.str("")
	e.key("pypi_downloads")
	e.int(0)
	e.key("repo_forks")
	e.int(0)
	e.key("repo_watchers")
	e.int(0)
	e.key("score")
	e.int(0)
	e.names(g.Slug, g.Title)
	e.key("usage")
	e.int(0)
	e.key("weight")
	e.int(0)
	e.close('}')
}

func (e *encoder) names(slug, title string) {
	e.key("slug")
	e.str(slug)
	e.key("slug_no_prefix")
	e.str(noPrefix(slug))
	e.key("title")
	e.str(title)
	e.key("title_no_prefix")
	e.str(noPrefix(title))
}

func (a *api) searchPage(w io.Writer, rq *request, f web.Frame) error {
	found, err := a.results(rq)
	if err != nil {
		return err
	}
	q, asked := rq.query.get("q")
	p := web.SearchPage{Query: q, Asked: asked && strings.TrimSpace(q) != "", Count: len(found)}
	for _, r := range found {
		if r.grid != nil {
			p.Hits = append(p.Hits, web.Hit{Kind: "grid", Title: r.grid.Title, Path: gridPath(r.grid.ID), Description: r.grid.Description})
			continue
		}
		p.Hits = append(p.Hits, web.Hit{
			Kind: "package", Title: r.pkg.Title, Path: packagePath(r.pkg.ID), Description: r.pkg.Repo.Description,
			Category: r.category, Stars: &r.pkg.Repo.Stars,
		})
	}
	f.Title = "Search"
	return web.Search(w, f, p)
}
