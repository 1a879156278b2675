package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/store"
)

// built returns the folder of a closed index of 100 packages, and what it is of.
func built(t *testing.T) (dir string, source *fakeSource) {
	t.Helper()
	source = newSource()
	for i := range 100 {
		source.put(pkg(i+1, strings.Repeat("x", i+1), "all of them", i))
	}
	dir = filepath.Join(t.TempDir(), "search")
	x := open(t, dir, source)
	stop := run(t, x)
	source.idle()
	stop()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	source.change(func() {})
	return dir, source
}

// segments returns the paths of the segment files.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, storeFolder, "*.zap"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no segments in %s: %v", dir, err)
	}
	return paths
}

// Whatever happens to its files, an index opens, and finds all again.
func TestDamage(t *testing.T) {
	write := func(t *testing.T, path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	each := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, path := range segments(t, dir) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				write(t, path, change(data))
			}
		}
	}
	for name, damage := range map[string]func(t *testing.T, dir string){
		"none":            func(*testing.T, string) {},
		"meta gone":       func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, metaFile)) },
		"meta empty":      func(t *testing.T, dir string) { write(t, filepath.Join(dir, metaFile), nil) },
		"meta of another": func(t *testing.T, dir string) { write(t, filepath.Join(dir, metaFile), []byte(`{"index_type":"x"}`)) },
		"root gone":       func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, storeFolder, "root.bolt")) },
		"root empty":      func(t *testing.T, dir string) { write(t, filepath.Join(dir, storeFolder, "root.bolt"), nil) },
		"root garbage": func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, storeFolder, "root.bolt"), bytes.Repeat([]byte("garbage "), 1<<14))
		},
		"segments gone": func(t *testing.T, dir string) {
			for _, path := range segments(t, dir) {
				os.Remove(path)
			}
		},
		"segments empty":     each(func([]byte) []byte { return nil }),
		"segments cut short": each(func(data []byte) []byte { return data[:len(data)/2] }),
		"segments garbage":   each(func(data []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(data)) }),
		"a bit flipped": each(func(data []byte) []byte {
			data[len(data)/3] ^= 4
			return data
		}),
		"version gone": func(t *testing.T, dir string) {
			x, err := Open(dir, newSource(), zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			if err := x.index.SetInternal(keyVersion, []byte("0")); err != nil {
				t.Fatal(err)
			}
			if err := x.write(t.Context(), func(*bleve.Batch) {}); err != nil {
				t.Fatal(err)
			}
			x.Close()
		},
		"position damaged": func(t *testing.T, dir string) {
			x, err := Open(dir, newSource(), zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			if err := x.write(t.Context(), func(b *bleve.Batch) { b.SetInternal(keyPosition, []byte("?")) }); err != nil {
				t.Fatal(err)
			}
			x.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, source := built(t)
			damage(t, dir)
			source.reads = 0
			x := open(t, dir, source)
			run(t, x)
			source.idle()
			if got := ids(t, x, "them"); len(got) != 20 || got[0] != 100 {
				t.Errorf("found %v", got)
			}
			wantIDs(t, x, strings.Repeat("x", 99), 99, 100, 98)
			if anew := source.reads == 100; anew != (name != "none") {
				t.Errorf("%d packages were read", source.reads)
			}
		})
	}
}

