package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// twoHosts are two hosts that fetch, of which the first named asks PyPI; and GitHub too, where
// they share a credential.
func (x *trial) twoHosts(shared bool) (asks, other *Daemon, project *sim.Project) {
	t := x.t
	t.Helper()
	project = x.world.AddProject(&sim.Project{Name: "one", Releases: []sim.Release{{Version: "1.0"}}})
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one, pypi_url: https://pypi.org/project/one/}, {slug: absent, pypi_url: https://pypi.org/project/absent/}]\n")
	cfgs := x.clusterOf(1, "a", "b")
	if shared {
		cfgs[1].GitHub.Token = cfgs[0].GitHub.Token
	}
	may := func(d *Daemon) bool {
		now := d.refresher.settings.Load()
		return d.refresher.member.mayRefresh() == nil && !now.hold(cluster.ClassPyPI).Elsewhere && !now.hold(cluster.ClassGitHub).Elsewhere
	}
	asks, _ = x.host(cfgs[0])
	x.agrees(asks, "one", 5)
	x.waitLong("the first host to ask PyPI and GitHub", func() bool { return may(asks) })
	other, _ = x.host(cfgs[1])
	x.agrees(other, "one", 5)
	x.waitLong("the second host to be ready", func() bool { return other.refresher.member.mayRefresh() == nil })
	if may(other) {
		t.Fatal("both hosts may ask PyPI")
	}
	return asks, other, project
}

// TestRefreshOnAnyHost: of two hosts, one asks PyPI, and perhaps GitHub. Both refresh both halves
// of a package.
func TestRefreshOnAnyHost(t *testing.T) {
	for name, shared := range map[string]bool{"a credential each": false, "one credential": true} {
		t.Run(name, func(t *testing.T) { testRefreshOnAnyHost(t, shared) })
	}
}

func testRefreshOnAnyHost(t *testing.T, shared bool) {
	x := newTrial(t)
	asks, other, _ := x.twoHosts(shared)
	for _, d := range []*Daemon{asks, other} {
		name := d.cfg.Cluster.Name
		for _, which := range []Selection{{Slugs: []string{"one"}}, {Slugs: []string{"one", "absent"}}, {All: true}} {
			began := time.Now()
			var told []string
			report, err := d.refresher.refresh(t.Context(), which, func(p fetcher.Progress) { told = append(told, fmt.Sprintf("%s %s %s", p.Key, p.Outcome, p.Error)) })
			gone := 1
			if len(which.Slugs) == 1 {
				gone = 0
			}
			if err != nil || report.Asked != 2+gone || report.Fresh+report.Unchanged != 2 || report.Gone != gone || report.Deferred != 0 || !report.PyPI.HeldUntil.IsZero() {
				t.Fatalf("refresh of %+v on %s: %+v, %v", which, name, report, err)
			}
			if report.GitHub.Asked != 1 || report.PyPI.Asked != 1+gone || report.PyPI.Requests == 0 {
				t.Errorf("refresh of %+v on %s: GitHub %+v, PyPI %+v", which, name, report.GitHub, report.PyPI)
			}
			if len(told) != 2+gone || gone == 1 && !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "pypi:absent gone ") && strings.Contains(s, "404") }) {
				t.Errorf("refresh of %+v on %s told of %q", which, name, told)
			}
			p, err := d.refresher.store.PackageBySlug("one")
			if err != nil || p.GitHub.LastAttempt.Before(began.Truncate(time.Microsecond)) || p.PyPI.LastAttempt.Before(began.Truncate(time.Microsecond)) {
				t.Errorf("after a refresh of %+v on %s that began at %s, it has %s and %s, %v", which, name, began, p.GitHub.LastAttempt, p.PyPI.LastAttempt, err)
			}
			if p.PyPI.NextDue.IsZero() {
				t.Errorf("after a refresh on %s, the project is still due", name)
			}
		}
	}
}

// TestRefreshElsewhereEnds: when nobody waits any more, the host that was asked stops.
func TestRefreshElsewhereEnds(t *testing.T) {
	x := newTrial(t)
	x.cfg.PyPI.Timeout = 10 * time.Minute
	asks, other, project := x.twoHosts(false)
	x.world.SetProjectFault(project, sim.ProjectJSON, sim.Stall, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		report, err := other.refresher.refresh(ctx, Selection{Slugs: []string{"one"}}, func(fetcher.Progress) {})
		if err == nil && !report.Cancelled {
			err = fmt.Errorf("it was not cancelled: %+v", report)
		}
		ended <- err
	}()
	x.waitLong("the project to be asked for", func() bool { return x.world.PathCounts()["/pypi/one/json"] > 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	x.waitLong("the other host to stop as well", func() bool {
		passes, err := asks.refresher.store.Passes(began)
		return err == nil && slices.ContainsFunc(passes, func(p record.Pass) bool { return p.Cancelled && p.PyPI.Abandoned == 1 })
	})
}
