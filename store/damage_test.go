package store_test

import (
	"strings"
	"testing"
	"testing/synctest"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestDamagedRecordHeals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*record.Catalogue)
		want   store.SyncReport
	}{
		{"unchanged", func(*record.Catalogue) {}, store.SyncReport{Added: 2, Unchanged: 2}},
		{"renamed", func(c *record.Catalogue) { c.Packages[1].ID, c.Packages[1].Slug = 2, "z" }, store.SyncReport{Added: 2, Unchanged: 2}},
		{"removed", func(c *record.Catalogue) { c.Packages = append(c.Packages[:1:1], c.Packages[3]) }, store.SyncReport{Removed: 2, Unchanged: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			c := entries("a", "b", "c", "d")
			for i := range c.Packages {
				c.Packages[i].Grids = []int{1, 2}
			}
			sync(t, s, c, t0)
			for _, slug := range []string{"a", "b", "c"} {
				put(t, s, fetched(get(t, s, slug), 3, day(1), day(2)))
			}
			s = flip(t, flip(t, s, "packages", 2), "packages", 3)

			if _, err := s.PackageBySlug("b"); err == nil || !strings.Contains(err.Error(), "checksum of packages/2") {
				t.Errorf("lookup: %v", err)
			}
			if _, _, err := s.Packages(0, 9); err == nil || !strings.Contains(err.Error(), "checksum of packages/3") {
				t.Errorf("page: %v", err)
			}
			recs, more, err := s.Due(day(3), 9, record.Order{})
			if got := names(recs); got != "DdAaBbCc" || more || err != nil {
				t.Errorf("due: %q %t", got, more)
			}

			test.change(&c)
			diff(t, "report", test.want, sync(t, s, c, day(4)))
			if recs, _, err = s.Due(day(5), 9, record.Order{}); err != nil || len(recs) != 2*len(c.Packages) {
				t.Errorf("due when healed: %v %v", names(recs), err)
			}
			diff(t, "again", store.SyncReport{Unchanged: len(c.Packages)}, sync(t, s, c, day(4)))

			sync(t, s, record.Catalogue{}, day(6)) // whatever else it was, its id is never another's
			sync(t, s, entries("new"), day(7))
			if id := get(t, s, "new").ID; id != 5 {
				t.Errorf("a new package got the id %d", id)
			}
			checkFile(t, s)
		})
	}
}

func TestHighestIDSurvivesDamage(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	s = flip(t, s, "packages", 2)
	sync(t, s, entries("a", "c"), t0)
	sync(t, s, entries("a", "b", "c"), t0)
	if b, c := get(t, s, "b").ID, get(t, s, "c").ID; b != 2 || c != 3 {
		t.Errorf("b has %d, c has %d", b, c)
	}
	checkFile(t, s)
}

func TestDamagedTaxonomyAndTombstoneHeal(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a")
	c.Grids = []record.Grid{{ID: 1, Slug: "cms"}, {ID: 2, Slug: "other"}}
	sync(t, s, c, t0)
	sync(t, s, record.Catalogue{Grids: c.Grids}, t0)
	s = flip(t, flip(t, s, "grids", 1), "tombstones", 1)
	if _, _, err := s.Grids(0, 9); err == nil || !strings.Contains(err.Error(), "grids/1") || !strings.Contains(err.Error(), "written again") {
		t.Errorf("grids: %v", err)
	}
	if grid, err := s.GridBySlug("other"); err != nil || grid.ID != 2 {
		t.Errorf("the grid beside it: %+v %v", grid, err)
	}
	if _, err := s.GridBySlug("cms"); err == nil || !strings.Contains(err.Error(), "grids/1") {
		t.Errorf("the damaged grid: %v", err)
	}
	diff(t, "report", store.SyncReport{Added: 1}, sync(t, s, c, day(1)))
	if grid, err := s.GridBySlug("cms"); err != nil || grid.ID != 1 {
		t.Errorf("grid: %+v %v", grid, err)
	}
	if id := get(t, s, "a").ID; id != 1 {
		t.Errorf("a has the id %d", id)
	}
	checkFile(t, s)
}

// TestDamagedPackageLeavesByItsSlug: who keys a copy by slugs has to hear which one left.
func TestDamagedPackageLeavesByItsSlug(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	s = flip(t, s, "packages", 2)
	sync(t, s, entries("a"), day(1))
	changes, _, _, err := s.Changes(0, 9)
	must(t, err)
	if last := changes[len(changes)-1]; !last.Deleted || last.ID != 2 || last.Slug != "b" {
		t.Errorf("the feed ends with %+v", last)
	}
	checkFile(t, s)
}

// TestListedButMissing: a package that the feed lists and that has no row is damage,
// not a reason to read for ever.
func TestListedButMissing(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	must(t, s.Close())
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		must(t, tx.Bucket([]byte("served")).Delete(be(2)))
		return tx.Bucket([]byte("packages")).Delete(be(2))
	})
	synctest.Test(t, func(t *testing.T) { // it is read again and again for seconds
		s := open(t, s.Path(), store.Options{})
		_, _, err := s.Packages(0, 9)
		advised(t, "packages", err)
		advised(t, "page", s.ServedPage(0, 9, func(int) {}, func(store.Served) {}))
		advised(t, "ready", s.Ready())
		sync(t, s, entries("a", "b"), day(1))
		must(t, s.Ready())
		if _, total, err := s.Packages(0, 9); err != nil || total != 2 {
			t.Errorf("%d packages, %v", total, err)
		}
		checkFile(t, s)
	})
}
