package fetcher_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
)

// meddler is a GitHub whose answers a test may change on their way.
type meddler struct {
	fetcher.GitHub
	swept  func([]github.Swept)
	logged func([]github.LogQuestion, []github.LogPage)
	got    func(github.Question, *github.Answer)

	logs int // questions about histories
}

func (m *meddler) Sweep(ctx context.Context, items []github.SweepItem) ([]github.Swept, github.Cost) {
	swept, cost := m.GitHub.Sweep(ctx, items)
	if m.swept != nil {
		m.swept(swept)
	}
	return swept, cost
}

func (m *meddler) Log(ctx context.Context, questions []github.LogQuestion) ([]github.LogPage, github.Cost) {
	pages, cost := m.GitHub.Log(ctx, questions)
	m.logs += len(questions)
	if m.logged != nil {
		m.logged(questions, pages)
	}
	return pages, cost
}

func (m *meddler) Fetch(ctx context.Context, q github.Question) github.Answer {
	a := m.GitHub.Fetch(ctx, q)
	if m.got != nil {
		m.got(q, &a)
	}
	return a
}

// newMeddled is newSweeping with a meddler between the fetcher and GitHub, and one
// request at a time.
func newMeddled(t *testing.T, world *sim.World) (*rig, *meddler) {
	r, m := newSweeping(t, world), &meddler{}
	r.configure(func(o *fetcher.Options) {
		m.GitHub = o.GitHub
		o.GitHub, o.Workers = m, 1
	})
	return r, m
}

// single is a world of one package, kit.
func single(o sim.Options) *sim.World {
	world := sim.New(o)
	pair(world, "kit", nil)
	return world
}

func push(world *sim.World, author string) {
	world.Push(world.Repo("acme/kit"), sim.Commit{At: time.Now(), Author: author})
}

// TestPushedEachDayByREST: a repository that is pushed to each day before it is asked
// about does not wait for a day without a push.
func TestPushedEachDayByREST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newRig(t, world, nil)
		for day := range 5 {
			push(world, fmt.Sprintf("author%d", day))
			time.Sleep(time.Hour)
			r.pass()
			p := r.get("kit")
			if age := int(record.DayOf(time.Now()) - p.Repo.AsOf); age > 0 || !slices.Contains(p.Repo.Participants, fmt.Sprintf("author%d", day)) {
				t.Errorf("day %d: the weeks are %d days old, the participants %q", day, age, p.Repo.Participants)
			}
			time.Sleep(23 * time.Hour)
		}
	})
}

// TestTooManyCommits: the weeks of a repository with more commits than are counted are
// those of GitHub's statistics from the start, though they be few, or not there yet; and
// its history is not read again and again. A month later counting is tried once more.
func TestTooManyCommits(t *testing.T) {
	endless := func(questions []github.LogQuestion, pages []github.LogPage) {
		for i := range pages {
			pages[i] = github.LogPage{Outcome: upstream.Fresh, Cursor: "more"}
			for n := range questions[i].First {
				pages[i].Commits = append(pages[i].Commits, record.Commit{OID: fmt.Sprint(n), Authored: time.Now(), Committed: time.Now()})
			}
		}
	}
	for name, fault := range map[string]sim.Fault{"few by the statistics": sim.NoFault, "statistics are pending": sim.Pending} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := single(sim.Options{})
				r, m := newMeddled(t, world)
				m.logged = endless
				world.SetFault(nil, sim.Participation, fault, 0)
				days := func(n int) (p record.Package) {
					for range n {
						r.pass()
						p = r.get("kit")
						if unknown := p.Repo.Commits52 == nil; unknown != (fault == sim.Pending) || !unknown && slices.Max(p.Repo.Commits52) == 0 {
							t.Errorf("%s: weeks %v; %s", time.Now(), p.Repo.Commits52, p.GitHub.Note)
						}
						push(world, "eve")
						time.Sleep(24 * time.Hour)
					}
					return p
				}
				days(1)
				first := m.logs
				days(4)
				if first == 0 || m.logs != first {
					t.Errorf("%d pages of its history on the first day, %d in all", first, m.logs)
				}
				m.logged = nil
				time.Sleep(30 * 24 * time.Hour)
				if p := days(3); fault == sim.NoFault && p.Repo.CountsFrom != record.FromCounting {
					t.Errorf("a month later: %+v", p.Repo)
				}
			})
		})
	}
}

