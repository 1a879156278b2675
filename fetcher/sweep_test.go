package fetcher_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// TestSweepFindsItsSize: batches that GitHub finds too heavy, or answers in part, are
// asked again in smaller ones; every repository is answered, and the next round does not
// begin with batches that are too large.
func TestSweepFindsItsSize(t *testing.T) {
	const repos = 150
	for name, limits := range map[string][2]int{"502": {20, 0}, "partial data": {0, 20}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.New(sim.Options{})
				for i := range repos {
					pair(world, fmt.Sprintf("p%d", i), nil)
				}
				r := newSweeping(t, world)
				world.SetBatchLimits(limits[0], limits[1])
				first := r.pass()
				if first.Failed > 0 || first.GitHub.Fresh != repos {
					t.Errorf("%+v", first.GitHub)
				}
				if wrong, compared := r.wrong(); len(wrong) > 0 || compared != repos {
					t.Errorf("%d compared: %v", compared, wrong)
				}
				time.Sleep(24 * time.Hour)
				asked := world.Stats().GitHub.ByEndpoint["graphql"]
				if second := r.pass(); second.Failed > 0 || second.GitHub.Charged > repos {
					t.Errorf("%+v", second.GitHub)
				}
				if n := world.Stats().GitHub.ByEndpoint["graphql"] - asked; n > repos/8 {
					t.Errorf("%d queries for %d repositories", n, repos)
				}
			})
		})
	}
}

// TestMissingNode: a repository that the sweep does not find is gone once REST says so
// too; a renamed one is found, and keeps its record.
func TestMissingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		for _, name := range []string{"kit", "kin", "kid"} {
			pair(world, name, nil)
		}
		r := newSweeping(t, world)
		r.pass()
		world.RemoveRepo("acme/kit")
		world.Rename("acme/kin", "other/kin2")
		time.Sleep(24 * time.Hour)
		report := r.pass()
		if p := r.get("kit"); p.GitHub.State != record.StateGone || p.Repo.Stars != 42 || len(p.Repo.Commits52) != 52 {
			t.Errorf("the one that is gone: %s, %+v", p.GitHub.State, p.Repo)
		}
		if p := r.get("kin"); p.GitHub.State != record.StateOK || p.Repo.Name != "other/kin2" {
			t.Errorf("the renamed one: %s, %s", p.GitHub.State, p.Repo.Name)
		}
		if report.GitHub.Gone != 1 || report.GitHub.Fresh+report.GitHub.Unchanged != 2 {
			t.Errorf("%+v", report.GitHub)
		}
	})
}
