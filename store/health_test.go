package store_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// kinds are those of a store's problems.
func kinds(s *store.Store) string {
	var all []string
	for _, p := range s.Problems() {
		all = append(all, p.Kind)
	}
	return strings.Join(all, " ")
}

// advised fails the test unless err is of a damaged store and says what to do.
func advised(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "the store is damaged") || strings.Count(err.Error(), "pkgmetad check") != 1 || !strings.Contains(err.Error(), "backup") {
		t.Errorf("%s: %v", what, err)
	}
}

// many are n packages, enough to fill pages.
func many(n int) record.Catalogue {
	slugs := make([]string, n)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("package-%04d", i)
	}
	return entries(slugs...)
}

func fetchedAll(t testing.TB, s *store.Store, stars int) []record.Package {
	t.Helper()
	recs, _, err := s.Packages(0, 10_000)
	must(t, err)
	for i := range recs {
		recs[i] = fetched(recs[i], stars, day(stars), day(stars+1))
		recs[i].Repo.Description = strings.Repeat("d", 500)
	}
	return recs
}

// TestNothingIsWritableUntilProbed: on a full disk small writes go on succeeding, and
// tell nothing about the next batch.
func TestNothingIsWritableUntilProbed(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(300), t0)
	must(t, s.Writable())
	recs := fetchedAll(t, s, 3)
	s.SetMaxSize(1) // it may use what pages are free, and no more
	var err error
	for range 3 {
		if err = s.Put(sourcesOf(recs...)); err != nil {
			break
		}
	}
	if !errors.Is(err, bolterrors.ErrMaxSizeReached) || !strings.Contains(err.Error(), "raise store.max_size") {
		t.Fatalf("put: %v", err)
	}
	must(t, s.LogPass(record.Pass{Started: t0}, t0)) // fits in
	began := s.Problems()[0].Since
	for range 2 {
		if err := s.Writable(); !errors.Is(err, bolterrors.ErrMaxSizeReached) {
			t.Errorf("writable: %v", err)
		}
		if p := s.Problems(); len(p) != 1 || p[0].Kind != store.ProblemWrites || !p[0].Since.Equal(began) || !strings.Contains(p[0].Detail, "max_size") {
			t.Errorf("problems: %+v", p)
		}
	}
	must(t, s.Ready()) // to be read

	s.SetMaxSize(0)
	if kinds(s) != store.ProblemWrites {
		t.Error("nobody has tried yet")
	}
	must(t, s.Writable())
	must(t, s.Put(sourcesOf(recs...)))
	if kinds(s) != "" {
		t.Errorf("problems: %s", kinds(s))
	}
	checkFile(t, s)
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("probe")) != nil {
			t.Error("the probe has left something behind")
		}
		return nil
	})
}

// TestErrorsOfTheCallerAreNoFailedWrites: a catalogue that contradicts itself says
// nothing about the disk.
func TestErrorsOfTheCallerAreNoFailedWrites(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	if _, err := s.SyncCatalogue(entries("a", "a"), t0); err == nil {
		t.Fatal("no contradiction")
	}
	must(t, s.Writable())
	if kinds(s) != "" {
		t.Errorf("problems: %s", kinds(s))
	}
}

// TestFileGone: what is written into a file that has no name is lost, so nothing is.
func TestFileGone(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(path string) error
		want   string
	}{
		{"deleted", os.Remove, "not at its path"},
		{"moved", func(path string) error { return os.Rename(path, path+".moved") }, "not at its path"},
		{"replaced", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600))
		}, "not the one that is open"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			sync(t, s, entries("a"), t0)
			rec := fetched(get(t, s, "a"), 5, day(1), day(2))
			must(t, test.happen(s.Path()))
			for what, err := range map[string]error{"put": s.Put(sourcesOf(rec)), "writable": s.Writable(), "ready": s.Ready()} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if kinds(s) != store.ProblemFile {
				t.Errorf("problems: %s", kinds(s))
			}
			if _, err := s.PackageBySlug("a"); err != nil {
				t.Errorf("it cannot be read any more: %v", err)
			}
			if test.name != "moved" {
				return
			}
			must(t, os.Rename(s.Path()+".moved", s.Path()))
			must(t, s.Writable())
			must(t, s.Put(sourcesOf(rec)))
			if kinds(s) != "" {
				t.Errorf("problems: %s", kinds(s))
			}
		})
	}
}

// inUse returns the part of a store's file that is in use: it grows in large steps.
func inUse(t testing.TB, path string) []byte {
	t.Helper()
	whole, err := os.ReadFile(path)
	must(t, err)
	raw(t, path, func(tx *bolt.Tx) error {
		whole = whole[:tx.Size()]
		return nil
	})
	return whole
}

// TestOpenRefusesTruncatedFile, of any length.
func TestOpenRefusesTruncatedFile(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(50), t0)
	put(t, s, fetchedAll(t, s, 3)...)
	must(t, s.Close())
	whole := inUse(t, s.Path())
	refused, opened := 0, 0
	for size := len(whole) + 4096; size > 0; size -= 2049 {
		must(t, os.WriteFile(s.Path(), whole[:min(size, len(whole))], 0o600))
		must(t, os.Truncate(s.Path(), int64(size)))
		again, err := store.Open(s.Path(), store.Options{Refer: refer, LockWait: time.Second})
		if err == nil { // what was cut off was not in use
			opened++
			if _, total, err := again.Packages(0, 99); err != nil || total != 50 {
				t.Errorf("%d bytes of %d: %d packages, %v", size, len(whole), total, err)
			}
			must(t, again.Close())
			continue
		}
		refused++
		if size >= 4*4096 {
			advised(t, fmt.Sprintf("%d bytes of %d", size, len(whole)), err)
		}
		if after, _ := os.ReadFile(s.Path()); len(after) != size {
			t.Errorf("%d bytes have become %d", size, len(after))
		}
	}
	if refused < 10 || opened == 0 {
		t.Errorf("refused %d, opened %d", refused, opened)
	}
}

