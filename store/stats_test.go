package store_test

import (
	"bytes"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestStats(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("one", "two"), t0)
	stats, err := s.Stats(t0.Add(time.Hour))
	must(t, err)
	if stats.DueRepos != 2 || stats.DueProjects != 2 || stats.Size < 16<<10 || stats.Failures != 0 || stats.Failing {
		t.Errorf("%+v", stats)
	}
	sources, err := s.Sources("one")
	must(t, err)
	sources[0].State, sources[0].NextDue = record.StateOK, t0.Add(time.Minute)
	must(t, s.Put(sources[:1]))
	// Whatever is written, the pages that it takes the place of become free.
	must(t, s.LogPass(record.Pass{Started: t0, Error: string(bytes.Repeat([]byte("x"), 100<<10))}, t0))
	must(t, s.LogPass(record.Pass{Started: day(2)}, day(1)))
	must(t, s.LogPass(record.Pass{Started: day(3)}, day(1)))
	stats, err = s.Stats(t0)
	must(t, err)
	if stats.FreePages < 20 || stats.FreeBytes < 80<<10 || stats.FreeBytes > stats.Size || stats.DueRepos != 1 || stats.DueProjects != 2 {
		t.Errorf("%+v", stats)
	}
}

// TestFailedWrites: what the file cannot take counts, what a caller refused does not.
func TestFailedWrites(t *testing.T) {
	s := open(t, dbPath(t), store.Options{MaxSize: 4 << 20})
	sync(t, s, entries("one"), t0)
	large := record.Pass{Started: t0, Error: string(bytes.Repeat([]byte("x"), 8<<20))}
	for n := range 2 {
		if err := s.LogPass(large, t0); err == nil {
			t.Fatal("the file has grown beyond its limit")
		}
		if stats, err := s.Stats(t0); err != nil || !stats.Failing || stats.Failures != uint64(n+1) {
			t.Errorf("%+v, %v", stats, err)
		}
	}
	if _, err := s.SyncCatalogue(record.Catalogue{Packages: []record.Entry{{Slug: "a", ID: 1}, {Slug: "b", ID: 1}}}, t0); err == nil {
		t.Fatal("two packages have one id")
	}
	if stats, err := s.Stats(t0); err != nil || !stats.Failing || stats.Failures != 2 {
		t.Errorf("after a refusal: %+v, %v", stats, err)
	}
	must(t, s.LogPass(record.Pass{Started: t0}, t0))
	if stats, err := s.Stats(t0); err != nil || stats.Failing || stats.Failures != 2 {
		t.Errorf("after a write: %+v, %v", stats, err)
	}
}
