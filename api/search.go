package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/status"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// A Searcher finds packages and grids by the words in their texts, at most limit
// of them, best first. No query is an error. It is called concurrently.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]Hit, error)
	// State returns the state of the search, which says whether it finds everything.
	State() status.Search
}

// searchHeader has the state of the search, one of those of package status. Unless it
// is "current", results may be missing.
const searchHeader = "Pkgmetad-Search"

// ErrNotReady is wrapped by the error of a Searcher that cannot find anything
// yet.
var ErrNotReady = errors.New("the search is not ready")

var errSearch = &problem{http.StatusServiceUnavailable, "The search is not ready. Try again later."}

// Hit names what a search found.
type Hit struct {
	Grid bool // else a package
	ID   int
}

// maxHits is the largest number of results of a search.
const maxHits = 20

func (a *api) search() view {
	return view{name: "Search", description: "Packages and grids that match ?q=, the best first.", get: a.getSearch, page: a.searchPage}
}

// A result is a hit of a search with its record: a grid or a package.
type result struct {
	grid     *record.Grid
	compared int // packages in the grid
	pkg      *record.Package
	category string // title of the package's category
}

// results searches, once for a request, and looks up the records of the hits. Those
// deleted in the meantime are left out.
func (a *api) results(rq *request) (found []result, err error) {
	q, _ := rq.query.get("q")
	if q = strings.TrimSpace(q); q == "" || a.searcher == nil || rq.found != nil {
		return rq.found, nil
	}
	select { // searches are expensive, and too many at once would slow down all other answers
	case a.searches <- struct{}{}:
		defer func() { <-a.searches }()
	case <-rq.Context().Done():
		return nil, errSearch
	}
	state := a.searcher.State().State // before the search: a better state after it proves nothing about what was found
	hits, err := a.searcher.Search(rq.Context(), q, maxHits)
	if errors.Is(err, ErrNotReady) || err != nil && rq.Context().Err() != nil {
		return nil, errSearch
	}
	if err != nil {
		return nil, err
	}
	found = make([]result, 0, len(hits))
	for _, hit := range hits {
		r, err := a.result(hit)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted since it was indexed
		}
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	rq.header[searchHeader] = []string{state}
	rq.found = found
	return found, nil
}

// result reads what a hit stands for. Its error may be store.ErrNotFound.
func (a *api) result(hit Hit) (r result, err error) {
	if hit.Grid {
		g, err := a.store.Grid(hit.ID)
		if err != nil {
			return r, err
		}
		ids, err := a.store.GridPackages(hit.ID)
		return result{grid: &g, compared: len(ids)}, err
	}
	p, err := a.store.Package(hit.ID)
	if err != nil {
		return r, err
	}
	c, err := a.store.Category(p.Category)
	if errors.Is(err, store.ErrNotFound) { // the catalogue may give it none
		err = nil
	}
	return result{pkg: &p, category: c.Title}, err
}

func (a *api) getSearch(e *render.Encoder, rq *request) error {
	rq.changed = time.Time{} // unknown: the scores depend on the present time
	found, err := a.results(rq)
	if err != nil {
		return err
	}
	now := time.Now()
	e.Open('[')
	for _, r := range found {
		e.Item()
		item := r.item(now)
		writeSearchItem(e, &item, a.location)
	}
	e.Close(']')
	return nil
}

// A searchItem is a result with the fields that the API documents. What this
// service does not know (downloads, usage) is zero, and so is what grids lack.
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
			created: g.Created, modified: g.Modified, weight: gridWeight(g, r.compared),
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

func writeSearchItem(e *render.Encoder, i *searchItem, location *time.Location) {
	e.Open('{')
	e.Key("description")
	e.String(i.description)
	e.Key("title")
	e.String(i.title)
	e.Key("created")
	e.Time(i.created, location)
	e.Key("modified")
	e.Time(i.modified, location)
	e.Key("weight")
	e.Int(i.weight)
	e.Key("item_type")
	e.String(i.kind)
	e.Key("title_no_prefix")
	e.String(noPrefix(i.title))
	e.Key("slug")
	e.String(i.slug)
	e.Key("slug_no_prefix")
	e.String(noPrefix(i.slug))
	e.Key("clean_title")
	e.String(cleanTitle(noPrefix(i.slug)))
	e.Key("category")
	e.String(i.category)
	e.Key("absolute_url")
	e.String(i.path)
	e.Key("repo_watchers")
	e.Int(i.watchers)
	e.Key("repo_forks")
	e.Int(i.forks)
	e.Key("pypi_downloads")
	e.Int(0)
	e.Key("score")
	e.Int(i.score)
	e.Key("usage")
	e.Int(0)
	e.Key("participants")
	e.String(i.participants)
	e.Key("last_committed")
	e.TimeOrNull(i.lastCommitted, location)
	e.Key("last_released")
	e.TimeOrNull(i.lastReleased, location)
	e.Close('}')
}

func (a *api) searchPage(w io.Writer, rq *request, f web.Frame) error {
	found, err := a.results(rq)
	if err != nil {
		return err
	}
	q, asked := rq.query.get("q")
	p := web.SearchPage{Clock: a.clock(), Query: q, Asked: asked && strings.TrimSpace(q) != "", Full: len(found) == maxHits}
	if state := rq.header[searchHeader]; len(state) > 0 {
		p.State = state[0]
	}
	for _, r := range found {
		if r.grid != nil {
			p.Hits = append(p.Hits, web.Hit{Grid: &web.GridItem{Grid: *r.grid, Path: gridPath(r.grid.ID), Packages: r.compared}})
			continue
		}
		p.Hits = append(p.Hits, web.Hit{Package: &web.Item{Record: *r.pkg, Path: packagePath(r.pkg.ID)}, Category: r.category})
	}
	f.Title, f.Description = "Search", "Find packages and grids by the words in their texts."
	if !p.Asked {
		f.Path = root + "search/"
	}
	return web.Search(w, f, p)
}
