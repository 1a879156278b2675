package fetcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a fetcher over a real store and a simulated world.
type rig struct {
	*fetcher.Fetcher
	t     *testing.T
	world *sim.World
	store *store.Store
	log   *strings.Builder

	options fetcher.Options
}

// newRig takes the world's catalogue over into a new store. Inside a synctest
// bubble, make the world inside it too.
func newRig(t *testing.T, world *sim.World, edit func(*fetcher.Options)) *rig {
	t.Helper()
	return newRigAt(t, filepath.Join(t.TempDir(), "test.db"), world, edit)
}

// newRigAt is newRig over the store at path.
func newRigAt(t *testing.T, path string, world *sim.World, edit func(*fetcher.Options)) *rig {
	t.Helper()
	transport := world.Transport()
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	r := newRigOver(t, path, transport, edit)
	r.world = world
	r.sync()
	return r
}

// newRigOver is a rig over any wire, which takes no catalogue over.
func newRigOver(t *testing.T, path string, wire http.RoundTripper, edit func(*fetcher.Options)) *rig {
	t.Helper()
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "token", UserAgent: "pkgmetad/test (+test@example.org)", Reserve: 5, Transport: wire})
	if err != nil {
		t.Fatal(err)
	}
	py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test (+test@example.org)", Transport: wire})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com")})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: st, log: new(strings.Builder)}
	o := fetcher.Options{
		Store: st, GitHub: gh, PyPI: py, PendingWait: 10 * time.Second, Workers: 4,
		Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour},
		Log:    zerolog.New(zerolog.SyncWriter(r.log)).Level(zerolog.DebugLevel),
	}
	if edit != nil {
		edit(&o)
	}
	r.Fetcher, r.options = fetcher.New(o), o
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// configure changes the options, as a reload does.
func (r *rig) configure(edit func(*fetcher.Options)) {
	edit(&r.options)
	r.Configure(r.options)
}

