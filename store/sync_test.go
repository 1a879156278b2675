package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestSyncOfPackages(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	expect := func(step string, c record.Catalogue, now time.Time, want store.SyncReport, grows uint64) {
		t.Helper()
		before := s.Sequence()
		diff(t, step+": report", want, sync(t, s, c, now))
		if got := s.Sequence() - before; got != grows {
			t.Errorf("%s: sequence grew by %d, want %d", step, got, grows)
		}
	}
	c := entries("a", "b")
	expect("add", c, t0, store.SyncReport{Added: 2}, 2)
	a := get(t, s, "a")
	want := record.Package{Entry: c.Packages[0], Modified: t0}
	want.ID, want.Created, want.GitHub.State, want.PyPI.State = 1, t0, record.StateNew, record.StateNew
	want.RepoKey, want.ProjectKey = "github.com/o/a", "pypi:a"
	diff(t, "added", want, a)

	expect("again", c, day(1), store.SyncReport{Unchanged: 2}, 0)
	diff(t, "unchanged", a, get(t, s, "a"))

	put(t, s, fetched(a, 5, day(1), day(2)))
	a = get(t, s, "a")
	c.Packages[0].Title = "A!"
	expect("change", c, day(2), store.SyncReport{Changed: 1, Unchanged: 1}, 1)
	a.Title, a.Modified = "A!", day(2)
	diff(t, "changed", a, get(t, s, "a"))

	c.Packages[0].ID, c.Packages[0].Slug = 1, "z"
	expect("rename", c, day(3), store.SyncReport{Changed: 1, Unchanged: 1}, 1)
	a.Slug, a.Modified = "z", day(3)
	diff(t, "renamed", a, get(t, s, "z"))
	if _, err := s.PackageBySlug("a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the old slug still leads somewhere: %v", err)
	}

	z := c.Packages[0]
	c.Packages = c.Packages[1:]
	expect("remove", c, day(4), store.SyncReport{Removed: 1, Unchanged: 1}, 1)
	if _, err := s.Package(1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	if due, _, err := s.Due(day(30), 9, record.Order{}); err != nil || len(due) != 2 {
		t.Errorf("a removed package is due: %v %v", names(due), err)
	}

	s = reopen(t, s)
	c.Packages = append(c.Packages, z)
	expect("restore", c, day(5), store.SyncReport{Restored: 1, Unchanged: 1}, 1)
	a.Modified = day(5)
	diff(t, "restored", a, get(t, s, "z"))

	c.Packages[1].ID = 40
	expect("renumber", c, day(6), store.SyncReport{Added: 1, Removed: 1, Unchanged: 1}, 2)
	a.ID, a.Modified = 40, day(6)
	diff(t, "renumbered", a, get(t, s, "z"))
	checkFile(t, s)
}

func TestSyncSwapsSlugs(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b")
	sync(t, s, c, t0)
	c.Packages[0].ID, c.Packages[1].ID = 2, 1
	c.Packages[0].RepoURL, c.Packages[1].RepoURL = c.Packages[1].RepoURL, c.Packages[0].RepoURL
	sync(t, s, c, day(1))
	if a, b := get(t, s, "a"), get(t, s, "b"); a.ID != 2 || b.ID != 1 {
		t.Errorf("ids %d and %d", a.ID, b.ID)
	}
	checkFile(t, s)
}

func TestAssignedIDs(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	step := func(want map[string]int, packages ...record.Entry) {
		t.Helper()
		sync(t, s, record.Catalogue{Packages: packages}, t0)
		s = reopen(t, s)
		got := map[string]int{}
		for _, p := range packages {
			got[p.Slug] = get(t, s, p.Slug).ID
		}
		diff(t, "ids", want, got)
	}
	numbered := func(slug string, id int) record.Entry {
		e := entry(slug)
		e.ID = id
		return e
	}
	step(map[string]int{"a": 8, "b": 7, "c": 9}, entry("a"), numbered("b", 7), entry("c"))
	step(map[string]int{"a": 8}, entry("a"))
	step(map[string]int{"d": 10, "a": 8, "c": 9}, entry("d"), entry("a"), entry("c"))
	step(map[string]int{"b": 7}, entry("b"))
	// d returns under another id; its former one is not given away.
	step(map[string]int{"d": 3, "e": 11}, numbered("d", 3), entry("e"))
	// a's id is declared for another package while a is away: a gets a new one.
	step(map[string]int{"f": 8}, numbered("f", 8))
	if _, err := s.PackageBySlug("a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the slug a leads to f: %v", err)
	}
	step(map[string]int{"f": 8, "a": 12}, numbered("f", 8), entry("a"))
	checkFile(t, s)
}

