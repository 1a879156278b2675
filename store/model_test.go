package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// model is what the store promises, over maps: by slug, as no entry here
// declares an id.
type model struct {
	live    map[string]record.Package // of what their sources say, the keys alone
	gone    map[string]record.Package // whole
	sources map[record.Key]record.Source
	highest int
}

// whole is a live package with what its sources say.
func (m *model) whole(slug string) record.Package {
	p := m.live[slug]
	for _, key := range []record.Key{p.RepoKey, p.ProjectKey} {
		s := m.sources[key]
		switch {
		case key == "":
		case key == p.RepoKey:
			p.GitHub = s.Status
			if s.Repo != nil {
				p.Repo = *s.Repo
			}
		default:
			p.PyPI = s.Status
			if s.Project != nil {
				p.Project = *s.Project
			}
		}
	}
	return p
}

func (m *model) all() map[string]record.Package {
	all := map[string]record.Package{}
	for slug := range m.live {
		all[slug] = m.whole(slug)
	}
	return all
}

func (m *model) sync(c record.Catalogue, now time.Time) (report store.SyncReport) {
	before, live := m.all(), map[string]record.Package{}
	restored := map[string]record.Package{}
	for _, e := range c.Packages {
		refs := refer(e)
		old, wasLive := before[e.Slug]
		if !wasLive {
			old = m.gone[e.Slug]
			if _, ok := m.gone[e.Slug]; ok {
				restored[e.Slug] = old
			}
			delete(m.gone, e.Slug)
		}
		p := record.Package{Entry: e, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: record.Status{State: refs.GitHub}, PyPI: record.Status{State: refs.PyPI}}
		p.ID, p.Created, p.Modified, p.LastFetched = old.ID, old.Created, old.Modified, old.LastFetched
		switch _, back := restored[e.Slug]; {
		case old.ID == 0:
			m.highest++
			p.ID, p.Created = m.highest, now
			report.Added++
		case back:
			report.Restored++
		case record.SameEntry(&old.Entry, &p.Entry):
			report.Unchanged++
		default:
			report.Changed++
		}
		if !wasLive || !record.SameEntry(&old.Entry, &p.Entry) {
			p.Modified = now
		}
		m.adopt(p.RepoKey, record.Source{Key: old.RepoKey, Status: old.GitHub, Repo: &old.Repo}, !wasLive)
		m.adopt(p.ProjectKey, record.Source{Key: old.ProjectKey, Status: old.PyPI, Project: &old.Project}, !wasLive)
		live[e.Slug] = p
		if p.RepoKey != old.RepoKey || p.ProjectKey != old.ProjectKey {
			m.live = live
			p.LastFetched = time.Time{}
			live[e.Slug] = p
			whole := m.whole(e.Slug)
			p.LastFetched = record.LastFetched(&whole, now)
			live[e.Slug] = p
		}
	}
	m.live = live
	for slug, p := range before {
		if _, stays := live[slug]; !stays {
			m.gone[slug] = p
			report.Removed++
		}
	}
	referred := map[record.Key]bool{}
	for _, p := range m.live {
		referred[p.RepoKey], referred[p.ProjectKey] = true, true
	}
	maps.DeleteFunc(m.sources, func(key record.Key, _ record.Source) bool { return !referred[key] })
	return report
}

// adopt has a source, of which a package that returns still knows what it said.
func (m *model) adopt(key record.Key, old record.Source, returns bool) {
	if key == "" {
		return
	}
	live, known := m.sources[key]
	switch {
	case old.Key == key && (!known || returns && record.Wins(&old, &live, time.Now())):
		m.sources[key] = old
	case !known:
		m.sources[key] = record.Source{Key: key, Status: record.Status{State: record.StateNew}}
	}
}

// put takes over what sources said, later than what is known.
func (m *model) put(sources []record.Source) {
	before := maps.Clone(m.sources)
	for _, s := range sources {
		m.sources[s.Key] = s
	}
	for slug, p := range m.live {
		for _, s := range sources {
			if s.Key != p.RepoKey && s.Key != p.ProjectKey {
				continue
			}
			old := before[s.Key]
			if !record.SameServed(&old, &s) {
				p.Modified = s.LastAttempt
			}
			if !old.LastSuccess.Equal(s.LastSuccess) {
				whole := m.whole(slug)
				p.LastFetched = record.LastFetched(&whole, time.Now())
			}
		}
		m.live[slug] = p
	}
}

