package pypi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

// isElsewhere checks that a question was put off for some seconds, without a request.
func isElsewhere(t *testing.T, outcome upstream.Outcome, requests int, err *upstream.Error) {
	t.Helper()
	if outcome != upstream.Limited || requests != 0 || err == nil || !strings.Contains(err.Message, "another host uses PyPI") || time.Until(err.RetryAt) <= 0 || time.Until(err.RetryAt) > 15*time.Second {
		t.Errorf("%s after %d requests: %v", outcome, requests, err)
	}
}

// TestAnotherHostAsks: then nothing is asked here, whoever wants it, and nothing is wrong.
func TestAnotherHostAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{pages: map[string]page{jsonPath: {200, good, nil}}}
		var ours atomic.Bool
		c, err := New(Options{BaseURL: "https://pypi.test", UserAgent: "pkgmetad/1 (me@example.org)", Transport: w, Rate: 1, Usable: ours.Load})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 20 { // as many as the rate would not allow at once
			a := c.Fetch(upstream.Insist(t.Context()), Question{Name: "demo-app"})
			isElsewhere(t, a.Outcome, a.Requests, a.Err)
			page := c.Page(t.Context(), "demo-app", "")
			isElsewhere(t, page.Outcome, page.Requests, page.Err)
			index := c.Index(t.Context(), "", func([]byte, int64) {})
			isElsewhere(t, index.Outcome, index.Requests, index.Err)
		}
		if hold := c.Hold(); !hold.Elsewhere || hold.Fault || time.Until(hold.Until) <= 0 || c.Fault() != "" || len(w.seen) > 0 || time.Since(start) > 0 {
			t.Errorf("%+v, fault %q, %d requests in %s", hold, c.Fault(), len(w.seen), time.Since(start))
		}
		ours.Store(true)
		if a := c.Fetch(t.Context(), Question{Name: "demo-app"}); a.Outcome != upstream.Fresh || c.Hold() != (upstream.Hold{}) {
			t.Errorf("it is ours: %+v", a)
		}
	})
}

// TestAnotherHostTakesOver: whoever waits for a turn then gets none, and leaves nothing
// behind.
func TestAnotherHostTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowClient(t, 2, 1)
		var theirs atomic.Bool
		c.usable = func() bool { return !theirs.Load() }
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if a := c.Fetch(t.Context(), Question{Name: fmt.Sprintf("p%d", i)}); a.Outcome != upstream.Fresh {
					isElsewhere(t, a.Outcome, a.Requests, a.Err)
				}
			})
		}
		time.Sleep(2500 * time.Millisecond)
		theirs.Store(true)
		all.Wait()
		if n := len(w.asked); n != 3 || w.at[n-1] > 2500*time.Millisecond {
			t.Errorf("%d requests, the last one at %s", n, w.at[n-1])
		}
		theirs.Store(false)
		if a := c.Fetch(t.Context(), Question{Name: "p1"}); a.Outcome != upstream.Fresh || c.turnstile.free != 2 || c.Fault() != "" {
			t.Errorf("%+v, %d turns are free", a, c.turnstile.free)
		}
	})
}

// TestTakenOverAtTheLastMoment: the question that was to find out whether PyPI answers
// again makes room for another one.
func TestTakenOverAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{pages: map[string]page{jsonPath: {status: 429}}}
		c := newClient(t, "https://pypi.test", w)
		c.Fetch(t.Context(), Question{Name: "demo-app"})
		time.Sleep(time.Minute)
		asked := 0
		c.usable = func() bool { asked++; return asked == 1 }
		a := c.Fetch(t.Context(), Question{Name: "demo-app"})
		isElsewhere(t, a.Outcome, a.Requests, a.Err)
		w.pages[jsonPath], c.usable = page{200, good, nil}, nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if a := c.Fetch(ctx, Question{Name: "demo-app"}); asked != 2 || a.Outcome != upstream.Fresh || len(w.seen) != 2 {
			t.Errorf("%+v; asked for the lease %d times, sent %d requests", a, asked, len(w.seen))
		}
	})
}
