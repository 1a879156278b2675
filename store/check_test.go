package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// example is a store with something in every bucket. a has the id 1 and is in the
// grid 4; left, 3, is a tombstone.
func example(t testing.TB) *store.Store {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "left")
	c.Categories, c.Grids = []record.Category{{ID: 1, Slug: "apps"}}, []record.Grid{{ID: 4, Slug: "cms"}}
	c.Packages[0].Grids = []int{4}
	sync(t, s, c, t0)
	put(t, s, fetched(get(t, s, "a"), 5, day(1), day(2)))
	c.Packages = c.Packages[:2]
	sync(t, s, c, day(2))
	must(t, s.LogPass(record.Pass{Started: t0}, t0))
	return s
}

// TestCheckFinds whatever is not as it must be, and says where.
func TestCheckFinds(t *testing.T) {
	bit := func(bucket string, k []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			value := slices.Clone(b.Get(k))
			value[len(value)/2] ^= 1
			return b.Put(k, value)
		}
	}
	lose := func(bucket string, k func(*bolt.Bucket) []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			return b.Delete(k(b))
		}
	}
	first := func(b *bolt.Bucket) []byte { k, _ := b.Cursor().First(); return k }
	named := func(k []byte) func(*bolt.Bucket) []byte { return func(*bolt.Bucket) []byte { return k } }
	add := func(bucket string, k, v []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(k, v) }
	}
	repo := []byte("github.com/o/a")
	for _, test := range []struct {
		name   string
		damage func(*bolt.Tx) error
		want   string
	}{
		{"nothing", func(*bolt.Tx) error { return nil }, ""},
		{"a package", bit("packages", be(1)), "packages/1: the checksum"},
		{"a served package", bit("served", be(1)), "served/1: the checksum"},
		{"a source", bit("sources", repo), "sources/github.com/o/a: the checksum"},
		{"a category", bit("categories", be(1)), "categories/1: the checksum"},
		{"a grid", bit("grids", be(4)), "grids/4: the checksum"},
		{"a tombstone", bit("tombstones", be(3)), "tombstones/3: the checksum"},
		{"a state", bit("states", be(1)), "states/1: not what"},
		{"no state", lose("states", named(be(1))), "states/1: not what"},
		{"a state of nothing", add("states", be(99), nil), "states/99: there is no such package"},
		{"no served package", lose("served", named(be(1))), "served/1: missing"},
		{"a served package of nothing", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("served"))
			return b.Put(be(99), slices.Clone(b.Get(be(1))))
		}, "served/99: there is no such package"},
		{"another served package", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("served"))
			return b.Put(be(1), slices.Clone(b.Get(be(2))))
		}, "served/1: not what the record says"},
		{"no source", lose("sources", named(repo)), "references/github.com/o/a: there is no such source"},
		{"not due", lose("due", first), "due: "},
		{"due and no source", add("due", append(be(1), "github.com/o/x"...), nil), "due/github.com/o/x: not when"},
		{"due at another time", add("due", append(be(1), repo...), nil), "due/github.com/o/a: not when"},
		{"due with another interval", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("due"))
			return b.Put(first(b), []byte{3})
		}, "not what the source says of its interval"},
		{"no reference", lose("references", first), "references: there is none from github.com/o/a to the package 1"},
		{"a wrong reference", add("references", append([]byte("github.com/o/a\x00"), be(2)...), nil), "the package 2 does not refer to it"},
		{"no member", lose("members", first), "members: the package 1 is missing in its grid 4"},
		{"a wrong member", add("members", append(append(be(4), "b\x00"...), be(2)...), nil), "members: the package 2 is listed in the grid 4"},
		{"no slug", lose("slugs", named([]byte("a"))), "slugs/a: does not lead"},
		{"a slug of nothing", add("slugs", []byte("x"), be(99)), "slugs/x: leads to 99"},
		{"no change", lose("changes", first), "the feed does not have its change"},
		{"a change of nothing", add("changes", be(7), be(1)), "changes/7: not the last change of the package 1"},
		{"a change to come", add("changes", be(1<<62), be(1)), "beyond the last change"},
		{"half a deletion", add("deletions", be(7), []byte("x")), "deletions/7: too short"},
		{"a pass", add("passes", be(7), []byte("{")), "not a report"},
		{"a bucket", func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("due")) }, "the bucket due is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := example(t)
			must(t, s.Close())
			raw(t, s.Path(), test.damage)
			report, err := store.CheckFile(s.Path(), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(report.Findings, "\n"); (found == "") != (test.want == "") || !strings.Contains(found, test.want) {
				t.Errorf("it finds %q", report.Findings)
			}
			if report.Packages != 2 || report.Schema != 4 || report.Bytes < 4096 {
				t.Errorf("report: %+v", report)
			}
		})
	}
}

