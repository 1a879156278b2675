package github

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"pkgmetad/internal/upstream"
)

// window is the length of the primary limit's window. If the reset is further
// off than that, a clock is wrong, ours or theirs.
const window = time.Hour

// limits decides whether a request may be sent. It learns from every answer.
type limits struct {
	reserve int
	gate    *upstream.Gate

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

// probeAgain is how long requests go unprobed after an answer without a budget.
const probeAgain = time.Minute

// A permit allows one request; settle and the gate take it back.
type permit struct {
	gate  upstream.Permit
	probe bool // of the budget
}

// admit returns a permit for one request, or the hold that forbids it. While another
// request finds out whether GitHub answers again, or what is left of the budget, it
// waits, at most until ctx ends.
func (l *limits) admit(ctx context.Context) (p permit, hold upstream.Hold, err error) {
	if p.gate, hold, err = l.gate.Admit(ctx); err != nil || !hold.Until.IsZero() {
		return p, hold, err
	}
	for {
		l.mu.Lock()
		now := time.Now()
		hold = l.usedUp(now)
		unknown := hold.Until.IsZero() && !now.Before(l.reset) && !now.Before(l.freeUntil)
		if probe := l.probe; unknown && probe != nil {
			l.mu.Unlock()
			select {
			case <-probe:
				continue
			case <-ctx.Done():
				l.gate.Release(p.gate)
				return p, hold, ctx.Err()
			}
		}
		admitted := hold.Until.IsZero()
		if admitted {
			l.inFlight++
			if p.probe = unknown; unknown {
				l.probe = make(chan struct{})
			}
		}
		l.mu.Unlock()
		if !admitted {
			l.gate.Release(p.gate)
		}
		return p, hold, nil
	}
}

// hold returns what forbids requests now: the gate, or the budget if that lasts longer.
func (l *limits) hold() upstream.Hold {
	hold := l.gate.Hold()
	l.mu.Lock()
	defer l.mu.Unlock()
	if used := l.usedUp(time.Now()); used.Until.After(hold.Until) {
		return used
	}
	return hold
}

// usedUp returns the hold of a budget that is used up down to the reserve.
func (l *limits) usedUp(now time.Time) upstream.Hold {
	// The anonymous budget of 60 must stay usable under a reserve meant for 5,000.
	reserve := min(l.reserve, l.limit/10)
	switch {
	case !now.Before(l.reset) || l.remaining-l.inFlight-1 >= reserve:
		return upstream.Hold{}
	case reserve == 0:
		return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("the hourly budget of %d GitHub requests is used up", l.limit)}
	}
	return upstream.Hold{Until: l.reset, Reason: fmt.Sprintf("%d of the hourly %d GitHub requests are left and %d are kept in reserve", l.remaining, l.limit, reserve)}
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
// where no answer came.
func (l *limits) settle(p permit, h http.Header, charged bool) {
	now := time.Now()
	r, ok := readRate(h)
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
}

// until returns until when an answer with these headers forbids requests; zero where
// it names no time.
func until(h http.Header) time.Time {
	now := time.Now()
	t := upstream.RetryAfter(h, now)
	if r, ok := readRate(h); ok && r.remaining == 0 && !t.After(now) {
		t = r.resetTime(now)
	}
	return t
}

type rate struct {
	limit, remaining int
	reset            int64 // Unix seconds
}

// readRate reads the x-ratelimit-* headers of the budget that all requests of
// this package draw on.
func readRate(h http.Header) (r rate, ok bool) {
	if res := h.Get("X-RateLimit-Resource"); res != "" && res != "core" {
		return rate{}, false
	}
	var errs [3]error
	r.limit, errs[0] = strconv.Atoi(h.Get("X-RateLimit-Limit"))
	r.remaining, errs[1] = strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	r.reset, errs[2] = strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	sane := r.limit > 0 && r.remaining >= 0 && r.reset >= 0 && r.reset < 1<<40
	return r, sane && errs == [3]error{}
}

// resetTime returns when the budget is full again. Like now, it goes by the monotonic
// clock: whoever sets the other one moves no hold.
func (r rate) resetTime(now time.Time) time.Time {
	return now.Add(min(time.Unix(r.reset, 0).Sub(now), window))
}