func TestSyncRefusesContradictions(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b"), t0) // a is 1, b is 2
	before, _, err := s.Packages(0, 9)
	must(t, err)
	sequence := s.Sequence()

	c := entries("a", "x", "y", "z", "z", "m")
	c.Packages[1].ID = 1
	c.Packages[2].ID, c.Packages[3].ID = 5, 5
	c.Packages[5].ID = -3
	c.Categories = []record.Category{{ID: 1, Slug: "new"}}
	_, err = s.SyncCatalogue(c, day(1))
	for _, want := range []string{
		"x declares the id 1, which a was given", "y and z both have the id 5", "slug z is declared twice", "m has the id -3",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	after, _, err := s.Packages(0, 9)
	must(t, err)
	diff(t, "packages", before, after)
	if _, n, _ := s.Categories(0, 9); n != 0 || s.Sequence() != sequence {
		t.Errorf("something was changed: %d categories, sequence %d", n, s.Sequence())
	}
}

func TestSyncOfTaxonomy(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := record.Catalogue{
		Categories: []record.Category{{ID: 1, Slug: "apps"}, {ID: 2, Slug: "tools", Created: day(-9), Modified: day(-8)}, {ID: 3}, {ID: 4}, {ID: 5}},
		Grids:      []record.Grid{{ID: 1, Slug: "cms"}},
	}
	expect := func(step string, now time.Time, grows uint64, categories []record.Category, grids []record.Grid) {
		t.Helper()
		before := s.Sequence()
		sync(t, s, c, now)
		if got := s.Sequence() - before; got != grows {
			t.Errorf("%s: sequence grew by %d, want %d", step, got, grows)
		}
		got, _, err := s.Categories(0, 9)
		must(t, err)
		diff(t, step+": categories", categories, got)
		gotGrids, _, err := s.Grids(0, 9)
		must(t, err)
		diff(t, step+": grids", grids, gotGrids)
	}
	apps := record.Category{ID: 1, Slug: "apps", Created: t0, Modified: t0}
	tools := record.Category{ID: 2, Slug: "tools", Created: day(-9), Modified: day(-8)}
	bare := func(id int) record.Category { return record.Category{ID: id, Created: t0, Modified: t0} }
	cms := record.Grid{ID: 1, Slug: "cms", Created: t0, Modified: t0}
	all := []record.Category{bare(5), bare(4), bare(3), tools, apps}
	expect("add", t0, 6, all, []record.Grid{cms})
	expect("again", day(1), 0, all, []record.Grid{cms})

	// One is changed in the transaction that removes neighbours of it.
	c.Categories = c.Categories[:2]
	c.Categories[0].Title, c.Categories[1].Title = "Apps", "Tools"
	c.Grids[0].IsLocked = true
	apps.Title, apps.Modified = "Apps", day(2)
	tools.Title = "Tools"
	cms.IsLocked, cms.Modified = true, day(2)
	expect("change", day(2), 6, []record.Category{tools, apps}, []record.Grid{cms})

	c.Categories, c.Grids = c.Categories[1:], nil
	expect("remove", day(3), 2, []record.Category{tools}, nil)
}

// TestChangeOfURL: under another address everything begins anew; what is the
// same repository by its name keeps what it said.
func TestChangeOfURL(t *testing.T) {
	anew := func(r *record.Package) {
		r.RepoKey, r.Repo, r.LastFetched = "github.com/o/new", record.Repo{}, time.Time{}
		r.GitHub = record.Status{State: record.StateNew}
	}
	for _, test := range []struct {
		name   string
		before func(*record.Package) // beside what fetched says
		change func(*record.Entry)
		want   func(*record.Package)
	}{
		{"another repository", nil, func(e *record.Entry) { e.RepoURL = new("https://github.com/o/new") }, anew},
		{"another repository, gone before", func(r *record.Package) { r.GitHub.State = record.StateGone },
			func(e *record.Entry) { e.RepoURL = new("https://github.com/o/new") }, anew},
		{"another project", nil, func(e *record.Entry) { e.PyPIURL = new("https://pypi.org/project/new") }, func(r *record.Package) {
			r.ProjectKey, r.Project, r.LastFetched = "pypi:new", record.Project{}, time.Time{}
			r.PyPI = record.Status{State: record.StateNew}
		}},
		{"no project", nil, func(e *record.Entry) { e.PyPIURL = nil }, func(r *record.Package) {
			r.ProjectKey, r.Project, r.PyPI = "", record.Project{}, record.Status{State: record.StateNone}
		}},
		{"a repository that cannot be asked", nil, func(e *record.Entry) { e.RepoURL = new("https://example.org/o/a") }, func(r *record.Package) {
			r.RepoKey, r.Repo, r.GitHub = "", record.Repo{}, record.Status{State: record.StateUnsupported}
		}},
		{"another case", nil, func(e *record.Entry) { e.RepoURL = new("https://github.com/O/A") }, func(*record.Package) {}},
		{"the name that GitHub gave", func(r *record.Package) { r.Repo.Name = "New/Name" },
			func(e *record.Entry) { e.RepoURL = new("https://github.com/new/name") }, func(r *record.Package) {
				r.RepoKey, r.GitHub.NextDue = "github.com/new/name", time.Time{}
			}},
		{"title", nil, func(e *record.Entry) { e.Title = "B" }, func(*record.Package) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			c := entries("a")
			sync(t, s, c, t0)
			known := fetched(get(t, s, "a"), 5, day(1), day(9))
			if test.before != nil {
				test.before(&known)
			}
			put(t, s, known)
			want := get(t, s, "a")
			test.change(&c.Packages[0])
			sync(t, s, c, day(2))
			id, created := want.ID, want.Created
			want.Entry, want.Modified = c.Packages[0], day(2)
			want.ID, want.Created = id, created
			test.want(&want)
			diff(t, "record", want, get(t, s, "a"))
			diff(t, "again", store.SyncReport{Unchanged: 1}, sync(t, s, c, day(3)))
			checkFile(t, s)
		})
	}
}

