package pypi

import (
	"sync"
	"time"

	"pkgmetad/internal/upstream"
)

// How long a 429 without Retry-After closes the gate: doubling from the first
// to the longest.
const (
	firstWait   = time.Minute
	longestWait = 15 * time.Minute
)

// limits keeps requests back after PyPI asked for it. The zero value is open.
type limits struct {
	gate upstream.Gate

	mu     sync.Mutex
	wait   time.Duration // of the last closing that PyPI named no time for; 0 since the last success
	closed time.Time     // when the gate was last closed
}

// refused closes the gate until the given time, or for the next waiting time
// where that is zero, and returns when it opens. A refusal of a request that
// was on its way already when the gate closed belongs to the same incident and
// does not lengthen the wait.
func (l *limits) refused(began, until time.Time, reason string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case !until.IsZero():
		l.closed = now
	case l.wait > 0 && !began.After(l.closed):
		until = l.closed.Add(l.wait)
	default:
		l.wait = min(max(2*l.wait, firstWait), longestWait)
		l.closed = now
		until = now.Add(l.wait)
	}
	l.gate.Close(until, reason)
	if open, _ := l.gate.Hold(); !open.IsZero() {
		return open
	}
	return until
}

// answered ends an incident: a request begun after the gate last closed went
// through.
func (l *limits) answered(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began.After(l.closed) {
		l.wait = 0
	}
}