// An index that cannot be opened for what is around it is left as it is, says
// so once, with what helps, and is open as soon as that has been done.
func TestTrouble(t *testing.T) {
	foreign := func(t *testing.T, dir string) (end func()) {
		path := filepath.Join(dir, "thesis.tex")
		if err := os.WriteFile(path, []byte("years of work"), 0o600); err != nil {
			t.Fatal(err)
		}
		return func() {
			if data, err := os.ReadFile(path); string(data) != "years of work" {
				t.Errorf("the file is %q, %v", data, err)
			}
			os.Remove(path)
		}
	}
	unreadable := func(t *testing.T, path string) (end func()) {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if f, err := os.Open(path); err == nil {
			f.Close()
			t.Skip("this user may read everything")
		}
		return func() { os.Chmod(path, 0o700) }
	}
	for _, c := range []struct {
		name  string
		begin func(t *testing.T, dir string) (end func())
		kept  bool // the index is the same after it
		says  string
	}{
		{"foreign folder", func(t *testing.T, dir string) func() {
			os.Remove(filepath.Join(dir, metaFile))
			return foreign(t, dir)
		}, false, "thesis.tex"},
		{"foreign folder without an index", func(t *testing.T, dir string) func() {
			os.RemoveAll(dir)
			os.Mkdir(dir, 0o700)
			return foreign(t, dir)
		}, false, "thesis.tex"},
		{"a file", func(t *testing.T, dir string) func() {
			os.Rename(dir, dir+".away")
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(dir); os.Rename(dir+".away", dir) }
		}, true, "move it away"},
		{"locked", func(t *testing.T, dir string) func() {
			db, err := bolt.Open(filepath.Join(dir, storeFolder, "root.bolt"), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			return func() { db.Close() }
		}, true, "another process"},
		{"folder unreadable", func(t *testing.T, dir string) func() { return unreadable(t, dir) }, true, "let the user"},
		{"meta unreadable", func(t *testing.T, dir string) func() { return unreadable(t, filepath.Join(dir, metaFile)) }, true, "let the user"},
		{"store unreadable", func(t *testing.T, dir string) func() { return unreadable(t, filepath.Join(dir, storeFolder)) }, true, "let the user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, source := built(t)
			end := sync.OnceFunc(c.begin(t, dir))
			defer end()
			source.reads = 0
			var log bytes.Buffer
			x, err := Open(dir, source, zerolog.New(zerolog.SyncWriter(&log)))
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			if _, err := x.Search(t.Context(), "them", 20); !errors.Is(err, ErrNotReady) {
				t.Errorf("Search: %v", err)
			}
			var waits []time.Duration
			x.sleep = func(ctx context.Context, d time.Duration) error {
				if waits = append(waits, d); len(waits) == 3 {
					end()
				}
				return ctx.Err()
			}
			stop := run(t, x)
			source.idle()
			stop()
			if want := []time.Duration{retryMin, 2 * retryMin, 4 * retryMin}; !slices.Equal(waits, want) {
				t.Errorf("it waited for %v, want %v", waits, want)
			}
			if got := ids(t, x, "them"); len(got) != 20 || got[0] != 100 {
				t.Errorf("found %v", got)
			}
			if kept := source.reads == 0; kept != c.kept {
				t.Errorf("%d packages were read", source.reads)
			}
			said := log.String()
			if strings.Count(said, "cannot be opened") != 1 || !strings.Contains(said, c.says) || !strings.Contains(said, "is open now") {
				t.Errorf("it said\n%s", said)
			}
		})
	}
}

// bleve hands some errors on as texts alone.
func TestIsOfSystem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "open", Path: "root.bolt", Err: syscall.EROFS}, true},
		{fmt.Errorf("error opening bolt segment: %v", syscall.EMFILE), true},
		{bolterrors.ErrTimeout, true},
		{bolterrors.ErrInvalid, false},
		{&fs.PathError{Op: "open", Path: "index_meta.json", Err: syscall.ENOENT}, false},
		{&fs.PathError{Op: "open", Path: "/timeout/index_meta.json", Err: syscall.ENOENT}, false},
		{errDamaged, false},
	} {
		if got := isSystemError(c.err); got != c.want {
			t.Errorf("%v: %t", c.err, got)
		}
	}
}

// One process has an index open once.
func TestOpenTwice(t *testing.T) {
	dir, source := built(t)
	open(t, dir, source)
	if _, err := Open(dir, source, zerolog.Nop()); err == nil {
		t.Error("opened twice")
	}
}

// A package title can be anything, and so can a query.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"", "django", `"a" -b +c:d^2 ~*`, "数据库", "e\u0301", "\xff\xfe", "the", "a b c d e f g h i j k l m", strings.Repeat("ab ", 200), "'", "’s", "x's", "🎉"} {
		f.Add(s)
	}
	source := newSource(pkg(1, "alpha", "", 1))
	x := open(f, filepath.Join(f.TempDir(), "search"), source)
	run(f, x)
	source.idle()
	f.Fuzz(func(t *testing.T, s string) {
		source.put(pkg(1, s, s, 1, s))
		source.idle()
		hits, err := x.Search(t.Context(), s, 20)
		if err != nil {
			t.Fatal(err)
		}
		short := len([]rune(s)) <= maxRunes && strings.ToValidUTF8(s, "") == s
		if short && x.normalise(s) != "" && len(hits) != 1 {
			t.Errorf("the package called %q is not found by its title", s)
		}
	})
}

var _ Source = (*store.Store)(nil)

// TestCutShortWhileOpen: a search in files that became shorter fails, or finds what is
// left; it does not end the program.
func TestCutShortWhileOpen(t *testing.T) {
	dir, source := built(t)
	x := open(t, dir, source)
	if len(ids(t, x, "xxx")) == 0 {
		t.Fatal("nothing is found")
	}
	for _, path := range segments(t, dir) {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range []string{"all of them", "xxx", "xxxxxxx", "x"} {
		if hits, err := x.Search(t.Context(), query, 20); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v, %v", query, hits, err)
		}
	}
}
