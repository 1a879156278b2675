package store_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// interval returns that of a package's repository.
func interval(t *testing.T, s *store.Store, slug string) record.Interval {
	t.Helper()
	sources, err := s.Sources(slug)
	must(t, err)
	return sources[0].Interval
}

// TestIntervals: a source has the shortest interval that a package which refers to it
// asks for, whoever comes, changes or goes.
func TestIntervals(t *testing.T) {
	const h = time.Hour
	s := open(t, dbPath(t), store.Options{})
	shared := func(ages ...time.Duration) (c record.Catalogue) {
		c.Categories = []record.Category{{ID: 1, Slug: "one"}, {ID: 2, Slug: "two", StaleAfter: 168 * h}}
		for i, age := range ages {
			e := entry(string(rune('a' + i)))
			e.RepoURL, e.PyPIURL, e.Category, e.StaleAfter = new("https://github.com/o/shared"), nil, 1, age
			c.Packages = append(c.Packages, e)
		}
		return c
	}
	check := func(what string, c record.Catalogue, want record.Interval) {
		t.Helper()
		sync(t, s, c, t0)
		if got := interval(t, s, "a"); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
		checkFile(t, s)
		s = open(t, s.Path(), store.Options{})
	}
	check("nobody asks", shared(0, 0), record.Interval{})
	check("one asks", shared(0, 6*h), record.Interval{Shortest: 6 * h, Default: true})
	check("both ask", shared(8*h, 6*h), record.Interval{Shortest: 6 * h})
	check("a third comes that does not", shared(8*h, 6*h, 0), record.Interval{Shortest: 6 * h, Default: true})
	check("it goes, with another", shared(8*h), record.Interval{Shortest: 8 * h})
	check("they come back", shared(8*h, 6*h, 0), record.Interval{Shortest: 6 * h, Default: true})
	c := shared(0, 0)
	c.Packages[0].Category = 2
	check("a category asks", c, record.Interval{Shortest: 168 * h, Default: true})
	c.Packages[1].Category = 2
	check("for all", c, record.Interval{Shortest: 168 * h})
	c.Packages[1].StaleAfter = 200 * h
	c.Categories[1].StaleAfter = 100 * h
	check("the category changes, a package has its own", c, record.Interval{Shortest: 100 * h})
	put(t, s, fetched(get(t, s, "a"), 5, day(1), day(2))) // as an import does, which knows of no interval
	if got := interval(t, s, "a"); got != (record.Interval{Shortest: 100 * h}) {
		t.Errorf("an answer: %+v", got)
	}
	if category, err := s.Category(2); err != nil || !category.Modified.Equal(t0) {
		t.Errorf("what is served of the category has not changed: %+v, %v", category, err)
	}

	elsewhere := shared(5*h, 0)
	elsewhere.Packages[0].RepoURL = new("https://github.com/o/other")
	check("moved", elsewhere, record.Interval{Shortest: 5 * h})
	if got := interval(t, s, "b"); got != (record.Interval{}) {
		t.Errorf("left behind: %+v", got)
	}
	sync(t, s, record.Catalogue{}, t0)
	check("all come back", elsewhere, record.Interval{Shortest: 5 * h})
	check("nobody asks any more", shared(0, 0), record.Interval{})
}

// TestIntervalsOfManySyncs: the same, of any catalogue after any other.
func TestIntervalsOfManySyncs(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	random := rand.New(rand.NewPCG(8, 1))
	for range 60 {
		c := randomCatalogue(random)
		c.Categories = []record.Category{{ID: 1, Slug: "one", StaleAfter: time.Duration(random.IntN(3)) * time.Hour}}
		want := map[record.Key][]time.Duration{}
		for i := range c.Packages {
			e := &c.Packages[i]
			e.Category, e.StaleAfter = random.IntN(2), time.Duration(random.IntN(4))*time.Hour
			age := e.StaleAfter
			if age == 0 && e.Category == 1 {
				age = c.Categories[0].StaleAfter
			}
			refs := refer(*e)
			for _, key := range []record.Key{refs.Repo, refs.Project} {
				want[key] = append(want[key], age)
			}
		}
		sync(t, s, c, t0)
		sources, err := s.SourcesAfter("", 100)
		must(t, err)
		for _, source := range sources {
			if ages := want[source.Key]; source.Interval != record.IntervalOf(ages) {
				t.Fatalf("%s: %+v, and the packages ask for %v", source.Key, source.Interval, ages)
			}
		}
	}
	checkFile(t, s)
}
