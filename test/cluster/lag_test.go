package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pkgmetad/test/program"
)

// TestLag measures from when the cluster has taken a write, which is before the host that
// wrote it is told, to when a reader who waits at another host has it.
func TestLag(t *testing.T) {
	long(t, "lag")
	s := newSite(t, options{packages: 300, gitHub: 1}) // one host does it all, and does not wait for another
	s.startAll(t)
	packages := s.extend(t, 0)
	s.allDone(t, packages)
	s.same(t)

	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var lags []time.Duration
	var readers sync.WaitGroup
	for _, h := range s.hosts[1:] {
		c, err := h.changes(ctx, 0, 0)
		must(t, err)
		next := c.Next
		readers.Go(func() {
			for ctx.Err() == nil {
				c, err := h.changes(ctx, next, 10)
				now := time.Now()
				if err != nil {
					continue
				}
				mu.Lock()
				for _, x := range c.Changes {
					lags = append(lags, now.Sub(x.At))
				}
				mu.Unlock()
				next = c.Next
			}
		})
	}
	refreshed := 0
	for began := time.Now(); time.Since(began) < 60*time.Second && refreshed < 400; refreshed++ {
		p := s.world.Catalogue().Packages[refreshed%packages]
		if said, err := s.hosts[0].command("refresh", p.Slug); err != nil && said == "" {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second) // for the last ones to arrive, or to be missed
	stop()
	readers.Wait()
	s.stopAll(t)
	if len(lags) < refreshed {
		t.Fatalf("%d changes were told of %d refreshes", len(lags), refreshed)
	}
	p50, p99 := quantile(lags, 0.5), quantile(lags, 0.99)
	if p50 > 20*time.Millisecond || p99 > 100*time.Millisecond {
		t.Errorf("p50 %s, p99 %s", p50, p99)
	}
	t.Logf("from a write to /changes/?wait of another host: p50 %s, p99 %s, at most %s, of %d changes", p50.Round(100*time.Microsecond), p99.Round(100*time.Microsecond), slices.Max(lags).Round(time.Millisecond), len(lags))
}

// TestScheduler kills the host that says what is due, at once adds packages, and measures when
// one of these is asked for.
func TestScheduler(t *testing.T) {
	long(t, "scheduler")
	kills := program.Number(t, "PKGMETAD_KILLS", 5, 1)
	const more = 30
	s := newSite(t, options{packages: kills*more + few})
	s.startAll(t)
	s.read(t, s.hosts...)
	packages := few
	s.allDone(t, packages)
	var times []time.Duration
	for range kills {
		victim := s.scheduler(t)
		victim.kill(t)
		killed := time.Now()
		s.world.ResetStats()
		packages = s.extend(t, packages+more)
		eventually(t, patience, func() error {
			if s.world.Stats().Requests == 0 {
				return fmt.Errorf("nothing is asked after the host that says what is due was killed")
			}
			return nil
		})
		times = append(times, time.Since(killed))
		s.allDone(t, packages)
		s.polite(t)
		victim.start(t)
		victim.joined(t)
	}
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	if worst := slices.Max(times); worst > 45*time.Second {
		t.Errorf("what is due was offered %s after the kill", worst)
	}
	t.Logf("%d kills of the host that says what is due: the next one did so after %s at most, %s at least; %s; %s",
		kills, slices.Max(times).Round(100*time.Millisecond), slices.Min(times).Round(100*time.Millisecond), figures, s.readers.figures())
}

// A lease is a right as a host's status tells it.
type lease struct {
	Right  string
	Holder string
	Here   bool `json:"held_here"`
}

// leases returns the leases as a host tells them.
func (h *host) leases() ([]lease, error) {
	var status struct{ Cluster struct{ Leases []lease } }
	err := h.read(context.Background(), "/status/", &status)
	return status.Cluster.Leases, err
}

// scheduler waits until a host says what is due, and returns it.
func (s *site) scheduler(t *testing.T) (holder *host) {
	t.Helper()
	eventually(t, patience, func() error {
		for _, h := range s.running() {
			all, err := h.leases()
			if err != nil {
				return err
			}
			for _, l := range all {
				if l.Right == "scheduler" && l.Here {
					holder = h
					return nil
				}
			}
		}
		return fmt.Errorf("no host says what is due")
	})
	return holder
}
