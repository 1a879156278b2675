package search

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blevesearch/bleve/v2"
	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

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
			x.retryMin = 1
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

// A folder that holds anything else is left alone.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(path, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err := Open(dir, newSource(), zerolog.Nop()); err == nil {
		x.Close()
		t.Error("opened")
	} else if !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("the error does not say why: %v", err)
	}
	if data, err := os.ReadFile(path); string(data) != "years of work" {
		t.Errorf("the file is %q, %v", data, err)
	}
}

// An index that somebody else has open is neither opened nor built anew.
func TestLocked(t *testing.T) {
	dir, source := built(t)
	db, err := bolt.Open(filepath.Join(dir, storeFolder, "root.bolt"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := Open(dir, source, zerolog.Nop()); err == nil {
		x.Close()
		t.Error("opened though it is locked")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	x := open(t, dir, source)
	if got := ids(t, x, "xx"); len(got) == 0 || got[0] != 2 {
		t.Errorf("found %v", got)
	}
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
		if short && x.whole(s) != "" && len(hits) != 1 {
			t.Errorf("the package called %q is not found by its title", s)
		}
	})
}

var _ Source = (*store.Store)(nil)