func TestProblemsAreToldOnce(t *testing.T) {
	supported := false
	o := store.Options{Refer: func(e record.Entry) record.References {
		refs := refer(e)
		if !supported {
			refs.Repo, refs.GitHub, refs.Problems = "", record.StateUnsupported, []string{"no such host"}
		}
		return refs
	}}
	s := open(t, dbPath(t), o)
	report := store.SyncReport{Added: 1, Problems: []string{"a: no such host"}}
	diff(t, "first", report, sync(t, s, entries("a"), t0))
	if get(t, s, "a").GitHub.State != record.StateUnsupported {
		t.Error("the state is not stored")
	}
	must(t, s.Close())
	s = open(t, s.Path(), o)
	sequence := s.Sequence()
	diff(t, "after a restart", store.SyncReport{Unchanged: 1}, sync(t, s, entries("a"), t0))
	supported = true
	diff(t, "supported", store.SyncReport{Unchanged: 1}, sync(t, s, entries("a"), t0))
	if got := get(t, s, "a"); !got.GitHub.IsDue(t0) {
		t.Errorf("not due: %+v", got.GitHub)
	}
	supported = false
	report.Added, report.Unchanged = 0, 1
	diff(t, "unsupported again", report, sync(t, s, entries("a"), t0))
	if s.Sequence() != sequence {
		t.Error("the sequence grew by what is not served")
	}
	checkFile(t, s)
}

func TestCreated(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b")
	declared := time.Date(2020, 1, 1, 1, 0, 0, 1234567, time.FixedZone("", 3600))
	c.Packages[0].Created = declared
	sync(t, s, c, t0.Add(1500*time.Nanosecond))
	if got := get(t, s, "a").Created; !got.Equal(declared.Truncate(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("declared: %s", got)
	}
	if got := get(t, s, "b").Created; !got.Equal(t0.Add(time.Microsecond)) {
		t.Errorf("by default: %s", got)
	}
	diff(t, "again", store.SyncReport{Unchanged: 2}, sync(t, s, c, day(1)))
	c.Packages[0].Created = time.Time{} // no longer declared: stays
	diff(t, "left out", store.SyncReport{Unchanged: 2}, sync(t, s, c, day(1)))
}

// TestAnotherPackageUnderAnID: what is fetched belongs to a repository and a
// project, not to an id.
func TestAnotherPackageUnderAnID(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	one, two := entry("one"), entry("two")
	one.ID, two.ID = 1, 2
	sync(t, s, record.Catalogue{Packages: []record.Entry{one, two}}, t0)
	put(t, s, fetched(get(t, s, "one"), 11, day(1), day(2)), fetched(get(t, s, "two"), 22, day(1), day(2)))
	one.ID, two.ID = 2, 1
	sync(t, s, record.Catalogue{Packages: []record.Entry{one, two}}, day(3))
	for slug, stars := range map[string]int{"one": 11, "two": 22} {
		if rec := get(t, s, slug); rec.Repo.Stars != stars || !rec.LastFetched.Equal(day(1)) {
			t.Errorf("%s has %+v", slug, rec)
		}
	}
	one.Slug = "renamed"
	sync(t, s, record.Catalogue{Packages: []record.Entry{one, two}}, day(5))
	if rec := get(t, s, "renamed"); rec.Repo.Stars != 11 || rec.LastFetched.IsZero() {
		t.Errorf("the renamed one has %+v", rec)
	}
	checkFile(t, s)
}
