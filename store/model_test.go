package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
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
	live, gone map[string]record.Package
	highest    int
}

func (m *model) sync(c record.Catalogue, now time.Time) (report store.SyncReport) {
	before := m.live
	m.live = map[string]record.Package{}
	for _, e := range c.Packages {
		rec, live := before[e.Slug]
		old, known := rec, live
		if !live {
			old, known = m.gone[e.Slug]
			delete(m.gone, e.Slug)
		}
		rec = old
		if !known {
			m.highest++
			rec.ID, rec.Created = m.highest, now
		}
		e.ID, e.Created = rec.ID, rec.Created
		rec.Entry = e
		if !known || !record.SameText(old.RepoURL, e.RepoURL) {
			rec.GitHub = resetSource(rec.GitHub, e.RepoURL)
			rec.Repo.Name, rec.Repo.ID = "", 0
		}
		if !known || !record.SameText(old.PyPIURL, e.PyPIURL) {
			rec.PyPI = resetSource(rec.PyPI, e.PyPIURL)
		}
		switch {
		case !known:
			report.Added++
		case !live:
			report.Restored++
		case cmp.Equal(old.Entry, e, cmpopts.EquateEmpty()):
			report.Unchanged++
		default:
			report.Changed++
		}
		if !live || !cmp.Equal(old.Entry, e, cmpopts.EquateEmpty()) {
			rec.Modified = now
		}
		m.live[e.Slug] = rec
		delete(before, e.Slug)
	}
	for slug, rec := range before {
		m.gone[slug] = rec
		report.Removed++
	}
	return report
}

func resetSource(s record.Status, url *string) record.Status {
	if url == nil {
		s.State, s.LastError, s.Note, s.NextDue = record.StateNone, "", "", time.Time{}
		return s
	}
	return record.Status{State: record.StateNew, LastAttempt: s.LastAttempt, LastSuccess: s.LastSuccess}
}

// put takes over a record that was fetched by the URLs that are declared now.
func (m *model) put(rec record.Package) (served bool) {
	old, live := m.live[rec.Slug]
	if !live {
		return false
	}
	m.live[rec.Slug] = rec
	return !cmp.Equal(old.Repo, rec.Repo) || !cmp.Equal(old.Project, rec.Project) ||
		!old.Modified.Equal(rec.Modified) || !old.LastFetched.Equal(rec.LastFetched)
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := open(t, dbPath(t), store.Options{})
			m := model{live: map[string]record.Package{}, gone: map[string]record.Package{}}
			now := t0
			for range 120 {
				now = now.Add(time.Duration(random.IntN(48)) * time.Hour)
				before, grows := s.Sequence(), 0
				switch n := random.IntN(10); {
				case n == 0:
					s = reopen(t, s)
				case n < 4:
					c := randomCatalogue(random)
					want := m.sync(c, now)
					diff(t, "report", want, sync(t, s, c, now))
					grows = want.Added + want.Changed + want.Restored + want.Removed
				default:
					var recs []record.Package
					for _, slug := range slices.Sorted(maps.Keys(m.live)) {
						if random.IntN(3) == 0 {
							rec := randomFetch(random, m.live[slug], now)
							recs = append(recs, rec)
							if m.put(rec) {
								grows++
							}
						}
					}
					put(t, s, recs...)
				}
				if got := int(s.Sequence() - before); got != grows {
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
	want := slices.SortedFunc(maps.Values(m.live), func(a, b record.Package) int { return b.ID - a.ID })
	if d := cmp.Diff(want, recs, cmpopts.EquateEmpty()); d != "" || total != len(want) {
		t.Fatalf("%d packages (-want +got):\n%s", total, d)
	}
	for _, ahead := range []int{-60, -1, 0, 1, 3, 20, 44, 46, 300} {
		at := now.AddDate(0, 0, ahead)
		want := map[string]bool{}
		for _, rec := range m.live {
			for _, source := range []record.Status{rec.GitHub, rec.PyPI} {
				asked := source.State != record.StateNone && source.State != record.StateUnsupported
				if asked && (!source.NextDue.After(at) || source.NextDue.Sub(at) > 45*24*time.Hour) {
					want[rec.Slug] = true
				}
			}
		}
		due, more, err := s.Due(at, len(want))
		must(t, err)
		got := map[string]bool{}
		for _, rec := range due {
			got[rec.Slug] = true
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
		switch random.IntN(6) {
		case 0:
			e.RepoURL = nil
		case 1:
			e.PyPIURL = nil
		case 2:
			e.RepoURL = new("https://github.com/moved/" + e.Slug)
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

func randomFetch(random *rand.Rand, rec record.Package, now time.Time) record.Package {
	for _, source := range []*record.Status{&rec.GitHub, &rec.PyPI} {
		if !source.State.Fetchable() {
			continue
		}
		source.LastAttempt = now
		source.NextDue = now.Add(time.Duration(random.IntN(72)) * time.Hour)
		if random.IntN(10) == 0 {
			source.NextDue = now.AddDate(0, 0, 40+random.IntN(300)) // some of these are insane
		}
		source.State, source.Failures = record.StateFailed, source.Failures+1
		if random.IntN(2) == 0 {
			source.State, source.Failures, source.LastSuccess = record.StateOK, 0, now
			rec.LastFetched = now
			if stars := random.IntN(3); stars != rec.Repo.Stars {
				rec.Repo.Stars, rec.Modified = stars, now
			}
		}
	}
	return rec
}
