package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

// A daemon is a pkgmetad that serves a site.
type daemon struct {
	*process
	site site
	read int // bytes of its log that heap has already read
}

// startDaemon starts a daemon and returns how long it took from the start of
// the process to the first 200 of /readyz.
func (b *bench) startDaemon(ctx context.Context, s site, name string) (*daemon, time.Duration, error) {
	if err := s.configure(); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	p, err := b.start(ctx, name, s.listen, s.path("daemon.log"), []string{"GODEBUG=gctrace=1", "GITHUB_TOKEN=" + token},
		b.program, "serve", "--config", s.path("config.yaml"))
	if err != nil {
		return nil, 0, err
	}
	err = p.waitFor(ctx, "/readyz")
	return &daemon{process: p, site: s}, time.Since(began), err
}

// startMeasured starts the daemon twice: the first one syncs the catalogue and makes
// the search index and the snapshot; the second one finds them complete and is the
// one that is measured.
func (b *bench) startMeasured(ctx context.Context, s site) (*daemon, error) {
	first, took, err := b.startDaemon(ctx, s, "the first daemon")
	if err != nil {
		return nil, err
	}
	b.logf("first start: ready after %s; it makes the search index and the snapshot", took.Round(time.Millisecond))
	began := time.Now()
	if err := first.settled(ctx); err != nil {
		return nil, err
	}
	b.logf("made both in %s", time.Since(began).Round(time.Second))
	if err := first.stop(); err != nil {
		return nil, err
	}
	d, took, err := b.startDaemon(ctx, s, measured)
	if err != nil {
		return nil, err
	}
	b.logf("second start: ready after %s", took.Round(time.Millisecond))
	b.report.ready = took
	if err := d.settled(ctx); err != nil {
		return nil, err
	}
	b.report.memory("at rest", d)
	return d, nil
}

// settled waits until the daemon has finished its work in the background.
func (d *daemon) settled(ctx context.Context) error {
	if err := d.waitFor(ctx, snapshotPath+"?settled"); err != nil {
		return err
	}
	if err := d.searchReady(ctx); err != nil {
		return err
	}
	return d.quiet(ctx)
}

// searchReady waits until the search finds the last package of the simulator's
// catalogue, which was the last to change.
func (d *daemon) searchReady(ctx context.Context) error {
	slugs, err := d.site.simulator.slugs()
	if err != nil {
		return err
	}
	last := slugs[len(slugs)-1]
	for {
		a, err := get(d.address, "/api/v4/search/?q="+last, nil)
		if err != nil {
			return err
		}
		if bytes.Contains(a.Body, fmt.Appendf(nil, `"slug":%q`, last)) {
			return nil
		}
		select {
		case <-d.ended:
			return fmt.Errorf("%s ended: %v; see %s", d.name, d.err, d.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// gcLine matches what the runtime logs of a collection: the size of the heap when it
// began and when it ended, and of the live heap, in MiB.
var gcLine = regexp.MustCompile(`(?m)^gc \d+ @.* (\d+)->(\d+)->(\d+) MB`)

// heap returns the largest Go heap and the largest live heap, in MiB, of the garbage
// collections since the last call; 0 if there were none.
func (d *daemon) heap() (largest, live int) {
	log, _ := os.ReadFile(d.log) // if it is missing, the result is 0
	for _, gc := range gcLine.FindAllSubmatch(log[min(d.read, len(log)):], -1) {
		var n [3]int
		for i := range n {
			n[i], _ = strconv.Atoi(string(gc[i+1]))
		}
		largest, live = max(largest, n[0], n[1]), max(live, n[2])
	}
	d.read = len(log)
	return largest, live
}

// memory adds the memory that the daemon uses to the report.
func (r *report) memory(when string, d *daemon) {
	largest, live := d.heap()
	heap := "no collection"
	if largest > 0 {
		heap = fmt.Sprintf("%d MiB at the most, %d MiB of it live", largest, live)
		r.heap = max(r.heap, largest)
	}
	r.memories = append(r.memories, []string{when, heap,
		fmt.Sprintf("%d MiB", d.status("RssAnon")>>20), fmt.Sprintf("%d MiB", d.status("VmRSS")>>20)})
}