// TestRewrittenTwice: a history that was rewritten, whose contributors could not be asked
// for then, and that is as it was again on the next day.
func TestRewrittenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newSweeping(t, world)
		r.pass()
		repo := world.Repo("acme/kit")
		truth, _ := world.RepoTruth(repo.ID, time.Now())
		world.ForcePush(repo, 1, sim.Commit{At: time.Now().Add(-49 * time.Hour), Author: "eve"})
		world.SetFault(nil, sim.Contributors, sim.InternalError, 0)
		time.Sleep(24 * time.Hour)
		r.pass()
		world.ResetHead(repo, truth.Head)
		world.ClearFaults()
		time.Sleep(24 * time.Hour)
		r.pass()
		if wrong, compared := r.wrong(); len(wrong) > 0 || compared != 1 {
			t.Error(compared, strings.Join(wrong, "\n"))
		}
	})
}

// TestCancelledBetweenSteps: what a pass that ends early has not asked for is still due.
func TestCancelledBetweenSteps(t *testing.T) {
	for _, after := range []string{"the sweep", "the first two questions by REST"} {
		t.Run(after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := single(sim.Options{})
				r, m := newMeddled(t, world)
				if strings.Contains(after, "REST") {
					r.pass()
					world.SetFault(nil, sim.GraphQL, sim.NotFound, 0)
					time.Sleep(24 * time.Hour)
				}
				push(world, "eve")
				time.Sleep(24 * time.Hour)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				switch after {
				case "the sweep":
					m.swept = func([]github.Swept) { cancel() }
				default:
					m.got = func(github.Question, *github.Answer) { cancel() }
				}
				before := r.get("kit").GitHub
				report, err := r.Pass(ctx)
				if err != nil || !report.Cancelled {
					t.Fatalf("%+v, %v", report, err)
				}
				if s := r.get("kit").GitHub; s.State != before.State || !s.LastSuccess.Equal(before.LastSuccess) {
					t.Errorf("%s, last success %s; before %s, %s", s.State, s.LastSuccess, before.State, before.LastSuccess)
				}
				m.swept, m.got = nil, nil
				r.pass()
				if p := r.get("kit"); !slices.Contains(p.Repo.Participants, "eve") || len(p.Repo.Commits52) != record.Weeks {
					t.Errorf("then %+v", p.Repo)
				}
			})
		})
	}
}

// TestNodeIsMissing: a repository whose node GraphQL does not find, and REST does, goes by
// REST, and is then asked for by its name.
func TestNodeIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r, m := newMeddled(t, world)
		r.pass()
		missing := 2
		m.swept = func(swept []github.Swept) {
			if missing--; missing >= 0 {
				swept[0] = github.Swept{Outcome: upstream.Gone, Err: &upstream.Error{Outcome: upstream.Gone}}
			}
		}
		for day := range 5 {
			push(world, fmt.Sprintf("author%d", day))
			time.Sleep(24 * time.Hour)
			r.pass()
			if wrong, compared := r.wrong(); len(wrong) > 0 || compared != 1 {
				t.Error(day, compared, strings.Join(wrong, "\n"))
			}
		}
	})
}

