package fetcher_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
)

const indexProjects = 12

// indexWire is the way to a simulated PyPI. It can keep old answers, as a cache does.
type indexWire struct {
	http.RoundTripper

	mu      sync.Mutex
	kept    map[string]*httptest.ResponseRecorder // by path
	keeping map[string]int                        // how often the kept answer is given
}

// keep has the wire give the present answer to a path so many times more.
func (w *indexWire) keep(world *sim.World, path string, times int) {
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("GET", path, nil)
	request.Header.Set("User-Agent", "pkgmetad/test (+test@example.org)")
	request.Header.Set("Accept", "application/vnd.pypi.simple.v1+json")
	world.Handler().ServeHTTP(answer, request)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept[path], w.keeping[path] = answer, times
}

func (w *indexWire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	answer := w.kept[req.URL.Path]
	if w.keeping[req.URL.Path] == 0 {
		answer = nil
	} else {
		w.keeping[req.URL.Path]--
	}
	w.mu.Unlock()
	if answer == nil {
		return w.RoundTripper.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: answer.Code, Header: answer.Header(), Body: io.NopCloser(strings.NewReader(answer.Body.String())), ContentLength: -1, Request: req,
	}, nil
}

// indexRig is a rig over projects p00, p01 and so on, for which PyPI's index is read.
type indexRig struct {
	*rig
	wire *indexWire
}

func newIndexRig(t *testing.T, edit func(*fetcher.Options)) *indexRig {
	t.Helper()
	world := sim.New(sim.Options{})
	for i := range indexProjects {
		declareProject(world, fmt.Sprintf("p%02d", i))
	}
	transport := world.Transport()
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	wire := &indexWire{RoundTripper: transport, kept: map[string]*httptest.ResponseRecorder{}, keeping: map[string]int{}}
	r := newRigOver(t, filepath.Join(t.TempDir(), "test.db"), wire, func(o *fetcher.Options) {
		o.IndexAbove = indexProjects - 1
		if edit != nil {
			edit(o)
		}
	})
	r.world = world
	r.sync()
	return &indexRig{r, wire}
}

func declareProject(world *sim.World, name string) {
	world.AddProject(&sim.Project{Name: name, Releases: []sim.Release{version(name, "0.9"), version(name, "0.10")}})
}

func version(project, version string) sim.Release {
	return sim.Release{Version: version, Files: []sim.File{{Name: project + "-" + version + ".tar.gz", Uploaded: time.Now().Add(-time.Hour)}}}
}

func (r *indexRig) edit(name string, f func(*sim.Project)) {
	p := r.world.Project(name)
	r.world.Edit(func() { f(p) })
}

// asks has a pass run, and compares how many requests it makes.
func (r *indexRig) asks(index, projects, pages int64) record.Pass {
	r.t.Helper()
	r.world.ResetStats()
	report := r.pass()
	by := r.world.Stats().PyPI.ByEndpoint
	if by["index"] != index || by["project"] != projects || by["simple"] != pages {
		r.t.Fatalf("asked for %v; want the index %d times, %d projects, %d pages", by, index, projects, pages)
	}
	if int64(report.PyPI.Requests) != index+projects+pages {
		r.t.Fatalf("%d requests are reported: %+v", report.PyPI.Requests, report.PyPI)
	}
	return report
}

// settle has passes run until the pages of all projects were asked for, and none of
// them is due within the next days.
func (r *indexRig) settle() {
	r.t.Helper()
	for day := range 100 {
		r.pass()
		next := time.Now().Add(1000 * time.Hour)
		for _, p := range r.all() {
			if due := p.Project.Standing.Due; due.Before(next) {
				next = due
			}
		}
		if day > 32 && time.Until(next) > 4*24*time.Hour {
			return
		}
		time.Sleep(24 * time.Hour)
	}
	r.t.Fatal("there are always pages due")
}

func TestIndexTellsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		if report := r.asks(1, indexProjects, 0); report.PyPI.Fresh != indexProjects {
			t.Fatalf("first pass: %+v", report.PyPI)
		}
		r.settle()
		fresh := r.get("p03")
		for range 19 {
			time.Sleep(time.Hour)
			r.asks(0, 0, 0)
		}
		time.Sleep(time.Hour)
		report := r.asks(1, 0, 0) // before the first of them falls due
		if report.PyPI.Unchanged != indexProjects || report.PyPI.Indexed != indexProjects || report.Asked != indexProjects {
			t.Errorf("nothing has changed: %+v", report.PyPI)
		}
		for _, p := range r.all() {
			if p.PyPI.State != record.StateOK || !p.PyPI.LastSuccess.Equal(time.Now()) || !p.LastFetched.Equal(time.Now()) || p.PyPI.NextDue.Before(time.Now().Add(time.Hour)) {
				t.Errorf("%s: %+v", p.Slug, p.PyPI)
			}
		}
		if p := r.get("p03"); !p.Modified.Equal(fresh.Modified) {
			t.Errorf("modified %s, was %s", p.Modified, fresh.Modified)
		}

		time.Sleep(time.Hour)
		r.edit("p03", func(p *sim.Project) { p.Releases = append(p.Releases, version("p03", "1.0")) })
		r.asks(0, 0, 0)
		time.Sleep(19*time.Hour + time.Minute)
		if report := r.asks(1, 1, 0); report.PyPI.Indexed != indexProjects-1 || report.PyPI.Fresh != 1 {
			t.Errorf("one has changed: %+v", report.PyPI)
		}
		if p := r.get("p03"); *p.Project.Version != "1.0" || p.PyPI.Serial <= fresh.PyPI.Serial || !p.Modified.Equal(time.Now()) {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// all are the packages.
func (r *indexRig) all() []record.Package {
	r.t.Helper()
	all, _, err := r.store.Packages(0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestProjectReadInPart: one that was read by a version that kept less of the answer is read
// once more when it is due, although neither the index nor its ETag has changed.
func TestProjectReadInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.edit("p03", func(p *sim.Project) { p.Classifiers = []string{"Framework :: Django :: 5.2"} })
		r.settle()
		sources, err := r.store.Sources("p03")
		if err != nil {
			t.Fatal(err)
		}
		sources[0].Project.Support = nil
		if err := r.store.Put(sources); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Hour)
		if report := r.asks(1, 1, 0); report.PyPI.Fresh != 1 || report.PyPI.Indexed != indexProjects-1 {
			t.Errorf("%+v", report.PyPI)
		}
		if d := cmp.Diff(&record.Support{Django: []string{"5.2"}}, r.get("p03").Project.Support); d != "" {
			t.Error("-want +got\n", d)
		}
		time.Sleep(30 * time.Hour)
		r.asks(1, 0, 0)
	})
}

// TestIndexAfterARestart: when the index was read outlasts the program, and so does its
// ETag: an index as before confirms what has answered since, and nothing else.
func TestIndexAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var options fetcher.Options
		r := newIndexRig(t, func(o *fetcher.Options) { options = *o })
		r.settle()
		time.Sleep(10 * time.Hour)
		r.Fetcher = fetcher.New(options)
		r.asks(0, 0, 0)
		time.Sleep(10 * time.Hour)
		if report := r.asks(1, 0, 0); report.PyPI.Indexed != indexProjects {
			t.Errorf("%+v", report.PyPI)
		}
		if by := r.world.Stats().PyPI.ByStatus; by["304"] != 1 {
			t.Errorf("the index was transferred again: %v", by)
		}
		// One that no index has confirmed and that has not answered since.
		sources, err := r.store.Sources("p05")
		if err != nil {
			t.Fatal(err)
		}
		failed := sources[0]
		failed.State, failed.LastAttempt, failed.NextDue = record.StateFailed, time.Now(), time.Now().Add(23*time.Hour)
		if err := r.store.Put([]record.Source{failed}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Hour)
		if report := r.asks(1, 0, 0); report.PyPI.Indexed != indexProjects-1 {
			t.Errorf("%+v", report.PyPI)
		}
	})
}

