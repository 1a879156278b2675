// Package search finds packages and grids by the words of a person.
//
// The index is bleve's, in a folder of its own beside the store. It holds
// only indexed words and ids; what is shown of a hit comes from the store. It
// follows the store's feed of changes: with each batch of documents it keeps the
// sequence that they bring it up to, and goes on from there after a restart. So it
// can be deleted at any time, and an index that is damaged or of another version is
// built again from the store.
//
//	search.go    Search, and what ranks the hits
//	query.go     what a query means
//	popular.go   a short cut for common words
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
// way (the word itself, its English stem, a word that begins with it); last of
// all, by field again, a word with one typo. Documents of the same rank come by
// popularity, then by id. A query with a word that is nowhere finds nothing:
// what matches the other words is not what was asked for.
//
// Weights play no part in that order: each rank is a query of its own, and the next
// one is asked only where the ranks before it do not fill the answer. So neither
// the frequency of a word nor the length of a text can change it.
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
	// Changes returns what changed after a sequence, in order, at most limit
	// changes, the sequence to go on from, and whether there is more. Where the
	// feed does not reach back to since, or since lies ahead of it, it fails
	// with store.ErrForgotten. 0 is always answered, with every live package.
	Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error)
	// Wait returns nil when there was a change after since, or ctx's error.
	Wait(ctx context.Context, since uint64) error
	// Package returns a live package, or store.ErrNotFound.
	Package(id int) (record.Package, error)
	// Categories and Grids return up to limit of them from offset on, and how
	// many there are in all.
	Categories(offset, limit int) ([]record.Category, int, error)
	Grids(offset, limit int) ([]record.Grid, int, error)
}

// Hit names what was found.
type Hit struct {
	Grid bool // else a package
	ID   int
}

var (
	// ErrClosed is returned by Search after Close.
	ErrClosed = errors.New("the search index is closed")
	// ErrNotReady is wrapped, with the cause, by the errors of Search while the
	// index could not be opened. Run tries that again.
	ErrNotReady = errors.New("the search index is not open")
)

// Index is an open index. It is safe for concurrent use.
type Index struct {
	dir     string
	source  Source
	log     zerolog.Logger
	mapping *mapping.IndexMappingImpl

	sleep  func(context.Context, time.Duration) error // sleep; tests have their own
	cancel atomic.Pointer[context.CancelCauseFunc]    // ends the present follow; nil for none

	mu      sync.RWMutex // held for reading while index is used, for writing while it is replaced
	index   bleve.Index  // nil when closed, or when it could not be opened
	openErr error        // why it could not
	closed  bool
}

// many is how many documents of the same rank are sorted at once. Where there are
// more, the popular ones are asked for first: sorting a million takes half a second.
const many = 200

// Search returns what a query finds, at most limit hits, the best first. Every
// text is a query; one without words finds the title or slug equal to it. Of a long
// one, the first 200 characters and 10 words are read.
func (x *Index) Search(ctx context.Context, q string, limit int) (hits []Hit, err error) {
	err = x.use(func(index bleve.Index) error {
		s := searching{ctx: ctx, index: index, limit: limit, many: max(many, limit+1), seen: map[Hit]bool{}}
		err := s.search(x.read(q).steps())
		hits = s.hits
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return hits, nil
}

// A searching is one search under way.
type searching struct {
	ctx     context.Context
	index   bleve.Index
	limit   int
	many    int   // so many documents that they are not worth counting
	hits    []Hit // the best first
	seen    map[Hit]bool
	popular query.Query // see mostPopular
}

// search asks step after step until there are limit hits.
func (s *searching) search(steps []step) error {
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

// rank adds what the levels find, the strictest first; count is how many the
// last of them finds. It skips levels that find nothing new; which these are it
// learns by bisection.
func (s *searching) rank(levels step, count int) error {
	if count <= len(s.hits) || len(s.hits) >= s.limit {
		return nil
	}
	if half := len(levels) / 2; half > 0 {
		less, err := s.count(levels[half-1])
		if err != nil {
			return err
		}
		if err := s.rank(levels[:half], less); err != nil {
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

// addPopular adds what a level finds among the most popular documents.
func (s *searching) addPopular(level query.Query) (err error) {
	if s.popular == nil {
		if s.popular, err = mostPopular(s.ctx, s.index); err != nil {
			return err
		}
	}
	return s.add(bleve.NewConjunctionQuery(level, s.popular))
}

// add appends what a level finds that those before it did not, up to the limit.
// It asks for limit hits, although earlier levels found some of these: among the
// first limit hits of a level, at least as many are new as the answer lacks.
func (s *searching) add(level query.Query) error {
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

// count returns how many documents match, s.many for as many or more: bleve
// stops at the number that is asked for where neither scores nor order matter.
func (s *searching) count(q query.Query) (int, error) {
	r := bleve.NewSearchRequestOptions(q, s.many, 0, false)
	r.Score = bleve.ScoreNone
	found, err := s.index.SearchInContext(s.ctx, r)
	if err != nil {
		return 0, err
	}
	return len(found.Hits), nil
}
