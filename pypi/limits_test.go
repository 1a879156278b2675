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
			hold := c.Hold()
			until, reason := hold.Until, hold.Reason
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
			if hold := c.Hold(); !hold.Until.IsZero() || hold.Reason != "" {
				t.Fatalf("still held: %+v", hold)
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
		w.pages[jsonPath] = page{status: 500} // the one request that finds out whether PyPI answers again
		if a := c.Fetch(t.Context(), Question{Name: "demo-app"}); a.Outcome != upstream.Failed || time.Until(c.Hold().Until) != 4*time.Minute || c.Fault() == "" {
			t.Fatalf("%+v, held %+v", a, c.Hold())
		}
		w.pages[jsonPath] = page{status: 429}
		time.Sleep(4 * time.Minute)
		refused(8 * time.Minute)
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
		refused(time.Hour)
		w.pages[jsonPath] = page{status: 429, header: with("Retry-After", "0")}
		refused(2 * time.Minute)
	})
}
