package store_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

var t0 = time.Date(2020, 3, 1, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return t0.AddDate(0, 0, n) }

func dbPath(t testing.TB) string { return filepath.Join(t.TempDir(), "pkgmetad.db") }

func open(t testing.TB, path string, o store.Options) *store.Store {
	t.Helper()
	if o.Refer == nil {
		o.Refer = refer
	}
	s, err := store.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// refer takes the form of URL that entry writes, in any case, and no other.
func refer(e record.Entry) (refs record.References) {
	refs.GitHub, refs.PyPI = record.StateNone, record.StateNone
	if e.RepoURL != nil {
		refs.GitHub = record.StateUnsupported
		if path, ok := strings.CutPrefix(*e.RepoURL, "https://github.com/"); ok {
			owner, name, _ := strings.Cut(path, "/")
			refs.Repo, refs.GitHub = record.RepoKey("github.com", owner, name), ""
		}
	}
	if e.PyPIURL != nil {
		refs.PyPI = record.StateUnsupported
		if name, ok := strings.CutPrefix(*e.PyPIURL, "https://pypi.org/project/"); ok {
			refs.Project, refs.PyPI = record.ProjectKey(strings.ToLower(name)), ""
		}
	}
	return refs
}

func reopen(t testing.TB, s *store.Store) *store.Store {
	t.Helper()
	must(t, s.Close())
	return open(t, s.Path(), store.Options{})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry is a package with both sources and without an id.
func entry(slug string) record.Entry {
	return record.Entry{
		Slug: slug, Title: slug,
		RepoURL: new("https://github.com/o/" + slug),
		PyPIURL: new("https://pypi.org/project/" + slug),
	}
}

func entries(slugs ...string) (c record.Catalogue) {
	for _, slug := range slugs {
		c.Packages = append(c.Packages, entry(slug))
	}
	return c
}

func sync(t testing.TB, s *store.Store, c record.Catalogue, now time.Time) store.SyncReport {
	t.Helper()
	report, err := s.SyncCatalogue(c, now)
	must(t, err)
	return report
}

func get(t testing.TB, s *store.Store, slug string) record.Package {
	t.Helper()
	rec, err := s.PackageBySlug(slug)
	if err != nil {
		t.Fatalf("package %s: %v", slug, err)
	}
	return rec
}

// fetched is rec after a success of both sources at that time.
func fetched(rec record.Package, stars int, now, next time.Time) record.Package {
	rec.Repo.Name, rec.Repo.ID, rec.Repo.Stars = "o/"+rec.Slug, 7, stars
	rec.Project.Name, rec.Project.Version = rec.Slug, new(fmt.Sprint("1.", stars))
	ok := record.Status{State: record.StateOK, LastAttempt: now, LastSuccess: now, NextDue: next, Tags: map[string]string{"repo": "x"}}
	rec.GitHub, rec.PyPI = ok, ok
	rec.Modified, rec.LastFetched = now, now
	return rec
}

// put stores what the sources of these packages say.
func put(t testing.TB, s *store.Store, recs ...record.Package) {
	t.Helper()
	must(t, s.Put(sourcesOf(recs...)))
}

func sourcesOf(recs ...record.Package) (sources []record.Source) {
	for _, rec := range recs {
		if rec.RepoKey != "" {
			sources = append(sources, record.Source{Key: rec.RepoKey, Status: rec.GitHub, Repo: &rec.Repo})
		}
		if rec.ProjectKey != "" {
			sources = append(sources, record.Source{Key: rec.ProjectKey, Status: rec.PyPI, Project: &rec.Project})
		}
	}
	return sources
}

func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// names are those of the sources of entry's packages, repositories in upper case.
func names(sources []record.Source) string {
	var b strings.Builder
	for _, s := range sources {
		if project, ok := s.Key.Project(); ok {
			b.WriteString(project)
		} else {
			_, _, name, _ := s.Key.Repo()
			b.WriteString(strings.ToUpper(name))
		}
	}
	return b.String()
}

func slugsOf(recs []record.Package) (slugs []string) {
	for _, rec := range recs {
		slugs = append(slugs, rec.Slug)
	}
	return slugs
}

// raw runs f on the file of a store that is closed.
func raw(t testing.TB, path string, f func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	must(t, err)
	defer db.Close()
	must(t, db.Update(f))
}

// flip flips one bit of the value of a record and returns the store reopened.
func flip(t testing.TB, s *store.Store, bucket string, id uint64) *store.Store {
	t.Helper()
	return flipKey(t, s, bucket, be(id))
}

func flipKey(t testing.TB, s *store.Store, bucket string, k []byte) *store.Store {
	t.Helper()
	must(t, s.Close())
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		value := slices.Clone(b.Get(k))
		value[len(value)/2] ^= 1
		return b.Put(k, value)
	})
	return open(t, s.Path(), store.Options{})
}

