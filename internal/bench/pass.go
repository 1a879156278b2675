package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// In the second situation, the daemon that is measured runs passes, one after the other, at
// the rates that it keeps by default. In the third, it asks PyPI as fast as that answers:
// then the pass and the simulator use all the CPU time they can get, which alone makes
// requests slower. So in the fourth a rival daemon does that, with a store and a process of
// its own: the same work, with the same simulator, on the same CPUs. What the third costs
// beyond the fourth is due to the daemon itself: its store, its garbage, its goroutines.
var situations = []string{"at rest", "while it runs passes", "while it runs passes without limits", "while another daemon does"}

// passResult is what was measured in one situation, by round.
type passResult struct {
	situation string
	p99       []float64 // seconds
	rates     []float64 // requests/s
	upstream  []float64 // requests/s that the simulator answered
}

func (b *bench) measurePass(ctx context.Context, sim *simulator, d *daemon) error {
	rival, err := b.startRival(ctx, sim)
	if err != nil {
		return err
	}
	ids, err := b.someIDs()
	if err != nil {
		return err
	}
	path := []string{fmt.Sprintf(packagePath, ids[0])}
	b.report.passes = make([]passResult, len(situations))
	for round := range b.rounds {
		for i, situation := range situations {
			b.logf("one package %s, round %d", situation, round+1)
			for _, quiet := range []*daemon{d, rival} {
				if err := quiet.settled(ctx); err != nil {
					return err
				}
			}
			m := &b.report.passes[i]
			m.situation = situation
			busy := []*daemon{nil, d, d, rival}[i]
			if busy != nil {
				if err := b.limit(ctx, busy, i == 1); err != nil {
					return err
				}
			}
			stop := func() error { return nil }
			if busy != nil {
				stop = b.keepBusy(ctx, busy)
				if err := sim.busy(ctx); err != nil {
					return errors.Join(err, stop())
				}
			}
			before, err := sim.answered()
			if err != nil {
				return errors.Join(err, stop())
			}
			l, err := b.load(ctx, d.address, path, nil)
			after, countErr := sim.answered()
			if err := errors.Join(err, countErr, stop()); err != nil {
				return err
			}
			m.upstream = append(m.upstream, float64(after-before)/l.took.Seconds())
			m.p99 = append(m.p99, l.p99.Seconds())
			m.rates = append(m.rates, float64(l.requests)/l.took.Seconds())
		}
	}
	return nil
}

// startRival starts another daemon, with only the simulator's packages.
func (b *bench) startRival(ctx context.Context, sim *simulator) (*daemon, error) {
	s := site{folder: b.path("rival"), simulator: sim}
	if err := b.makeSite(ctx, s, b.worldSize()); err != nil {
		return nil, err
	}
	d, _, err := b.startDaemon(ctx, s, "the rival daemon")
	return d, err
}

// limit makes a daemon keep the default limits of requests to PyPI, or none.
func (b *bench) limit(ctx context.Context, d *daemon, limited bool) error {
	d.site.limited = limited
	if err := d.site.writeConfig(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.program, "reload", "--config", d.site.path("config.yaml"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("change the limits of %s: %w\n%s", d.name, err, lastPart(string(out)))
	}
	return nil
}

// keepBusy makes a daemon run passes until stop is called, which cancels the
// running pass, waits for it and returns the first error.
func (b *bench) keepBusy(ctx context.Context, d *daemon) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			var out string
			if out, err = b.refresh(ctx, d.site); err != nil {
				err = fmt.Errorf("a pass of %s: %w\n%s", d.name, err, lastPart(out))
			}
		}
		if ctx.Err() != nil {
			err = nil
		}
		done <- err
	}()
	return func() error {
		cancel()
		return <-done
	}
}
