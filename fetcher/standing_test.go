package fetcher_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
)

// TestMonthlyPages: each project's page is asked for once a month, on a day of its own,
// whether the index tells what has changed or each project is asked.
func TestMonthlyPages(t *testing.T) {
	for _, above := range []int{1, 1000} {
		synctest.Test(t, func(t *testing.T) {
			r := newIndexRig(t, func(o *fetcher.Options) { o.IndexAbove = above })
			r.edit("p01", func(p *sim.Project) { p.Status, p.StatusReason = sim.Archived, "see the other one" })
			r.pass()
			if s := r.get("p01").Project.Standing; s.Status != "" || !s.Asked.IsZero() || s.Due.IsZero() {
				t.Errorf("before its turn: %+v", s)
			}
			days := func(n int) (pages, most int64) {
				t.Helper()
				for range n {
					r.world.ResetStats()
					for range 12 {
						time.Sleep(2 * time.Hour)
						r.pass()
					}
					by := r.world.Stats().PyPI.ByEndpoint
					if above == 1 && by["project"] != 0 {
						t.Errorf("with the index, projects were asked: %v", by)
					}
					pages, most = pages+by["simple"], max(most, by["simple"])
				}
				return pages, most
			}
			if pages, most := days(30); pages != indexProjects || most > 3 {
				t.Errorf("%d pages in the first month, at most %d a day", pages, most)
			}
			for _, p := range r.all() {
				want := record.Standing{Status: record.ProjectActive}
				if p.Slug == "p01" {
					want = record.Standing{Status: record.ProjectArchived, Reason: "see the other one"}
				}
				s := p.Project.Standing
				if s.Status != want.Status || s.Reason != want.Reason || s.Due.Sub(s.Asked) < 29*24*time.Hour || s.Due.Sub(s.Asked) > 30*24*time.Hour {
					t.Errorf("%s: %+v", p.Slug, s)
				}
				if age := time.Since(p.PyPI.LastSuccess); age > 25*time.Hour || p.PyPI.State != record.StateOK {
					t.Errorf("%s: its data is %s old, %+v", p.Slug, age, p.PyPI)
				}
			}
			modified := r.get("p02").Modified
			r.edit("p02", func(p *sim.Project) { p.Status = sim.Deprecated })
			if pages, _ := days(30); pages != indexProjects {
				t.Errorf("%d pages in the second month", pages)
			}
			if p := r.get("p02"); p.Project.Standing.Status != record.ProjectDeprecated || !p.Modified.Equal(modified) {
				t.Errorf("%+v, modified %s, was %s", p.Project.Standing, p.Modified, modified)
			}
			r.pageIsConditional()
		})
	}
}

// pageIsConditional checks that a page as before is not sent again.
func (r *indexRig) pageIsConditional() {
	r.t.Helper()
	before := r.get("p01").Project.Standing
	r.world.ResetStats()
	r.refresh("p01")
	stats := r.world.Stats().PyPI
	if stats.ByEndpoint["simple"] != 1 || stats.ByStatus["304"] != 2 {
		r.t.Errorf("%v, %v", stats.ByEndpoint, stats.ByStatus)
	}
	if s := r.get("p01").Project.Standing; !s.Asked.Equal(time.Now()) || s.Status != before.Status || s.Reason != before.Reason {
		r.t.Errorf("%+v", s)
	}
}

// waitForPage waits until a project is due for its page alone, and returns its slug.
func (r *indexRig) waitForPage() string {
	r.t.Helper()
	r.pass()
	for range 31 * 24 {
		time.Sleep(time.Hour)
		for _, p := range r.all() {
			if p.PyPI.NextDue.Equal(p.Project.Standing.Due) && !p.PyPI.NextDue.After(time.Now()) {
				return p.Slug
			}
		}
		r.pass()
	}
	r.t.Fatal("no page is ever due")
	return ""
}

// TestPageThatIsNotThere: the data tells what it means.
func TestPageThatIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		status sim.Status
		state  record.State
	}{{sim.Deleted, record.StateGone}, {sim.Quarantined, record.StateBlocked}} {
		synctest.Test(t, func(t *testing.T) {
			r := newIndexRig(t, nil)
			slug := r.waitForPage()
			r.edit(slug, func(p *sim.Project) { p.Status = tt.status })
			r.asks(0, 0, 1)
			if p := r.get(slug); p.PyPI.State != record.StateOK || p.PyPI.NextDue.After(time.Now()) {
				t.Errorf("%+v", p.PyPI)
			}
			r.asks(0, 1, 1)
			if p := r.get(slug); p.PyPI.State != tt.state || *p.Project.Version != "0.10" {
				t.Errorf("%+v", p.PyPI)
			}
		})
	}
}

