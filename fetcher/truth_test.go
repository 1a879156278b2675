package fetcher_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
		o.GitHub = newGraphQLClient(t, world)
	})
}

// bothStrategies are rigs that ask GitHub by GraphQL and by REST alone.
var bothStrategies = map[string]func(*testing.T, *sim.World) *rig{
	"swept":   newSweeping,
	"by REST": func(t *testing.T, w *sim.World) *rig { return newRig(t, w, nil) },
}

func newGraphQLClient(t *testing.T, world *sim.World) *github.Client {
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "token", UserAgent: "pkgmetad/test (+test@example.org)", GraphQL: true, Transport: world.Direct()})
	if err != nil {
		t.Fatal(err)
	}
	return gh
}

// differences tells in what a record is not what is true of its repository.
func differences(r *record.Repo, truth sim.RepoTruth) (d []string) {
	differ := func(what string, got, want any) {
		d = append(d, fmt.Sprintf("%s is %v, should be %v", what, got, want))
	}
	description := ""
	if truth.Description != nil {
		description = *truth.Description
	}
	if r.Stars != truth.Stars || r.Forks != truth.Forks || r.Description != description || r.Archived != truth.Archived || r.Disabled != truth.Disabled || r.Name != truth.FullName {
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

// wrong compares all records of the rig with what was true when they were fetched, and
// tells the differences, and how many records were compared.
func (r *rig) wrong() (d []string, compared int) {
	r.t.Helper()
	for _, p := range r.world.Catalogue().Packages {
		rec := r.get(p.Slug)
		if rec.GitHub.State != record.StateOK || rec.Repo.ID == 0 {
			continue
		}
		truth, ok := r.world.RepoTruth(rec.Repo.ID, rec.GitHub.LastSuccess)
		if !ok {
			r.t.Fatalf("%s: no repository %d", p.Slug, rec.Repo.ID)
		}
		compared++
		for _, what := range differences(&rec.Repo, truth) {
			d = append(d, fmt.Sprintf("%s: %s; %s; %s", p.Slug, what, rec.Repo.CountsText(), rec.GitHub.Note))
		}
	}
	return d, compared
}

// days runs a pass a day, at any time of it, and then calls check.
func (r *rig) days(n int, check func(day int, report record.Pass)) {
	random := rand.New(rand.NewPCG(5, 5))
	for day := range n {
		check(day, r.pass())
		time.Sleep(24*time.Hour + time.Duration(random.IntN(3600))*time.Second)
	}
	if v := r.world.Stats().Violations; v > 0 {
		r.t.Errorf("%d violations of the limits", v)
	}
}

var (
	truthDays     = flag.Int("truth.days", 30, "days of TestCountingHoldsTheTruth")
	truthPackages = flag.Int("truth.packages", 70, "packages of its world")
	truthSeed     = flag.Uint64("truth.seed", 3, "seed of its world")
)

// TestCountingHoldsTheTruth: on each of many days every record is what is true at that
// moment, whatever is pushed, renamed or deleted, after outages and restarts. On a day
// of an outage records may lag behind.
func TestCountingHoldsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := sim.LivelyRates()
		rates.Odd, rates.Renamed, rates.Deleted, rates.Reused = 0.3, 0.005, 0.002, 1
		world := sim.Generate(*truthSeed, *truthPackages, sim.Options{Rates: rates})
		r := newSweeping(t, world)
		charged, compared, outage := 0, 0, false
		r.days(*truthDays, func(day int, report record.Pass) {
			if !outage {
				wrong, n := r.wrong()
				compared += n
				if len(wrong) > 0 {
					t.Errorf("day %d: %s", day, strings.Join(wrong, "\n"))
				}
			}
			if day >= 15 {
				charged += report.GitHub.Charged
			}
			world.ClearFaults()
			outage = day%9 == 7
			if outage {
				endpoint := []sim.Endpoint{sim.GraphQL, sim.Participation, sim.Contributors, sim.All}[day/9%4]
				fault := []sim.Fault{sim.BadGateway, sim.Reset, sim.SecondaryRetry, sim.BrokenJSON, sim.Pending}[day/9%5]
				world.SetFault(nil, endpoint, fault, 0)
			}
			if day%11 == 10 {
				r.restart()
			}
		})
		if compared < *truthDays**truthPackages*5/10 {
			t.Errorf("only %d records were compared", compared)
		}
		if days := *truthDays - 15; charged > days**truthPackages/4 {
			t.Errorf("%d requests charged in %d days, for %d packages", charged, days, *truthPackages)
		}
		t.Logf("%d records compared, %d requests charged from day 15 on", compared, charged)
	})
}

