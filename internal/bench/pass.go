package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
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
	fetched   int       // packages, by all its passes
	took      time.Duration
}

func (b *bench) measurePass(ctx context.Context, sim *simulator, d *daemon) (err error) {
	rival, err := b.startRival(ctx, sim)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rival.stop()) }()
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
				stop = b.keepBusy(ctx, busy, m)
			}
			l, err := b.load(ctx, d.address, path, nil)
			if err := errors.Join(err, stop()); err != nil {
				return err
			}
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

var fetched = regexp.MustCompile(`(\d+) packages in`)

// keepBusy lets a daemon run passes until the function that it returns is
// called, which waits for the last one to break off.
func (b *bench) keepBusy(ctx context.Context, d *daemon, m *passed) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	began := time.Now()
	done := make(chan error)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			var out string
			out, err = b.refresh(ctx, d.site, "unused")
			found := fetched.FindStringSubmatch(out)
			if found != nil {
				n, _ := strconv.Atoi(found[1])
				m.fetched += n
			}
			switch {
			case ctx.Err() != nil:
				err = nil
			case err != nil:
				err = fmt.Errorf("a pass of %s: %w\n%s", d.name, err, end(out))
			}
		}
		done <- err
	}()
	return func() error {
		m.took += time.Since(began)
		cancel()
		return <-done
	}
}
