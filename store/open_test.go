package store_test

import (
	"os"
	"path/filepath"
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