func be(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// checkFile closes the store and holds its file against the layout that the
// package comment promises: the indexes say what the records say, no more and
// no less.
func checkFile(t testing.TB, s *store.Store) {
	t.Helper()
	must(t, s.Close())
	report, err := store.CheckFile(s.Path(), store.Options{LockWait: time.Second})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("the check finds %q, %v", report.Findings, err)
	}
	raw(t, s.Path(), func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt's check: %v", err)
		}
		due, members, references := map[string]bool{}, map[string]bool{}, map[string]bool{}
		live, changes, sources := map[string]bool{}, map[string]bool{}, map[string]bool{}
		slugs := tx.Bucket([]byte("slugs"))
		each(tx, "packages", func(k, v []byte) {
			var rec struct {
				record.Entry
				RepoKey    string `json:"repo_key"`
				ProjectKey string `json:"project_key"`
			}
			must(t, json.Unmarshal(v[4:], &rec))
			live[string(k)] = true
			served := tx.Bucket([]byte("served")).Get(k)
			if len(served) < 20 || !bytes.Contains(served, []byte(rec.Slug)) {
				t.Fatalf("package %x is served as %q", k, served)
			}
			changes[string(served[4:12])] = true
			if got := tx.Bucket([]byte("changes")).Get(served[4:12]); string(got) != string(k) {
				t.Errorf("the last change of package %x is of %x", k, got)
			}
			for _, key := range []string{rec.RepoKey, rec.ProjectKey} {
				if key != "" {
					sources[key], references[key+"\x00"+string(k)] = true, true
				}
			}
			for _, grid := range rec.Grids {
				members[string(be(uint64(grid)))+rec.Title+"\x00"+string(k)] = true
			}
			if got := slugs.Get([]byte(rec.Slug)); string(got) != string(k) {
				t.Errorf("slug %s leads to %x, want %x", rec.Slug, got, k)
			}
			if tx.Bucket([]byte("tombstones")).Get(k) != nil {
				t.Errorf("package %x is live and a tombstone", k)
			}
		})
		each(tx, "sources", func(k, v []byte) {
			var source record.Source
			must(t, json.Unmarshal(v[4:], &source))
			due[string(be(uint64(max(0, source.NextDue.UnixMicro()))))+string(k)] = true
		})
		diff(t, "served", keys(live), keysOf(tx, "served"))
		diff(t, "states", keys(live), keysOf(tx, "states"))
		diff(t, "changes", keys(changes), keysOf(tx, "changes"))
		diff(t, "sources", keys(sources), keysOf(tx, "sources"))
		diff(t, "references", keys(references), keysOf(tx, "references"))
		diff(t, "due keys", keys(due), keysOf(tx, "due"))
		diff(t, "member keys", keys(members), keysOf(tx, "members"))
		each(tx, "slugs", func(k, v []byte) {
			for _, bucket := range []string{"packages", "tombstones"} {
				if tx.Bucket([]byte(bucket)).Get(v) != nil {
					return
				}
			}
			t.Errorf("slug %s leads to %x, which is nothing", k, v)
		})
		return nil
	})
}

func each(tx *bolt.Tx, bucket string, f func(k, v []byte)) {
	_ = tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error { f(k, v); return nil })
}

func keysOf(tx *bolt.Tx, bucket string) []string {
	found := map[string]bool{}
	each(tx, bucket, func(k, _ []byte) { found[string(k)] = true })
	return keys(found)
}

func keys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
