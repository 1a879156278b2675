package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// listed returns the slugs of all that a query lists.
func listed(t testing.TB, s *store.Store, q record.ListQuery) (slugs []string) {
	t.Helper()
	q.Limit = 1_000_000
	found, err := s.List(q)
	must(t, err)
	for _, id := range found.IDs {
		p, err := s.Package(id)
		must(t, err)
		slugs = append(slugs, p.Slug)
	}
	return slugs
}

// all returns all packages.
func all(t testing.TB, s *store.Store) []record.Package {
	t.Helper()
	recs, _, err := s.Packages(0, 1_000_000)
	must(t, err)
	return recs
}

// byStars returns the slugs of all packages as their stars order them.
func byStars(t testing.TB, s *store.Store) []string {
	return slugsOf(sortedBy(all(t, s), record.ByStars, false))
}

// sortedBy sorts packages as a list does, from what their records say.
func sortedBy(recs []record.Package, c record.Column, descending bool) []record.Package {
	type value struct {
		number int64
		text   string
		known  bool
	}
	at := func(t *time.Time) value {
		if t == nil {
			return value{}
		}
		return value{number: t.Unix(), known: true}
	}
	of := func(p record.Package) value {
		switch c {
		case record.ByName:
			return value{text: strings.ToLower(cmp.Or(p.Title, p.Slug)), known: true}
		case record.ByStars:
			return value{number: int64(p.Repo.Stars), known: p.Counted()}
		case record.ByForks:
			return value{number: int64(p.Repo.Forks), known: p.Counted()}
		case record.ByParticipants:
			return value{number: int64(len(p.Repo.Participants)), known: p.Counted()}
		case record.ByCommits:
			sum := int64(0)
			for _, n := range p.Repo.Commits52 {
				sum += int64(n)
			}
			return value{number: sum, known: p.Repo.Commits52 != nil}
		case record.ByUpdated:
			return at(p.Repo.LastCommit)
		case record.ByReleased:
			return at(p.Project.Released())
		case record.ByVersion: // all are of the form 1.n
			if p.Project.Version == nil {
				return value{}
			}
			n := int64(0)
			_, _ = fmt.Sscanf(*p.Project.Version, "1.%d", &n)
			return value{number: n, known: true}
		case record.ByMaturity:
			return value{number: int64(p.Project.Status), known: p.Project.Status != 0}
		case record.ByLicence:
			return value{text: strings.ToLower(p.Project.Licence), known: p.Project.Licence != ""}
		}
		versions := []string{}
		if s := p.Project.Support; s != nil {
			versions = s.Python
			if c == record.ByDjango {
				versions = s.Django
			}
		}
		if len(versions) == 0 {
			return value{}
		}
		major, minor := 0, 0
		_, _ = fmt.Sscanf(versions[len(versions)-1], "%d.%d", &major, &minor)
		return value{number: int64(major*100 + minor), known: true}
	}
	return slices.SortedFunc(slices.Values(recs), func(a, b record.Package) int {
		x, y := of(a), of(b)
		if x.known != y.known {
			if x.known {
				return -1
			}
			return 1
		}
		order := cmp.Or(cmp.Compare(x.number, y.number), strings.Compare(x.text, y.text))
		if descending {
			order = -order
		}
		return cmp.Or(order, strings.Compare(a.Slug, b.Slug))
	})
}

var columns = []record.Column{
	record.ByName, record.ByStars, record.ByForks, record.ByParticipants, record.ByCommits, record.ByUpdated, record.ByVersion,
	record.ByReleased, record.ByPython, record.ByDjango, record.ByMaturity, record.ByLicence,
}

// checkLists compares each list with what the records say.
func checkLists(t *testing.T, s *store.Store) {
	t.Helper()
	recs := all(t, s)
	now := day(900)
	for _, c := range columns {
		for _, descending := range []bool{false, true} {
			diff(t, fmt.Sprint(c, descending), slugsOf(sortedBy(recs, c, descending)), listed(t, s, record.ListQuery{Sort: c, Descending: descending}))
		}
	}
	for filters := range 8 {
		q := record.ListQuery{Alive: filters&1 != 0, Python3: filters&2 != 0, Stable: filters&4 != 0, Now: now}
		kept := slices.DeleteFunc(slices.Clone(recs), func(p record.Package) bool {
			return q.Alive && len(p.Marks(now)) > 0 || q.Python3 && (p.Project.Python3 == nil || !*p.Project.Python3) ||
				q.Stable && p.Project.Status != 5 && p.Project.Status != 6
		})
		diff(t, fmt.Sprintf("%+v", q), slugsOf(kept), listed(t, s, q))
		for category := 1; category <= 2; category++ {
			q.Category = category
			of := slices.DeleteFunc(slices.Clone(kept), func(p record.Package) bool { return p.Category != category })
			diff(t, fmt.Sprintf("%+v", q), slugsOf(sortedBy(of, record.ByName, false)), listed(t, s, q))
		}
	}
}

