package cluster

import (
	"os"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// TestUpgrade has one host after the other run another version of the program, as when they
// are upgraded, and then one after the other that of the rest again. A host that stops hands
// over what it may ask with, so that another goes on at once: only requests of both at the same
// time are a violation.
func TestUpgrade(t *testing.T) {
	long(t, "upgrade")
	other := os.Getenv("PKGMETAD_OTHER")
	if other == "" {
		t.Skip("skipped: PKGMETAD_OTHER names no other version of the program")
	}
	s := newSite(t, options{sim: sim.Options{Latency: 10 * time.Millisecond, HostSilence: time.Millisecond}, packages: 150, stale: 5 * time.Second})
	for _, h := range s.hosts {
		h.program = other
	}
	s.startAll(t)
	packages := s.extend(t, 0)
	eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
	s.read(t, s.hosts...)
	for _, to := range []string{program.Path(), other, program.Path()} {
		for _, h := range s.hosts {
			s.world.Advance(24 * time.Hour)
			h.stop(t)
			h.program = to
			h.start(t)
			h.joined(t)
			s.goesOn(t, h)
		}
	}
	s.rest(t)
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	t.Logf("upgraded one by one, gone back, and upgraded again: %s; %s", figures, s.readers.figures())
}
