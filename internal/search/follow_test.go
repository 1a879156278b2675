package search

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	"golang.org/x/sync/errgroup"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestFollows(t *testing.T) {
	source := newSource(pkg(1, "alpha", "first", 1))
	x := indexed(t, source)
	wantIDs(t, x, "alpha", 1)

	source.put(pkg(2, "beta", "second", 2))
	source.idle()
	wantIDs(t, x, "beta", 2)

	source.put(pkg(1, "gamma", "first, still", 1))
	source.idle()
	wantIDs(t, x, "alpha")
	wantIDs(t, x, "first", 1)

	source.put(pkg(1, "gamma", "first", 90), pkg(2, "beta", "first", 80))
	source.idle()
	wantIDs(t, x, "first", 1, 2)
	source.put(pkg(2, "beta", "first", 100))
	source.idle()
	wantIDs(t, x, "first", 2, 1)

	source.remove(1)
	source.idle()
	wantIDs(t, x, "first", 2)
}

// A category's title is found with each of its packages, also after a change.
func TestFollowsCategories(t *testing.T) {
	rec := pkg(1, "alpha", "", 1)
	rec.Category = 7
	source := newSource(rec)
	source.putCategory(record.Category{ID: 7, Title: "Gadgets"})
	x := indexed(t, source)
	wantIDs(t, x, "gadgets", 1)

	source.putCategory(record.Category{ID: 7, Title: "Widgets"})
	source.idle()
	wantIDs(t, x, "gadgets")
	wantIDs(t, x, "widget", 1)

	// together with a package, and with one that goes away
	source.put(pkg(2, "beta", "", 1))
	source.idle()
	source.change(func() {
		source.sequence++
		source.categories[7] = record.Category{ID: 7, Title: "Gizmos"}
		source.sequence++
		delete(source.packages, 2)
		delete(source.changed, 2)
		source.deleted[2] = source.sequence
	})
	source.idle()
	wantIDs(t, x, "gizmo", 1)
	wantIDs(t, x, "beta")
}

func TestFollowsGrids(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	x := indexed(t, source)
	source.putGrid(record.Grid{ID: 1, Title: "Payments", Slug: "payments", Description: "Money"})
	source.putGrid(record.Grid{ID: 2, Title: "Blogs", Slug: "blogs", Description: "Money too"})
	source.idle()
	wantIDs(t, x, "money", -1, -2)
	source.removeGrid(1)
	source.idle()
	wantIDs(t, x, "money", -2)
	source.putGrid(record.Grid{ID: 2, Title: "Weblogs", Slug: "blogs"})
	source.idle()
	wantIDs(t, x, "money")
	wantIDs(t, x, "weblogs", -2)
	wantIDs(t, x, "alpha", 1)
}

// A watchedStore is a store that tells which sequence its follower has reached.
type watchedStore struct {
	*store.Store
	reached chan uint64
}

func (w watchedStore) Wait(ctx context.Context, since uint64) error {
	select {
	case w.reached <- since:
	case <-ctx.Done():
	}
	return w.Store.Wait(ctx, since)
}

func TestFollowsTheStore(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Refer: fetcher.Refer("github.com")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := watchedStore{s, make(chan uint64)}
	x := open(t, filepath.Join(t.TempDir(), "search"), w)
	sync := func(c record.Catalogue) {
		t.Helper()
		if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	settle := func() {
		for <-w.reached != s.Sequence() {
		}
	}
	repo := "https://github.com/a/b"
	c := record.Catalogue{
		Categories: []record.Category{{ID: 1, Slug: "apps", Title: "Apps"}},
		Grids:      []record.Grid{{ID: 4, Slug: "forms", Title: "Forms"}},
		Packages: []record.Entry{
			{ID: 1, Slug: "crispy-forms", Title: "Crispy Forms", Category: 1, RepoURL: &repo},
			{ID: 2, Slug: "floppy-forms", Title: "Floppy Forms", Category: 1},
		},
	}
	sync(c)
	run(t, x)
	settle()
	wantIDs(t, x, "forms", -4, 1, 2)

	rec, err := s.Package(1)
	if err != nil {
		t.Fatal(err)
	}
	rec.Repo.Description, rec.Repo.Stars, rec.Modified = "An elegant solution", 9, time.Now()
	if err := s.Put(rec.Sources()); err != nil {
		t.Fatal(err)
	}
	settle()
	wantIDs(t, x, "elegant", 1)

	c.Packages = c.Packages[:1]
	sync(c)
	settle()
	wantIDs(t, x, "floppy")
	c.Categories[0].Title = "Gadgets"
	sync(c)
	settle()
	wantIDs(t, x, "gadgets", 1)
	c.Grids = nil
	sync(c)
	settle()
	wantIDs(t, x, "forms", 1)
}

// After a restart only what changed meanwhile is read again.
func TestGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "search")
	source := newSource(pkg(1, "alpha", "", 1), pkg(2, "beta", "", 1), pkg(3, "gamma", "", 1))
	x := open(t, dir, source)
	stop := run(t, x)
	source.idle()
	stop()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}

	source.remove(3)
	source.put(pkg(4, "delta", "", 1))
	source.reads = 0
	x = open(t, dir, source)
	wantIDs(t, x, "gamma", 3) // searches find what is there before anything is followed
	run(t, x)
	source.idle()
	wantIDs(t, x, "gamma")
	wantIDs(t, x, "delta", 4)
	wantIDs(t, x, "beta", 2)
	if source.reads != 1 {
		t.Errorf("%d packages were read, want the one that changed", source.reads)
	}
}

