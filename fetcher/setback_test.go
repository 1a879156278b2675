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
