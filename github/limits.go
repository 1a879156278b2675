package github

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pkgmetad/internal/upstream"
)

// window is the length of the primary limit's window. If the reset is further
// off than that, a clock is wrong, ours or theirs.
const window = time.Hour

// limits decides when a request of one credential may be sent, as far as the limits of
// one resource go: REST, or GraphQL. It learns from every answer.
type limits struct {
	resource  string // as x-ratelimit-resource names it: core or graphql
	unit      string // what its primary budget counts: requests or points
	usual     int    // what GitHub grants an hour, for as long as it has not told
	perMinute int    // what its secondary limit leaves, at one for each request
	reserve   int
	plan      *plan               // of all credentials
	gate      *upstream.Gate      // of this resource, beside the credential's; nil for none
	turns     *semaphore.Weighted // for one request at a time; nil for any number

	mu          sync.Mutex
	pace        pace
	pausedUntil time.Time // before this no request begins, where they go one at a time
	queued      int       // admitted, or waiting for that
	promised    int       // units, to questions that have begun
	inFlight    int       // sent, no answer yet

	// The primary budget, unknown unless now is before reset.
	limit, remaining int
	resetUnix        int64     // as GitHub wrote it; tells one window from the next
	reset            time.Time // by our clock

	// While the budget is unknown, one request (the probe) finds it out and the
	// others wait for its answer; otherwise a pool of workers could spend the
	// reserve before anyone sees it. If the answer tells no budget, nobody waits
	// for a while.
	probe     chan struct{} // closed when the probe is answered; nil while there is none
	freeUntil time.Time
}

// probeAgain is how long requests go unprobed after an answer without a budget.
const probeAgain = time.Minute

// take takes n units out of the budget, as admit says, or returns the hold that forbids it.
func (l *limits) take(ctx context.Context, n int) (probe bool, hold upstream.Hold, err error) {
	for {
		l.mu.Lock()
		now := time.Now()
		hold = l.usedUp(now, n)
		unknown := hold.Until.IsZero() && !now.Before(l.reset) && !now.Before(l.freeUntil)
		if waitFor := l.probe; unknown && waitFor != nil {
			l.mu.Unlock()
			select {
			case <-waitFor:
				continue
			case <-ctx.Done():
				return false, hold, ctx.Err()
			}
		}
		if hold.Until.IsZero() {
			l.inFlight++
			l.promised += n - 1
			if unknown {
				l.probe = make(chan struct{})
			}
		}
		l.mu.Unlock()
		return unknown, hold, nil
	}
}

// unpromise takes back what was promised and not used.
func (l *limits) unpromise(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promised -= n
}

// hold returns what forbids a question that takes n units now.
func (l *limits) hold(n int) (hold upstream.Hold) {
	if l.gate != nil {
		hold = l.gate.Hold()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if used := l.usedUp(time.Now(), n); used.Until.After(hold.Until) {
		return used
	}
	return hold
}

// usedUp returns the hold of a budget that has no n units left above the reserve.
func (l *limits) usedUp(now time.Time, n int) upstream.Hold {
	reserve := l.reserved()
	switch {
	case !now.Before(l.reset) || l.left()-n >= reserve:
		return upstream.Hold{}
	case reserve == 0:
		return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("the hourly budget of %d GitHub %s is used up", l.limit, l.unit)}
	}
	return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("%d of the hourly %d GitHub %s are left and %d are kept in reserve", l.remaining, l.limit, l.unit, reserve)}
}

// left is what is left of the budget and promised to nobody.
func (l *limits) left() int { return l.remaining - l.inFlight - l.promised }

// reserved is what of the budget is never spent. The anonymous one of 60 must stay usable
// under a reserve meant for 5,000.
func (l *limits) reserved() int { return min(l.reserve, l.limit/10) }

// unlimited reports whether GitHub answers without telling a budget, as an Enterprise
// Server does that has no limits.
func (l *limits) unlimited(now time.Time) bool {
	return !now.Before(l.reset) && now.Before(l.freeUntil)
}

// mostPerMinute is how many requests are sent a minute at most; 0 for any number. A server
// that grants more in an hour than GitHub's secondary limit allows does not have that.
func (l *limits) mostPerMinute(now time.Time) int {
	if l.unlimited(now) {
		return 0
	}
	if perMinute := l.limit / 60; now.Before(l.reset) && perMinute > l.perMinute {
		return perMinute
	}
	return l.perMinute
}

