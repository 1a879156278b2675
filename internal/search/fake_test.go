package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// A fakeSource is a Source whose changes the test makes. Its idle method tells
// when whoever follows it has nothing left to do.
type fakeSource struct {
	mu         sync.Mutex
	wake       *sync.Cond
	sequence   uint64
	floor      uint64
	waits      int // calls of Wait that found nothing new
	packages   map[int]record.Package
	changed    map[int]uint64 // sequence of the last change of a package
	deleted    map[int]uint64
	damaged    map[int]bool
	categories map[int]record.Category
	grids      map[int]record.Grid
	fails      int   // calls of Changes that fail from now on
	err        error // what they fail with
	failed     int
	reads      int // calls of Package
}

func newSource(recs ...record.Package) *fakeSource {
	f := &fakeSource{
		packages: map[int]record.Package{}, changed: map[int]uint64{}, deleted: map[int]uint64{}, damaged: map[int]bool{},
		categories: map[int]record.Category{}, grids: map[int]record.Grid{},
	}
	f.wake = sync.NewCond(&f.mu)
	f.put(recs...)
	return f
}

// change runs a function that may change anything, and wakes who waits.
func (f *fakeSource) change(c func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c()
	f.waits = 0
	f.wake.Broadcast()
}

func (f *fakeSource) put(recs ...record.Package) {
	f.change(func() {
		for _, rec := range recs {
			f.sequence++
			f.packages[rec.ID], f.changed[rec.ID] = rec, f.sequence
			delete(f.deleted, rec.ID)
		}
	})
}

func (f *fakeSource) remove(id int) {
	f.change(func() {
		f.sequence++
		delete(f.packages, id)
		delete(f.changed, id)
		f.deleted[id] = f.sequence
	})
}

func (f *fakeSource) putCategory(c record.Category) {
	f.change(func() { f.sequence++; f.categories[c.ID] = c })
}

func (f *fakeSource) putGrid(g record.Grid) {
	f.change(func() { f.sequence++; f.grids[g.ID] = g })
}

func (f *fakeSource) removeGrid(id int) {
	f.change(func() { f.sequence++; delete(f.grids, id) })
}

// idle returns when the follower waits for a change, and has not since the last one.
func (f *fakeSource) idle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.waits == 0 {
		f.wake.Wait()
	}
}

func (f *fakeSource) Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		f.failed++
		return nil, 0, false, cmp.Or(f.err, errors.New("the disk is gone"))
	}
	if since != 0 && (since < f.floor || since > f.sequence) {
		return nil, 0, false, fmt.Errorf("%w: %d", store.ErrForgotten, since)
	}
	for id, sequence := range f.changed {
		if sequence > since {
			changes = append(changes, store.Change{ID: id, Sequence: sequence})
		}
	}
	for id, sequence := range f.deleted {
		if sequence > since && sequence > f.floor {
			changes = append(changes, store.Change{ID: id, Sequence: sequence, Deleted: true})
		}
	}
	slices.SortFunc(changes, func(a, b store.Change) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if len(changes) > limit {
		return changes[:limit], changes[limit-1].Sequence, true, nil
	}
	return changes, f.sequence, false, nil
}

func (f *fakeSource) Wait(ctx context.Context, since uint64) error {
	stop := context.AfterFunc(ctx, func() { f.mu.Lock(); defer f.mu.Unlock(); f.wake.Broadcast() })
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.sequence <= since && ctx.Err() == nil {
		f.waits++
		f.wake.Broadcast()
		f.wake.Wait()
	}
	return ctx.Err()
}

func (f *fakeSource) Package(id int) (record.Package, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if f.damaged[id] {
		return record.Package{}, errors.New("its checksum does not match")
	}
	rec, ok := f.packages[id]
	if !ok {
		return rec, store.ErrNotFound
	}
	return rec, nil
}

func (f *fakeSource) Categories(offset, limit int) ([]record.Category, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.categories)), len(f.categories), nil
}

func (f *fakeSource) Grids(offset, limit int) ([]record.Grid, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.grids), func(a, b record.Grid) int { return cmp.Compare(b.ID, a.ID) }), len(f.grids), nil
}

// pkg returns a package whose title and slug are the same.
func pkg(id int, name, description string, stars int, participants ...string) record.Package {
	var rec record.Package
	rec.ID, rec.Title, rec.Slug = id, name, name
	rec.Repo.Description, rec.Repo.Stars, rec.Repo.Participants = description, stars, participants
	return rec
}

// open opens an index in dir, which ends with the test, and waits for nothing.
func open(t testing.TB, dir string, source Source) *Index {
	t.Helper()
	x, err := Open(dir, source, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	x.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// run follows the source until stop is called, at the latest at the test's end.
func run(t testing.TB, x *Index) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// indexed returns an index that has caught up with the source, and still follows it.
func indexed(t testing.TB, source *fakeSource) *Index {
	t.Helper()
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	run(t, x)
	source.idle()
	return x
}

// ids returns what a query finds: the ids of packages, and those of grids negated.
func ids(t testing.TB, x *Index, query string) []int {
	t.Helper()
	hits, err := x.Search(t.Context(), query, 20)
	if err != nil {
		t.Fatalf("Search(%q): %v", query, err)
	}
	var found []int
	for _, h := range hits {
		if h.Grid {
			h.ID = -h.ID
		}
		found = append(found, h.ID)
	}
	return found
}

func wantIDs(t *testing.T, x *Index, query string, want ...int) {
	t.Helper()
	if got := ids(t, x, query); !slices.Equal(got, want) {
		t.Errorf("Search(%q) = %v, want %v", query, got, want)
	}
}
