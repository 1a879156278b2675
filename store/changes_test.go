package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// follower is a reader that keeps a copy of what is served, by the snapshot and
// the feed alone.
type follower struct {
	since  uint64
	copied map[int]string
	begun  int // how often it had to take a snapshot
}

// follow applies the feed until it has come to its end, or stops after a few
// entries as a reader does that is interrupted.
func (f *follower) follow(t *testing.T, s *store.Store, random *rand.Rand) (atEnd bool) {
	t.Helper()
	for range 1 + random.IntN(4) {
		changes, next, more, err := s.Changes(f.since, 1+random.IntN(6))
		if errors.Is(err, store.ErrForgotten) {
			f.snapshot(t, s)
			continue
		}
		must(t, err)
		last := f.since
		for _, c := range changes {
			if c.Sequence <= last || c.Sequence > next {
				t.Fatalf("change %d comes after %d, next is %d", c.Sequence, last, next)
			}
			last = c.Sequence
			if c.Deleted {
				delete(f.copied, c.ID)
				continue
			}
			f.copied[c.ID] = string(c.Body)
		}
		if more != (next < s.Sequence()) {
			t.Fatalf("more is %t at %d of %d", more, next, s.Sequence())
		}
		if f.since = next; !more {
			return true
		}
	}
	return false
}

func (f *follower) snapshot(t *testing.T, s *store.Store) {
	t.Helper()
	f.begun++
	f.copied = served(t, s)
	f.since = s.Sequence()
}

func served(t *testing.T, s *store.Store) map[int]string {
	t.Helper()
	all := map[int]string{}
	sequence, changed, err := s.EachServed(func(p store.Served) error {
		all[p.ID] = string(p.Body)
		return nil
	})
	must(t, err)
	if sequence != s.Sequence() || !changed.Equal(s.Changed()) {
		t.Fatalf("the snapshot is of %d and %v, the store at %d and %v", sequence, changed, s.Sequence(), s.Changed())
	}
	return all
}

// TestFollowers: whoever follows the feed from wherever, in whatever steps, ends
// with exactly what is served.
func TestFollowers(t *testing.T) {
	snapshots := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			s := open(t, dbPath(t), store.Options{})
			var followers []*follower
			now := t0
			for range 150 {
				now = now.Add(time.Duration(random.IntN(48)) * time.Hour)
				switch n := random.IntN(12); {
				case n == 0:
					s = reopen(t, s)
				case n == 1:
					must(t, s.Forget(time.Now().Add(time.Hour))) // all of them
				case n < 5:
					sync(t, s, randomCatalogue(random), now)
				default:
					sources, err := s.SourcesAfter("", 100)
					must(t, err)
					for i := range sources {
						sources[i] = randomAnswer(random, sources[i], now)
					}
					must(t, s.Put(sources))
				}
				switch random.IntN(12) {
				case 0:
					followers = append(followers, &follower{copied: map[int]string{}}) // from nothing
				case 1:
					f := &follower{}
					f.snapshot(t, s)
					followers = append(followers, f)
				}
				for _, f := range followers {
					if random.IntN(3) == 0 && f.follow(t, s, random) {
						diff(t, "the copy", served(t, s), f.copied)
					}
				}
				if t.Failed() {
					return
				}
			}
			for _, f := range followers {
				for !f.follow(t, s, random) {
				}
				diff(t, "the copy at the end", served(t, s), f.copied)
				snapshots += f.begun
			}
			checkFile(t, s)
		})
	}
	if snapshots < 10 {
		t.Errorf("only %d snapshots were needed: too few deletions were forgotten", snapshots)
	}
}

func TestFeedRefusesForeignSequences(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, store.Options{})
	sync(t, s, entries("a", "b"), t0)
	for _, since := range []uint64{1, s.Sequence() - 10, s.Sequence() + 1, 1<<64 - 1} {
		if _, _, _, err := s.Changes(since, 10); !errors.Is(err, store.ErrForgotten) {
			t.Errorf("since %d: %v", since, err)
		}
	}
	last := s.Sequence()
	other := open(t, dbPath(t), store.Options{})
	sync(t, other, entries("c"), t0)
	if _, _, _, err := other.Changes(last, 10); !errors.Is(err, store.ErrForgotten) {
		t.Errorf("a sequence of another store: %v", err)
	}
	if _, next, more, err := s.Changes(last, 10); next != last || more || err != nil {
		t.Errorf("at the end: next %d, more %t, %v", next, more, err)
	}
}

func TestForgetKeepsLaterDeletions(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	before := s.Sequence()
	sync(t, s, entries("a"), t0)
	must(t, s.Forget(time.Now().Add(-time.Hour)))
	changes, _, _, err := s.Changes(before, 10)
	must(t, err)
	if len(changes) != 1 || !changes[0].Deleted || changes[0].Slug != "b" {
		t.Errorf("the feed is %+v", changes)
	}
}

// TestBeginAfterForgetting: whoever begins with nothing comes to the end, whatever
// has been forgotten before, and nobody sees another time of a change.
func TestBeginAfterForgetting(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	var slugs []string
	for n := range 11 {
		slugs = append(slugs, fmt.Sprint("p", n))
	}
	sync(t, s, entries(slugs...), t0)
	sync(t, s, entries(slugs[1:]...), t0)
	want := served(t, s)
	changed := map[int]time.Time{}
	_, _, err := s.EachServed(func(p store.Served) error { changed[p.ID] = p.Changed; return nil })
	must(t, err)
	must(t, s.Forget(time.Now().Add(time.Hour)))
	f := &follower{copied: map[int]string{}}
	for at := true; at; {
		changes, next, more, err := s.Changes(f.since, 3)
		must(t, err)
		for _, c := range changes {
			if !c.At.Equal(changed[c.ID]) {
				t.Errorf("package %d changed at %v, now at %v", c.ID, changed[c.ID], c.At)
			}
			f.copied[c.ID] = string(c.Body)
		}
		f.since, at = next, more
	}
	diff(t, "the copy", want, f.copied)
	checkFile(t, s)
}

