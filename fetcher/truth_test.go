package fetcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// newSweeping is a rig whose GitHub is asked by GraphQL.
func newSweeping(t *testing.T, world *sim.World) *rig {
	return newRig(t, world, func(o *fetcher.Options) {
		gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "token", UserAgent: "pkgmetad/test (+test@example.org)", GraphQL: true, Transport: world.Direct()})
		if err != nil {
			t.Fatal(err)
		}
		o.GitHub = gh
	})
}

// differences tells in what a record is not what is true of its repository.
func differences(r *record.Repo, truth sim.RepoTruth) (d []string) {
	differ := func(what string, got, want any) { d = append(d, fmt.Sprintf("%s is %v, should be %v", what, got, want)) }
	description := ""
	if truth.Description != nil {
		description = *truth.Description
	}
	if r.Stars != truth.Stars || r.Forks != truth.Forks || r.Description != description || r.Archived != truth.Archived || r.Name != truth.FullName {
		differ("the repository", []any{r.Stars, r.Forks, r.Description, r.Archived, r.Name}, []any{truth.Stars, truth.Forks, description, truth.Archived, truth.FullName})
	}
	if !slices.Equal(r.Commits52, truth.Weeks[:]) {
		differ("the weeks", r.Commits52, truth.Weeks)
	}
	if (r.LastCommit == nil) != truth.LastCommit.IsZero() || r.LastCommit != nil && !r.LastCommit.Equal(truth.LastCommit) {
		differ("the last commit", r.LastCommit, truth.LastCommit)
	}
	if truth.TooLarge {
		return d
	}
	logins, commits := make([]string, len(truth.Contributors)), make([]int, len(truth.Contributors))
	for i, c := range truth.Contributors {
		logins[i], commits[i] = c.Login, c.Contributions
	}
	if !record.SameContributions(r.Participants, r.Contributions, logins, commits) {
		differ("the participants", fmt.Sprint(r.Participants, r.Contributions), fmt.Sprint(logins, commits))
	}
	return d
}

// TestCountingHoldsTheTruth: on each of many days every record is what is true at that
// moment, whatever is pushed.
func TestCountingHoldsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const days = 40
		world := sim.Generate(3, 120, sim.Options{})
		r := newSweeping(t, world)
		random := rand.New(rand.NewPCG(5, 5))
		wrong := 0
		for day := range days {
			report := r.pass()
			compared := 0
			for _, p := range world.Catalogue().Packages {
				rec := r.get(p.Slug)
				if rec.GitHub.State != record.StateOK || rec.Repo.ID == 0 {
					continue
				}
				truth, ok := world.RepoTruth(rec.Repo.ID, rec.GitHub.LastSuccess)
				if !ok {
					t.Fatalf("%s: no repository %d", p.Slug, rec.Repo.ID)
				}
				compared++
				for _, d := range differences(&rec.Repo, truth) {
					wrong++
					if wrong < 20 {
						t.Errorf("day %d, %s: %s (%s)", day, p.Slug, d, rec.Repo.CountsText())
					}
				}
			}
			t.Logf("day %d: %d compared; %d REST requests (%d charged), %d points; failed %d pending %d", day, compared, report.GitHub.Requests, report.GitHub.Charged, report.GitHub.Points, report.Failed, report.Pending)
			time.Sleep(24*time.Hour + time.Duration(random.IntN(3600))*time.Second)
		}
		if v := world.Stats().Violations; v > 0 {
			t.Errorf("violations: %v", v)
		}
		t.Logf("%d differences", wrong)
	})
}