// TestMissingInTheIndex: what that means each project's own answer tells. What is
// known stays, and what comes back is taken back.
func TestMissingInTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(20 * time.Hour)
		r.asks(1, 0, 0)
		kept := r.world.Project("p03").Releases
		r.edit("p01", func(p *sim.Project) { p.Status = sim.Deleted })
		r.edit("p02", func(p *sim.Project) { p.Status, p.StatusReason = sim.Quarantined, "malware" })
		r.edit("p03", func(p *sim.Project) { p.Releases = nil })

		time.Sleep(20 * time.Hour)
		r.asks(1, 3, 3)
		for slug, want := range map[string]struct {
			state        record.State
			err, note    string
			status, said string
		}{
			"p01": {record.StateGone, "no project of this name", "", "active", ""},
			"p02": {record.StateBlocked, "quarantined the project: malware", "", "quarantined", "malware"},
			"p03": {record.StateOK, "", "no release of it any more", "active", ""},
		} {
			p := r.get(slug)
			if p.PyPI.State != want.state || !strings.Contains(p.PyPI.LastError, want.err) || !strings.Contains(p.PyPI.Note, want.note) || (p.PyPI.Note == "") != (want.note == "") {
				t.Errorf("%s: %+v", slug, p.PyPI)
			}
			if *p.Project.Version != "0.10" || len(p.Project.Versions) != 2 {
				t.Errorf("%s lost its data: %+v", slug, p.Project)
			}
			if s := p.Project.Standing; s.Status != want.status || s.Reason != want.said {
				t.Errorf("%s: %+v", slug, s)
			}
		}
		time.Sleep(20 * time.Hour)
		r.edit("p09", func(p *sim.Project) { p.Releases = append(p.Releases, version("p09", "1.0")) })
		if report := r.asks(1, 1, 0); report.PyPI.Indexed != indexProjects-3 {
			t.Errorf("the empty one is as it was: %+v", report.PyPI)
		}
		if p := r.get("p03"); p.PyPI.Note == "" {
			t.Errorf("its note has gone: %+v", p.PyPI)
		}
		time.Sleep(20 * time.Hour)
		r.asks(1, 2, 2) // the two that are gone are due again, for themselves

		r.edit("p01", func(p *sim.Project) { p.Status = sim.Active })
		r.edit("p02", func(p *sim.Project) { p.Status, p.StatusReason = sim.Active, "" })
		r.edit("p03", func(p *sim.Project) { p.Releases = kept })
		time.Sleep(20 * time.Hour)
		for _, slug := range []string{"p01", "p02"} {
			if p := r.get(slug); !p.PyPI.NextDue.After(time.Now()) {
				t.Errorf("%s is due for itself: %+v", slug, p.PyPI)
			}
		}
		r.asks(1, 3, 1) // and whether the quarantine is over
		for _, slug := range []string{"p01", "p02", "p03"} {
			p := r.get(slug)
			if p.PyPI.State != record.StateOK || p.PyPI.Note != "" || p.PyPI.LastError != "" || *p.Project.Version != "0.10" || p.Project.Standing.Status != "active" || p.Project.Standing.Reason != "" {
				t.Errorf("%s: %+v %+v", slug, p.PyPI, p.Project.Standing)
			}
		}
	})
}

// TestQuarantinedRelease: a release that vanishes is taken out, and taken back when it
// comes back, though the serial goes back as well.
func TestQuarantinedRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		var serial int64
		r.edit("p04", func(p *sim.Project) {
			serial = p.Serial
			p.Releases = append(p.Releases, version("p04", "1.0"))
		})
		time.Sleep(20 * time.Hour)
		r.asks(1, 1, 0)
		with := r.get("p04")
		for _, step := range []struct {
			serial  int64
			version string
		}{{serial, "0.10"}, {with.PyPI.Serial, "1.0"}, {serial, "0.10"}} {
			r.edit("p04", func(p *sim.Project) {
				p.Serial = step.serial
				p.Releases = p.Releases[:2:2]
				if step.version == "1.0" {
					p.Releases = append(p.Releases, version("p04", "1.0"))
				}
			})
			time.Sleep(20 * time.Hour)
			r.asks(1, 1, 0)
			if p := r.get("p04"); *p.Project.Version != step.version || p.PyPI.State != record.StateOK || p.PyPI.Serial != step.serial {
				t.Errorf("%s: %s, %+v", step.version, *p.Project.Version, p.PyPI)
			}
		}
	})
}