// gap is how far apart requests are to be sent, for the budget to last until its reset; 0
// where there is enough of it, or so little that it is no use.
func (l *limits) gap(now time.Time) time.Duration {
	left := l.left() - l.reserved()
	if !l.plan.crowded.Load() || !now.Before(l.reset) || left <= 0 {
		return 0
	}
	gap := l.reset.Sub(now) / time.Duration(left)
	if gap > longestGap {
		return 0
	}
	return gap
}

// outlook is what a budget allows from now on: so many units until the reset, which is
// ahead by that much, and so many in a full hour.
type outlook struct {
	units   float64
	within  time.Duration
	perHour float64
}

func (l *limits) outlook(now time.Time) outlook {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case now.Before(l.reset):
		return outlook{float64(max(l.left()-l.reserved(), 0)), l.reset.Sub(now), float64(l.limit - l.reserved())}
	case l.unlimited(now):
		return outlook{math.Inf(1), window, math.Inf(1)}
	}
	usual := float64(max(l.usual-min(l.reserve, l.usual/10), 0))
	return outlook{usual, window, usual}
}

func (l *limits) budget() Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !time.Now().Before(l.reset) {
		return Budget{}
	}
	return Budget{Limit: l.limit, Remaining: l.remaining, Reset: l.reset, Known: true}
}

// settle notes what the answer to the request of p says of the budget; h is nil
// where no answer came. It returns what it says; zero for nothing.
func (p permit) settle(h http.Header, charged bool) (r rate) {
	l, now := p.limits, time.Now()
	r, ok := l.readRate(h)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	if !charged {
		l.pace.refund()
	}
	if p.probe {
		close(l.probe)
		l.probe = nil
		if !ok {
			l.freeUntil = now.Add(probeAgain)
		}
	}
	switch {
	case ok:
		l.note(r, now)
	case now.Before(l.reset) && charged:
		l.remaining = max(l.remaining-1, 0)
	}
	return r
}

// note takes over what is told of the budget, unless it is older than what is known. It is
// called with mu held.
func (l *limits) note(r rate, now time.Time) {
	switch known := now.Before(l.reset); {
	case !known || r.reset > l.resetUnix+1: // resets of the same window differ by a second
		// A late answer may tell of a window that is over; then the budget stays unknown.
		l.limit, l.remaining, l.resetUnix, l.reset = r.limit, r.remaining, r.reset, r.resetTime(now)
	case r.reset >= l.resetUnix-1:
		l.limit, l.remaining = r.limit, min(l.remaining, r.remaining) // answers overtake each other
	}
}

// exhaust notes that nothing is left, although the headers of the answer that says so
// may tell otherwise. It returns the hold, which is none where they do not tell the reset.
func (l *limits) exhaust(told rate) upstream.Hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if reset := told.resetTime(now); reset.After(now) {
		l.limit, l.remaining, l.resetUnix, l.reset = told.limit, 0, told.reset, reset
	}
	return l.usedUp(now, 1)
}

// until returns until when an answer with these headers forbids requests; zero where
// it names no time.
func (l *limits) until(h http.Header) time.Time {
	now := time.Now()
	t := upstream.RetryAfter(h, now)
	if r, ok := l.readRate(h); ok && r.remaining == 0 && !t.After(now) {
		t = r.resetTime(now)
	}
	return t
}

type rate struct {
	limit, remaining int
	reset            int64     // Unix seconds
	answered         time.Time // by GitHub's clock; zero where it does not tell
}

// readRate reads the x-ratelimit-* headers, if they are of this budget. One that is not
// told is unknown, and not 0: a server may have no limits.
func (l *limits) readRate(h http.Header) (r rate, ok bool) {
	if res := h.Get("X-RateLimit-Resource"); res != "" && res != l.resource {
		return rate{}, false
	}
	var errs [3]error
	r.limit, errs[0] = strconv.Atoi(h.Get("X-RateLimit-Limit"))
	r.remaining, errs[1] = strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	r.reset, errs[2] = strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	r.answered = upstream.Answered(h)
	if !r.sane() || errs != [3]error{} {
		return rate{}, false
	}
	return r, true
}

// sane reports whether a rate can be one.
func (r rate) sane() bool {
	return r.limit > 0 && r.remaining >= 0 && r.reset >= 0 && r.reset < 1<<40
}

// resetTime returns when the window ends, by our clock. Ours may be wrong: what is
// left of the window is what it was by GitHub's clock.
func (r rate) resetTime(now time.Time) time.Time {
	answered := r.answered
	if answered.IsZero() {
		answered = now
	}
	return now.Add(min(time.Unix(r.reset, 0).Sub(answered), window))
}