// TestGoneIsAskedOnce: of a repository that has gone, or whose name is another's now, no
// more is asked than whether it is there.
func TestGoneIsAskedOnce(t *testing.T) {
	for name, another := range map[string]bool{"gone": false, "another": true} {
		for way, newRig := range bothStrategies {
			t.Run(name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					world := single(sim.Options{})
					r := newRig(t, world)
					r.pass()
					world.RemoveRepo("acme/kit")
					if another {
						pair(world, "kit", func(repo *sim.Repo) { repo.ID = 999 })
					}
					time.Sleep(24 * time.Hour)
					report := r.pass()
					if s := r.get("kit").GitHub; s.State != record.StateGone || s.Replaced != another || report.GitHub.Charged > 2 {
						t.Errorf("%s, replaced %t, %d requests charged", s.State, s.Replaced, report.GitHub.Charged)
					}
				})
			})
		}
	}
}

// TestNoDefaultBranch: a repository without a default branch that GitHub does not call
// empty is not taken for an empty one.
func TestNoDefaultBranch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := newMeddled(t, single(sim.Options{}))
		m.swept = func(swept []github.Swept) { swept[0].Head, swept[0].HeadDate = "", time.Time{} }
		r.pass()
		if wrong, compared := r.wrong(); len(wrong) > 0 || compared != 1 {
			t.Error(compared, strings.Join(wrong, "\n"))
		}
	})
}

// TestHistoryCannotBeRead: a repository whose history GraphQL does not tell goes by REST,
// and is counted again when it does.
func TestHistoryCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r, m := newMeddled(t, world)
		for day := range 20 {
			m.logged = nil
			if day < 10 || day == 14 || day == 15 {
				m.logged = func(_ []github.LogQuestion, pages []github.LogPage) {
					pages[0] = github.LogPage{Outcome: upstream.Failed, Err: &upstream.Error{Outcome: upstream.Failed, Message: "no history"}}
				}
			}
			if day%14 == 0 {
				push(world, fmt.Sprintf("author%d", day))
				time.Sleep(24 * time.Hour) // a day later REST knows all of it
			}
			asked := m.logs
			report := r.pass()
			p := r.get("kit")
			if p.GitHub.State != record.StateOK || report.GitHub.Charged > 4 || m.logged != nil && m.logs > asked && !strings.Contains(p.GitHub.Note, "no history") {
				t.Errorf("day %d: %s, %q, %q, %d requests charged", day, p.GitHub.State, p.GitHub.LastError, p.GitHub.Note, report.GitHub.Charged)
			}
			if age := record.DayOf(time.Now()) - p.Repo.AsOf; age > 6 || p.Repo.Counting != nil && p.Repo.Counting.Drifts > 0 {
				t.Errorf("day %d: the weeks are %d days old, %+v", day, age, p.Repo.Counting)
			}
			if truth, _ := world.RepoTruth(p.Repo.ID, p.Repo.AsOf.Start()); len(differences(&p.Repo, truth)) > 0 {
				t.Errorf("day %d: %s", day, strings.Join(differences(&p.Repo, truth), "\n"))
			}
			time.Sleep(24 * time.Hour)
		}
		if p := r.get("kit"); p.Repo.CountsFrom != record.FromCounting {
			t.Errorf("in the end: %+v", p.Repo)
		}
	})
}

// TestCheckIsNotAnswered: a check that GitHub does not answer takes nothing from a record
// that is counted, and is asked for ever more rarely.
func TestCheckIsNotAnswered(t *testing.T) {
	for name, faults := range map[string]map[sim.Endpoint]sim.Fault{
		"pending":      {sim.Participation: sim.Pending},
		"failing":      {sim.Participation: sim.InternalError, sim.Contributors: sim.InternalError},
		"no budget":    {sim.Participation: sim.PrimaryLimit, sim.Contributors: sim.PrimaryLimit},
		"too large":    {sim.Contributors: sim.ListTooLarge},
		"doubtful":     {sim.Contributors: sim.NoContent},
		"agrees again": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := single(sim.Options{})
				r := newSweeping(t, world)
				r.pass()
				for endpoint, fault := range faults {
					world.SetFault(nil, endpoint, fault, 0)
				}
				charged := 0
				for day := range 40 {
					push(world, "ada")
					time.Sleep(24 * time.Hour)
					report := r.pass()
					charged += report.GitHub.Charged
					p := r.get("kit")
					if p.GitHub.State != record.StateOK || !p.GitHub.LastSuccess.Equal(p.GitHub.LastAttempt) || time.Since(p.GitHub.LastSuccess) > time.Hour {
						t.Errorf("day %d: %s, %q", day, p.GitHub.State, p.GitHub.LastError)
					}
					if wrong, _ := r.wrong(); len(wrong) > 0 {
						t.Errorf("day %d: %s", day, strings.Join(wrong, "\n"))
					}
				}
				if charged > 30 || len(faults) == 0 && charged > 9 {
					t.Errorf("%d requests charged", charged)
				}
			})
		})
	}
}

