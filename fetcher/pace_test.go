package fetcher_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// TestColdPass: a first pass over a catalogue meets no limit and leaves nothing for later,
// and a person who asks meanwhile is answered at once.
func TestColdPass(t *testing.T) {
	for _, workers := range []int{8, 64} {
		synctest.Test(t, func(t *testing.T) {
			const packages = 300
			world := sim.New(sim.Options{Latency: 100 * time.Millisecond, NoPending: true})
			for i := range packages {
				pair(world, name(i), nil)
			}
			r := newRig(t, world, func(o *fetcher.Options) { o.Workers = workers })
			var report record.Pass
			var pass sync.WaitGroup
			start := time.Now()
			pass.Go(func() { report = r.pass() })
			time.Sleep(20 * time.Second)
			asked := time.Now()
			if by := r.refresh(name(packages - 1)); by.Fresh != 2 || time.Since(asked) > time.Second {
				t.Errorf("%d workers: a person waits for %v: %+v", workers, time.Since(asked), by)
			}
			pass.Wait()
			stats := world.Stats()
			if report.Deferred+report.Failed+report.Left != 0 || report.Fresh+report.Unchanged != 2*packages || stats.Violations != 0 {
				t.Errorf("%d workers: %+v; %d violations %v", workers, report, stats.Violations, stats.ViolationKinds)
			}
			// GitHub allows 900 requests a minute; nine tenths of that are used.
			if took, least := time.Since(start), time.Duration(stats.GitHub.Charged)*time.Minute/900; took > least*100/90 {
				t.Errorf("%d workers: %d requests took %v, and could have taken %v", workers, stats.GitHub.Charged, took, least)
			}
		})
	}
}

func name(i int) string { return "cold-" + string([]byte{'a' + byte(i/26), 'a' + byte(i%26)}) }