// TestListsFollow: whatever happens to the catalogue and to sources, before and after a
// list was first asked for, lists show what the records say.
func TestListsFollow(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	some := func(of ...string) string { return of[dice.IntN(len(of))] }
	s := open(t, dbPath(t), store.Options{})
	for step := range 60 {
		switch {
		case step%10 == 0:
			c := record.Catalogue{Categories: []record.Category{{ID: 1, Slug: "one"}, {ID: 2, Slug: "two"}}}
			for i := range 40 {
				if dice.IntN(4) > 0 {
					e := entry(fmt.Sprint("p", i))
					e.Title, e.Category = some("", "Same", "same", fmt.Sprint("T", dice.IntN(9))), 1+dice.IntN(2)
					c.Packages = append(c.Packages, e)
				}
			}
			sync(t, s, c, day(step))
		case step%17 == 0:
			s = reopen(t, s)
		default:
			recs := all(t, s)
			for range 5 {
				p := fetched(recs[dice.IntN(len(recs))], dice.IntN(6), day(step), day(step+1))
				p.Repo.Forks, p.Repo.Archived, p.Repo.Participants = dice.IntN(3), dice.IntN(9) == 0, make([]string, dice.IntN(4))
				p.Repo.LastCommit = new(day(dice.IntN(900)).Add(time.Hour))
				p.Project.Versions = []record.Version{{Version: *p.Project.Version, Uploaded: new(day(dice.IntN(900)))}}
				p.Project.Status, p.Project.Licence = dice.IntN(8), some("", "MIT", "mit", "BSD", fmt.Sprint("L", step))
				p.Project.Support = &record.Support{Python: []string{some("2.7", "3.9", "3.10")}, Django: []string{some("1.11", "4.2", "5.2")}}
				if dice.IntN(3) > 0 {
					p.Project.Python3, p.Repo.Commits52 = new(dice.IntN(2) == 0), []int{dice.IntN(5), 1}
				}
				if dice.IntN(9) == 0 {
					p.GitHub.State = record.StateGone
				}
				put(t, s, p)
			}
		}
		if step != 3 {
			checkLists(t, s)
		}
	}
	checkFile(t, s)
}

// TestListParts: parts are of the list, and numbers are of all of it.
func TestListParts(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("e", "d", "c", "b", "a"), t0)
	for i, slug := range []string{"a", "b", "c"} {
		p := fetched(get(t, s, slug), 10*i, day(1), day(2))
		p.Project.Support = &record.Support{Django: [][]string{{"4.2", "5", "5.2"}, {"1.11", "5.2"}, {"5", "2024.1"}}[i]}
		put(t, s, p)
	}
	id := func(slug string) int { return get(t, s, slug).ID }
	for name, test := range map[string]struct {
		q    record.ListQuery
		want record.Listing
	}{
		"a part":          {record.ListQuery{Sort: record.ByStars, Descending: true, Offset: 1, Limit: 3}, record.Listing{IDs: []int{id("b"), id("a"), id("d")}, Count: 5, All: 5}},
		"beyond the end":  {record.ListQuery{Sort: record.ByStars, Offset: 5, Limit: 3}, record.Listing{Count: 5, All: 5}},
		"its own order":   {record.ListQuery{IDs: []int{id("b"), 99, id("c"), id("a")}, Limit: 9}, record.Listing{IDs: []int{id("b"), id("c"), id("a")}, Count: 3, All: 3}},
		"of nothing":      {record.ListQuery{IDs: []int{}, Limit: 9}, record.Listing{}},
		"a wrong part":    {record.ListQuery{Offset: -5, Limit: -1}, record.Listing{Count: 5, All: 5}},
		"Django versions": {record.ListQuery{Django: true}, record.Listing{Count: 5, All: 5, Django: []record.VersionCount{{Version: "5.2", Packages: 2}, {Version: "4.2", Packages: 1}, {Version: "1.11", Packages: 1}}}},
	} {
		found, err := s.List(test.q)
		must(t, err)
		diff(t, name, test.want, found)
	}
}

// TestListsWhileWritten: a list that is read while others write is of some state between, and
// the last one has all that was written.
func TestListsWhileWritten(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	var slugs []string
	for i := range 50 {
		slugs = append(slugs, fmt.Sprint("p", i))
	}
	sync(t, s, entries(slugs...), t0)
	var writers gosync.WaitGroup
	for w := range 2 {
		recs := all(t, s)
		writers.Go(func() {
			for i := range 40 {
				must(t, s.Put(sourcesOf(fetched(recs[(i*2+w)%50], i+w, day(1+i), day(50)))))
			}
		})
	}
	writers.Go(func() {
		for i := range 20 {
			_, err := s.SyncCatalogue(entries(slugs[:40+i%2*10]...), day(i))
			must(t, err)
		}
	})
	for range 100 {
		found, err := s.List(record.ListQuery{Sort: record.ByStars, Limit: 100})
		must(t, err)
		if len(found.IDs) != found.Count || found.Count < 40 || found.Count > 50 {
			t.Fatalf("%d of %d", len(found.IDs), found.Count)
		}
	}
	writers.Wait()
	diff(t, "by stars", byStars(t, s), listed(t, s, record.ListQuery{Sort: record.ByStars}))
}

// TestListsAfterDamage: a package whose value is lost is listed, with nothing known of it.
func TestListsAfterDamage(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b", "c"), t0)
	for i, slug := range []string{"a", "b", "c"} {
		put(t, s, fetched(get(t, s, slug), 10*i, day(1), day(2)))
	}
	path := s.Path()
	must(t, s.Close())
	raw(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("states")).Put(be(2), []byte("cut short")) })
	s = open(t, path, store.Options{})
	if got := listed(t, s, record.ListQuery{Sort: record.ByStars, Descending: true}); strings.Join(got, "") != "cab" {
		t.Errorf("%q", got)
	}
}