// TestTruncatedWhileOpen: reading what is not there any more is an error like any
// other damage, and the store can still be closed.
func TestTruncatedWhileOpen(t *testing.T) {
	for _, pages := range []int64{0, 1, 2, 9} {
		t.Run(fmt.Sprint(pages, " pages"), func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			sync(t, s, many(50), t0)
			recs := fetchedAll(t, s, 3)
			must(t, os.Truncate(s.Path(), pages*4096))
			_, _, err := s.Packages(0, 99)
			advised(t, "read", err)
			advised(t, "put", s.Put(sourcesOf(recs...)))
			advised(t, "writable", s.Writable())
			advised(t, "ready", s.Ready())
			if got := kinds(s); got != "store_damage store_writes" {
				t.Errorf("problems: %s", got)
			}
			must(t, s.Close())
		})
	}
}

// TestTruncatedWhileRead: the file is cut short under a transaction that is open.
func TestTruncatedWhileRead(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(50), t0)
	sum := 0
	_, _, err := s.EachServed(func(p store.Served) error {
		if p.ID == 1 {
			must(t, os.Truncate(s.Path(), 2*4096))
		}
		for _, b := range p.Body {
			sum += int(b)
		}
		return nil
	})
	advised(t, "read", err)
	advised(t, "ready", s.Ready())
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("it cannot be closed")
	}
}

// TestGarbagePages: whichever page of a file is garbage, opening it, reading it and
// writing to it either work or say what to do, and never hang.
func TestGarbagePages(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(60), t0) // so many that the feed has pages of its own
	put(t, s, fetchedAll(t, s, 3)...)
	must(t, s.Close())
	whole := inUse(t, s.Path())
	met := 0
	for at := 2 * 4096; at < len(whole); at += 4096 {
		damaged := append([]byte(nil), whole...)
		for i := range 4096 {
			damaged[at+i] = byte(i*7 + at/4096)
		}
		must(t, os.WriteFile(s.Path(), damaged, 0o600))
		again, err := store.Open(s.Path(), store.Options{Refer: refer, LockWait: time.Second})
		if err != nil {
			advised(t, fmt.Sprint("open with page ", at/4096), err)
			met++
			continue
		}
		recs, _, err := again.Packages(0, 99)
		if err != nil {
			advised(t, fmt.Sprint("read with page ", at/4096), err)
			advised(t, "ready", again.Ready())
			met++
		}
		if err := again.Put(sourcesOf(recs...)); err != nil {
			advised(t, fmt.Sprint("put with page ", at/4096), err)
		}
		_ = again.Close()
	}
	if met < 5 {
		t.Errorf("only %d damaged pages were met", met)
	}
}

// TestBrokenByWrite: a write that met a damaged page fails, and so does every other
// one, since nothing says what is left of the file.
func TestBrokenByWrite(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(100), t0)
	recs := fetchedAll(t, s, 3)
	live, err := os.OpenFile(s.Path(), os.O_RDWR, 0)
	must(t, err)
	defer live.Close()
	info, err := live.Stat()
	must(t, err)
	for at := int64(2 * 4096); at < info.Size(); at += 4096 {
		_, err := live.WriteAt([]byte(strings.Repeat("garbage!", 512)), at)
		must(t, err)
	}
	advised(t, "put", s.Put(sourcesOf(recs...)))
	advised(t, "put again", s.Put(sourcesOf(recs...)))
	advised(t, "writable", s.Writable())
	if got := kinds(s); got != "store_damage store_writes" {
		t.Errorf("problems: %s", got)
	}
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it cannot be closed")
	}
}

// TestDamageIsUnhealthy until a sync has repaired it, in this run or in the next.
func TestDamageIsUnhealthy(t *testing.T) {
	meet := map[string]func(*store.Store) error{
		"packages": func(s *store.Store) error { _, err := s.Package(2); return err },
		"served":   func(s *store.Store) error { return s.Served(2, func(store.Served) {}) },
		"sources":  func(s *store.Store) error { _, _, err := s.Due(day(9), 9, record.Order{}); return err },
		"grids":    func(s *store.Store) error { _, err := s.Grid(2); return err },
	}
	for bucket, meet := range meet {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(bucket, " restart ", restart), func(t *testing.T) {
				s := open(t, dbPath(t), store.Options{})
				c := entries("a", "b")
				c.Grids = []record.Grid{{ID: 2, Slug: "cms"}}
				c.Digest = []byte("digest")
				sync(t, s, c, t0)
				k := be(2)
				if bucket == "sources" {
					k = []byte("github.com/o/b")
				}
				s = flipKey(t, s, bucket, k)
				must(t, s.Ready())
				if err := meet(s); bucket != "served" { // which is rendered anew
					advised(t, "read", err)
				}
				advised(t, "ready", s.Ready())
				if kinds(s) != store.ProblemDamage {
					t.Errorf("problems: %s", kinds(s))
				}
				must(t, s.Writable())
				if restart {
					s = reopen(t, s)
				}
				if s.CatalogueDigest() != nil {
					t.Error("the next start would not sync the catalogue")
				}
				sync(t, s, c, day(1))
				must(t, s.Ready())
				must(t, meet(s))
				must(t, s.Ready())
				checkFile(t, s)
			})
		}
	}
}