// sync takes the world's catalogue over.
func (r *rig) sync() {
	r.t.Helper()
	c := world2catalogue(r.world.Catalogue())
	if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

func world2catalogue(c sim.Catalogue) (out record.Catalogue) {
	for _, p := range c.Packages {
		out.Packages = append(out.Packages, record.Entry{ID: p.ID, Slug: p.Slug, Title: p.Title, RepoURL: p.RepoURL, PyPIURL: p.PyPIURL, DocumentationURL: p.DocumentationURL, Created: p.Created})
	}
	return out
}

func (r *rig) pass() record.Pass {
	r.t.Helper()
	report, err := r.Pass(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func (r *rig) get(slug string) record.Package {
	r.t.Helper()
	rec, err := r.store.PackageBySlug(slug)
	if err != nil {
		r.t.Fatalf("%s: %v", slug, err)
	}
	return rec
}

func (r *rig) refresh(slug string) record.Pass {
	r.t.Helper()
	sources, err := r.Sources([]string{slug})
	if err != nil {
		r.t.Fatal(err)
	}
	report, err := r.RefreshSources(context.Background(), sources, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// pair declares a package acme/NAME with a project of the same name.
func pair(w *sim.World, name string, edit func(*sim.Repo)) {
	now := time.Now()
	repo := &sim.Repo{FullName: "acme/" + name, Description: new(string), Stars: 42, Forks: 7, Commits: []sim.Commit{
		{At: now.Add(-30 * 24 * time.Hour), Author: "ada"},
		{At: now.Add(-20 * 24 * time.Hour), Author: "bea"},
		{At: now.Add(-9 * 24 * time.Hour), Author: "ada"},
	}}
	if edit != nil {
		edit(repo)
	}
	w.AddRepo(repo)
	w.AddProject(&sim.Project{Name: name, Releases: []sim.Release{
		{Version: "0.9", Files: []sim.File{{Name: name + "-0.9.tar.gz", Uploaded: now.Add(-48 * time.Hour)}}},
		{Version: "0.10", Files: []sim.File{{Name: name + "-0.10.tar.gz", Uploaded: now.Add(-24 * time.Hour)}}},
	}})
}

// TestGeneratedWorld runs passes over a world of the kind that a catalogue has
// and compares every record with what the world declares.
func TestGeneratedWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(7, 90, sim.Options{})
		r := newRig(t, world, nil)
		report := r.pass()
		if report.Asked == 0 || report.Fresh == 0 || report.Failed > 0 {
			t.Fatalf("first pass: %+v", report)
		}
		r.compare()

		// Nothing is due: nothing is asked.
		if again := r.pass(); again.Asked != 0 || again.GitHub.Requests != 0 || again.PyPI.Requests != 0 {
			t.Errorf("a pass with nothing due asked: %+v", again)
		}
		// A day later all is due; what did not change costs no budget.
		time.Sleep(24 * time.Hour)
		second := r.pass()
		if second.GitHub.Charged >= report.GitHub.Charged/2 {
			t.Errorf("second pass charged %d requests, the first %d", second.GitHub.Charged, report.GitHub.Charged)
		}
		world.Advance(7 * 24 * time.Hour)
		time.Sleep(24 * time.Hour)
		r.pass()
		r.compare()
		if v := world.Stats().Violations; v > 0 {
			t.Errorf("violations: %v", v)
		}
	})
}

// compare holds every stored record against the world.
func (r *rig) compare() {
	r.t.Helper()
	compared := 0
	for _, p := range r.world.Catalogue().Packages {
		rec := r.get(p.Slug)
		if rec.GitHub.State == record.StateOK && rec.Repo.Name != "" {
			var served struct {
				ID, Stars, Forks int64
				Archived         bool
				Description      string
			}
			r.ask("/repos/"+rec.Repo.Name, map[string]any{
				"id": &served.ID, "stargazers_count": &served.Stars, "forks_count": &served.Forks, "archived": &served.Archived, "description": &served.Description,
			})
			commits := r.world.Commits(r.world.Repo(rec.Repo.Name))
			got := rec.Repo
			if got.ID != served.ID || int64(got.Stars) != served.Stars || int64(got.Forks) != served.Forks || got.Archived != served.Archived || got.Description != served.Description || got.Commits != len(commits) {
				r.t.Errorf("%s: stored %+v; the world answers %+v and has %d commits", p.Slug, got, served, len(commits))
			}
			if len(commits) > 0 && len(rec.Repo.Commits52) != 52 {
				r.t.Errorf("%s: %d weeks of commits", p.Slug, len(rec.Repo.Commits52))
			}
			compared++
		}
	}
	if compared < 50 {
		r.t.Errorf("only %d records compared", compared)
	}
}

// ask reads members of an answer of the world into what fields points to,
// without any of the code under test.
func (r *rig) ask(path string, fields map[string]any) {
	r.t.Helper()
	w, request := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
	request.Header.Set("Authorization", "Bearer another")
	r.world.Handler().ServeHTTP(w, request)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		r.t.Fatalf("%s: %d %v", path, w.Code, err)
	}
	for name, to := range fields {
		if err := json.Unmarshal(members[name], to); err != nil {
			r.t.Fatalf("%s: %d: %s: %v in %s", path, w.Code, name, err, w.Body)
		}
	}
}

// TestSharedSources: three packages of one repository and one project cost what one
// costs, in a pass and on demand, and all three are served what was learnt.
func TestSharedSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := map[int]int64{}
		for _, packages := range []int{1, 3} {
			world := sim.New(sim.Options{})
			pair(world, "shared", nil)
			r := newRig(t, world, nil)
			// However people write the same thing, it is one source.
			repos := []string{"https://github.com/acme/shared", "git@github.com:ACME/Shared.git", "http://www.github.com/acme/shared/tree/main"}
			projects := []string{"https://pypi.org/project/shared/", "https://pypi.python.org/pypi/Shared", "https://pypi.org/project/SHARED"}
			var c record.Catalogue
			for n := range packages {
				c.Packages = append(c.Packages, record.Entry{ID: n + 1, Slug: fmt.Sprintf("package-%d", n), RepoURL: &repos[n], PyPIURL: &projects[n]})
			}
			if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
				t.Fatal(err)
			}
			if report := r.pass(); report.Asked != 2 || report.Fresh != 2 {
				t.Errorf("%d packages: %+v", packages, report)
			}
			if report := r.refresh("package-0"); report.Asked != 2 {
				t.Errorf("%d packages, on demand: %+v", packages, report)
			}
			asked[packages] = world.Stats().Requests
			for n := range packages {
				if p := r.get(fmt.Sprintf("package-%d", n)); p.Repo.Stars != 42 || p.Project.Version == nil || *p.Project.Version != "0.10" {
					t.Errorf("%s: %+v, %+v", p.Slug, p.Repo, p.Project)
				}
			}
		}
		if asked[1] != asked[3] || asked[1] == 0 {
			t.Errorf("one package: %d requests, three of the same sources: %d", asked[1], asked[3])
		}
	})
}

func TestHalvesDoNotTouchEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		r := newRig(t, world, nil)
		r.pass()
		before := r.get("alpha")
		if before.Repo.Stars != 42 || *before.Project.Version != "0.10" || before.GitHub.State != record.StateOK || before.PyPI.State != record.StateOK {
			t.Fatalf("first pass: %+v", before)
		}
		time.Sleep(time.Hour)
		world.SetFault(nil, sim.All, sim.InternalError, 0)
		if report := r.refresh("alpha"); report.Failed != 1 || report.GitHub.Failed != 1 || report.PyPI.Unchanged != 1 {
			t.Errorf("report: %+v", report)
		}
		after := r.get("alpha")
		if diff := cmp.Diff(before.Repo, after.Repo); diff != "" {
			t.Errorf("a failure changed the data (-before +after):\n%s", diff)
		}
		if after.GitHub.State != record.StateFailed || after.GitHub.Failures != 1 || after.GitHub.LastError == "" || !after.GitHub.LastSuccess.Equal(before.GitHub.LastSuccess) {
			t.Errorf("GitHub: %+v", after.GitHub)
		}
		if after.PyPI.State != record.StateOK || !after.PyPI.LastSuccess.After(before.PyPI.LastSuccess) {
			t.Errorf("PyPI: %+v", after.PyPI)
		}
		if !after.Modified.Equal(before.Modified) || !after.LastFetched.Equal(before.LastFetched) {
			t.Errorf("modified %s -> %s, last_fetched %s -> %s", before.Modified, after.Modified, before.LastFetched, after.LastFetched)
		}

		world.ClearFaults()
		world.SetProjectFault(nil, sim.ProjectJSON, sim.HTML, 0)
		r.refresh("alpha")
		last := r.get("alpha")
		if last.GitHub.Failures != 0 || last.GitHub.State != record.StateOK || last.PyPI.Failures != 1 || *last.Project.Version != "0.10" {
			t.Errorf("the other way round: %+v %+v", last.GitHub, last.PyPI)
		}
	})
}

func TestPendingIsAskedAgainAndNeverZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		pair(world, "beta", func(r *sim.Repo) { r.Pending = 2 })
		r := newRig(t, world, func(o *fetcher.Options) { o.Workers = 1 })
		r.pass()
		old := r.get("alpha").Repo.Commits52
		if len(old) != 52 || len(r.get("beta").Repo.Commits52) != 52 {
			t.Fatalf("after two 202s: alpha %v beta %v", old, r.get("beta").Repo.Commits52)
		}

		world.SetFault(world.Repo("acme/alpha"), sim.Participation, sim.Pending, 0)
		world.ResetStats()
		start := time.Now()
		report := r.refresh("alpha")
		if took := time.Since(start); took > 10*time.Second || took < 5*time.Second {
			t.Errorf("the pass waited %s", took)
		}
		if n := world.PathCounts()["/repos/acme/alpha/stats/participation"]; n != 4 {
			t.Errorf("asked %d times: %v", n, world.PathCounts())
		}
		rec := r.get("alpha")
		if report.Pending != 1 || rec.GitHub.State != record.StatePending || !slices.Equal(rec.Repo.Commits52, old) {
			t.Errorf("report %+v, state %+v, counts %v", report, rec.GitHub, rec.Repo.Commits52)
		}
		if wait := rec.GitHub.NextDue.Sub(rec.GitHub.LastAttempt); wait > 5*time.Minute {
			t.Errorf("next due %s later", wait)
		}
	})
}

func TestPendingHoldsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Latency: 100 * time.Millisecond})
		for i := range 10 {
			pair(world, fmt.Sprintf("p%d", i), func(r *sim.Repo) { r.Pending = 1 })
		}
		r := newRig(t, world, func(o *fetcher.Options) { o.Workers = 1 })
		start := time.Now()
		if report := r.pass(); report.GitHub.Fresh != 10 {
			t.Errorf("%+v", report)
		}
		// 10 packages, 5 GitHub requests each one after the other; waiting a
		// second for each of the ten would add 10 s.
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestQuickRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			fault  sim.Fault
			times  int
			failed int
		}{{sim.BadGateway, 1, 0}, {sim.BadGateway, 2, 1}, {sim.Reset, 1, 0}, {sim.NotFound, 1, 0}} {
			world := sim.New(sim.Options{})
			pair(world, "alpha", nil)
			r := newRig(t, world, nil)
			world.SetFault(nil, sim.CommitList, tt.fault, tt.times)
			report := r.pass()
			rec := r.get("alpha")
			if tt.fault == sim.NotFound { // not worth a retry: it is an answer
				if report.Failed != 1 || rec.GitHub.Failures != 1 {
					t.Errorf("%s: %+v", tt.fault, report)
				}
				continue
			}
			if report.Failed != tt.failed || rec.GitHub.Failures != tt.failed || rec.Repo.Stars != 42 || (tt.failed == 0) != (rec.Repo.Commits == 3) {
				t.Errorf("%s ×%d: %+v %+v %+v", tt.fault, tt.times, report, rec.GitHub, rec.Repo)
			}
		}
	})
}

func TestBackoffGrowsAndNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		world.SetFault(nil, sim.All, sim.InternalError, 0)
		r := newRig(t, world, nil)
		var waits []time.Duration
		for range 20 {
			r.pass()
			s := r.get("alpha").GitHub
			wait := s.NextDue.Sub(s.LastAttempt)
			if wait <= 0 || wait > 24*time.Hour {
				t.Fatalf("after %d failures the next attempt is %s away", s.Failures, wait)
			}
			waits = append(waits, wait)
			time.Sleep(wait)
		}
		if waits[0] > 5*time.Minute || waits[19] < 12*time.Hour {
			t.Errorf("waits: %v", waits)
		}
		world.ClearFaults()
		r.pass()
		if s := r.get("alpha").GitHub; s.Failures != 0 || s.State != record.StateOK {
			t.Errorf("after a success: %+v", s)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		pair(world, "beta", nil)
		world.SetProjectFault(nil, sim.ProjectJSON, sim.TooManyRequests, 1)
		r := newRig(t, world, func(o *fetcher.Options) { o.Workers = 1 })
		report := r.pass()
		if report.PyPI.Deferred != 2 || report.PyPI.Requests != 1 || report.GitHub.Fresh != 2 || report.PyPI.HeldUntil.IsZero() {
			t.Fatalf("%+v", report)
		}
		if s := r.get("alpha").PyPI; s.Failures != 0 || s.State != record.StateNew || !s.NextDue.IsZero() {
			t.Errorf("a limit is no failure: %+v", s)
		}
		if held := r.pass(); held.Asked != 0 || held.PyPI.Waiting != 2 || !held.Resume().Equal(report.Resume()) {
			t.Errorf("while the limit holds: %+v", held)
		}
		time.Sleep(time.Until(report.Resume()) + time.Second)
		if report := r.pass(); report.PyPI.Fresh != 2 || report.GitHub.Asked != 0 {
			t.Errorf("after the limit: %+v", report)
		}
	})
}

// TestOutage: an upstream that fails as a whole is asked a few times, not once for
// every source, and the log has one line when it begins and one when it is over.
func TestOutage(t *testing.T) {
	for _, fault := range []sim.Fault{sim.Reset, sim.BadGateway, sim.HTML, sim.Truncated} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := sim.New(sim.Options{})
				for i := range 60 {
					pair(world, fmt.Sprintf("p%02d", i), nil)
				}
				world.SetProjectFault(nil, sim.ProjectJSON, fault, 1<<30)
				r := newRig(t, world, nil)
				lines := func(text string) int { return strings.Count(r.log.String(), text) }
				report := r.pass()
				if report.GitHub.Fresh != 60 || report.PyPI.Requests > 25 || report.PyPI.Failed > 15 || report.PyPI.Fault == "" || report.Resume().IsZero() {
					t.Fatalf("%+v", report)
				}
				failed := lines("failed, the data of the last success stays")
				asked := report.PyPI.Requests
				for range 30 { // a pass whenever the hold is over
					time.Sleep(time.Until(report.Resume()))
					report = r.pass()
					asked += report.PyPI.Requests
				}
				if asked > 25+2*30 || lines(`"level":"error"`) != 1 || lines("failed, the data of the last success stays") > failed+30 {
					t.Errorf("%d requests, and this log:\n%s", asked, r.log)
				}
				if p := r.get("p07").PyPI; p.Failures > 3 {
					t.Errorf("an outage is laid at the door of a source: %+v", p)
				}
				world.ClearFaults()
				time.Sleep(time.Until(report.Resume()))
				if report = r.pass(); report.PyPI.Fault != "" || lines("PyPI answers again") != 1 {
					t.Errorf("it is over: %+v\n%s", report, r.log)
				}
			})
		})
	}
}

