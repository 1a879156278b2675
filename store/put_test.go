package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestPutLeavesCatalogueHalf(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	before := get(t, s, "a")
	rec := fetched(before, 3, day(1), day(2))
	rec.Slug, rec.Title, rec.Category, rec.Grids, rec.Created = "other", "Other", 9, []int{1}, day(9)
	rec.DocumentationURL = new("x")
	gone := fetched(get(t, s, "b"), 4, day(1), day(2))
	sync(t, s, entries("a"), t0)
	put(t, s, rec, gone)

	got := get(t, s, "a")
	diff(t, "catalogue half", before.Entry, got.Entry)
	if got.Repo.Stars != 3 || !got.LastFetched.Equal(day(1)) {
		t.Errorf("fetched half: %+v", got)
	}
	if _, err := s.PackageBySlug("b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a removed package came back: %v", err)
	}
	checkFile(t, s)
}

func TestPutAfterURLChanged(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*record.Entry)
		want   func(before, put record.Package) record.Package
	}{
		{"repository", func(e *record.Entry) { e.RepoURL = new("https://github.com/o/new") },
			func(before, put record.Package) record.Package {
				before.Project, before.PyPI, before.Modified = put.Project, put.PyPI, put.Modified
				return before
			}},
		{"project", func(e *record.Entry) { e.PyPIURL = new("https://pypi.org/project/new") },
			func(before, put record.Package) record.Package {
				before.Repo, before.GitHub, before.Modified = put.Repo, put.GitHub, put.Modified
				return before
			}},
		{"both", func(e *record.Entry) { e.RepoURL, e.PyPIURL = new("https://github.com/o/new"), nil },
			func(before, put record.Package) record.Package { return before }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			c := entries("a")
			sync(t, s, c, t0)
			put(t, s, fetched(get(t, s, "a"), 1, day(1), day(2)))
			late := fetched(get(t, s, "a"), 2, day(5), day(6))
			test.change(&c.Packages[0])
			sync(t, s, c, day(4))
			before := get(t, s, "a")
			put(t, s, late)
			diff(t, "record", test.want(before, late), get(t, s, "a"))
			checkFile(t, s)
		})
	}
}

func TestPutKeepsVerdictOfCatalogue(t *testing.T) {
	supported := true
	s := open(t, dbPath(t), store.Options{Judge: func(record.Entry) (record.State, record.State, []string) {
		if supported {
			return record.StateNew, record.StateNew, nil
		}
		return record.StateUnsupported, record.StateNew, nil
	}})
	sync(t, s, entries("a"), t0)
	rec := fetched(get(t, s, "a"), 3, day(1), day(2))
	supported = false
	sync(t, s, entries("a"), t0)
	put(t, s, rec)
	got := get(t, s, "a")
	if got.GitHub.State != record.StateUnsupported || got.PyPI.State != record.StateOK || got.Repo.Stars != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestSequenceCountsServedChanges(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b", "c"), t0)
	rec := fetched(get(t, s, "a"), 1, day(1), day(2))
	rec.Repo.LastCommit = new(day(-3))
	put(t, s, rec)
	east := day(-3).In(time.FixedZone("", 0))
	for _, test := range []struct {
		name   string
		change func(*record.Package)
		grows  uint64
	}{
		{"nothing", func(*record.Package) {}, 0},
		{"state", func(r *record.Package) {
			r.GitHub.State, r.GitHub.Failures, r.GitHub.NextDue, r.PyPI.LastError = record.StateFailed, 2, day(9), "x"
		}, 0},
		{"empty list for none", func(r *record.Package) { r.Repo.Participants, r.Repo.Commits52 = []string{}, []int{} }, 0},
		{"another form of a time", func(r *record.Package) { r.Repo.LastCommit = &east }, 0},
		{"stars", func(r *record.Package) { r.Repo.Stars = 9 }, 1},
		{"version", func(r *record.Package) { r.Project.Version = new("2.0") }, 1},
		{"last fetched", func(r *record.Package) { r.LastFetched = day(3) }, 1},
		{"modified", func(r *record.Package) { r.Modified = day(3) }, 1},
		{"modified goes back", func(r *record.Package) { r.Modified = day(-3) }, 0},
	} {
		before, rec := s.Sequence(), get(t, s, "a")
		test.change(&rec)
		put(t, s, rec)
		if got := s.Sequence() - before; got != test.grows {
			t.Errorf("%s: sequence grew by %d, want %d", test.name, got, test.grows)
		}
	}
	before := s.Sequence()
	put(t, s, fetched(get(t, s, "a"), 20, day(5), day(6)), get(t, s, "b"), fetched(get(t, s, "c"), 20, day(5), day(6)))
	if got := s.Sequence() - before; got != 2 {
		t.Errorf("two of three changed: sequence grew by %d", got)
	}
	want := s.Sequence()
	if got := reopen(t, s).Sequence(); got != want {
		t.Errorf("after a restart: %d, want %d", got, want)
	}
}

func TestPutIsAllOrNothing(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0)
	before, _, err := s.Packages(0, 9)
	must(t, err)
	sequence := s.Sequence()
	bad := fetched(get(t, s, "b"), 1, day(1), day(2))
	bad.GitHub.NextDue = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) // JSON has no such year
	err = s.Put([]record.Package{fetched(get(t, s, "a"), 1, day(1), day(2)), bad})
	if err == nil || !strings.Contains(err.Error(), "package b") {
		t.Errorf("error: %v", err)
	}
	after, _, err := s.Packages(0, 9)
	must(t, err)
	diff(t, "records", before, after)
	if s.Sequence() != sequence {
		t.Error("the sequence moved")
	}
	checkFile(t, s)
}

