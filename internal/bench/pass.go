package main

import (
	"context"
	"errors"
	"fmt"
)

// A pass takes what there is of the CPUs, and the simulator that it asks runs
// on the same ones: requests wait for that alone. So there are three
// situations. In the second the daemon that answers runs passes, one after the
// other. In the third it does not, and a rival daemon does, with a store and
// a process of its own: the same work, asked of the same simulator, on the
// same CPUs. What the second situation costs beyond the third is due to the
// daemon itself: its store, its garbage, its goroutines.
var situations = []string{"at rest", "while it runs passes", "while another daemon runs passes"}

// passed is what was measured in one situation.
type passed struct {
	situation string
	p99       []float64 // seconds, a round each
	rates     []float64 // requests/s
	asked     []float64 // requests/s that the simulator answered
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
	b.report.passes = make([]passed, len(situations))
	for round := range b.rounds {
		for i, situation := range situations {
			b.notef("one package %s, round %d", situation, round+1)
			for _, quiet := range []*daemon{d, rival} {
				if err := quiet.settled(ctx); err != nil {
					return err
				}
			}
			m := &b.report.passes[i]
			m.situation = situation
			busy := []*daemon{nil, d, rival}[i]
			stop := func() error { return nil }
			if busy != nil {
				stop = b.keepBusy(ctx, busy)
				if err := sim.busy(ctx); err != nil {
					return errors.Join(err, stop())
				}
			}
			before, err := sim.asked()
			if err != nil {
				return errors.Join(err, stop())
			}
			l, err := b.load(ctx, d.address, path, nil)
			after, askErr := sim.asked()
			if err := errors.Join(err, askErr, stop()); err != nil {
				return err
			}
			m.asked = append(m.asked, float64(after-before)/l.took.Seconds())
			m.p99 = append(m.p99, l.p99.Seconds())
			m.rates = append(m.rates, float64(l.requests)/l.took.Seconds())
		}
	}
	return nil
}

// startRival starts another daemon, over the simulator's packages alone.
func (b *bench) startRival(ctx context.Context, sim *simulator) (*daemon, error) {
	s := site{folder: b.path("rival"), simulator: sim}
	if err := b.makeSite(ctx, s, b.worldSize()); err != nil {
		return nil, err
	}
	d, _, err := b.startDaemon(ctx, s, "the rival daemon")
	return d, err
}

// keepBusy lets a daemon run passes until the function that it returns is
// called, which waits for the last one to break off.
func (b *bench) keepBusy(ctx context.Context, d *daemon) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			var out string
			if out, err = b.refresh(ctx, d.site); err != nil {
				err = fmt.Errorf("a pass of %s: %w\n%s", d.name, err, end(out))
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
