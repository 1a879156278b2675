package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestOpenKeepsEverything(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "catalogue") {
		t.Errorf("a new store is ready: %v", err)
	}
	c := entries("a", "b", "gone")
	c.Categories = []record.Category{{ID: 1, Slug: "apps"}}
	c.Grids = []record.Grid{{ID: 4, Slug: "cms"}}
	c.Packages[0].Grids = []int{4}
	sync(t, s, c, t0)
	c.Packages = c.Packages[:2]
	sync(t, s, c, t0)
	put(t, s, fetched(get(t, s, "a"), 5, day(1), day(2)))

	type state struct {
		Records    []record.Package
		Total      int
		Categories []record.Category
		Grids      []record.Grid
		Members    []int
		Sequence   uint64
	}
	read := func(s *store.Store) (all state) {
		var err error
		all.Records, all.Total, err = s.Packages(0, 10)
		must(t, err)
		all.Categories, _, err = s.Categories(0, 10)
		must(t, err)
		all.Grids, _, err = s.Grids(0, 10)
		must(t, err)
		all.Members, err = s.GridPackages(4)
		must(t, err)
		all.Sequence = s.Sequence()
		must(t, s.Ready())
		return all
	}
	before := read(s)
	if before.Total != 2 || len(before.Members) != 1 {
		t.Fatalf("written: %+v", before)
	}
	s = reopen(t, s)
	diff(t, "after reopening", before, read(s))
	checkFile(t, s)
}

