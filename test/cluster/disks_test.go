package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// TestDiskFull fills the disk of one host, while all of them fetch, and makes room again.
func TestDiskFull(t *testing.T) {
	long(t, "disks")
	program.NeedRoot(t, "mount")
	program.NeedCommands(t, "mount", "umount")
	s := newSite(t, options{sim: sim.Options{Latency: 20 * time.Millisecond}, packages: 150, stale: 5 * time.Second, workers: 4})
	victim := s.hosts[1]
	program.Mount(t, victim.path("store"), "-t", "tmpfs", "-o", "size=192m", "tmpfs")
	s.startAll(t)
	packages := s.extend(t, 0)
	eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
	s.read(t, s.hosts...)
	for range 3 {
		mark := victim.mark()
		ballast := filepath.Join(victim.path("store"), "ballast")
		program.FillDisk(t, ballast)
		s.world.Advance(48 * time.Hour)
		victim.saysSince(t, mark, "no space left on device")
		time.Sleep(10 * time.Second)
		s.goesOn(t, s.hosts[0])
		must(t, os.Remove(ballast))
		s.goesOn(t, victim)
	}
	s.rest(t)
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	t.Logf("the disk of one host was full three times: %s; %s", figures, s.readers.figures())
}

// fetched returns nil when the host has so many packages, none of which is new.
func (h *host) fetched(packages int) error {
	var status struct {
		Packages     int
		GitHub, PyPI states
	}
	if err := h.read(context.Background(), "/status/", &status); err != nil {
		return err
	}
	if n := status.GitHub.in("new") + status.PyPI.in("new"); status.Packages != packages || n > 0 {
		return fmt.Errorf("host %s has %d packages, and %d sources that are new", h.name, status.Packages, n)
	}
	return nil
}

// goesOn waits until a host tells of changes from now on.
func (s *site) goesOn(t *testing.T, h *host) {
	t.Helper()
	began := time.Now()
	eventually(t, patience, func() error {
		last, err := h.changes(context.Background(), 0, 0)
		for err == nil && last.More {
			last, err = h.changes(context.Background(), last.Next, 0)
		}
		if n := len(last.Changes); err == nil && (n == 0 || last.Changes[n-1].At.Before(began)) {
			err = fmt.Errorf("host %s tells of no change since %s", h.name, began.UTC().Format(time.TimeOnly))
		}
		return err
	})
}

// rest restarts all hosts so that nothing is due any more once all was asked again.
func (s *site) rest(t *testing.T) {
	t.Helper()
	for _, h := range s.hosts {
		if h.alive() {
			h.stop(t)
		}
		h.stale = 24 * time.Hour
		h.configure(t)
	}
	s.startAll(t)
	for _, h := range s.hosts { // as each asks what it may
		_, _ = h.command("refresh", "--all")
	}
}

// TestRolledBack has the disks of all servers go back to an earlier state, as when virtual
// machines are restored, or the whole of some hosts. The stream then uses its sequences again
// for something else.
func TestRolledBack(t *testing.T) {
	long(t, "disks")
	for _, x := range []struct {
		name string
		back func(*testing.T, *site)
		loss bool // what was acknowledged is lost, as it was on no disk any more
	}{
		{"the servers' folders of all", func(t *testing.T, s *site) {
			for _, h := range s.hosts {
				h.rollBack(t, "pkgmetad.db.cluster")
			}
		}, true},
		{"all of two hosts", func(t *testing.T, s *site) {
			s.hosts[0].rollBack(t, "")
			s.hosts[2].rollBack(t, "")
		}, true},
		{"all of all but one store", func(t *testing.T, s *site) {
			s.hosts[0].rollBack(t, "")
			s.hosts[1].rollBack(t, "pkgmetad.db.cluster")
			s.hosts[2].rollBack(t, "")
		}, true},
		{"all of one host", func(t *testing.T, s *site) { s.hosts[1].rollBack(t, "") }, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := newSite(t, options{sim: sim.Options{Latency: 5 * time.Millisecond}, packages: 150, stale: 5 * time.Second})
			s.startAll(t)
			packages := s.extend(t, 100)
			eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
			s.stopAll(t)
			for _, h := range s.hosts {
				h.keep(t)
			}
			s.startAll(t)
			packages = s.extend(t, 0)
			eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
			s.world.Advance(20 * 24 * time.Hour)
			s.goesOn(t, s.hosts[0])
			if !x.loss {
				s.read(t, s.hosts...)
				time.Sleep(2 * time.Second)
			}
			s.stopAll(t)
			x.back(t, s)
			began := time.Now()
			s.startAll(t)
			s.hosts[1].reload(t) // the catalogue may have gone back, too
			eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
			_, err := compare(s.hosts)
			s.rest(t)
			newcomer := s.add(t, "d", 0)
			newcomer.start(t)
			newcomer.joined(t)
			figures := s.settle(t, packages)
			if !x.loss {
				s.readers.end(t)
			}
			anew := 0
			for _, h := range s.hosts[:3] {
				anew += strings.Count(h.logged(0), "built anew")
			}
			s.stopAll(t)
			t.Logf("gone back: %s; %d stores said that they are built anew; %s after %s (before the restart: %v)", x.name, anew, figures, time.Since(began).Round(time.Second), err != nil)
		})
	}
}