// TestStrategySwitched: what was learnt by REST before a time of counting is not taken for
// what is known after it.
func TestStrategySwitched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		repo := world.Repo("acme/kit")
		r := newRig(t, world, nil)
		byREST, counting := r.options.GitHub, newSweeping(t, world).options.GitHub
		stars := func(n int) { world.Edit(func() { repo.Stars = n }) }
		day := func(gh fetcher.GitHub) {
			r.configure(func(o *fetcher.Options) { o.GitHub = gh })
			time.Sleep(24 * time.Hour)
			r.pass()
			p := r.get("kit")
			truth, _ := world.RepoTruth(repo.ID, p.Repo.AsOf.Start())
			if p.Repo.Stars != repo.Stars || !slices.Equal(p.Repo.Commits52, truth.Weeks[:]) {
				t.Errorf("%s: %d stars, not %d; weeks %v, not %v", time.Now(), p.Repo.Stars, repo.Stars, p.Repo.Commits52, truth.Weeks)
			}
		}
		before, _ := world.RepoTruth(repo.ID, time.Now())
		day(byREST)
		stars(7)
		push(world, "eve")
		day(counting)
		stars(42)
		world.ResetHead(repo, before.Head)
		day(byREST)
		day(byREST)
		day(byREST)
		now, _ := world.RepoTruth(repo.ID, time.Now())
		if d := differences(&[]record.Repo{r.get("kit").Repo}[0], now); len(d) > 0 {
			t.Error(strings.Join(d, "\n"))
		}
		day(counting)
		push(world, "eve")
		day(counting)
		if wrong, _ := r.wrong(); len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}
	})
}

// TestGraphQLIsBack: of a repository to which nothing was pushed while GraphQL did not
// answer, REST is asked no more than whether that is so, and it is still counted afterwards.
func TestGraphQLIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newSweeping(t, world)
		charged := 0
		for day := range 13 {
			fault := sim.NoFault
			if day == 0 || day > 2 && day < 10 {
				fault = sim.NotFound
			}
			world.SetFault(nil, sim.GraphQL, fault, 0)
			report := r.pass()
			if day > 2 && day < 12 {
				charged += report.GitHub.Charged
			}
			if wrong, _ := r.wrong(); len(wrong) > 0 {
				t.Errorf("day %d: %s", day, strings.Join(wrong, "\n"))
			}
			if day == 0 {
				push(world, "eve")
			}
			time.Sleep(24 * time.Hour)
		}
		if charged > 4 {
			t.Errorf("%d requests charged", charged)
		}
	})
}

// TestLimitBetweenSteps: commits of earlier days are not forgotten where a limit came
// between learning of them and asking what they change.
func TestLimitBetweenSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newRig(t, world, nil)
		r.pass()
		time.Sleep(24 * time.Hour)
		world.Push(world.Repo("acme/kit"), sim.Commit{At: time.Now().Add(-49 * time.Hour), Author: "eve"})
		limit := func(fault sim.Fault) {
			world.SetFault(nil, sim.Contributors, fault, 0)
			world.SetFault(nil, sim.Participation, fault, 0)
		}
		limit(sim.SecondaryRetry)
		if report := r.pass(); report.Deferred != 1 {
			t.Errorf("%+v", report)
		}
		limit(sim.NoFault)
		for range 3 {
			time.Sleep(24 * time.Hour)
			r.pass()
		}
		if p := r.get("kit"); !slices.Contains(p.Repo.Participants, "eve") || p.Repo.Commits52[record.Weeks-1] != 1 {
			t.Errorf("%+v", p.Repo)
		}
	})
}

