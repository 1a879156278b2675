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

const (
	// window is the length of the primary limit's window. If the reset is further
	// off than that, a clock is wrong, ours or theirs.
	window = time.Hour

	// After a limit that names no time GitHub asks clients to wait for at least a
	// minute, and for longer each time they meet the limit again.
	firstDelay = time.Minute
	lastDelay  = 15 * time.Minute
)

// limits decides whether a request may be sent. It learns from every answer.
type limits struct {
	reserve int
	gate    upstream.Gate

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

	// The delay after limits that name no time. Requests that are in flight
	// together meet a limit together and should double the delay once. So each
	// permit remembers how often the gate had been closed when it was given
	// (closings): an answer changes the delay only if the gate has not been closed
	// since.
	closings int
	delay    time.Duration
}

// probeAgain is how long requests go unprobed after an answer without a budget.
const probeAgain = time.Minute

// A permit allows one request; settle takes it back.
type permit struct {
	closings int
	probe    bool
}

// admit returns a permit for one request, or until when and why there is none.
// While another request finds the budget out it waits, at most until ctx ends.
func (l *limits) admit(ctx context.Context) (p permit, until time.Time, reason string, err error) {
	for {
		l.mu.Lock()
		now := time.Now()
		until, reason = l.refusal(now)
		unknown := until.IsZero() && !now.Before(l.reset) && !now.Before(l.freeUntil)
		if probe := l.probe; unknown && probe != nil {
			l.mu.Unlock()
			select {
			case <-probe:
				continue
			case <-ctx.Done():
				return p, until, reason, ctx.Err()
			}
		}
		if until.IsZero() {
			l.inFlight++
			if unknown {
				l.probe = make(chan struct{})
			}
		}
		p = permit{l.closings, unknown}
		l.mu.Unlock()
		return p, until, reason, nil
	}
}

func (l *limits) hold() (time.Time, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal(time.Now())
}

func (l *limits) refusal(now time.Time) (until time.Time, reason string) {
	until, reason = l.gate.Hold()
	if !now.Before(l.reset) || !l.reset.After(until) {
		return until, reason
	}
	// The anonymous budget of 60 must stay usable under a reserve meant for 5,000.
	reserve := min(l.reserve, l.limit/10)
	if l.remaining-l.inFlight-1 >= reserve {
		return until, reason
	}
	if reserve == 0 {
		return l.reset, fmt.Sprintf("the hourly budget of %d GitHub requests is used up", l.limit)
	}
	return l.reset, fmt.Sprintf("%d of the hourly %d GitHub requests are left and %d are kept in reserve", l.remaining, l.limit, reserve)
}

func (l *limits) budget() Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !time.Now().Before(l.reset) {
		return Budget{}
	}
	return Budget{Limit: l.limit, Remaining: l.remaining, Reset: l.reset, Known: true}
}

// settle takes back a permit and notes what the answer says of the budget; h
// is nil where no answer came.
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

// close keeps all requests back until t.
func (l *limits) close(t time.Time, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closings++
	l.gate.Close(t, reason)
}

// closeFor keeps all requests back after the request of p was refused for a
// limit: as long as the answer says, or else longer each time.
func (l *limits) closeFor(p permit, h http.Header, reason string) {
	now := time.Now()
	t := upstream.RetryAfter(h, now)
	if r, ok := readRate(h); ok && r.remaining == 0 && !t.After(now) {
		t = r.resetTime(now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !t.After(now) {
		if l.delay == 0 {
			l.delay = firstDelay
		} else if p.closings == l.closings {
			l.delay = min(2*l.delay, lastDelay)
		}
		t = now.Add(l.delay)
	}
	l.closings++
	l.gate.Close(t, reason)
}

// passed notes that the request of p met no limit.
func (l *limits) passed(p permit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.closings == l.closings {
		l.delay = 0
	}
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

func (r rate) resetTime(now time.Time) time.Time {
	t := time.Unix(r.reset, 0)
	if latest := now.Add(window); t.After(latest) {
		return latest
	}
	return t
}
