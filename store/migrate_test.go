package store_test

import (
	"fmt"
	"testing"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// TestMigrationFromSchema1: a file without served forms and feed gets both, and
// loses nothing.
func TestMigrationFromSchema1(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b", "c", "left"), t0)
	sync(t, s, entries("a", "b", "c"), t0)
	put(t, s, fetched(get(t, s, "b"), 5, day(1), day(2)))
	want, all := get(t, s, "b"), served(t, s)
	must(t, s.Close())
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		for _, name := range []string{"served", "changes", "deletions", "sources", "passes"} {
			must(t, tx.DeleteBucket([]byte(name)))
		}
		meta := tx.Bucket([]byte("meta"))
		for _, name := range []string{"changed", "floor", "rendering", "catalogue"} {
			must(t, meta.Delete([]byte(name)))
		}
		must(t, meta.Put([]byte("sequence"), be(17)))
		return meta.Put([]byte("schema"), be(1))
	})
	s = open(t, s.Path(), store.Options{})
	diff(t, "a record", want, get(t, s, "b"))
	diff(t, "what is served", all, served(t, s))
	if _, _, _, err := s.Changes(17, 10); err == nil {
		t.Error("the feed goes on from a sequence of before")
	}
	changes, _, more, err := s.Changes(0, 10)
	must(t, err)
	if got := fmt.Sprint(len(changes), more, s.Sequence() > 1<<40); got != "3 false true" {
		t.Errorf("the feed has %s", got)
	}
	sum, err := s.Summary(day(1), nil, 0)
	must(t, err)
	if sum.Packages != 3 || sum.GitHub.States[record.StateOK] != 1 {
		t.Errorf("the summary is %+v", sum)
	}
	checkFile(t, s)
}