// A store that has forgotten where the index stands, or never was there, is
// followed from its beginning, and nothing remains of what was indexed before.
func TestBeginsAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(*fakeSource) *fakeSource
	}{
		{"forgotten", func(s *fakeSource) *fakeSource {
			s.remove(1)
			s.put(pkg(2, "beta", "", 1))
			s.floor = s.sequence - 1
			return s
		}},
		{"another store", func(*fakeSource) *fakeSource { return newSource(pkg(2, "beta", "", 1)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "search")
			source := newSource(pkg(1, "alpha", "", 1), pkg(3, "gamma", "", 1))
			x := open(t, dir, source)
			stop := run(t, x)
			source.idle()
			stop()
			x.Close()

			source = c.of(source)
			x = open(t, dir, source)
			run(t, x)
			source.idle()
			wantIDs(t, x, "alpha")
			wantIDs(t, x, "beta", 2)
		})
	}
}

// A source that was built anew, and is where the index is, may have had something else before.
func TestRenewed(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1), pkg(2, "gamma", "", 1))
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	run(t, x)
	source.idle()
	source.change(func() { source.packages[1] = pkg(1, "beta", "", 1) })
	source.idle()
	wantIDs(t, x, "beta")
	x.Renew()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if hits, err := x.Search(t.Context(), "beta", 20); err == nil && len(hits) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the index was not built anew within 30 s")
		}
	}
	wantIDs(t, x, "alpha")
}

// A source that forgets again and again is not begun anew again and again.
func TestForgetsAlways(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	source.fails, source.err = 4, store.ErrForgotten
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	var waits []time.Duration
	x.sleep = func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}
	stop := run(t, x)
	source.idle()
	stop()
	if len(waits) != 4 || waits[0] > 0 || slices.Min(waits[1:]) < rebuildEvery/2 {
		t.Errorf("it waited for %v", waits)
	}
	wantIDs(t, x, "alpha", 1)
}

// Changes are gathered before they are read, and a stop does not wait for that.
func TestGathers(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	gathering, gathered := make(chan time.Duration), make(chan struct{})
	x.sleep = func(ctx context.Context, d time.Duration) error {
		gathering <- d
		select {
		case <-gathered:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	stop := run(t, x)
	source.idle()
	source.put(pkg(2, "beta", "", 1))
	if d := <-gathering; d != gather {
		t.Errorf("it waits for %v", d)
	}
	source.put(pkg(1, "gamma", "", 1), pkg(2, "delta", "", 1))
	source.reads = 0
	wantIDs(t, x, "beta")
	gathered <- struct{}{}
	source.idle()
	wantIDs(t, x, "gamma", 1)
	wantIDs(t, x, "delta", 2)
	if source.reads != 2 {
		t.Errorf("%d packages were read, want both once", source.reads)
	}
	source.put(pkg(3, "epsilon", "", 1))
	<-gathering
	stop()
}

// A package of which nothing indexed has changed is not indexed again, whoever
// indexed it; one of which anything has is, be it what it was once before.
func TestIndexesWhatChanged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "search")
	alpha := pkg(1, "alpha", "first", 1, "zoe")
	alpha.Category = 1
	source := newSource(alpha)
	source.putCategory(record.Category{ID: 1, Title: "Apps"})
	x := open(t, dir, source)
	stop := run(t, x)
	source.idle()
	updates := func() uint64 {
		return x.index.StatsMap()["index"].(map[string]any)["updates"].(uint64)
	}
	for _, c := range []struct {
		name   string
		change func(*record.Package)
		want   uint64
	}{
		{"nothing", func(*record.Package) {}, 0},
		{"times", func(p *record.Package) {
			p.LastFetched, p.Modified = time.Unix(1e9, 0), time.Unix(1e9, 0)
			p.Repo.Commits52 = []int{1}
		}, 0},
		{"stars", func(p *record.Package) { p.Repo.Stars++ }, 1},
		{"description", func(p *record.Package) { p.Repo.Description = "second" }, 1},
		{"participants", func(p *record.Package) { p.Repo.Participants = []string{"zoe", "jo"} }, 1},
		{"category", func(p *record.Package) { p.Category = 2 }, 1},
		{"title", func(p *record.Package) { p.Title = "Beta" }, 1},
		{"back", func(p *record.Package) { *p = alpha }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := updates()
			rec := source.packages[1]
			c.change(&rec)
			source.put(rec)
			source.idle()
			if got := updates() - before; got != c.want {
				t.Errorf("%d documents were indexed, want %d", got, c.want)
			}
		})
	}
	wantIDs(t, x, "first", 1)
	stop()
	x.Close()

	x = open(t, dir, source)
	source.put(alpha)
	run(t, x)
	source.idle()
	if got := updates(); got != 0 {
		t.Errorf("%d documents were indexed again after a restart", got)
	}
}

