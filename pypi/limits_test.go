package pypi

import (
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{pages: map[string]page{jsonPath: {status: 429}}}
		c := newClient(t, "https://pypi.test", w)
		refused := func(want time.Duration) {
			t.Helper()
			a := c.Fetch(t.Context(), Question{Name: "demo-app"})
			until, reason := c.Hold()
			if a.Outcome != upstream.Limited || a.Requests != 1 || time.Until(until) != want || !a.Err.RetryAt.Equal(until) || reason == "" {
				t.Fatalf("%v after %d requests (%v), held for %v for %q; want held for %v", a.Outcome, a.Requests, a.Err, time.Until(until), reason, want)
			}
			// Closed: nothing is sent.
			before := len(w.seen)
			time.Sleep(want - time.Nanosecond)
			if a := c.Fetch(t.Context(), Question{Name: "demo-app"}); a.Outcome != upstream.Limited || a.Requests != 0 || len(w.seen) != before || !a.Err.RetryAt.Equal(until) {
				t.Fatalf("while closed: %+v", a)
			}
			time.Sleep(time.Nanosecond)
			if until, reason := c.Hold(); !until.IsZero() || reason != "" {
				t.Fatalf("still held until %v for %q", until, reason)
			}
		}
		answered := func(p page, want upstream.Outcome) {
			t.Helper()
			w.pages[jsonPath] = p
			if a := c.Fetch(t.Context(), Question{Name: "demo-app", ETag: `"a"`}); a.Outcome != want {
				t.Fatalf("%v, %v; want %v", a.Outcome, a.Err, want)
			}
			w.pages[jsonPath] = page{status: 429}
			time.Sleep(time.Second)
		}

		for _, wait := range []time.Duration{1, 2, 4, 8, 15, 15} {
			refused(wait * time.Minute)
		}
		answered(page{200, good, nil}, upstream.Fresh)
		refused(time.Minute)
		refused(2 * time.Minute)
		answered(page{status: 500}, upstream.Failed) // no success: the wait goes on growing
		refused(4 * time.Minute)
		answered(page{status: 304}, upstream.Unchanged)
		refused(time.Minute)
		answered(page{status: 404}, upstream.Gone)
		refused(time.Minute)

		// A time that PyPI names counts, and does not move the doubling.
		w.pages[jsonPath] = page{status: 429, header: with("Retry-After", "10")}
		refused(10 * time.Second)
		w.pages[jsonPath] = page{status: 429, header: with("Retry-After", time.Now().Add(20*time.Second).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))}
		refused(20 * time.Second)
		w.pages[jsonPath] = page{status: 503, header: with("Retry-After", "99999999999999999999")}
		refused(24 * time.Hour)
		w.pages[jsonPath] = page{status: 429, header: with("Retry-After", "0")}
		refused(2 * time.Minute)
	})
}

// TestLimitsOfOneIncident has many requests under way when PyPI starts to
// refuse: that is one refusal, and an answer that was late is no recovery.
func TestLimitsOfOneIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limits
		began := time.Now()
		time.Sleep(time.Second)
		first := l.refused(began, time.Time{}, "busy")
		if want := time.Now().Add(time.Minute); !first.Equal(want) {
			t.Fatalf("closed until %v; want %v", first, want)
		}
		for range 5 {
			time.Sleep(time.Second)
			if until := l.refused(began, time.Time{}, "busy"); !until.Equal(first) {
				t.Fatalf("closed until %v; want still %v", until, first)
			}
		}
		l.answered(began)
		time.Sleep(time.Until(first))
		if until := l.refused(time.Now(), time.Time{}, "busy"); time.Until(until) != 2*time.Minute {
			t.Fatalf("closed for %v; want 2 min", time.Until(until))
		}
	})
}
