package cluster

import (
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/sim"
)

// TestThreeHosts has three hosts fetch, kills one of them midway, and has it come back, and
// another lose its disk, and a fourth join.
func TestThreeHosts(t *testing.T) {
	s := newSite(t, options{sim: sim.Options{Latency: 30 * time.Millisecond}, packages: 150, tokens: map[string]string{"a": "shared", "b": "shared"}})
	s.startAll(t)
	s.read(t, s.hosts...)
	packages := s.extend(t, 0)
	victim := s.asking(t)
	victim.kill(t)
	done := s.allDone(t, packages)
	for _, h := range s.hosts { // of which one asks PyPI
		if h == victim {
			continue
		}
		if said, err := h.command("refresh", s.whole(t)); err != nil || !strings.Contains(said, ", 0 failed, 0 gone, 0 deferred") {
			t.Errorf("a refresh on host %s: %s%v", h.name, said, err)
		}
	}

	victim.start(t)
	victim.joined(t)
	other := s.hosts[0]
	if other == victim {
		other = s.hosts[1]
	}
	other.stop(t)
	other.wipe(t)
	other.start(t)
	other.joined(t)
	newcomer := s.add(t, "newcomer", 0)
	newcomer.start(t)
	newcomer.joined(t)

	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	t.Logf("host %s killed while it fetched; %d packages done %s later; %s; %s", victim.name, packages, done.Round(time.Second), figures, s.readers.figures())
}