// TestIndexOlderThanAnAnswer: an index that is just behind what a project said is no
// reason to doubt, or to ask.
func TestIndexOlderThanAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(20 * time.Hour)
		r.wire.keep(r.world, "/simple/", 1)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		r.refresh("p04")
		time.Sleep(time.Minute)
		r.world.ResetStats()
		if report := r.pass(); report.PyPI.Indexed != indexProjects-1 || report.PyPI.Asked != indexProjects-1 || r.world.Stats().PyPI.Requests != 0 {
			t.Errorf("%+v", report.PyPI)
		}
		p := r.get("p04")
		if *p.Project.Version != "1.0" || p.PyPI.State != record.StateOK {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestOlderThanTheIndex: an answer that lacks what the index knows is asked for again
// after 1, 2 and 4 seconds, and then in a later pass, until it is as new.
func TestOlderThanTheIndex(t *testing.T) {
	for stale, want := range map[int]time.Duration{1: time.Second, 3: 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := newIndexRig(t, nil)
			r.settle()
			time.Sleep(20 * time.Hour)
			r.wire.keep(r.world, "/pypi/p04/json", stale)
			r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
			began := time.Now()
			report := r.pass()
			if took := time.Since(began); took < want || took > want+time.Second || report.PyPI.Fresh != 1 || report.PyPI.Requests != 2+stale {
				t.Errorf("stale %d times: %s, %+v", stale, took, report.PyPI)
			}
			if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.State != record.StateOK || p.PyPI.Note != "" {
				t.Errorf("stale %d times: %s, %+v", stale, *p.Project.Version, p.PyPI)
			}
		})
	}
}

func TestOlderThanTheIndexForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, func(o *fetcher.Options) { o.PendingWait = time.Hour })
		r.settle()
		time.Sleep(20 * time.Hour)
		before := r.get("p04")
		r.wire.keep(r.world, "/pypi/p04/json", 6)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		if report := r.pass(); report.PyPI.Pending != 1 || report.PyPI.Requests != 5 {
			t.Errorf("%+v", report.PyPI)
		}
		p := r.get("p04")
		if *p.Project.Version != "0.10" || p.PyPI.State != record.StatePending || !p.PyPI.LastSuccess.Equal(before.PyPI.LastSuccess) || !strings.Contains(p.PyPI.Note, "older than PyPI's index") || p.PyPI.NextDue.After(time.Now().Add(5*time.Minute)) {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
		time.Sleep(5 * time.Minute)
		if report := r.pass(); report.PyPI.Pending != 1 || report.PyPI.Requests != 1 { // once, this time
			t.Errorf("%+v", report.PyPI)
		}
		time.Sleep(10 * time.Minute)
		if report := r.pass(); report.PyPI.Pending != 1 || report.PyPI.Requests != 1 {
			t.Errorf("%+v", report.PyPI)
		}
		time.Sleep(20 * time.Minute)
		if report := r.pass(); report.PyPI.Fresh != 1 {
			t.Errorf("%+v", report.PyPI)
		}
		if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.State != record.StateOK || p.PyPI.Note != "" {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestNoAnswerAfterAnOlderOne: a failure after an answer that was newer than what was
// known does not undo it.
func TestNoAnswerAfterAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(20 * time.Hour)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		r.wire.keep(r.world, "/pypi/p04/json", 2)
		time.Sleep(time.Second)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.1")) })
		r.world.SetProjectFault(nil, sim.ProjectJSON, sim.InternalError, 10)
		if report := r.pass(); report.PyPI.Pending != 1 || report.PyPI.Failed != 0 {
			t.Errorf("%+v", report.PyPI)
		}
		if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.State != record.StatePending {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestBetweenWhatIsKnownAndTheIndex: an answer that is newer than what is known is
// taken, though the index knows of something newer still.
func TestBetweenWhatIsKnownAndTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(20 * time.Hour)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		r.wire.keep(r.world, "/pypi/p04/json", 100)
		time.Sleep(time.Second)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.1")) })
		r.pass()
		if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.State != record.StatePending {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
		// After a week the server is believed, though its index says otherwise.
		for range 8 {
			time.Sleep(24 * time.Hour)
			r.pass()
		}
		if p := r.get("p04"); *p.Project.Version != "1.0" || p.PyPI.LastSuccess.IsZero() || time.Since(p.PyPI.LastSuccess) > 48*time.Hour {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestIndexFails: projects are asked one by one while it does; it is asked for again
// ever more rarely, and used again once it answers.
func TestIndexFails(t *testing.T) {
	for _, fault := range []sim.Fault{sim.NotFound, sim.InternalError, sim.HTML, sim.Truncated} {
		synctest.Test(t, func(t *testing.T) {
			r := newIndexRig(t, nil)
			r.settle()
			r.log.Reset()
			r.world.SetProjectFault(nil, sim.Index, fault, 1000)
			r.world.ResetStats()
			for range 48 * 12 {
				time.Sleep(5 * time.Minute)
				r.pass()
			}
			by := r.world.Stats().PyPI.ByEndpoint
			if by["index"] < 4 || by["index"] > 12 || by["project"] < indexProjects || by["project"] > 3*indexProjects {
				t.Errorf("%s: %v", fault, by)
			}
			for _, p := range r.all() {
				if age := time.Since(p.PyPI.LastSuccess); age > 24*time.Hour+5*time.Minute || p.PyPI.State != record.StateOK {
					t.Errorf("%s: %s is %s old, %+v", fault, p.Slug, age, p.PyPI)
				}
			}
			if n := strings.Count(r.log.String(), "PyPI's index cannot be read"); n != 1 {
				t.Errorf("%s: %d lines about it", fault, n)
			}
			r.world.ClearFaults()
			time.Sleep(24 * time.Hour)
			if report := r.pass(); report.PyPI.Indexed != indexProjects {
				t.Errorf("%s: %+v", fault, report.PyPI)
			}
			r.world.SetProjectFault(nil, sim.Index, fault, 1)
			time.Sleep(20 * time.Hour)
			r.pass()
			if n := strings.Count(r.log.String(), "PyPI's index cannot be read"); n != 2 {
				t.Errorf("%s: %d lines about both times", fault, n)
			}
		})
	}
}

func TestNoIndexForASmallCatalogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, func(o *fetcher.Options) { o.IndexAbove = indexProjects })
		r.asks(0, indexProjects, 0)
		r.settle()
		time.Sleep(24 * time.Hour)
		r.asks(0, indexProjects, 0)
	})
}

// TestRefreshAllReadsTheIndex: whoever wants all of it refreshed gets that at the price
// of the index, whenever it was last read.
func TestRefreshAllReadsTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(time.Hour)
		r.edit("p04", func(p *sim.Project) { p.Releases = append(p.Releases, version("p04", "1.0")) })
		r.world.ResetStats()
		var last fetcher.Progress
		report, err := r.RefreshAll(context.Background(), nil, func(p fetcher.Progress) { last = p })
		if err != nil || report.PyPI.Requests != 2 || report.PyPI.Indexed != indexProjects-1 || report.PyPI.Fresh != 1 || report.Asked != indexProjects {
			t.Fatalf("%v, %+v", err, report.PyPI)
		}
		if last.Done != indexProjects || last.Total != indexProjects {
			t.Errorf("%+v", last)
		}
		// One package is asked itself, and for its page.
		if report := r.refresh("p04"); report.PyPI.Requests != 2 || report.PyPI.Unchanged != 1 {
			t.Errorf("%+v", report.PyPI)
		}
	})
}

