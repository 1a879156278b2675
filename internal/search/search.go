// Package search finds packages and grids by the words in their texts.
//
// The index is a bleve index in a folder of its own beside the store. It holds only
// indexed words and ids; what is shown of a hit comes from the store. It follows the
// store's feed of changes: with each batch of documents it saves the sequence that it
// has reached, and continues from there after a restart. So the folder may be deleted
// while the index is closed, and an index that is damaged or of another version is
// rebuilt from the store.
//
//	search.go    Search, and how hits are ranked
//	query.go     what a query means
//	popular.go   a shortcut for common words
//	mapping.go   what is indexed, and how
//	open.go      the folder: opening, verifying, rebuilding
//	openerror.go why it cannot be opened, and what to do about that
//	follow.go    following the store's packages
//	digest.go    skipping packages whose indexed texts have not changed
//	categories.go, grids.go  following its categories and grids
//
// # Ranking
//
// Every word of a query must match; a document ranks by the worst of its words.
// A match is, from best to worst: the whole query is the title or slug; then by
// field (title, slug, description, category and participants), and in each by
// kind of match (the word itself, its English stem, a word that begins with it);
// last of all, by field again, a word with one typo. Documents of the same rank are
// sorted by popularity, then by id. A query with a word that occurs nowhere finds
// nothing: what matches the other words is not what was asked for.
//
// The order does not depend on scores: each rank is a query of its own, and is run
// only if the ranks before it do not fill the answer. So neither the frequency of a
// word nor the length of a text can change the order.
package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/mapping"
	blevesearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// Source is what the index follows. *store.Store is one.
type Source interface {
	// Changes returns the changes after the sequence since, in order, at most limit
	// of them, the sequence to continue from, and whether there are more. If the
	// feed does not reach back to since, or since lies ahead of it, the error is
	// store.ErrForgotten. since 0 always works, and returns every live package.
	Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error)
	// Wait returns nil as soon as there is a change after since, or ctx's error.
	Wait(ctx context.Context, since uint64) error
	// Package returns a live package, or store.ErrNotFound.
	Package(id int) (record.Package, error)
	// Categories and Grids return at most limit of them starting at offset, and the
	// number of all.
	Categories(offset, limit int) ([]record.Category, int, error)
	Grids(offset, limit int) ([]record.Grid, int, error)
}

// Hit identifies a package or grid that was found.
type Hit struct {
	Grid bool // else a package
	ID   int
}

var (
	// ErrClosed is returned by Search after Close.
	ErrClosed = errors.New("the search index is closed")
	// ErrNotReady is wrapped, with the cause, by the errors of Search while the
	// index is not open because opening it failed. Run tries that again.
	ErrNotReady = errors.New("the search index is not open")
)

// Index is an open index. It is safe for concurrent use.
type Index struct {
	dir     string
	source  Source
	log     zerolog.Logger
	mapping *mapping.IndexMappingImpl

	sleep  func(context.Context, time.Duration) error // replaced by tests
	cancel atomic.Pointer[context.CancelCauseFunc]    // ends the running follow; nil for none

	mu      sync.RWMutex // held for reading while index is used, for writing while it is replaced
	index   bleve.Index  // nil when closed, or when it could not be opened
	openErr error        // why it could not be opened
	closed  bool
}

// many is the number of documents from which counting stops and a rank is not
// sorted as one: the popular documents in it are sought first, because sorting a
// million takes half a second.
const many = 200

// Search returns what a query finds, at most limit hits, best first. Any text is a
// query; one without words finds the titles and slugs equal to it. Of a long query,
// only the first 200 characters and 10 words count.
func (x *Index) Search(ctx context.Context, q string, limit int) (hits []Hit, err error) {
	err = x.use(func(index bleve.Index) error {
		s := searchRun{ctx: ctx, index: index, limit: limit, many: max(many, limit+1), seen: map[Hit]bool{}}
		err := s.search(x.parse(q).steps())
		hits = s.hits
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return hits, nil
}

// A searchRun is the state of one running search.
type searchRun struct {
	ctx     context.Context
	index   bleve.Index
	limit   int
	many    int   // where counting stops
	hits    []Hit // best first
	seen    map[Hit]bool
	popular query.Query // cached result of mostPopular
}

// search runs step after step until there are limit hits.
func (s *searchRun) search(steps []step) error {
	for _, levels := range steps {
		count, err := s.count(levels[len(levels)-1])
		if err != nil {
			return err
		}
		if err := s.rank(levels, count); err != nil {
			return err
		}
	}
	return nil
}

// rank adds the hits of the levels, strictest first; count is the number of
// documents that the last of them finds. It uses bisection to skip the levels that
// find nothing new.
func (s *searchRun) rank(levels step, count int) error {
	if count <= len(s.hits) || len(s.hits) >= s.limit {
		return nil
	}
	if half := len(levels) / 2; half > 0 {
		halfCount, err := s.count(levels[half-1])
		if err != nil {
			return err
		}
		if err := s.rank(levels[:half], halfCount); err != nil {
			return err
		}
		return s.rank(levels[half:], count)
	}
	if count == s.many {
		if err := s.addPopular(levels[0]); err != nil || len(s.hits) >= s.limit {
			return err
		}
	}
	return s.add(levels[0])
}

// addPopular adds the hits of a level among the most popular documents.
func (s *searchRun) addPopular(level query.Query) (err error) {
	if s.popular == nil {
		if s.popular, err = mostPopular(s.ctx, s.index); err != nil {
			return err
		}
	}
	return s.add(bleve.NewConjunctionQuery(level, s.popular))
}

// add appends the hits of a level that are new, up to the limit. It asks for limit
// hits although earlier levels have found some of them: the rest are still enough
// to fill the answer.
func (s *searchRun) add(level query.Query) error {
	r := bleve.NewSearchRequestOptions(level, s.limit, 0, false)
	r.Score = bleve.ScoreNone
	r.SortByCustom(blevesearch.SortOrder{&blevesearch.SortField{Field: "order", Type: blevesearch.SortFieldAsString}})
	found, err := s.index.SearchInContext(s.ctx, r)
	if err != nil {
		return err
	}
	for _, match := range found.Hits {
		hit, err := parseDocID(match.ID)
		if err != nil {
			return err
		}
		if len(s.hits) < s.limit && !s.seen[hit] {
			s.seen[hit] = true
			s.hits = append(s.hits, hit)
		}
	}
	return nil
}

// count returns how many documents match, or s.many if there are at least that
// many: without scores and order, bleve stops at the requested number.
func (s *searchRun) count(q query.Query) (int, error) {
	r := bleve.NewSearchRequestOptions(q, s.many, 0, false)
	r.Score = bleve.ScoreNone
	found, err := s.index.SearchInContext(s.ctx, r)
	if err != nil {
		return 0, err
	}
	return len(found.Hits), nil
}
