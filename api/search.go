package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// A Searcher finds packages and grids by words of their texts, the best first.
// Nothing in a query is an error. It is called concurrently.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]Hit, error)
}

// ErrNotReady is wrapped by the error of a Searcher that cannot find anything
// yet.
var ErrNotReady = errors.New("the search is not ready")

var errSearch = &problem{http.StatusServiceUnavailable, "The search is not ready. Try again later."}

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
	grid     *record.Grid
	compares int // packages, of a grid
	pkg      *record.Package
	category string // its title
}

// results looks up what the query finds. What has left meanwhile is left out.
func (a *api) results(rq *request) (found []result, err error) {
	q, _ := rq.query.get("q")
	if q = strings.TrimSpace(q); q == "" || a.searcher == nil {
		return nil, nil
	}
	select { // a search is work, all other answers hardly are: these must not wait for many of those
	case a.searches <- struct{}{}:
		defer func() { <-a.searches }()
	case <-rq.Context().Done():
		return nil, errSearch
	}
	hits, err := a.searcher.Search(rq.Context(), q, mostHits)
	if errors.Is(err, ErrNotReady) || err != nil && rq.Context().Err() != nil {
		return nil, errSearch
	}
	if err != nil {
		return nil, err
	}
	for _, hit := range hits {
		var r result
		if hit.Grid {
			var g record.Grid
			g, err = a.store.Grid(hit.ID)
			r.grid = &g
			if ids, err := a.store.GridPackages(hit.ID); err == nil {
				r.compares = len(ids)
			}
		} else {
			var p record.Package
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
		item := r.item(now)
		e.searchItem(&item, a.location)
	}
	e.close(']')
	return nil
}

// A searchItem is a result in the shape of the documentation. What is not kept
// here (downloads, usage) is zero, as is whatever a grid has none of.
type searchItem struct {
	kind, path, title, slug, description, category, participants string
	created, modified                                            time.Time
	lastCommitted, lastReleased                                  *time.Time
	watchers, forks, score, weight                               int
}

func (r *result) item(now time.Time) searchItem {
	if g := r.grid; g != nil {
		return searchItem{
			kind: "grid", path: "/grids/g/" + g.Slug + "/", title: g.Title, slug: g.Slug, description: g.Description,
			created: g.Created, modified: g.Modified, weight: gridWeight(g, r.compares),
		}
	}
	p := r.pkg
	return searchItem{
		kind: "package", path: "/packages/p/" + p.Slug + "/", title: p.Title, slug: p.Slug, description: p.Repo.Description,
		category: r.category, participants: strings.Join(p.Repo.Participants, ","), created: p.Created, modified: p.Modified,
		lastCommitted: p.Repo.LastCommit, lastReleased: lastReleased(p), watchers: p.Repo.Stars, forks: p.Repo.Forks,
		score: score(p, now), weight: weight(p, now),
	}
}

func (e *encoder) searchItem(i *searchItem, location *time.Location) {
	e.open('{')
	e.key("description")
	e.str(i.description)
	e.key("title")
	e.str(i.title)
	e.key("created")
	e.time(i.created, location)
	e.key("modified")
	e.time(i.modified, location)
	e.key("weight")
	e.int(i.weight)
	e.key("item_type")
	e.str(i.kind)
	e.key("title_no_prefix")
	e.str(noPrefix(i.title))
	e.key("slug")
	e.str(i.slug)
	e.key("slug_no_prefix")
	e.str(noPrefix(i.slug))
	e.key("clean_title")
	e.str(cleanTitle(noPrefix(i.slug)))
	e.key("category")
	e.str(i.category)
	e.key("absolute_url")
	e.str(i.path)
	e.key("repo_watchers")
	e.int(i.watchers)
	e.key("repo_forks")
	e.int(i.forks)
	e.key("pypi_downloads")
	e.int(0)
	e.key("score")
	e.int(i.score)
	e.key("usage")
	e.int(0)
	e.key("participants")
	e.str(i.participants)
	e.key("last_committed")
	e.timeOrNull(i.lastCommitted, location)
	e.key("last_released")
	e.timeOrNull(i.lastReleased, location)
	e.close('}')
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
