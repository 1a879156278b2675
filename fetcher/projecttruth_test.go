package fetcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// TestProjectsAreTrue: whatever happens to projects and to PyPI in 60 days, each record
// is what PyPI knew at its last success, and no older than promised while PyPI answers.
func TestProjectsAreTrue(t *testing.T) {
	for name, above := range map[string]int{"with the index": 1, "one by one": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const projects, days, perDay = 25, 40, 4
				rates := sim.DefaultRates()
				rates.Releases, rates.Yanked = 0.03, 0.2
				rates.Quarantined, rates.ProjectsArchived, rates.ProjectsDeleted = 0.02, 0.005, 0.002
				world := sim.Generate(7, projects, sim.Options{Rates: rates})
				r := newRig(t, world, func(o *fetcher.Options) { o.IndexAbove = above })
				c := world2catalogue(world.Catalogue())
				for i := range c.Packages {
					c.Packages[i].RepoURL = nil
				}
				if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
					t.Fatal(err)
				}
				random := rand.New(rand.NewPCG(8, 8))
				faults := []sim.Fault{sim.InternalError, sim.BadGateway, sim.Truncated, sim.HTML, sim.TooManyRequests, sim.UnavailableRetry, sim.Reset}
				seen := map[record.State]int{}
				trouble := 0 // passes since PyPI last misbehaved
				for step := range days * perDay {
					if step%perDay == 0 && random.IntN(3) == 0 {
						endpoint := []sim.Endpoint{sim.Index, sim.ProjectJSON, sim.Simple, sim.All}[random.IntN(4)]
						world.SetProjectFault(nil, endpoint, faults[random.IntN(len(faults))], 1+random.IntN(20))
						trouble = 0
					}
					if step%perDay == perDay/2 {
						world.ClearFaults()
					}
					r.pass()
					trouble++
					for _, source := range r.projects() {
						seen[source.State]++
						r.compareProject(&source, trouble > 2*perDay)
					}
					time.Sleep(24 * time.Hour / perDay)
				}
				for _, state := range []record.State{record.StateOK, record.StateFailed, record.StateGone, record.StateBlocked} {
					if seen[state] == 0 {
						t.Errorf("no project was ever %s: %v", state, seen)
					}
				}
				t.Logf("%v; %v", seen, world.Stats().PyPI.ByEndpoint)
				if n := world.Stats().Violations; n != 0 {
					t.Errorf("%d violations: %v", n, world.Stats().LastViolations)
				}
			})
		})
	}
}

func (r *rig) projects() []record.Source {
	r.t.Helper()
	sources, err := r.store.SourcesAfter("pypi:", 10_000)
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.DeleteFunc(sources, func(s record.Source) bool { _, project := s.Key.Project(); return !project })
}

// compareProject compares a record with what PyPI knew.
func (r *rig) compareProject(s *record.Source, calm bool) {
	r.t.Helper()
	name, _ := s.Key.Project()
	problem := func(format string, args ...any) {
		r.t.Helper()
		r.t.Fatalf("%s at %s: %s\n%+v\n%+v", name, time.Now(), fmt.Sprintf(format, args...), s.Status, s.Project)
	}
	if s.State == record.StateGone || s.State == record.StateBlocked {
		if truth, ok := r.world.ProjectTruth(name, s.LastAttempt); ok && (!truth.Gone || (s.State == record.StateBlocked) != (truth.Status == sim.Quarantined)) {
			problem("is %+v", truth)
		}
		return
	}
	if calm {
		if age := time.Since(s.LastSuccess); age > 24*time.Hour {
			problem("is %s old", age)
		}
	}
	if s.LastSuccess.IsZero() {
		return
	}
	truth, ok := r.world.ProjectTruth(name, s.LastSuccess)
	switch {
	case !ok:
		problem("has never been there")
	case truth.Gone:
		if s.State == record.StateOK && !strings.Contains(s.Note, "no release of it") {
			problem("has no release: %+v", truth)
		}
		return
	}
	if s.Serial != truth.Serial || s.Project.Version == nil || *s.Project.Version != truth.Latest {
		problem("serial %d, latest %s", truth.Serial, truth.Latest)
	}
	if got, want := versionsOf(s.Project), releasesOf(truth); !slices.Equal(got, want) {
		problem("versions %v; want %v", got, want)
	}
	if s.Project.Name != truth.Name {
		problem("its name is %s", truth.Name)
	}
	if s.Project.Support == nil || !slices.Equal(classifiersOf(s.Project.Support), versionClassifiers(r.world.Project(name).Classifiers)) {
		problem("supports %+v; its classifiers are %q", s.Project.Support, r.world.Project(name).Classifiers)
	}
	if standing := s.Project.Standing; !standing.Asked.IsZero() {
		if truth, _ := r.world.ProjectTruth(name, standing.Asked); string(truth.Status) != standing.Status {
			problem("its status was %s", truth.Status)
		}
	}
}

func versionsOf(p *record.Project) (list []string) {
	for _, v := range p.Versions {
		list = append(list, fmt.Sprint(v.Version, v.Yanked, v.Uploaded))
	}
	slices.Sort(list)
	return list
}

// classifiersOf returns the classifiers that say what s says.
func classifiersOf(s *record.Support) (list []string) {
	for _, v := range s.Python {
		list = append(list, "Programming Language :: Python :: "+v)
	}
	for _, v := range s.Django {
		list = append(list, "Framework :: Django :: "+v)
	}
	slices.Sort(list)
	return list
}

// versionClassifiers returns those of the classifiers that name a version.
func versionClassifiers(all []string) (list []string) {
	for _, c := range all {
		parts := strings.Split(c, " :: ")
		if kind := strings.Join(parts[:len(parts)-1], " :: "); kind == "Programming Language :: Python" || kind == "Framework :: Django" {
			list = append(list, c)
		}
	}
	slices.Sort(list)
	return list
}

func releasesOf(truth sim.ProjectTruth) (list []string) {
	for _, v := range truth.Releases {
		var uploaded *time.Time
		for _, f := range v.Files {
			if at := f.Uploaded.UTC(); uploaded == nil || at.Before(*uploaded) {
				uploaded = &at
			}
		}
		list = append(list, fmt.Sprint(v.Version, v.Yanked, uploaded))
	}
	slices.Sort(list)
	return list
}
