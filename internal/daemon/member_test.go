package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/sim"
)

// clustered makes the host of a trial the only server of a cluster.
func (x *trial) clustered() {
	x.t.Helper()
	addresses, err := cluster.FreeAddresses(1)
	if err != nil {
		x.t.Fatal(err)
	}
	x.cfg.Cluster = config.Cluster{Name: "a", Servers: map[string]string{"a": addresses[0]}, Secret: config.NewSecret("canary of a cluster")}
	x.cfg.HTTP.PublicURL = "http://packages.example.org"
}

// TestStopOfAMemberWithinAPass: what has arrived is stored, which takes the stream that the
// store follows, and the stop waits for nothing else.
func TestStopOfAMemberWithinAPass(t *testing.T) {
	world := sim.New(sim.Options{NoSecondary: true, Latency: 50 * time.Millisecond})
	x := newTrialOver(t, world)
	var text strings.Builder
	text.WriteString("packages:\n")
	const packages = 500
	for i := range packages {
		world.AddRepo(&sim.Repo{FullName: fmt.Sprintf("acme/n%d", i), Stars: 5})
		fmt.Fprintf(&text, "- {slug: n%d, repo_url: https://github.com/acme/n%[1]d}\n", i)
	}
	x.catalogue(text.String())
	x.cfg.GitHub.Strategy = "rest" // one after the other
	x.cfg.Refresh.Workers = 2
	x.clustered()
	d, ended := x.start()
	s := d.refresher.store
	fetched := func() (n int) {
		all, _, err := s.Packages(0, packages)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Repo.Stars > 0 {
				n++
			}
		}
		return n
	}
	x.waitFor("the first answers", func() bool { return fetched() > 0 })
	began := time.Now()
	x.stop(d, ended)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if log := x.log.String(); strings.Contains(log, `"level":"error"`) || !strings.Contains(log, `"abandoned":`) {
		t.Errorf("the pass was not cut short, or something failed:\n%s", log)
	}
}
