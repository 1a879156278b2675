package cluster

import (
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// TestClocks has the clocks of hosts be wrong by an hour, from their start and while they run.
func TestClocks(t *testing.T) {
	long(t, "clocks")
	built := program.WithClock(t)
	if built == "" {
		t.Skip("skipped: there is no clock to set")
	}
	s := newSite(t, options{sim: sim.Options{Latency: 10 * time.Millisecond}, packages: 150, stale: 5 * time.Second, tokens: map[string]string{"a": "shared", "b": "shared"}})
	s.readers.wrongClocks = true
	set := func(clocks ...time.Duration) {
		for i, h := range s.hosts {
			program.SetClock(t, h.clock, clocks[i])
		}
	}
	for _, h := range s.hosts {
		h.program, h.clock = built, h.path("clock")
	}
	set(time.Hour, -time.Hour, 0)
	s.startAll(t)
	packages := s.extend(t, 0)
	eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
	s.read(t, s.hosts...)
	for _, clocks := range [][]time.Duration{{-time.Hour, time.Hour, 0}, {0, 0, time.Hour}, {0, -time.Hour, -time.Hour}, {0, 0, 0}} {
		set(clocks...)
		s.world.Advance(24 * time.Hour)
		time.Sleep(5 * time.Second)
		h := s.hosts[len(s.readers.slug(false))%3]
		h.kill(t)
		time.Sleep(5 * time.Second)
		h.start(t)
		h.joined(t)
		time.Sleep(10 * time.Second)
	}
	s.rest(t)
	newcomer := s.add(t, "d", 0)
	newcomer.start(t)
	newcomer.joined(t)
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	t.Logf("clocks an hour ahead and behind, set back and forth under running hosts: %s; %s", figures, s.readers.figures())
}