// sameBytes reports whether two packages are served alike.
func sameBytes(a, b record.Package) bool {
	return record.SameEntry(&a.Entry, &b.Entry) && a.Repo.Stars == b.Repo.Stars && record.SameText(a.Project.Version, b.Project.Version) &&
		a.Modified.Equal(b.Modified) && a.LastFetched.Equal(b.LastFetched)
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := open(t, dbPath(t), store.Options{})
			m := model{live: map[string]record.Package{}, gone: map[string]record.Package{}, sources: map[record.Key]record.Source{}}
			now := t0
			for range 150 {
				now = now.Add(time.Duration(1+random.IntN(48)) * time.Hour)
				sequence, before := s.Sequence(), m.all()
				switch n := random.IntN(10); {
				case n == 0:
					s = reopen(t, s)
				case n < 4:
					c := randomCatalogue(random)
					want := m.sync(c, now)
					diff(t, "report", want, sync(t, s, c, now))
				default:
					var said []record.Source
					for _, key := range slices.Sorted(maps.Keys(m.sources)) {
						if random.IntN(3) == 0 {
							said = append(said, randomAnswer(random, m.sources[key], now))
						}
					}
					m.put(said)
					must(t, s.Put(said))
				}
				after, grows := m.all(), 0
				for slug, p := range after {
					if old, live := before[slug]; !live || !sameBytes(old, p) {
						grows++
					}
				}
				for slug := range before {
					if _, live := after[slug]; !live {
						grows++
					}
				}
				if got := int(s.Sequence() - sequence); got != grows {
					t.Fatalf("sequence grew by %d, want %d", got, grows)
				}
				m.compare(t, s, now)
				if t.Failed() {
					return
				}
			}
			checkFile(t, s)
		})
	}
}

func (m *model) compare(t *testing.T, s *store.Store, now time.Time) {
	t.Helper()
	recs, total, err := s.Packages(0, 100)
	must(t, err)
	want := slices.SortedFunc(maps.Values(m.all()), func(a, b record.Package) int { return b.ID - a.ID })
	if d := cmp.Diff(want, recs, cmpopts.EquateEmpty()); d != "" || total != len(want) {
		t.Fatalf("%d packages (-want +got):\n%s", total, d)
	}
	var titled []int
	must(t, s.ServedByTitle(0, 0, 100, func(n int) { titled, total = nil, n }, func(p store.Served) { titled = append(titled, p.ID) }))
	slices.SortFunc(want, func(a, b record.Package) int { return a.ID - b.ID })
	slices.SortStableFunc(want, func(a, b record.Package) int { return strings.Compare(a.Title, b.Title) })
	var ids []int
	for _, rec := range want {
		ids = append(ids, rec.ID)
	}
	if d := cmp.Diff(ids, titled); d != "" || total != len(want) {
		t.Fatalf("%d packages by title (-want +got):\n%s", total, d)
	}
	for _, ahead := range []int{-60, -1, 0, 1, 3, 20, 300} {
		at := now.AddDate(0, 0, ahead)
		want := map[record.Key]bool{}
		for key, source := range m.sources {
			if !source.NextDue.After(at) {
				want[key] = true
			}
		}
		due, more, err := s.Due(at, len(want), record.Order{})
		must(t, err)
		got := map[record.Key]bool{}
		for _, source := range due {
			got[source.Key] = true
		}
		if d := cmp.Diff(want, got); d != "" || more || len(due) != len(want) {
			t.Fatalf("due %d days ahead, more %t (-want +got):\n%s", ahead, more, d)
		}
	}
}

func randomCatalogue(random *rand.Rand) (c record.Catalogue) {
	for _, n := range random.Perm(12)[:4+random.IntN(8)] {
		e := entry(fmt.Sprint("p", n))
		e.Title = fmt.Sprint("T", random.IntN(2))
		switch random.IntN(8) {
		case 0:
			e.RepoURL = nil
		case 1:
			e.PyPIURL = nil
		case 2:
			e.RepoURL = new("https://github.com/moved/" + e.Slug)
		case 3, 4:
			e.PyPIURL = new("https://pypi.org/project/shared")
		}
		for grid := range 3 {
			if random.IntN(2) == 0 {
				e.Grids = append(e.Grids, grid+1)
			}
		}
		c.Packages = append(c.Packages, e)
	}
	return c
}

func randomAnswer(random *rand.Rand, source record.Source, now time.Time) record.Source {
	source.LastAttempt = now
	source.NextDue = now.Add(time.Duration(random.IntN(72)) * time.Hour)
	if random.IntN(10) == 0 {
		source.NextDue = now.AddDate(0, 0, 40+random.IntN(300)) // some of these are insane
	}
	source.State, source.Failures = record.StateFailed, source.Failures+1
	if random.IntN(2) == 0 {
		source.State, source.Failures, source.LastSuccess = record.StateOK, 0, now
		if _, project := source.Key.Project(); project {
			source.Project = &record.Project{Version: new(fmt.Sprint(random.IntN(3)))}
		} else {
			source.Repo = &record.Repo{Stars: random.IntN(3)}
		}
	}
	return source
}