func TestOpenRefuses(t *testing.T) {
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(content), 0o600)) }
	}
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    []string
	}{
		{"missing folder", func(t *testing.T, path string) { must(t, os.Remove(filepath.Dir(path))) }, []string{"create the folder"}},
		{"folder", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, []string{"must name a file, not a folder"}},
		{"no permission", func(t *testing.T, path string) {
			if os.Geteuid() == 0 {
				t.Skip("root may read every file: run as another user to test what is told of a missing permission")
			}
			must(t, os.WriteFile(path, nil, 0))
		}, []string{"read and write permission"}},
		{"garbage", write(strings.Repeat("no database at all\n", 4096)), []string{"not a database of pkgmetad", "nothing was changed"}},
		{"short garbage", write("hello"), []string{"not a database of pkgmetad", "nothing was changed"}},
		{"another program's", func(t *testing.T, path string) {
			raw(t, path, func(tx *bolt.Tx) error {
				_, err := tx.CreateBucket([]byte("wallets"))
				return err
			})
		}, []string{"another program", `"wallets"`, "nothing was changed"}},
		{"without a version", func(t *testing.T, path string) {
			raw(t, path, func(tx *bolt.Tx) error {
				_, err := tx.CreateBucket([]byte("meta"))
				return err
			})
		}, []string{"not a database of pkgmetad"}},
		{"newer schema", func(t *testing.T, path string) {
			must(t, open(t, path, store.Options{}).Close())
			raw(t, path, func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("meta")).Put([]byte("schema"), be(99))
			})
		}, []string{"newer pkgmetad", "schema 99", "nothing was changed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "folder", "pkgmetad.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			test.prepare(t, path)
			before, _ := os.ReadFile(path)
			s, err := store.Open(path, store.Options{LockWait: time.Second})
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			for _, want := range append(test.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenOfEmptyFileMakesStore(t *testing.T) {
	path := dbPath(t)
	must(t, os.WriteFile(path, nil, 0o600))
	s := open(t, path, store.Options{})
	sync(t, s, entries("a"), t0)
	checkFile(t, s)
}

func TestOpenNamesHolderOfLock(t *testing.T) {
	path := dbPath(t)
	open(t, path, store.Options{})
	begin := time.Now()
	_, err := store.Open(path, store.Options{LockWait: 100 * time.Millisecond})
	if err == nil {
		t.Fatal("opened twice")
	}
	if waited := time.Since(begin); waited < 50*time.Millisecond || waited > 5*time.Second {
		t.Errorf("waited %s for a bound of 100ms", waited)
	}
	want := []string{path, "100ms", "stop that one first"}
	if locks, _ := os.ReadFile("/proc/locks"); len(locks) > 0 {
		comm, err := os.ReadFile("/proc/self/comm")
		must(t, err)
		want = append(want, "process "+strconv.Itoa(os.Getpid())+" ("+strings.TrimSpace(string(comm))+")")
	} else {
		t.Log("the kernel does not report who holds a lock")
	}
	for _, want := range want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// TestReplacedWhileWaiting: whoever waits for a file that is replaced meanwhile, as by a
// compaction, does not go on with the old one, which nobody sees any more.
func TestReplacedWhileWaiting(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a"), t0)
	descriptors := func() (n int) {
		links, err := filepath.Glob("/proc/self/fd/*")
		must(t, err)
		for _, link := range links {
			if path, _ := os.Readlink(link); path == s.Path() {
				n++
			}
		}
		return n
	}
	if descriptors() != 1 {
		t.Skip("this system does not tell which files are open")
	}
	opened := make(chan error, 1)
	go func() {
		again, err := store.Open(s.Path(), store.Options{LockWait: time.Minute})
		if err == nil {
			err = errors.Join(errors.New("it was opened"), again.Close())
		}
		opened <- err
	}()
	for descriptors() < 2 {
		runtime.Gosched()
	}
	_, _, err := s.Compact()
	must(t, err)
	if err := <-opened; err == nil || !strings.Contains(err.Error(), "is not the one that is open") {
		t.Errorf("open: %v", err)
	}
	must(t, s.Ready())
}

func TestReadyNoticesFileMovedAway(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a"), t0)
	must(t, s.Ready())
	moved := s.Path() + ".moved"
	must(t, os.Rename(s.Path(), moved))
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "not at its path") {
		t.Errorf("moved away: %v", err)
	}
	must(t, os.WriteFile(s.Path(), nil, 0o600))
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "not the one that is open") {
		t.Errorf("another in its place: %v", err)
	}
	must(t, os.Rename(moved, s.Path()))
	must(t, s.Ready())
	must(t, s.Close())
	if s.Ready() == nil {
		t.Error("a closed store is ready")
	}
}

// content is the file of a store, and when it was last written.
type content struct {
	bytes    string
	modified time.Time
}

func contentOf(t *testing.T, path string) content {
	t.Helper()
	all, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	return content{string(all), info.ModTime()}
}

// TestOpenChangesNothing: what has nothing to be migrated is not written to.
func TestOpenChangesNothing(t *testing.T) {
	s := open(t, dbPath(t), store.Options{Rendering: "1"})
	sync(t, s, entries("a"), t0)
	must(t, s.Close())
	before := contentOf(t, s.Path())
	for _, o := range []store.Options{{Rendering: "1"}, {Rendering: "1", Rerender: true}, {Rendering: "2"}, {Rendering: "2", ReadOnly: true}, {Rendering: "2", Rerender: true, ReadOnly: true}} {
		s := open(t, s.Path(), o)
		get(t, s, "a")
		if got := s.Rendering(); got != "1" {
			t.Errorf("%+v: the rendering is %q", o, got)
		}
		must(t, s.Close())
		if contentOf(t, s.Path()) != before {
			t.Fatalf("%+v changed the file", o)
		}
	}
}

func TestReadOnly(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a"), t0)
	must(t, s.Close())
	s = open(t, s.Path(), store.Options{ReadOnly: true})
	other := open(t, s.Path(), store.Options{ReadOnly: true, LockWait: time.Second}) // readers share the lock
	get(t, other, "a")
	if _, err := s.SyncCatalogue(entries("b"), t0); err == nil {
		t.Error("it was written to")
	}

	old, _ := schema2(t)
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	half, _ := schema2(t)
	raw(t, half, func(tx *bolt.Tx) error {
		return errors.Join(tx.Bucket([]byte("meta")).Put([]byte("schema"), be(4)), tx.Bucket([]byte("meta")).Put([]byte("migrating"), be(2)))
	})
	for path, want := range map[string]string{
		old: "has schema 2, this one reads 4; start the daemon once, which migrates it", empty: "start the daemon",
		half: "has not been completed", filepath.Join(t.TempDir(), "missing"): "no such file",
	} {
		before, _ := os.ReadFile(path)
		s, err := store.Open(path, store.Options{ReadOnly: true})
		if err == nil {
			_ = s.Close()
			t.Fatalf("%s: opened", want)
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q is not in: %v", want, err)
		}
		if after, err := os.ReadFile(path); string(after) != string(before) || strings.Contains(want, "no such") == (err == nil) {
			t.Errorf("%s: the file was changed, %v", want, err)
		}
	}
}