// TestRefreshAsksForMoreThanThePage: whoever asks wants the data.
func TestRefreshAsksForMoreThanThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		slug := r.waitForPage()
		r.world.ResetStats()
		if report := r.refresh(slug); report.PyPI.Requests != 2 || !r.get(slug).PyPI.LastSuccess.Equal(time.Now()) {
			t.Errorf("%+v", report.PyPI)
		}
	})
}

// TestIndexThatStandsStill: a project's page, which is asked for once a month, tells of
// changes that an index keeps back.
func TestIndexThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		r.wire.keep(r.world, "/simple/", 1000)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		for range 31 * 6 {
			time.Sleep(4 * time.Hour)
			r.pass()
		}
		if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.State != record.StateOK {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestPageFails: that says nothing of the data, and the page is asked for again a day
// later.
func TestPageFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		slug := r.waitForPage()
		before := r.get(slug)
		r.world.SetProjectFault(nil, sim.Simple, sim.InternalError, 1)
		if report := r.asks(0, 0, 1); report.PyPI.Failed != 1 {
			t.Errorf("%+v", report.PyPI)
		}
		p := r.get(slug)
		if p.PyPI.State != record.StateOK || !p.PyPI.LastSuccess.Equal(before.PyPI.LastSuccess) || time.Until(p.Project.Standing.Due) != 24*time.Hour {
			t.Errorf("%+v, %+v", p.PyPI, p.Project.Standing)
		}
		r.asks(0, 0, 0)
	})
}

// TestPageIsDeferred: a page that a limit defers stays due.
func TestPageIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		slug := r.waitForPage()
		before := r.get(slug)
		r.world.SetProjectFault(nil, sim.Simple, sim.TooManyRequests, 1)
		if report := r.pass(); report.PyPI.Deferred != 1 {
			t.Errorf("%+v", report.PyPI)
		}
		if p := r.get(slug); !p.PyPI.NextDue.Equal(before.PyPI.NextDue) || !p.Project.Standing.Due.Equal(before.Project.Standing.Due) {
			t.Errorf("%+v", p.PyPI)
		}
		time.Sleep(time.Hour)
		r.pass()
		if s := r.get(slug).Project.Standing; s.Status != record.ProjectActive {
			t.Errorf("%+v", s)
		}
	})
}

// TestPageDoesNotHideTheData: a project that waits for its page is not kept from being due
// for its data.
func TestPageDoesNotHideTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var options fetcher.Options
		r := newIndexRig(t, func(o *fetcher.Options) { o.IndexAbove = 1000; options = *o })
		r.waitForPage()
		options.Policy.StaleAfter = time.Hour
		r.Configure(options)
		r.pass()
		for _, p := range r.all() {
			if age := time.Since(p.PyPI.LastSuccess); age > time.Hour {
				t.Errorf("%s: %s old, %+v", p.Slug, age, p.PyPI)
			}
		}
	})
}

// TestPyPIDoesNotHoldUpGitHub: a PyPI that is asked slowly, one project after the other,
// leaves the workers to GitHub.
func TestPyPIDoesNotHoldUpGitHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone, _ := passOver(t, 40, 0)
		repos, projects := passOver(t, 40, time.Second)
		if repos > alone+time.Second || projects < 40*time.Second || projects > 41*time.Second {
			t.Errorf("the last repository came after %s, not %s, the last project after %s", repos, alone, projects)
		}
	})
}

// passOver runs a pass over packages for which PyPI takes so long each, and returns when
// the last repository and the last project came.
func passOver(t *testing.T, packages int, each time.Duration) (repos, projects time.Duration) {
	t.Helper()
	world := sim.New(sim.Options{NoPending: true})
	for i := range packages {
		pair(world, fmt.Sprintf("p%02d", i), nil)
	}
	r := newRig(t, world, func(o *fetcher.Options) { o.PyPIWorkers = 1; o.PyPI = slowPyPI{o.PyPI, each} })
	began := time.Now()
	if _, err := r.RefreshDue(context.Background(), func(p fetcher.Progress) {
		if _, project := p.Key.Project(); project {
			projects = time.Since(began)
		} else {
			repos = time.Since(began)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return repos, projects
}

// slowPyPI takes so long for each project.
type slowPyPI struct {
	fetcher.PyPI
	each time.Duration
}

func (p slowPyPI) Fetch(ctx context.Context, q pypi.Question) pypi.Answer {
	time.Sleep(p.each)
	return p.PyPI.Fetch(ctx, q)
}
