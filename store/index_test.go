package store_test

import (
	"slices"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestProjects(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	want := func(limit int, want ...string) {
		t.Helper()
		if names, err := s.Projects(limit); err != nil || !slices.Equal(names, want) {
			t.Errorf("%v, %v; want %v", names, err, want)
		}
	}
	want(9)
	sync(t, s, entries("two", "one", "three"), t0)
	want(9, "one", "three", "two")
	want(2, "one", "three")
	want(0)
	sync(t, s, entries("two"), t0)
	want(9, "two")
}

// TestIndex: what is noted of PyPI's index outlasts the program.
func TestIndex(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	for _, want := range []record.Index{{}, {Read: t0.Add(123 * time.Microsecond), ETag: `"a"`}, {Read: day(1)}} {
		if !want.Read.IsZero() {
			must(t, s.PutIndex(want))
			s = reopen(t, s)
		}
		if got, err := s.Index(); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	checkFile(t, s)
}
