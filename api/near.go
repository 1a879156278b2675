package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"pkgmetad/internal/near"
	"pkgmetad/internal/record"
	"pkgmetad/internal/web"
)

// A page that is not there names those that may have been meant. However large the
// catalogue is, and however many ask for what is not there, that stays cheap: packages are
// sought with the search, by three searches at most, in bounded time, for one page at a
// time, and only while nobody else waits for a search; grids and categories are few.
const (
	maxNear    = 5                      // pages that are named
	nearTime   = 250 * time.Millisecond // for the searches
	nearLooked = 1000                   // grids or categories that are looked at
)

// nearPackages returns the packages that a key without one may have been meant for.
func (a *api) nearPackages(rq *request) []web.Link {
	if a.searcher == nil || allDigits(rq.key) || !a.seeking.TryLock() {
		return nil
	}
	defer a.seeking.Unlock()
	select {
	case a.searches <- struct{}{}:
		defer func() { <-a.searches }()
	default:
		return nil
	}
	ctx, cancel := context.WithTimeout(rq.Context(), nearTime)
	defer cancel()
	for _, q := range nearQueries(rq.key) {
		hits, err := a.searcher.Search(ctx, q, maxHits)
		if err != nil {
			if !errors.Is(err, ErrNotReady) && ctx.Err() == nil {
				a.failures.note(rq.Request, err, "similar names could not be searched for")
			}
			return nil
		}
		var found []record.Package
		for _, hit := range hits {
			if p, err := a.store.Package(hit.ID); !hit.Grid && err == nil {
				found = append(found, p)
			}
		}
		if links := nearest(rq.key, found, func(p record.Package) string { return p.Slug }, func(p record.Package) web.Link {
			return web.Link{Title: p.Slug, Path: packagePath(p.ID)}
		}); len(links) > 0 {
			return links
		}
	}
	return nil
}

// nearQueries returns what to search for in turn: the key, which finds names with other
// endings, with words around and with a typo in each word; then it without its last word,
// and without its first.
func nearQueries(key string) []string {
	queries := []string{key}
	words := strings.FieldsFunc(noPrefix(key), func(r rune) bool { return strings.ContainsRune(separators, r) })
	if n := len(words); n > 1 {
		queries = append(queries, strings.Join(words[:n-1], " "), strings.Join(words[1:], " "))
	}
	return queries
}

// nearGrids returns the grids that a key without one may have been meant for.
func (a *api) nearGrids(rq *request) []web.Link {
	grids, _, err := a.store.Grids(0, nearLooked)
	if err != nil {
		a.failures.note(rq.Request, err, "grids with a similar name could not be read")
	}
	return nearest(rq.key, grids, func(g record.Grid) string { return g.Slug }, func(g record.Grid) web.Link {
		return web.Link{Title: g.Slug, Path: gridPath(g.ID)}
	})
}

// nearCategories returns the categories that a key without one may have been meant for:
// their pages have ids in their addresses, and people try the slug.
func (a *api) nearCategories(rq *request) []web.Link {
	categories, _, err := a.store.Categories(0, nearLooked)
	if err != nil {
		a.failures.note(rq.Request, err, "categories with a similar name could not be read")
	}
	return nearest(rq.key, categories, func(c record.Category) string { return c.Slug }, func(c record.Category) web.Link {
		return web.Link{Title: c.Slug, Path: categoryPath(c.ID)}
	})
}

// nearest returns the links to those records whose slugs come closest to a key, without the
// prefix that most slugs have.
func nearest[T any](key string, all []T, slug func(T) string, link func(T) web.Link) (links []web.Link) {
	if allDigits(key) {
		return nil
	}
	for _, item := range near.Closest(noPrefix(key), all, func(item T) string { return noPrefix(slug(item)) }, maxNear) {
		links = append(links, link(item))
	}
	return links
}
