package fetcher_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
)

// leased has the rig's clients ask only while usable says so.
func leased(t *testing.T, wire http.RoundTripper, usable func() bool) func(*fetcher.Options) {
	return func(o *fetcher.Options) {
		gh, err := github.New(github.Options{
			BaseURL: "http://sim/", Token: "token", UserAgent: "pkgmetad/test (+test@example.org)", Transport: wire, GraphQL: true,
			FingerprintKey: []byte("key"), Usable: func(string) bool { return usable() },
		})
		if err != nil {
			t.Fatal(err)
		}
		py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test (+test@example.org)", Transport: wire, Usable: usable})
		if err != nil {
			t.Fatal(err)
		}
		o.GitHub, o.PyPI = gh, py
	}
}

// TestAnotherHostAsks: what another host asks is put off here, without a failure or a line
// in the log, also where it takes over in the middle of a pass.
func TestAnotherHostAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Latency: time.Second})
		for i := range 40 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		var ours atomic.Bool
		r := newRig(t, world, leased(t, world.Transport(), ours.Load))
		loud := func() int {
			return strings.Count(r.log.String(), `"level":"warn"`) + strings.Count(r.log.String(), `"level":"error"`)
		}
		report := r.pass()
		if s := world.Stats(); s.Requests > 0 || report.Failed > 0 || report.Fresh > 0 || report.GitHub.Waiting != 40 || report.PyPI.Waiting != 40 || loud() > 0 {
			t.Fatalf("%+v after %d requests; the log:\n%s", report, s.Requests, r.log)
		}
		if wait := time.Until(report.Resume()); wait <= 0 || wait > 15*time.Second {
			t.Errorf("it goes on in %s", wait)
		}

		ours.Store(true)
		time.AfterFunc(5*time.Second, func() { ours.Store(false) })
		report = r.pass()
		if report.Failed > 0 || report.Deferred == 0 || loud() > 0 {
			t.Fatalf("taken over in the middle: %+v; the log:\n%s", report, r.log)
		}
		if s := r.get("p39"); s.GitHub.Failures > 0 || s.PyPI.Failures > 0 {
			t.Errorf("%+v, %+v", s.GitHub, s.PyPI)
		}

		ours.Store(true)
		for range 10 {
			time.Sleep(time.Until(report.Resume()))
			report = r.pass()
		}
		for i := range 40 {
			if p := r.get(fmt.Sprintf("p%02d", i)); p.GitHub.LastSuccess.IsZero() || p.PyPI.LastSuccess.IsZero() {
				t.Errorf("%s was not asked after that: %+v, %+v", p.Slug, p.GitHub, p.PyPI)
			}
		}
		if loud() > 0 {
			t.Errorf("the log:\n%s", r.log)
		}
	})
}

// TestFaultWhileAnotherHostAsks: this host tells neither that the fault goes on nor that it
// is over, until it asks again.
func TestFaultWhileAnotherHostAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		pair(world, "alpha", nil)
		world.SetFault(nil, "", sim.Unauthorized, 1<<30)
		var ours atomic.Bool
		r := newRig(t, world, leased(t, world.Transport(), ours.Load))
		lines := func(text string) int { return strings.Count(r.log.String(), text) }
		ours.Store(true)
		if report := r.pass(); report.GitHub.Fault == "" || lines(`"level":"error"`) != 1 {
			t.Fatalf("%+v; the log:\n%s", report, r.log)
		}
		ours.Store(false)
		time.Sleep(time.Hour)
		if report := r.pass(); report.GitHub.Fault != "" || lines("answers again") > 0 {
			t.Errorf("%+v; the log:\n%s", report, r.log)
		}
		ours.Store(true)
		world.ClearFaults()
		if report := r.pass(); report.GitHub.Fresh != 1 || lines("GitHub answers again") != 1 || lines(`"level":"error"`) != 1 {
			t.Errorf("%+v; the log:\n%s", report, r.log)
		}
	})
}