// TestClockThatWasAhead: what was asked by a clock that has been set back since is not
// fresh, is asked again at once, and is told of once.
func TestClockThatWasAhead(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, 10 * 24 * time.Hour, 41 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			run := func(use func(*testing.T, *rig)) {
				synctest.Test(t, func(t *testing.T) { // in which the clock begins anew
					world := sim.New(sim.Options{})
					for _, name := range []string{"alpha", "beta", "gone"} {
						pair(world, name, nil)
					}
					world.SetFault(world.Repo("acme/gone"), sim.All, sim.NotFound, 1<<30)
					use(t, newRigAt(t, path, world, nil))
				})
			}
			run(func(t *testing.T, r *rig) {
				time.Sleep(ahead)
				if report := r.pass(); report.Asked != 6 || report.Gone != 1 {
					t.Fatalf("%+v", report)
				}
				if n := strings.Count(r.log.String(), `"message":"not found, nothing fetched so far"`); n != 1 {
					t.Errorf("told %d times that one was never there:\n%s", n, r.log)
				}
			})
			run(func(t *testing.T, r *rig) {
				now := time.Now()
				sum, err := r.store.Summary(now, []time.Duration{1000 * time.Hour}, 0)
				if err != nil || sum.GitHub.Ages[0] != 0 || sum.PyPI.Ages[0] != 0 {
					t.Errorf("fresh before anything was asked: %+v, %v", sum, err)
				}
				if report := r.pass(); report.Asked != 6 || report.Failed != 0 {
					t.Errorf("%+v", report)
				}
				for _, slug := range []string{"alpha", "gone"} {
					p := r.get(slug)
					for _, s := range []record.Status{p.GitHub, p.PyPI} {
						if s.LastAttempt.After(time.Now()) || s.State == record.StateOK && s.NextDue.Sub(now) > 25*time.Hour {
							t.Errorf("%s: %+v", slug, s)
						}
					}
					if p.LastFetched.After(time.Now()) {
						t.Errorf("%s is served as fetched at %s", slug, p.LastFetched)
					}
				}
				if report := r.pass(); report.Asked != 0 {
					t.Errorf("again: %+v", report)
				}
				if n := strings.Count(r.log.String(), "was the clock wrong"); n != 1 {
					t.Errorf("told %d times:\n%s", n, r.log)
				}
			})
		})
	}
}

// TestRefusedToken: the log says so as an error, once.
func TestRefusedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		world.SetFault(nil, "", sim.Unauthorized, 1<<30)
		r := newRig(t, world, nil)
		for range 5 {
			report := r.pass()
			if report.GitHub.Fault == "" || report.GitHub.Failed != 0 {
				t.Fatalf("%+v", report)
			}
			time.Sleep(time.Until(report.Resume()))
		}
		if n := strings.Count(r.log.String(), `"level":"error"`); n != 1 || !strings.Contains(r.log.String(), "github.token_file") {
			t.Errorf("%d errors:\n%s", n, r.log)
		}
		world.ClearFaults()
		if report := r.pass(); report.GitHub.Fault != "" || report.GitHub.Fresh != 1 || !strings.Contains(r.log.String(), "GitHub answers again") {
			t.Errorf("with a good token: %+v\n%s", report, r.log)
		}
	})
}

// TestPersonMayProbe: what a hold keeps from a pass a person may still ask for.
func TestPersonMayProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		world.SetProjectFault(nil, sim.ProjectJSON, sim.TooManyAbsurd, 1)
		r := newRig(t, world, nil)
		if held := r.pass().PyPI.HeldUntil; held.IsZero() || time.Until(held) > time.Hour {
			t.Fatalf("held until %s", held)
		}
		if report := r.pass(); report.PyPI.Asked != 0 {
			t.Errorf("a pass asks all the same: %+v", report)
		}
		if report := r.refresh("alpha"); report.PyPI.Fresh != 1 || !report.PyPI.HeldUntil.IsZero() {
			t.Errorf("a person: %+v", report)
		}
	})
}

func TestBudgetOutPyPIGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Limit: 60})
		for i := range 40 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		r := newRig(t, world, nil)
		report := r.pass()
		if report.PyPI.Fresh != 40 {
			t.Errorf("PyPI: %+v", report.PyPI)
		}
		if report.GitHub.Deferred == 0 || report.GitHub.Failed != 0 || report.GitHub.Charged > 60-5 {
			t.Errorf("GitHub: %+v", report.GitHub)
		}
		passes := 1
		for ; report.GitHub.Deferred > 0 && passes < 10; passes++ {
			if report.Resume().IsZero() {
				t.Fatalf("deferred, but no time to resume: %+v", report)
			}
			time.Sleep(time.Until(report.Resume()) + time.Second)
			report = r.pass()
		}
		for i := range 40 {
			if rec := r.get(fmt.Sprintf("p%02d", i)); rec.GitHub.State != record.StateOK || rec.Repo.Stars != 42 || rec.GitHub.Failures != 0 {
				t.Errorf("%s: %+v", rec.Slug, rec.GitHub)
			}
		}
		if v := world.Stats().Violations; v > 0 {
			t.Errorf("violations: %v", v)
		}
	})
}

func TestGoneRenamedEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		pair(world, "beta", nil)
		pair(world, "empty", func(r *sim.Repo) { r.Commits = nil })
		r := newRig(t, world, nil)
		r.pass()

		if rec := r.get("empty"); rec.GitHub.State != record.StateOK || len(rec.Repo.Commits52) != 52 || rec.Repo.LastCommit != nil || rec.Repo.Participants != nil {
			t.Errorf("empty repository: %+v %+v", rec.Repo, rec.GitHub)
		}

		world.Rename("acme/alpha", "umbrella/alpha2")
		repo := world.Repo("umbrella/alpha2")
		world.Edit(func() { repo.Stars = 50 })
		report := r.refresh("alpha")
		rec := r.get("alpha")
		if rec.Repo.Name != "umbrella/alpha2" || rec.Repo.Stars != 50 || *rec.RepoURL == "" || strings.Contains(*rec.RepoURL, "umbrella") {
			t.Errorf("renamed: %+v (report %+v)", rec.Repo, report)
		}
		world.ResetStats()
		r.refresh("alpha")
		if n := world.PathCounts()["/repos/acme/alpha"]; n != 0 {
			t.Errorf("asked %d times by the old name", n)
		}

		before := r.get("beta")
		world.SetFault(world.Repo("acme/beta"), sim.All, sim.NotFound, 0)
		world.SetProjectFault(world.Project("beta"), sim.All, sim.NotFound, 0)
		if report := r.refresh("beta"); report.Gone != 2 || report.Failed != 0 {
			t.Errorf("gone: %+v", report)
		}
		if n := strings.Count(r.log.String(), `"message":"not found, the data of the last success stays"`); n != 2 {
			t.Errorf("told %d times that two are gone:\n%s", n, r.log)
		}
		rec = r.get("beta")
		if rec.GitHub.State != record.StateGone || rec.PyPI.State != record.StateGone {
			t.Errorf("gone: %+v %+v", rec.GitHub, rec.PyPI)
		}
		before.Repo.Name = "" // the catalogue's own name gets its turn
		if diff := cmp.Diff(before.Repo, rec.Repo) + cmp.Diff(before.Project, rec.Project) + cmp.Diff(before.Entry, rec.Entry); diff != "" {
			t.Errorf("gone erased something:\n%s", diff)
		}
	})
}

// countdown is a wire that cuts a pass short at its nth request, whatever the
// speed of the machine.
type countdown struct {
	http.RoundTripper
	left   atomic.Int64
	cancel atomic.Pointer[context.CancelFunc]
}

func (c *countdown) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) == 0 {
		(*c.cancel.Load())()
	}
	return c.RoundTripper.RoundTrip(r)
}