// TestWayAfterRestart: what the checks have found out about how GitHub counts is not
// undone by a program that has begun anew, and knows few records so far.
func TestWayAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(3, 100, sim.Options{Counting: sim.Counting{WithoutMerges: true}})
		r := newSweeping(t, world)
		r.days(9, func(int, record.Pass) {})
		compared := 0
		for _, p := range world.Catalogue().Packages {
			c := r.get(p.Slug).Repo.Counting
			if c == nil || !c.Way.NoMerges || c.WayFound || c.Statistics != "" {
				continue
			}
			r.Fetcher = fetcher.New(r.options)
			r.refresh(p.Slug)
			if after := r.get(p.Slug).Repo.Counting; after == nil || after.Way != c.Way {
				t.Errorf("%s: counted %s", p.Slug, after.Way)
			}
			if compared++; compared == 10 {
				break
			}
		}
		if compared < 5 {
			t.Errorf("only %d", compared)
		}
	})
}

// TestMoreContributorsThanAreListed: newcomers that GitHub's list has no place for do not
// make the count disagree with it.
func TestMoreContributorsThanAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		repo := world.Repo("acme/kit")
		world.Edit(func() {
			for i := range record.MaxContributors + 20 {
				repo.Extra = append(repo.Extra, sim.Contributor{Login: fmt.Sprintf("user%d", i), Contributions: 1 + i%3})
			}
		})
		r := newSweeping(t, world)
		for day := range 12 {
			r.pass()
			if p := r.get("kit"); p.Repo.Counting.Drifts > 0 || len(p.Repo.Participants) != record.MaxContributors {
				t.Fatalf("day %d: %d participants, %s", day, len(p.Repo.Participants), p.GitHub.Note)
			}
			push(world, fmt.Sprintf("newcomer%d", day))
			time.Sleep(24 * time.Hour)
		}
		if r.get("kit").Repo.Counting.Agreed == 0 {
			t.Error("nothing was checked")
		}
	})
}

// TestDriftThatLasts: a repository whose count is not what GitHub's statistics say, in
// whatever way it is counted, goes by them. Its history is not read anew each day, and not
// at all while nothing is pushed; and it is told once.
func TestDriftThatLasts(t *testing.T) {
	for name, pushes := range map[string]int{"without news": 1, "pushed to daily": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := single(sim.Options{})
				r, m := newMeddled(t, world)
				m.got = func(_ github.Question, a *github.Answer) {
					if a.Participation.Outcome == upstream.Fresh {
						a.Participation.Value = slices.Repeat([]int{9}, record.Weeks)
					}
				}
				r.pass()
				for day := range 20 {
					if day < pushes {
						push(world, fmt.Sprintf("author%d", day))
					}
					time.Sleep(24 * time.Hour)
					r.pass()
					if p := r.get("kit"); p.GitHub.State != record.StateOK || len(p.Repo.Participants) != 2+min(day+1, pushes) {
						t.Errorf("day %d: %s, %q", day, p.GitHub.State, p.Repo.Participants)
					}
				}
				p := r.get("kit")
				if p.Repo.CountsFrom != record.FromStatistics || p.Repo.Commits52[0] != 9 || p.Repo.Counting.Statistics == "" || p.Repo.AsOf != record.DayOf(time.Now()) {
					t.Errorf("%+v, %+v", p.Repo, p.Repo.Counting)
				}
				if m.logs > 3+pushes+20/7 { // at first, after each push, and now and then to find another way of counting
					t.Errorf("%d pages of its history", m.logs)
				}
				if said := strings.Count(r.log.String(), "did not agree"); said != 1 {
					t.Errorf("it was logged %d times", said)
				}
			})
		})
	}
}

