package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// resumption is within what time somebody must be able to write again.
const resumption = 15 * time.Second

// TestChaos kills hosts, one or all, has them hang, and cuts the network between them, while
// they fetch all the time, writers refresh, and readers read. Nothing that was acknowledged
// may be lost or undone.
func TestChaos(t *testing.T) {
	long(t, "chaos")
	c := &chaos{site: newSite(t, options{sim: sim.Options{Latency: 20 * time.Millisecond}, packages: 200, stale: 4 * time.Second, netns: true, pypi: 4, workers: 4, gitHub: 2}), quiet: map[string][]time.Duration{}}
	troubles := c.troubles(t)
	c.startAll(t)
	packages := c.extend(t, 0)
	eventually(t, patience, func() error { return c.hosts[0].fetched(packages) })
	c.read(t, c.hosts...)
	stop := c.write()
	defer stop()
	for i, trouble := range troubles {
		if t.Failed() {
			break
		}
		c.world.Advance(time.Duration(rand.Int64N(int64(3 * 24 * time.Hour))))
		trouble(t)
		if i%10 == 9 {
			t.Logf("%d of %d troubles; %s", i+1, len(troubles), c.readers.figures())
		}
	}
	stop()
	c.rest(t)
	newcomer := c.add(t, "d", 0)
	newcomer.start(t)
	newcomer.joined(t)
	figures := c.settle(t, packages)
	c.readers.end(t)
	c.stopAll(t)
	t.Logf("%s; %d refreshes acknowledged; %s", figures, c.acknowledgements(), c.readers.figures())
	for _, kind := range []string{"kill", "kill of all", "hang", "isolation", "cut"} {
		if all := c.quiet[kind]; len(all) > 0 {
			if worst := slices.Max(all); worst > resumption {
				t.Errorf("after a %s, nobody could write for %s", kind, worst)
			}
			t.Logf("%d × %s: somebody could write again after %s (median), %s at most", len(all), kind, quantile(all, 0.5).Round(100*time.Millisecond), slices.Max(all).Round(100*time.Millisecond))
		}
	}
	t.Logf("%d SIGKILLs in all", c.kills)
}

// chaos is a site in trouble.
type chaos struct {
	*site
	quiet map[string][]time.Duration // how long nobody could write, by trouble
	kills int

	mu   sync.Mutex
	acks []acknowledgement
}

// An acknowledgement is that of a refresh.
type acknowledgement struct{ began, at time.Time }