func TestMaxSize(t *testing.T) {
	s := open(t, dbPath(t), store.Options{MaxSize: 1 << 20})
	sync(t, s, entries("a", "b"), t0)
	long := strings.Repeat("description ", 3000)
	var err error
	var last []record.Package
	for n := 0; err == nil && n < 2000; n++ {
		c := entries("a", "b")
		for i := range n {
			e := entry(fmt.Sprint("p", i))
			e.DocumentationURL = &long
			c.Packages = append(c.Packages, e)
		}
		var readErr error
		last, _, readErr = s.Packages(0, 1<<20)
		must(t, readErr)
		_, err = s.SyncCatalogue(c, t0)
	}
	if !errors.Is(err, bolterrors.ErrMaxSizeReached) || !strings.Contains(err.Error(), "raise store.max_size") {
		t.Fatalf("error: %v", err)
	}
	got, total, err := s.Packages(0, 1<<20)
	must(t, err)
	if d := cmp.Diff(last, got); d != "" || total != len(last) {
		t.Errorf("half of it was written, or %d != %d: %s", total, len(last), d)
	}
	big := fetched(get(t, s, "a"), 1, day(1), day(2))
	big.Repo.Description = strings.Repeat(long, 40)
	if err := s.Put([]record.Package{fetched(get(t, s, "b"), 1, day(1), day(2)), big}); !errors.Is(err, bolterrors.ErrMaxSizeReached) {
		t.Errorf("put: %v", err)
	}
	if get(t, s, "b").Repo.Stars != 0 {
		t.Error("half of a Put was written")
	}
	put(t, s, fetched(get(t, s, "b"), 8, day(1), day(2)))
	checkFile(t, s)
}

// TestTimesAheadDoNotWin: what was stored under a clock that was ahead gives way
// to what is fetched under the right one.
func TestTimesAheadDoNotWin(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a"), t0)
	ahead := time.Now().AddDate(50, 0, 0).UTC().Truncate(time.Microsecond)
	put(t, s, fetched(get(t, s, "a"), 1, ahead, ahead))
	want := fetched(get(t, s, "a"), 2, day(1), day(2))
	put(t, s, want)
	diff(t, "the record", want, get(t, s, "a"))
}
