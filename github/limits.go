package github

import (
	"context"
	"fmt"
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

// limits decides whether a request may be sent, as far as the primary limit of one
// resource goes. It learns from every answer.
type limits struct {
	resource string // as x-ratelimit-resource names it: core or graphql
	unit     string // what its budget counts: requests or points
	reserve  int
	turns    *semaphore.Weighted // one for each request that may be in flight

	mu       sync.Mutex
	inFlight int // sent, no answer yet

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

func newLimits(resource, unit string, inFlight, reserve int) *limits {
	return &limits{resource: resource, unit: unit, turns: semaphore.NewWeighted(int64(inFlight)), reserve: reserve}
}

// probeAgain is how long requests go unprobed after an answer without a budget.
const probeAgain = time.Minute

// A permit allows one request. It is given back in two steps: settle, when it is known
// what the request has cost, and end.
type permit struct {
	credential *credential
	limits     *limits
	gate       upstream.Permit
	probe      bool // of the budget
}

// admit returns a permit for one request, or the hold that forbids it. While too many
// are in flight, and while another request finds out whether GitHub answers again, or
// what is left of the budget, it waits, at most until ctx ends.
func (cr *credential) admit(ctx context.Context, l *limits) (p permit, hold upstream.Hold, err error) {
	if hold = cr.hold(l); !hold.Until.IsZero() && !upstream.Insists(ctx) {
		return p, hold, nil
	}
	p = permit{credential: cr, limits: l}
	if err = l.turns.Acquire(ctx, 1); err != nil {
		return p, hold, err
	}
	if err = cr.inFlight.Acquire(ctx, 1); err != nil {
		l.turns.Release(1)
		return p, hold, err
	}
	if p.gate, hold, err = cr.gate.Admit(ctx); err == nil && hold.Until.IsZero() {
		if p.probe, hold, err = l.take(ctx); err == nil && hold.Until.IsZero() {
			return p, hold, nil
		}
		cr.gate.Release(p.gate)
	}
	p.leave()
	return p, hold, err
}

// leave makes room for another request.
func (p permit) leave() {
	p.credential.inFlight.Release(1)
	p.limits.turns.Release(1)
}

// end gives p back when all is known of the answer; e is nil where it was of use.
func (p permit) end(e *upstream.Error) {
	p.credential.gate.Settle(p.gate, e)
	p.leave()
}

// take takes one request out of the budget, or returns the hold that forbids it.
func (l *limits) take(ctx context.Context) (probe bool, hold upstream.Hold, err error) {
	for {
		l.mu.Lock()
		now := time.Now()
		hold = l.usedUp(now)
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
			if unknown {
				l.probe = make(chan struct{})
			}
		}
		l.mu.Unlock()
		return unknown, hold, nil
	}
}

// hold returns the hold of a budget that is used up.
func (l *limits) hold() upstream.Hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usedUp(time.Now())
}

// usedUp returns the hold of a budget that is used up down to the reserve.
func (l *limits) usedUp(now time.Time) upstream.Hold {
	// The anonymous budget of 60 must stay usable under a reserve meant for 5,000.
	reserve := min(l.reserve, l.limit/10)
	switch {
	case !now.Before(l.reset) || l.remaining-l.inFlight-1 >= reserve:
		return upstream.Hold{}
	case reserve == 0:
		return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("the hourly budget of %d GitHub %s is used up", l.limit, l.unit)}
	}
	return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("%d of the hourly %d GitHub %s are left and %d are kept in reserve", l.remaining, l.limit, l.unit, reserve)}
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
	if p.probe {
		close(l.probe)
		l.probe = nil
		if !ok {
			l.freeUntil = now.Add(probeAgain)
		}
	}
	switch known := now.Before(l.reset); {
	case !ok:
		if known && charged {
			l.remaining = max(l.remaining-1, 0)
		}
	case !known || r.reset > l.resetUnix+1: // resets of the same window differ by a second
		// A late answer may tell of a window that is over; then the budget stays unknown.
		l.limit, l.remaining, l.resetUnix, l.reset = r.limit, r.remaining, r.reset, r.resetTime(now)
	case r.reset >= l.resetUnix-1:
		l.limit, l.remaining = r.limit, min(l.remaining, r.remaining) // answers overtake each other
	}
	return r
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
	return l.usedUp(now)
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
	reset            int64 // Unix seconds
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
	sane := r.limit > 0 && r.remaining >= 0 && r.reset >= 0 && r.reset < 1<<40
	if !sane || errs != [3]error{} {
		return rate{}, false
	}
	return r, true
}

func (r rate) resetTime(now time.Time) time.Time {
	t := time.Unix(r.reset, 0)
	if latest := now.Add(window); t.After(latest) {
		return latest
	}
	return t
}
