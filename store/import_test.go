package store_test

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// imported is e with what another site fetched of it at that time.
func imported(e record.Entry, stars int, modified, fetched time.Time) record.Package {
	rec := record.Package{Entry: e, Modified: modified, LastFetched: fetched}
	rec.Repo.Stars, rec.Project.Version = stars, new("1.0")
	if !fetched.IsZero() {
		rec.GitHub = record.Status{State: record.StateOK, LastAttempt: fetched, LastSuccess: fetched, NextDue: fetched.AddDate(0, 0, 1)}
		rec.PyPI = rec.GitHub
	}
	return rec
}

func catalogueOf(recs ...record.Package) (c record.Catalogue) {
	for _, rec := range recs {
		c.Packages = append(c.Packages, rec.Entry)
	}
	return c
}

func withID(id int, slug string) record.Entry {
	e := entry(slug)
	e.ID, e.Created = id, day(-100)
	return e
}

func TestImport(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	recs := []record.Package{
		imported(withID(7, "a"), 5, day(-9), day(-1)),
		imported(withID(3, "never"), 0, day(-8), time.Time{}),
	}
	report, err := s.Import(catalogueOf(recs...), recs, t0)
	must(t, err)
	diff(t, "report", store.ImportReport{SyncReport: store.SyncReport{Added: 2}, Fetched: 2}, report)
	a := get(t, s, "a")
	if a.ID != 7 || a.Repo.Stars != 5 || !a.Modified.Equal(day(-9)) || !a.LastFetched.Equal(day(-1)) || !a.GitHub.NextDue.Equal(day(0)) {
		t.Errorf("got %+v", a)
	}
	if never := get(t, s, "never"); !never.Modified.Equal(day(-8)) || !never.LastFetched.IsZero() || never.GitHub.State != record.StateNew {
		t.Errorf("got %+v", never)
	}

	sequence := s.Sequence()
	report, err = s.Import(catalogueOf(recs...), recs, day(1))
	must(t, err)
	diff(t, "report of the second time", store.ImportReport{SyncReport: store.SyncReport{Unchanged: 2}}, report)
	if s.Sequence() != sequence {
		t.Error("the second time changed something served")
	}
	checkFile(t, s)
}

func TestImportKeepsWhatIsNewerHere(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	recs := []record.Package{imported(withID(7, "a"), 5, day(-9), day(-1))}
	c := catalogueOf(recs...)
	_, err := s.Import(c, recs, t0)
	must(t, err)
	put(t, s, fetched(get(t, s, "a"), 6, day(2), day(3)))

	for _, test := range []struct {
		name    string
		fetched time.Time
		stars   int
	}{{"older", day(-1), 6}, {"as old", day(2), 6}, {"newer", day(4), 50}} {
		recs[0] = imported(withID(7, "a"), 50, day(3), test.fetched)
		_, err = s.Import(c, recs, day(5))
		must(t, err)
		if got := get(t, s, "a"); got.Repo.Stars != test.stars {
			t.Errorf("%s: %d stars, want %d", test.name, got.Repo.Stars, test.stars)
		}
	}
	if got := get(t, s, "a"); len(got.GitHub.Tags) > 0 || got.Repo.Name != "o/a" {
		t.Errorf("the validators are of older data: %+v", got)
	}
}

// TestImportOfASourceThatCannotBeAsked: the judgement stands, the data is taken.
func TestImportOfASourceThatCannotBeAsked(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	e := withID(1, "a")
	e.PyPIURL = nil
	recs := []record.Package{imported(e, 5, day(-9), day(-1))}
	_, err := s.Import(catalogueOf(recs...), recs, t0)
	must(t, err)
	if got := get(t, s, "a"); got.PyPI.State != record.StateNone || got.GitHub.State != record.StateOK || got.Repo.Stars != 5 {
		t.Errorf("got %+v", got)
	}
	if due, _, err := s.Due(t0.AddDate(0, 0, 9), 9, record.Order{}); err != nil || len(due) != 1 {
		t.Errorf("%d are due, %v", len(due), err)
	}
}

// TestImportGoesBySource: each source takes what the import has newer of it, whatever
// the other one does.
func TestImportGoesBySource(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := record.Catalogue{Packages: []record.Entry{withID(7, "a")}}
	sync(t, s, c, t0)
	rec := fetched(get(t, s, "a"), 0, day(5), day(6))
	rec.Repo, rec.GitHub = record.Repo{}, record.Status{State: record.StateGone, LastAttempt: day(5), FailingSince: day(4), Failures: 2}
	put(t, s, rec)
	if got := get(t, s, "a"); !got.LastFetched.Equal(day(5)) {
		t.Fatalf("what is gone counts: %+v", got)
	}

	recs := []record.Package{imported(withID(7, "a"), 50, day(1), day(3))}
	report, err := s.Import(catalogueOf(recs...), recs, day(7))
	must(t, err)
	got := get(t, s, "a")
	if got.Repo.Stars != 50 || got.GitHub.State != record.StateOK || !got.GitHub.LastSuccess.Equal(day(3)) || report.Fetched != 1 {
		t.Errorf("the repository: %d stars, %+v, report %+v", got.Repo.Stars, got.GitHub, report)
	}
	if *got.Project.Version != "1.0" || !got.PyPI.LastSuccess.Equal(day(5)) || got.PyPI.Imported {
		t.Errorf("the project: %s, %+v", *got.Project.Version, got.PyPI)
	}
	if !got.LastFetched.Equal(day(5)) { // never earlier than it was
		t.Errorf("last_fetched is %v", got.LastFetched)
	}
	report, err = s.Import(catalogueOf(recs...), recs, day(8))
	must(t, err)
	diff(t, "report of the second time", store.ImportReport{SyncReport: store.SyncReport{Unchanged: 1}}, report)
	checkFile(t, s)
}

// TestImportWithoutSources: a half that cannot be asked here has no times. It takes
// what is imported, unless that is older than what the package shows.
func TestImportWithoutSources(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	e := withID(1, "a")
	e.RepoURL, e.PyPIURL = new("https://elsewhere.example.org/a"), nil
	for _, test := range []struct{ stars, fetched, want int }{{5, -3, 5}, {4, -4, 5}, {6, -2, 6}} {
		recs := []record.Package{imported(e, test.stars, day(-9), day(test.fetched))}
		_, err := s.Import(catalogueOf(recs...), recs, t0)
		must(t, err)
		if got := get(t, s, "a"); got.Repo.Stars != test.want || !got.LastFetched.Equal(day(test.want-8)) {
			t.Errorf("%d stars of day %d: %d stars, last_fetched %v", test.stars, test.fetched, got.Repo.Stars, got.LastFetched)
		}
	}
}