// TestCancelAtAnyMoment is the promise of a stop: what was stored before stays,
// what arrived is stored, and nothing is left running.
func TestCancelAtAnyMoment(t *testing.T) {
	runs := 80
	world := sim.Generate(3, 15, sim.Options{NoSecondary: true})
	t.Cleanup(func() { _ = world.Close() })
	transport := world.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	wire := &countdown{RoundTripper: transport}
	random := rand.New(rand.NewPCG(1, 2))
	gh, _ := github.New(github.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test (+test@example.org)", Token: "t", PerMinute: 1 << 20, Transport: wire})
	py, _ := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test (+test@example.org)", Transport: wire})
	path := filepath.Join(t.TempDir(), "test.db")
	catalogue := world2catalogue(world.Catalogue())
	finished, interrupted := 0, 0
	for range runs {
		st, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.SyncCatalogue(catalogue, time.Now()); err != nil {
			t.Fatal(err)
		}
		before, _, err := st.Packages(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		f := fetcher.New(fetcher.Options{
			Store: st, GitHub: gh, PyPI: py, Workers: 4, Log: zerolog.Nop(),
			Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: time.Minute, RetryMax: time.Hour},
		})
		ctx, cancel := context.WithCancel(context.Background())
		wire.cancel.Store(&cancel)
		wire.left.Store(1 + random.Int64N(90)) // a whole pass makes about 75
		report, err := f.RefreshAll(ctx, nil, nil)
		cancel()
		if err != nil {
			t.Fatalf("a cancelled pass is no failure: %v", err)
		}
		if report.Cancelled {
			interrupted++
		} else {
			finished++
		}
		after, _, err := st.Packages(0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		stored := map[record.Key]bool{}
		for i, rec := range after {
			old := before[i]
			if lost(old, rec) {
				t.Fatalf("%s lost data:\n%s", rec.Slug, cmp.Diff(old, rec))
			}
			if rec.GitHub.Failures > old.GitHub.Failures && rec.GitHub.State == record.StateFailed || rec.PyPI.State == record.StateFailed {
				t.Fatalf("%s: a cancelled request counts as a failure: %+v %+v", rec.Slug, rec.GitHub, rec.PyPI)
			}
			if rec.GitHub.LastAttempt.After(old.GitHub.LastAttempt) {
				stored[rec.RepoKey] = true
			}
			if rec.PyPI.LastAttempt.After(old.PyPI.LastAttempt) {
				stored[rec.ProjectKey] = true
			}
		}
		if answered := report.Fresh + report.Unchanged + report.Pending + report.Gone; len(stored) < answered {
			t.Fatalf("%d sources have answered, %d are stored", answered, len(stored))
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d passes ran to their end, %d were interrupted", finished, interrupted)
	if interrupted < runs/3 || finished == 0 {
		t.Errorf("%d passes were interrupted, %d ran to their end; want many and some", interrupted, finished)
	}
	if n, _, _ := records(t, path); n < 10 {
		t.Errorf("after all of it only %d records hold anything", n)
	}
}

// records counts the stored packages that something was fetched of.
func records(t *testing.T, path string) (fetched, total int, err error) {
	st, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com")})
	if err != nil {
		t.Fatal(err)
	}
	recs, total, err := st.Packages(0, 1000)
	for _, rec := range recs {
		if !rec.GitHub.LastSuccess.IsZero() || !rec.PyPI.LastSuccess.IsZero() {
			fetched++
		}
	}
	return fetched, total, errors.Join(err, st.Close())
}

// lost reports whether something known before is not known any more.
func lost(old, rec record.Package) bool {
	return old.Repo.ID != 0 && rec.Repo.ID == 0 ||
		len(rec.Repo.Participants) < len(old.Repo.Participants) ||
		len(old.Repo.Commits52) != 0 && len(rec.Repo.Commits52) == 0 ||
		old.Project.Version != nil && rec.Project.Version == nil ||
		len(rec.Project.Versions) < len(old.Project.Versions) ||
		rec.LastFetched.Before(old.LastFetched) || rec.GitHub.LastSuccess.Before(old.GitHub.LastSuccess)
}

// panicky is a client with a fault of its own for one repository.
type panicky struct{ fetcher.GitHub }

func (p panicky) Fetch(ctx context.Context, q github.Question) github.Answer {
	if q.Ref.Name == "bad" {
		panic("index out of range")
	}
	return p.GitHub.Fetch(ctx, q)
}

func TestFaultOfOnePackageEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "bad", nil)
		pair(world, "good", nil)
		r := newRig(t, world, func(o *fetcher.Options) { o.GitHub = panicky{o.GitHub} })
		report := r.pass()
		if report.Failed != 1 || report.Fresh != 3 || r.get("bad").PyPI.State != record.StateOK {
			t.Errorf("%+v", report)
		}
		if !strings.Contains(r.log.String(), "index out of range") {
			t.Error("the fault is not in the log")
		}
	})
}

func TestEveryLineOfAPassNamesItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(9, 40, sim.Options{})
		r := newRig(t, world, nil)
		world.SetFault(nil, sim.Repository, sim.BadGatewayHTML, 9) // one more in a row would be an outage
		r.pass()
		lines := strings.Split(strings.TrimSpace(r.log.String()), "\n")
		for _, line := range lines[:len(lines)-1] {
			if !strings.Contains(line, `"key":"github.com/`) && !strings.Contains(line, `"key":"pypi:`) {
				t.Errorf("no source: %s", line)
			}
		}
		if last := lines[len(lines)-1]; !strings.Contains(last, "pass done") || !strings.Contains(last, `"github_charged":`) {
			t.Errorf("last line: %s", last)
		}
	})
}

func TestDueTimesSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{NoPending: true, Limit: 1 << 30, NoSecondary: true})
		for i := range 300 {
			pair(world, fmt.Sprintf("p%03d", i), nil)
		}
		r := newRig(t, world, nil)
		r.pass()
		hours, forPages := map[time.Duration]int{}, 0
		for i := range 300 {
			rec := r.get(fmt.Sprintf("p%03d", i))
			wait := rec.GitHub.NextDue.Sub(rec.GitHub.LastAttempt)
			if wait < 19*time.Hour || wait > 24*time.Hour {
				t.Fatalf("due %s later", wait)
			}
			forPage := rec.PyPI.NextDue.Equal(rec.Project.Standing.Due)                   // which changes nothing that is served
			if !forPage && rec.GitHub.NextDue.Sub(rec.PyPI.NextDue).Abs() > time.Minute { // each was asked at its turn
				t.Fatalf("the halves of %s fall due apart: %s, %s", rec.Slug, rec.GitHub.NextDue, rec.PyPI.NextDue)
			}
			hours[wait.Truncate(time.Hour)]++
			if forPage {
				forPages++
			}
		}
		if forPages > 30 {
			t.Errorf("%d of 300 fall due for their page within a day, not some thirtieth", forPages)
		}
		for h, n := range hours {
			if n > 120 {
				t.Errorf("%d of 300 fall due within the hour %s", n, h)
			}
		}
	})
}

