package pypi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

// slowWire answers any project after a second, and notes which it was asked for and
// when.
type slowWire struct {
	inner wire

	mu        sync.Mutex
	asked     []string
	at        []time.Duration
	now, most int
	began     time.Time
}

func (w *slowWire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.asked, w.at = append(w.asked, req.URL.Path), append(w.at, time.Since(w.began))
	w.now++
	w.most = max(w.most, w.now)
	w.mu.Unlock()
	time.Sleep(time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now--
	return w.inner.RoundTrip(req)
}

func slowClient(t *testing.T, concurrency, rate int) (*slowWire, *Client) {
	t.Helper()
	w := &slowWire{inner: wire{pages: map[string]page{}}, began: time.Now()}
	for i := range 10 {
		w.inner.pages[path(i)] = page{200, fmt.Sprintf(`{"info":{"name":"p%d","version":"1"}}`, i), nil}
	}
	c, err := New(Options{BaseURL: "https://pypi.test", UserAgent: "pkgmetad/1 (me@example.org)", Transport: w, Concurrency: concurrency, Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func path(i int) string { return fmt.Sprintf("/pypi/p%d/json", i) }

// fetchAll asks for the projects at the same time, each under a context of its own.
func fetchAll(t *testing.T, c *Client, contexts ...context.Context) {
	t.Helper()
	var all sync.WaitGroup
	for i, ctx := range contexts {
		all.Go(func() {
			if a := c.Fetch(ctx, Question{Name: fmt.Sprintf("p%d", i)}); a.Outcome != upstream.Fresh {
				t.Errorf("p%d: %v, %v", i, a.Outcome, a.Err)
			}
		})
		synctest.Wait() // so that they come in this order
	}
	all.Wait()
}

func TestOneAfterTheOther(t *testing.T) {
	for concurrency, most := range map[int]int{0: 1, 1: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			w, c := slowClient(t, concurrency, 0)
			ctx := t.Context()
			fetchAll(t, c, ctx, ctx, ctx, ctx, ctx, ctx)
			if w.most != most || time.Since(w.began) != time.Duration(6/most)*time.Second {
				t.Errorf("concurrency %d: %d requests at once, %s in all", concurrency, w.most, time.Since(w.began))
			}
		})
	}
}

// TestAPersonGoesFirst: whoever waits for an answer goes before a whole pass, behind
// only what is on its way.
func TestAPersonGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowClient(t, 1, 0)
		pass, person := t.Context(), upstream.Insist(t.Context())
		fetchAll(t, c, pass, pass, pass, person, person, pass)
		if want := []string{path(0), path(3), path(4), path(1), path(2), path(5)}; !slices.Equal(w.asked, want) {
			t.Errorf("asked in the order %v", w.asked)
		}
	})
}

// TestRate: the requests of one second may be made at once, the next ones come as the
// rate has it. What was not used in a second is not saved for later.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowClient(t, 10, 4)
		ctx := t.Context()
		for range 2 {
			time.Sleep(time.Hour)
			w.began, w.at = time.Now(), nil
			fetchAll(t, c, ctx, ctx, ctx, ctx, ctx, ctx, ctx)
			ms := time.Millisecond
			if want := []time.Duration{0, 0, 0, 0, 250 * ms, 500 * ms, 750 * ms}; !slices.Equal(w.at, want) {
				t.Errorf("asked at %v", w.at)
			}
		}
	})
}

// TestGivenUp: who stops waiting makes no request, and keeps no one else from theirs.
func TestGivenUp(t *testing.T) {
	for _, rate := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			w, c := slowClient(t, 1, rate)
			impatient, giveUp := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer giveUp()
			var all sync.WaitGroup
			var outcomes [4]upstream.Outcome
			for i, ctx := range []context.Context{t.Context(), t.Context(), impatient, t.Context()} {
				all.Go(func() { outcomes[i] = c.Fetch(ctx, Question{Name: fmt.Sprintf("p%d", i)}).Outcome })
				synctest.Wait()
			}
			all.Wait()
			if want := [4]upstream.Outcome{upstream.Fresh, upstream.Fresh, upstream.Canceled, upstream.Fresh}; outcomes != want {
				t.Errorf("rate %d: %v", rate, outcomes)
			}
			if len(w.asked) != 3 || c.turnstile.free != 1 {
				t.Errorf("rate %d: asked for %v; %d turns are free at the end", rate, w.asked, c.turnstile.free)
			}
		})
	}
}

// TestGivenUpWhenItsTurnComes: a turn that comes as it is given up is not lost.
func TestGivenUpWhenItsTurnComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTurnstile(1, 0)
		for range 100 {
			if err := x.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			all.Go(func() {
				if x.enter(ctx) == nil {
					x.leave()
				}
			})
			synctest.Wait()
			cancel()
			x.leave()
			all.Wait()
			if x.free != 1 || len(x.waiting) != 0 {
				t.Fatalf("%d turns are free, %d wait", x.free, len(x.waiting))
			}
		}
	})
}

// TestGivenUpWhilePaced: a turn that is given up during the wait for the rate goes to
// the next one.
func TestGivenUpWhilePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := slowClient(t, 2, 1)
		if a := c.Fetch(t.Context(), Question{Name: "p0"}); a.Outcome != upstream.Fresh {
			t.Fatal(a.Err)
		}
		c.turnstile.next = time.Now().Add(time.Hour)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if a := c.Fetch(short, Question{Name: "p1"}); a.Outcome != upstream.Canceled || a.Requests != 0 {
			t.Errorf("%+v", a)
		}
		if c.turnstile.free != 2 {
			t.Errorf("%d turns are free", c.turnstile.free)
		}
	})
}

// TestHeldWithoutWaiting: while the gate is closed nobody waits for a turn.
func TestHeldWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowClient(t, 1, 1)
		w.inner.pages[path(0)] = page{429, "", with("Retry-After", "600")}
		began := time.Now()
		for range 100 {
			if a := c.Fetch(t.Context(), Question{Name: "p0"}); a.Outcome != upstream.Limited {
				t.Fatalf("%+v", a)
			}
		}
		if took := time.Since(began); took != time.Second || len(w.asked) != 1 {
			t.Errorf("%d requests in %s", len(w.asked), took)
		}
	})
}