// TestCheckFindsWrongInterval: a source that is not fetched as often as its package wants.
func TestCheckFindsWrongInterval(t *testing.T) {
	s := example(t)
	must(t, s.Close())
	repo, before := []byte("github.com/o/a"), []byte(nil)
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		before = slices.Clone(tx.Bucket([]byte("sources")).Get(repo))
		return nil
	})
	s = open(t, s.Path(), store.Options{})
	c := entries("a", "b")
	c.Packages[0].StaleAfter = time.Hour
	sync(t, s, c, day(2))
	must(t, s.Close())
	raw(t, s.Path(), func(tx *bolt.Tx) error { return tx.Bucket([]byte("sources")).Put(repo, before) })
	report, err := store.CheckFile(s.Path(), store.Options{})
	if want := "sources/github.com/o/a: it is not fetched as often as the package 1 wants"; err != nil || !slices.Contains(report.Findings, want) {
		t.Errorf("it finds %q, %v", report.Findings, err)
	}
}

// TestCheckOfGarbagePages: whichever page is garbage, the check ends, and finds
// something where the page is in use.
func TestCheckOfGarbagePages(t *testing.T) {
	s := example(t)
	must(t, s.Close())
	whole := inUse(t, s.Path())
	found := 0
	for at := 2 * 4096; at < len(whole); at += 4096 {
		damaged := slices.Clone(whole)
		for i := range 4096 {
			damaged[at+i] = byte(i*7 + at/4096)
		}
		must(t, os.WriteFile(s.Path(), damaged, 0o600))
		if report, err := store.CheckFile(s.Path(), store.Options{LockWait: time.Second}); err != nil {
			advised(t, fmt.Sprint("page ", at/4096), err)
			found++
		} else if len(report.Findings) > 0 {
			found++
		}
	}
	if found < 3 {
		t.Errorf("only %d damaged pages were found", found)
	}
}