// restart is what is left of a restart: the store.
func (r *rig) restart() {
	o := r.options
	o.GitHub = newGraphQLClient(r.t, r.world)
	r.Fetcher = fetcher.New(o)
}

// TestAnotherWayOfCounting: where GitHub counts otherwise than is supposed, the checks
// notice, the records go by its statistics or by the right way of counting, and all are
// right within a week. It is said once.
func TestAnotherWayOfCounting(t *testing.T) {
	for way, counting := range map[string]sim.Counting{"without merges, by author date": {WithoutMerges: true}, "with merges, by commit date": {ByCommitDate: true}} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSweeping(t, sim.Generate(3, 45, sim.Options{Counting: counting}))
				before := 0
				r.days(18, func(day int, report record.Pass) {
					wrong, _ := r.wrong()
					if day < 9 {
						before += len(wrong)
					} else if len(wrong) > 0 {
						t.Errorf("day %d: %s", day, strings.Join(wrong, "\n"))
					}
				})
				if before == 0 {
					t.Error("the first count was right: this world does not tell the ways apart")
				}
				if n := strings.Count(r.log.String(), "turn out to count commits "+way); n != 1 {
					t.Errorf("the way was told %d times", n)
				}
			})
		})
	}
}

// TestOnePushThenSilence: a push at any minute of the day is in the right weeks on each
// of the days that follow, without another push. By REST alone they move on by whole
// weeks.
func TestOnePushThenSilence(t *testing.T) {
	for name, newRig := range bothStrategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const repos = 24 // one is pushed to each hour
				world := sim.New(sim.Options{})
				for i := range repos {
					pair(world, fmt.Sprintf("p%d", i), nil)
				}
				r := newRig(t, world)
				r.pass()
				time.Sleep(3*24*time.Hour + 5*time.Minute)
				r.pass()
				pushed := make([]time.Time, repos)
				for i := range repos {
					pushed[i] = time.Now()
					repo := world.Repo(fmt.Sprintf("acme/p%d", i))
					now := time.Now()
					world.Push(repo, sim.Commit{At: now, Authored: now.Add(-time.Duration(i) * time.Hour), Author: "ada"}, sim.Commit{At: now, Author: "eve"})
					time.Sleep(time.Hour)
					r.pass() // some are due
				}
				for day := range 60 {
					if _, err := r.RefreshAll(context.Background(), nil, nil); err != nil {
						t.Fatal(err)
					}
					for i := range repos {
						rec := r.get(fmt.Sprintf("p%d", i))
						age := record.DayOf(time.Now()) - rec.Repo.AsOf
						truth, _ := world.RepoTruth(rec.Repo.ID, rec.Repo.AsOf.Start().Add(time.Hour))
						if day == 0 || record.DayOf(pushed[i]) >= rec.Repo.AsOf { // the day of the push, or the next pass's
							continue
						}
						if wrong := differences(&rec.Repo, truth); len(wrong) > 0 || age > 6 || name == "swept" && age != 0 {
							t.Fatalf("day %d, p%d, %d days old: %s", day, i, age, strings.Join(wrong, "\n"))
						}
					}
					time.Sleep(24 * time.Hour)
				}
			})
		})
	}
}