// One package that cannot be read keeps no other from being found.
func TestDamagedRecord(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1), pkg(2, "beta", "", 1), pkg(3, "gamma", "", 1))
	source.damaged[2] = true
	x := indexed(t, source)
	wantIDs(t, x, "alpha", 1)
	wantIDs(t, x, "beta")
	wantIDs(t, x, "gamma", 3)
	source.change(func() { delete(source.damaged, 2) })
	source.put(pkg(2, "beta", "", 1))
	source.idle()
	wantIDs(t, x, "beta", 2)
}

func TestSourceFails(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	source.fails = 3
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	run(t, x)
	source.idle()
	wantIDs(t, x, "alpha", 1)
	if source.failed != 3 {
		t.Errorf("it failed %d times, want 3", source.failed)
	}
}

// A failure in bleve's own goroutines, such as a full disk, ends with the index
// open again and complete; a panic of theirs, with a new one.
func TestIndexFails(t *testing.T) {
	for _, kind := range []scorch.ScorchErrorType{scorch.ErrPersist, scorch.ErrAsyncPanic} {
		t.Run(string(kind), func(t *testing.T) {
			source := newSource(pkg(1, "alpha", "", 1))
			x := open(t, filepath.Join(t.TempDir(), "search"), source)
			run(t, x)
			source.idle()
			source.change(func() {}) // forget that it was idle
			source.reads = 0
			scorch.RegistryAsyncErrorCallbacks[asyncCallback](scorch.NewScorchError("persister", "no space left on device", kind), x.storePath())
			source.idle()
			wantIDs(t, x, "alpha", 1)
			if anew := source.reads == 1; anew != (kind == scorch.ErrAsyncPanic) {
				t.Errorf("rebuilt: %t", anew)
			}
			source.put(pkg(2, "beta", "", 1))
			source.idle()
			wantIDs(t, x, "beta", 2)
		})
	}
}

// Searches go on while the index is written to, repaired and closed under them.
func TestConcurrently(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	stop := run(t, x)
	source.idle()
	var searches errgroup.Group
	for range 4 {
		searches.Go(func() error {
			for {
				hits, err := x.Search(t.Context(), "alpha", 20)
				if errors.Is(err, ErrClosed) {
					return nil
				}
				if err != nil && !errors.Is(err, ErrNotReady) {
					return err
				}
				if err == nil && (len(hits) != 1 || hits[0].ID != 1) {
					return fmt.Errorf("found %v", hits)
				}
			}
		})
	}
	for i := range 30 {
		source.put(pkg(1, "alpha", "", i), pkg(2+i, "beta", "", i))
		source.idle()
		if i%10 == 5 {
			source.change(func() {})
			x.fail(scorch.NewScorchError("persister", "no space left on device", scorch.ErrPersist))
			source.idle()
		}
	}
	stop()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if err := searches.Wait(); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	source := newSource(pkg(1, "alpha", "", 1))
	x := open(t, filepath.Join(t.TempDir(), "search"), source)
	done := make(chan error)
	go func() { done <- x.Run(t.Context()) }()
	source.idle()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := x.Search(t.Context(), "alpha", 20); !errors.Is(err, ErrClosed) {
		t.Errorf("Search: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