// TestIndexWhileHeld: what differs from the index is asked for when a limit ends, and an
// index as before confirms nothing of it.
func TestIndexWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newIndexRig(t, nil)
		r.settle()
		time.Sleep(20 * time.Hour)
		r.edit("p05", func(p *sim.Project) { p.Releases = append(p.Releases, version("p05", "1.0")) })
		r.world.SetProjectFault(nil, sim.ProjectJSON, sim.TooManyRequests, 1)
		before := r.get("p05")
		if report := r.asks(1, 1, 0); report.PyPI.Deferred != 1 || report.PyPI.Indexed != indexProjects-1 {
			t.Errorf("%+v", report.PyPI)
		}
		if p := r.get("p05"); p.PyPI.State != record.StateOK || !p.PyPI.LastSuccess.Equal(before.PyPI.LastSuccess) || p.PyPI.NextDue.After(time.Now()) {
			t.Errorf("%+v", p.PyPI)
		}
		time.Sleep(20 * time.Hour)
		if report := r.asks(1, 1, 0); report.PyPI.Indexed != indexProjects-1 || r.world.Stats().PyPI.ByStatus["304"] != 1 {
			t.Errorf("%+v", report.PyPI)
		}
		if p := r.get("p05"); *p.Project.Version != "1.0" || p.PyPI.State != record.StateOK {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// cancelling is a PyPI in which a pass is cancelled when the index has been read.
type cancelling struct {
	fetcher.PyPI
	cancel *func()
}

func (p cancelling) Index(ctx context.Context, etag string, project func([]byte, int64)) pypi.IndexAnswer {
	defer (*p.cancel)()
	return p.PyPI.Index(ctx, etag, project)
}

// TestCancelledIndex: a pass that is stopped leaves the index to the next one.
func TestCancelledIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		afterIndex := func() {}
		r := newIndexRig(t, func(o *fetcher.Options) { o.PyPI = cancelling{o.PyPI, &afterIndex} })
		r.settle()
		time.Sleep(20 * time.Hour)
		before := r.all()
		ctx, cancel := context.WithCancel(context.Background())
		afterIndex = cancel
		if report, err := r.Pass(ctx); err != nil || !report.Cancelled {
			t.Fatalf("%v, %+v", err, report)
		}
		for i, p := range r.all() {
			if !p.PyPI.LastSuccess.Equal(before[i].PyPI.LastSuccess) {
				t.Errorf("%+v", p.PyPI)
			}
		}
		afterIndex = func() {}
		r.asks(1, 0, 0)
	})
}

// TestPyPIEconomy: the index, what has changed by it, and a thirtieth of the pages a
// day are all that is asked for, and nothing is older than promised.
func TestPyPIEconomy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const projects, days, releases = 300, 15, 6 // of them, a day
		r := newIndexRig(t, nil)
		for i := range projects - indexProjects {
			declareProject(r.world, fmt.Sprintf("more-%03d", i))
		}
		r.sync()
		r.pass()
		r.world.ResetStats()
		for day := range days {
			for i := range releases {
				r.edit(fmt.Sprintf("more-%03d", (day*releases+i)*7%280), func(p *sim.Project) {
					p.Releases = append(p.Releases, version(p.Name, fmt.Sprintf("%d.0", day+1)))
				})
				time.Sleep(4 * time.Hour)
				r.pass()
			}
		}
		by := r.world.Stats().PyPI.ByEndpoint
		each := float64(by["project"]+by["simple"]) / projects / days
		t.Logf("%v: %.4f a project and day, the index %.2f times a day", by, each, float64(by["index"])/days)
		if each > 0.055 || by["simple"] < projects*days/40 || float64(by["index"]) > 1.3*days {
			t.Errorf("%v", by)
		}
		for _, p := range r.all() {
			if age := time.Since(p.PyPI.LastSuccess); age > 24*time.Hour || p.PyPI.State != record.StateOK {
				t.Errorf("%s is %s old, %+v", p.Slug, age, p.PyPI)
			}
		}
	})
}