// TestGraphQLFails: where GraphQL does not answer, REST does, and what was counted stays
// right; afterwards counting goes on.
func TestGraphQLFails(t *testing.T) {
	for _, fault := range []sim.Fault{sim.BadGateway, sim.NotFound, sim.BrokenJSON, sim.Reset, sim.Unauthorized} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.Generate(3, 30, sim.Options{})
				r := newSweeping(t, world)
				r.days(12, func(day int, report record.Pass) {
					switch day {
					case 3:
						world.SetFault(nil, sim.GraphQL, fault, 0)
					case 6:
						world.SetFault(nil, sim.GraphQL, sim.NoFault, 0)
					}
					if day > 3 && day <= 6 || day == 7 {
						for _, p := range world.Catalogue().Packages {
							if rec := r.get(p.Slug); rec.Repo.ID != 0 && rec.GitHub.State == record.StateOK && (len(rec.Repo.Commits52) != 52 || rec.Repo.Name == "") {
								t.Errorf("day %d, %s: %+v", day, p.Slug, rec.Repo)
							}
						}
						return
					}
					if wrong, _ := r.wrong(); len(wrong) > 0 {
						t.Errorf("day %d: %s", day, strings.Join(wrong, "\n"))
					}
				})
			})
		})
	}
}

// TestPendingForEver: statistics that are never computed stop nothing.
func TestPendingForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(3, 30, sim.Options{})
		world.SetFault(nil, sim.Participation, sim.Pending, 0)
		r := newSweeping(t, world)
		r.days(12, func(day int, report record.Pass) {
			if wrong, _ := r.wrong(); len(wrong) > 0 || report.Failed > 0 {
				t.Errorf("day %d, %d failed: %s", day, report.Failed, strings.Join(wrong, "\n"))
			}
		})
	})
}

// TestAnotherRepositoryUnderTheName: what is known stays, and a person is told; by
// GraphQL and by REST.
func TestAnotherRepositoryUnderTheName(t *testing.T) {
	for name, newRig := range bothStrategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.New(sim.Options{})
				pair(world, "kit", nil)
				r := newRig(t, world)
				r.pass()
				world.RemoveRepo("acme/kit")
				pair(world, "kit", func(repo *sim.Repo) { repo.Stars, repo.ID = 1, 999 })
				for day := range 9 {
					time.Sleep(24 * time.Hour)
					r.pass()
					p := r.get("kit")
					if p.Repo.Stars != 42 || p.GitHub.State != record.StateGone || !strings.Contains(p.GitHub.LastError, "another repository") {
						t.Errorf("day %d: %d stars, %s, %q", day, p.Repo.Stars, p.GitHub.State, p.GitHub.LastError)
					}
				}
			})
		})
	}
}

// TestTheirDay: the weeks are those of GitHub's day, whatever day it is by our clock.
func TestTheirDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(3, 30, sim.Options{})
		r := newSweeping(t, world)
		for range 3 {
			r.pass()
			compared := 0
			for _, p := range world.Catalogue().Packages {
				rec := r.get(p.Slug)
				if rec.GitHub.State != record.StateOK || rec.Repo.ID == 0 {
					continue
				}
				compared++
				truth, _ := world.RepoTruth(rec.Repo.ID, world.Now())
				if wrong := differences(&rec.Repo, truth); len(wrong) > 0 {
					t.Errorf("%s: %s", p.Slug, strings.Join(wrong, "\n"))
				}
			}
			if compared < 20 {
				t.Errorf("%d compared", compared)
			}
			world.Advance(17 * 24 * time.Hour)
			time.Sleep(24 * time.Hour)
		}
	})
}

// TestAskedByHand: what a person asks for takes two round trips.
func TestAskedByHand(t *testing.T) {
	for name, newRig := range bothStrategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const trip = time.Second
				world := sim.New(sim.Options{Latency: trip, NoPending: true})
				pair(world, "kit", nil)
				r := newRig(t, world)
				for range 2 { // new, and known
					began := time.Now()
					if r.refresh("kit"); time.Since(began) > 2*trip+trip/2 {
						t.Errorf("it took %s", time.Since(began))
					}
					if wrong, compared := r.wrong(); len(wrong) > 0 || compared != 1 {
						t.Error(wrong, compared)
					}
					world.Push(world.Repo("acme/kit"), sim.Commit{At: time.Now(), Author: "eve"})
					time.Sleep(time.Hour)
				}
			})
		})
	}
}