func TestWait(t *testing.T) {
	path := dbPath(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path, store.Options{})
		sync(t, s, entries("a"), t0)
		must(t, s.Wait(t.Context(), s.Sequence()-1)) // at once
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Wait(ctx, s.Sequence()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait ended with %v", err)
		}
		done := make(chan error)
		since := s.Sequence()
		go func() { done <- s.Wait(t.Context(), since) }()
		synctest.Wait()
		sync(t, s, entries("a", "b"), t0)
		must(t, <-done)
	})
}

// TestChangedNeverGoesBack: a clock that is set back dates no change before
// an earlier one.
func TestChangedNeverGoesBack(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, store.Options{})
	sync(t, s, entries("a"), t0)
	real := s.Changed()
	must(t, s.Close())
	synctest.Test(t, func(t *testing.T) { // in a bubble it is the year 2000
		s, err := store.Open(path, store.Options{})
		must(t, err)
		sync(t, s, entries("a", "b"), t0)
		if s.Changed().Before(real) {
			t.Errorf("changed went from %v to %v", real, s.Changed())
		}
		must(t, s.Close())
	})
}

// TestRenderingAnew: with another rendering all packages have changed, be their
// bytes the same; with the same one none.
func TestRenderingAnew(t *testing.T) {
	path := dbPath(t)
	render := func(upper string) (func(*record.Package) []byte, error) {
		if upper == "unknown" {
			return nil, errors.New("no such rendering")
		}
		return func(rec *record.Package) []byte {
			if rec.Slug == upper {
				return []byte("UPPER " + rec.Slug)
			}
			return []byte(rec.Slug)
		}, nil
	}
	s := open(t, path, store.Options{Render: render, Rendering: "none"})
	sync(t, s, entries("a", "b", "c"), t0)
	since := s.Sequence()
	must(t, s.Close())
	s = open(t, path, store.Options{Render: render, Rendering: "b"}) // not told to render anew
	if s.Sequence() != since {
		t.Error("packages were rendered again without Rerender")
	}
	must(t, s.Close())
	s = open(t, path, store.Options{Render: render, Rendering: "b", Rerender: true})
	changes, _, _, err := s.Changes(since, 10)
	must(t, err)
	if len(changes) != 3 || string(changes[1].Body) != "UPPER b" || string(changes[2].Body) != "c" || !changes[2].At.Equal(s.Changed()) {
		t.Errorf("the feed is %+v", changes)
	}
	since = s.Sequence()
	must(t, s.Close())
	for _, o := range []store.Options{
		{Render: render, Rendering: "b", Rerender: true},
		{Render: render, Rendering: "c"},
		{Render: render, Rendering: "unknown"},
	} {
		s = open(t, path, o)
		if s.Sequence() != since {
			t.Errorf("opened with %+v, packages were rendered again", o)
		}
		sync(t, s, entries("a", "b", "c"), t0)
		put(t, s, fetched(get(t, s, "b"), 1, day(1), day(2)))
		if got := served(t, s)[2]; got != "UPPER b" {
			t.Errorf("opened with %+v, a write renders %s", o, got)
		}
		must(t, s.Close())
	}
}

func TestDated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(dbPath(t), store.Options{})
		must(t, err)
		defer s.Close()
		began := time.Now().UTC()
		for _, test := range []struct {
			value string
			want  time.Duration // after the begin
		}{{"1000", 0}, {"1000", 0}, {"999", 2 * time.Second}, {"999", 2 * time.Second}, {"1000", 4 * time.Second}} {
			before, err := os.ReadFile(s.Path())
			must(t, err)
			since, err := s.Dated("pages", test.value)
			if err != nil || !since.Equal(began.Add(test.want)) {
				t.Errorf("%s since %v, %v; want %v", test.value, since, err, test.want)
			}
			after, err := os.ReadFile(s.Path())
			must(t, err)
			if wrote := !bytes.Equal(before, after); wrote != since.Equal(time.Now()) { // else a full disk would keep a daemon from starting
				t.Errorf("%s at %v: written %t", test.value, time.Now(), wrote)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestDamagedServedForm: what is lost of a package as it is served is made of
// the record again, for every reader, and mended by the next change.
func TestDamagedServedForm(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b", "c"), t0)
	want := served(t, s)
	id := get(t, s, "b").ID
	s = flip(t, s, "served", uint64(id))
	diff(t, "all", want, served(t, s))
	for name, read := range map[string]func(use func(store.Served)) error{
		"by id":   func(use func(store.Served)) error { return s.Served(id, use) },
		"by slug": func(use func(store.Served)) error { return s.ServedBySlug("b", use) },
		"in a page": func(use func(store.Served)) error {
			return s.ServedPage(1, 1, func(int) {}, use)
		},
	} {
		must(t, read(func(p store.Served) {
			if p.ID != id || string(p.Body) != want[id] || p.Changed.IsZero() {
				t.Errorf("%s: %+v", name, p)
			}
		}))
	}
	f := &follower{copied: map[int]string{}}
	f.follow(t, s, rand.New(rand.NewPCG(1, 1)))
	for !f.follow(t, s, rand.New(rand.NewPCG(1, 1))) {
	}
	diff(t, "the copy", want, f.copied)
	put(t, s, fetched(get(t, s, "b"), 7, day(1), day(2)))
	f.follow(t, s, rand.New(rand.NewPCG(1, 1)))
	diff(t, "the copy of what is mended", served(t, s), f.copied)
	checkFile(t, s)
}
