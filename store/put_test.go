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

// TestPutAfterURLChanged: an answer about a repository that no package refers to
// any more is passed over.
func TestPutAfterURLChanged(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a")
	sync(t, s, c, t0)
	put(t, s, fetched(get(t, s, "a"), 1, day(1), day(2)))
	late := fetched(get(t, s, "a"), 2, day(5), day(6))
	c.Packages[0].RepoURL = new("https://github.com/o/new")
	sync(t, s, c, day(4))
	put(t, s, late)
	got := get(t, s, "a")
	if got.Repo.Stars != 0 || got.GitHub.State != record.StateNew || *got.Project.Version != "1.2" || !got.LastFetched.IsZero() {
		t.Errorf("got %+v", got)
	}
	checkFile(t, s)
}

// TestOneAnswerServesAll: what a source said is stored once, and every package
// that refers to it has it; the other half of each stays its own.
func TestOneAnswerServesAll(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c")
	for i := range c.Packages {
		c.Packages[i].RepoURL = new("https://github.com/O/Shared")
	}
	c.Packages[2].RepoURL = new("https://github.com/o/shared")
	sync(t, s, c, t0)
	due, _, err := s.Due(day(1), 99, record.Order{})
	must(t, err)
	if got := names(due); got != "SHAREDabc" {
		t.Errorf("due: %s", got)
	}
	put(t, s, fetched(get(t, s, "a"), 5, day(1), day(2)))
	for _, slug := range []string{"a", "b", "c"} {
		if got := get(t, s, slug); got.Repo.Stars != 5 || !got.Modified.Equal(day(1)) || got.LastFetched.IsZero() != (slug != "a") {
			t.Errorf("%s: %+v", slug, got)
		}
	}
	// A package that joins them has at once what is known.
	c.Packages = append(c.Packages, entry("d"))
	c.Packages[3].RepoURL, c.Packages[3].PyPIURL = c.Packages[0].RepoURL, nil
	sync(t, s, c, day(2))
	if got := get(t, s, "d"); got.Repo.Stars != 5 || !got.LastFetched.Equal(day(1)) {
		t.Errorf("d: %+v", got)
	}
	checkFile(t, s)
}

// TestLaterAnswerStands: of two passes that asked the same source, the later
// answer stands, in whatever order they are stored.
func TestLaterAnswerStands(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := open(t, dbPath(t), store.Options{})
		sync(t, s, entries("a"), t0)
		before := get(t, s, "a")
		first, second := fetched(before, 1, day(1), day(2)), fetched(before, 2, day(2), day(3))
		if late {
			put(t, s, second)
			put(t, s, first)
		} else {
			put(t, s, first)
			put(t, s, second)
		}
		diff(t, "record", second, get(t, s, "a"))
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
			r.GitHub.LastAttempt = day(2)
		}, 0},
		{"empty list for none", func(r *record.Package) { r.Repo.Participants, r.Repo.Commits52 = []string{}, []int{} }, 0},
		{"another form of a time", func(r *record.Package) { r.Repo.LastCommit = &east }, 0},
		{"stars", func(r *record.Package) { r.Repo.Stars = 9 }, 1},
		{"version", func(r *record.Package) { r.Project.Version = new("2.0") }, 1},
		{"a success of one source", func(r *record.Package) { r.GitHub.LastSuccess = day(3) }, 0},
		{"and of the other", func(r *record.Package) { r.PyPI.LastSuccess = day(3) }, 1},
		{"an older answer", func(r *record.Package) { r.GitHub.LastSuccess, r.Repo.Stars = day(2), 1 }, 0},
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
	err = s.Put(sourcesOf(fetched(get(t, s, "a"), 1, day(1), day(2)), bad))
	if err == nil || !strings.Contains(err.Error(), "github.com/o/b") {
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
	if err := s.Put(sourcesOf(fetched(get(t, s, "b"), 1, day(1), day(2)), big)); !errors.Is(err, bolterrors.ErrMaxSizeReached) {
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