// TestCheckRefuses what it cannot read, and says what to do.
func TestCheckRefuses(t *testing.T) {
	s := example(t)
	if _, err := store.CheckFile(s.Path(), store.Options{LockWait: 50 * time.Millisecond}); err == nil || !strings.Contains(err.Error(), "holds its lock") {
		t.Errorf("a store that is open: %v", err)
	}
	if _, err := store.CheckFile(filepath.Join(t.TempDir(), "none.db"), store.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	must(t, s.Close())
	must(t, os.Truncate(s.Path(), int64(len(inUse(t, s.Path()))-1)))
	_, err := store.CheckFile(s.Path(), store.Options{})
	advised(t, "cut short", err)
	old, _ := schema2(t)
	if report, err := store.CheckFile(old, store.Options{}); err != nil || report.Schema != 2 || len(report.Findings) > 0 || !strings.Contains(report.Unread, "it has schema 2") {
		t.Errorf("an older schema: %+v, %v", report, err)
	}
	// A migration that broke off is no damage: its records are not yet what a check expects.
	half := unpack(t, "testdata/schema3.db.gz")
	raw(t, half, func(tx *bolt.Tx) error {
		return errors.Join(tx.Bucket([]byte("meta")).Put([]byte("schema"), be(4)), tx.Bucket([]byte("meta")).Put([]byte("migrating"), be(2)))
	})
	if report, err := store.CheckFile(half, store.Options{}); err != nil || len(report.Findings) > 0 || !strings.Contains(report.Unread, "has not been completed") {
		t.Errorf("half migrated: %+v, %v", report, err)
	}
}

// TestBackup: a copy holds what the store held, taken while it is written to or while
// nobody has it open.
func TestBackup(t *testing.T) {
	s := example(t)
	want := served(t, s)
	var hot, cold bytes.Buffer
	must(t, s.Backup(&hot))
	must(t, s.Close())
	must(t, store.BackupFile(s.Path(), store.Options{}, &cold))
	for name, copied := range map[string][]byte{"hot": hot.Bytes(), "cold": cold.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(path, copied, 0o600))
		restored := open(t, path, store.Options{})
		diff(t, name, want, served(t, restored))
		must(t, restored.Ready())
		checkFile(t, restored)
	}
	if err := open(t, s.Path(), store.Options{}).Backup(failing{}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("nowhere to write to: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestCompact: the file is smaller, what it holds is the same, and readers and writers
// notice nothing.
func TestCompact(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, many(400), t0)
	put(t, s, fetchedAll(t, s, 3)...)
	c := many(20)
	sync(t, s, c, day(1))
	must(t, os.Chmod(s.Path(), 0o640))
	must(t, os.WriteFile(s.Path()+".compact", []byte("left by a kill"), 0o600))

	var running gosync.WaitGroup
	var stop atomic.Bool
	var reads, writes atomic.Int64
	running.Go(func() {
		for !stop.Load() {
			if recs, total, err := s.Packages(0, 99); err != nil || total != 20 || len(recs) != 20 {
				t.Errorf("a reader: %d of %d, %v", len(recs), total, err)
			}
			reads.Add(1)
			runtime.Gosched()
		}
	})
	running.Go(func() {
		for n := 4; !stop.Load(); n++ {
			recs, _, err := s.Packages(0, 1)
			if err == nil {
				err = s.Put(sourcesOf(fetched(recs[0], n, day(n), day(n+1))))
			}
			if err != nil {
				t.Errorf("a writer: %v", err)
			}
			writes.Add(1)
		}
	})
	for reads.Load() < 2 || writes.Load() < 2 {
		runtime.Gosched()
	}
	before, after, err := s.Compact()
	must(t, err)
	if after*2 > before {
		t.Errorf("%d bytes have become %d", before, after)
	}
	r, w := reads.Load(), writes.Load()
	for reads.Load() < r+2 || writes.Load() < w+2 {
		runtime.Gosched()
	}
	stop.Store(true)
	running.Wait()
	must(t, s.Ready())
	must(t, s.Writable())
	if info, err := os.Stat(s.Path()); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(s.Path() + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	if _, err := store.Open(s.Path(), store.Options{LockWait: 50 * time.Millisecond}); err == nil {
		t.Error("the new file is not locked")
	}
	want := served(t, s)
	must(t, os.WriteFile(s.Path()+".compact", []byte("left by a kill"), 0o600))
	s = reopen(t, s)
	if _, err := os.Stat(s.Path() + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a kill has left is still there: %v", err)
	}
	diff(t, "reopened", want, served(t, s))
	checkFile(t, s)
}

// TestCompactThatFails leaves the old file as it was.
func TestCompactThatFails(t *testing.T) {
	s := example(t)
	must(t, os.MkdirAll(s.Path()+".compact/in the way", 0o700))
	if _, _, err := s.Compact(); err == nil {
		t.Error("compacted")
	}
	must(t, os.RemoveAll(s.Path()+".compact"))
	must(t, s.Ready())
	must(t, os.Rename(s.Path(), s.Path()+".moved"))
	if _, _, err := s.Compact(); err == nil || !strings.Contains(err.Error(), "not at its path") {
		t.Errorf("a file that is gone: %v", err)
	}
	must(t, os.Rename(s.Path()+".moved", s.Path()))
	checkFile(t, s)
	if _, _, err := s.Compact(); err == nil {
		t.Error("a closed store was compacted")
	}
}

// TestFeedOfRestoredCopy: whoever heard of changes that the copy lacks is told to begin
// anew, now and however many changes the copy has seen by then.
func TestFeedOfRestoredCopy(t *testing.T) {
	s := example(t)
	var copied bytes.Buffer
	must(t, s.Backup(&copied))
	put(t, s, fetched(get(t, s, "a"), 6, day(3), day(4)))
	heard := s.Sequence()
	must(t, s.Close())
	must(t, os.WriteFile(s.Path(), copied.Bytes(), 0o600))
	must(t, store.MarkCopy(s.Path()))
	if info, err := os.Stat(s.Path()); err != nil || info.Size() > int64(copied.Len())+8*4096 {
		t.Errorf("the mark makes %d bytes of %d, %v", info.Size(), copied.Len(), err)
	}

	s = open(t, s.Path(), store.Options{})
	for stars := 7; stars < 12; stars++ {
		if _, _, _, err := s.Changes(heard, 9); !errors.Is(err, store.ErrForgotten) {
			t.Errorf("after %d stars the feed goes on from %d: %v", stars, heard, err)
		}
		put(t, s, fetched(get(t, s, "a"), stars, day(stars), day(stars+1)))
	}
	var since uint64 // page by page from the beginning
	slugs := map[int]bool{}
	for more := true; more; {
		changes, next, further, err := s.Changes(since, 1)
		must(t, err)
		for _, c := range changes {
			slugs[c.ID] = true
		}
		since, more = next, further
	}
	if len(slugs) != 2 || since != s.Sequence() {
		t.Errorf("the feed has %v up to %d of %d", slugs, since, s.Sequence())
	}
	restarted := s.Sequence()
	s = reopen(t, s)
	if s.Sequence() != restarted {
		t.Error("it begins anew each time it is opened")
	}
	checkFile(t, s)
}