// troubles returns as many of each kind as are asked for, in no order.
func (c *chaos) troubles(t *testing.T) (all []func(*testing.T)) {
	kinds := []struct {
		count   int
		trouble func(*testing.T)
	}{
		{program.Number(t, "PKGMETAD_KILLS", 30, 0), c.killOne},
		{program.Number(t, "PKGMETAD_KILLS", 30, 0) / 5, c.killAll},
		{program.Number(t, "PKGMETAD_HANGS", 5, 0), c.hang},
		{(program.Number(t, "PKGMETAD_PARTITIONS", 5, 0) + 1) / 2, c.isolate},
		{program.Number(t, "PKGMETAD_PARTITIONS", 5, 0) / 2, c.cut},
	}
	for _, kind := range kinds {
		all = append(all, slices.Repeat([]func(*testing.T){kind.trouble}, kind.count)...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// any returns a host, by chance.
func (c *chaos) any() (int, *host) { i := rand.IntN(len(c.hosts)); return i, c.hosts[i] }

// resumed waits until somebody can write again, since a moment.
func (c *chaos) resumed(t *testing.T, kind string, since time.Time) {
	t.Helper()
	eventually(t, patience, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i := slices.IndexFunc(c.acks, func(a acknowledgement) bool { return a.began.After(since) }); i >= 0 {
			quiet := c.acks[i].at.Sub(since)
			if c.quiet[kind] = append(c.quiet[kind], quiet); quiet > resumption {
				t.Logf("%s: after a %s, nobody could write for %s", time.Now().UTC().Format(time.TimeOnly), kind, quiet)
			}
			return nil
		}
		return errors.New("nobody can write")
	})
}

// killOne kills a host, and mostly again while it starts.
func (c *chaos) killOne(t *testing.T) {
	_, h := c.any()
	h.kill(t)
	c.kills++
	c.resumed(t, "kill", time.Now())
	for rand.IntN(2) == 0 {
		h.begin(t)
		time.Sleep(rand.N(1500 * time.Millisecond))
		h.kill(t)
		c.kills++
	}
	h.start(t)
	h.joined(t)
}

// killAll kills all hosts at once.
func (c *chaos) killAll(t *testing.T) {
	for _, h := range c.hosts {
		h.down()
		must(t, h.process.Process.Kill())
	}
	for _, h := range c.hosts {
		<-h.ended
		c.kills++
	}
	for _, h := range c.hosts {
		h.begin(t)
	}
	for _, h := range c.hosts {
		h.serving(t)
	}
	c.resumed(t, "kill of all", time.Now())
	for _, h := range c.hosts {
		h.joined(t)
	}
}

// hang has a host hang for a while.
func (c *chaos) hang(t *testing.T) {
	_, h := c.any()
	h.pause(t)
	began := time.Now()
	c.resumed(t, "hang", began)
	time.Sleep(time.Until(began.Add(15*time.Second + rand.N(5*time.Second))))
	h.resume(t)
	c.together(t)
}

// isolate keeps a host from the others for a while.
func (c *chaos) isolate(t *testing.T) {
	_, h := c.any()
	heal := c.network.isolate(t, h)
	began := time.Now()
	c.resumed(t, "isolation", began)
	time.Sleep(time.Until(began.Add(15*time.Second + rand.N(20*time.Second))))
	heal()
	c.together(t)
}

// cut keeps two hosts from each other for a while.
func (c *chaos) cut(t *testing.T) {
	i, a := c.any()
	j := (i + 1) % len(c.hosts)
	heal := c.network.cut(t, a, c.hosts[j], i, j)
	began := time.Now()
	c.resumed(t, "cut", began)
	time.Sleep(time.Until(began.Add(15*time.Second + rand.N(20*time.Second))))
	heal()
	c.together(t)
}

// together waits until all hosts reach each other, and have what the others have.
func (c *chaos) together(t *testing.T) {
	t.Helper()
	eventually(t, patience, func() error {
		for _, h := range c.hosts {
			var status struct {
				Cluster struct {
					Quorum bool
					Lag    uint64 `json:"lag_messages"`
				}
			}
			if err := h.read(context.Background(), "/status/", &status); err != nil {
				return err
			}
			if !status.Cluster.Quorum || status.Cluster.Lag > 100 {
				return fmt.Errorf("host %s: %+v", h.name, status.Cluster)
			}
		}
		return nil
	})
}

var (
	allFresh  = regexp.MustCompile(`, 0 pending, 0 failed, 0 gone, 0 deferred`)
	someFresh = regexp.MustCompile(`(\d+) (?:fresh|unchanged)`)
)

// write has two at each host refresh one package after the other: one any package, of which
// PyPI's half may have to wait for another host, and one those that GitHub alone knows. What is
// acknowledged, readers must see.
func (c *chaos) write() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for i := range 2 * 3 {
		h, gitHub := c.hosts[i/2], i%2 == 0
		writers.Go(func() {
			for ; ctx.Err() == nil; pause(ctx, 500*time.Millisecond) {
				slug := c.readers.slug(gitHub)
				if h.up().IsZero() || slug == "" {
					continue
				}
				began := time.Now()
				said, err := h.command("refresh", slug)
				if err == nil && allFresh.MatchString(said) {
					c.readers.promise(ctx, h, slug, began)
				}
				for _, m := range someFresh.FindAllStringSubmatch(said, -1) {
					if n, _ := strconv.Atoi(m[1]); n > 0 {
						c.mu.Lock()
						c.acks = append(c.acks, acknowledgement{began, time.Now()})
						c.mu.Unlock()
						break
					}
				}
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); writers.Wait() })
}

// acknowledgements returns how many refreshes were acknowledged.
func (c *chaos) acknowledgements() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acks)
}