// TestEmptyAndBack: a repository that gets its first commit, loses all, and gets others.
func TestEmptyAndBack(t *testing.T) {
	for way, newRig := range bothStrategies {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.New(sim.Options{})
				pair(world, "kit", func(repo *sim.Repo) { repo.Commits = nil })
				repo := world.Repo("acme/kit")
				r := newRig(t, world)
				for day := range 8 {
					switch day {
					case 1, 5:
						push(world, "eve")
					case 3:
						world.Edit(func() { repo.Commits, repo.Head = nil, "" })
					}
					time.Sleep(24 * time.Hour)
					r.pass()
					p := r.get("kit")
					if wrong, _ := r.wrong(); len(wrong) > 0 && way == "swept" && p.GitHub.State == record.StateOK || p.Repo.Commits52 == nil {
						t.Errorf("day %d: %s, %s", day, p.GitHub.State, strings.Join(wrong, "\n"))
					}
				}
				if p := r.get("kit"); !slices.Equal(p.Repo.Participants, []string{"eve"}) || p.GitHub.State != record.StateOK {
					t.Errorf("%s: %+v", p.GitHub.State, p.Repo)
				}
			})
		})
	}
}

// TestUpgradedRecord: a record from before commits were counted, with validators, is
// counted.
func TestUpgradedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newRig(t, world, nil)
		r.pass()
		sources, err := r.store.Sources("kit")
		if err != nil {
			t.Fatal(err)
		}
		old := sources[0]
		old.Repo.ForgetCounts()
		old.Repo.NodeID, old.LastAttempt, old.LastSuccess = "", time.Now().Add(time.Second), time.Now().Add(time.Second)
		time.Sleep(24 * time.Hour)
		if err := r.store.Put([]record.Source{old}); err != nil {
			t.Fatal(err)
		}
		r.configure(func(o *fetcher.Options) { o.GitHub = newSweeping(t, world).options.GitHub })
		for range 2 {
			push(world, "eve")
			time.Sleep(24 * time.Hour)
			r.pass()
			if wrong, compared := r.wrong(); len(wrong) > 0 || compared != 1 {
				t.Error(compared, strings.Join(wrong, "\n"))
			}
		}
	})
}

// TestFollowsItsRepository: a package whose URL is changed to the new name of its
// repository goes on with what is known of it.
func TestFollowsItsRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newSweeping(t, world)
		r.pass()
		push(world, "eve")
		world.Rename("acme/kit", "acme/kat")
		c := world2catalogue(world.Catalogue())
		for i := range c.Packages {
			if c.Packages[i].Slug == "kit" {
				c.Packages[i].RepoURL = &[]string{"https://github.com/acme/kat"}[0]
			}
		}
		time.Sleep(24 * time.Hour)
		world.SetFault(nil, sim.Contributors, sim.InternalError, 0)
		for day := range 4 {
			if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
				t.Fatal(err)
			}
			r.pass()
			if wrong, compared := r.wrong(); day > 0 && (len(wrong) > 0 || compared == 0) {
				t.Errorf("day %d: %d compared: %s", day, compared, strings.Join(wrong, "\n"))
			}
			world.ClearFaults()
			time.Sleep(24 * time.Hour)
		}
	})
}

// TestDisabled: the record says so for as long as GitHub does.
func TestDisabled(t *testing.T) {
	for name, newRig := range bothStrategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.New(sim.Options{})
				pair(world, "p", nil)
				r := newRig(t, world)
				r.pass()
				for _, disabled := range []bool{true, true, false} {
					repo := world.Repo("acme/p")
					world.Edit(func() { repo.Disabled = disabled })
					time.Sleep(30 * time.Hour)
					r.pass()
					p := r.get("p")
					if told := strings.Contains(p.GitHub.Note, "GitHub has disabled the repository"); told != disabled || p.Repo.Disabled != disabled || p.GitHub.State != record.StateOK {
						t.Errorf("disabled %v: %+v", disabled, p.GitHub)
					}
				}
			})
		})
	}
}