// damaged is a store of which one source can't be read.
type damaged struct{ fetcher.Store }

var errDamaged = errors.New("pypi:p03 is damaged")

func (d damaged) SourcesAfter(key record.Key, limit int) ([]record.Source, error) {
	recs, err := d.Store.SourcesAfter(key, limit)
	all := len(recs)
	recs = slices.DeleteFunc(recs, func(s record.Source) bool { return s.Key == "pypi:p03" })
	if len(recs) < all {
		err = errDamaged
	}
	return recs, err
}

func TestRefreshAllPassesDamageOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		for i := range 12 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		r := newRig(t, world, func(o *fetcher.Options) { o.Store, o.MaxSources = damaged{o.Store}, 5 })
		var last fetcher.Progress
		report, err := r.RefreshAll(context.Background(), nil, func(p fetcher.Progress) { last = p })
		if !errors.Is(err, errDamaged) || report.Fresh != 23 || last.Done != 23 {
			t.Errorf("%v; %+v; %+v", err, report, last)
		}
	})
}

// TestHoldsAreToldToTheEnd: a pass that had nothing to ask of a source on hold
// still says until when it is, or the scheduler would forget to resume.
func TestHoldsAreToldToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Limit: 20})
		for i := range 12 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		r := newRig(t, world, nil)
		first := r.pass()
		if first.GitHub.Deferred == 0 || first.Resume().IsZero() {
			t.Fatalf("%+v", first)
		}
		time.Sleep(time.Minute)
		second := r.pass()
		if second.GitHub.Requests != 0 || !second.Resume().Equal(first.Resume()) {
			t.Errorf("resume %s, then %s: %+v", first.Resume(), second.Resume(), second)
		}
	})
}

// brokenDisk takes some answers and then no more.
type brokenDisk struct {
	fetcher.Store
	puts *int
}

var errDisk = errors.New("no space left on device")

func (b brokenDisk) Put(recs []record.Source) error {
	if *b.puts++; *b.puts > 1 {
		return errDisk
	}
	return b.Store.Put(recs)
}

func TestWriteErrorEndsThePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Latency: 200 * time.Millisecond})
		for i := range 60 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		puts := 0
		r := newRig(t, world, func(o *fetcher.Options) { o.Store = brokenDisk{o.Store, &puts} })
		report, err := r.Pass(context.Background())
		if !errors.Is(err, errDisk) || puts != 2 || report.Left == 0 {
			t.Errorf("%v after %d writes; %+v", err, puts, report)
		}
		if again, _, err := r.store.Due(time.Now(), 100, record.Order{}); err != nil || len(again) == 0 {
			t.Errorf("what was not stored is not due: %d, %v", len(again), err)
		}
	})
}

// TestLateAnswersLoseToNewerOnes: a long pass reads its records once, and a
// package may be refreshed by name before the pass gets to it.
func TestLateAnswersLoseToNewerOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		r := newRig(t, world, nil)
		r.pass()
		early, err := r.store.Sources("alpha") // what a long pass has read
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Hour)
		repo := world.Repo("acme/alpha")
		world.Edit(func() { repo.Stars = 99 })
		r.refresh("alpha")
		fresh := r.get("alpha")
		if fresh.Repo.Stars != 99 {
			t.Fatalf("%+v", fresh.Repo)
		}

		time.Sleep(time.Hour) // now the pass gets to it: GitHub fails, PyPI has nothing new
		broken := &upstream.Error{Outcome: upstream.Failed, Message: "broken"}
		failed := github.Answer{Repository: github.Part[github.Repository]{Outcome: upstream.Failed, Err: broken}, Validators: early[0].Tags}
		if err := r.store.Put([]record.Source{
			fetcher.Merge(early[0], fetcher.Answer{Repo: &failed}, time.Now(), policy),
			fetcher.Merge(early[1], fetcher.Answer{Project: &pypi.Answer{Outcome: upstream.Unchanged}}, time.Now(), policy),
		}); err != nil {
			t.Fatal(err)
		}
		got := r.get("alpha")
		if diff := cmp.Diff(fresh.Repo, got.Repo) + cmp.Diff(fresh.GitHub, got.GitHub); diff != "" {
			t.Errorf("older data came back (-want +got):\n%s", diff)
		}
		if !got.PyPI.LastSuccess.After(fresh.PyPI.LastSuccess) || got.LastFetched.Before(fresh.LastFetched) || !got.Modified.Equal(fresh.Modified) {
			t.Errorf("PyPI %+v, last_fetched %s, modified %s; before: %+v, %s, %s", got.PyPI, got.LastFetched, got.Modified, fresh.PyPI, fresh.LastFetched, fresh.Modified)
		}
	})
}
