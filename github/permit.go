package github

import (
	"context"
	"fmt"
	"time"

	"pkgmetad/internal/upstream"
)

// A permit allows one request. It is given back in two steps: settle, when it is known
// what the request has cost, and end.
type permit struct {
	credential *credential
	limits     *limits
	gate       upstream.Permit
	probe      bool      // of the budget
	begun      time.Time // when it was given
}

// admit returns a permit for one request, or the hold that forbids it. Until it is the
// request's turn, and while another one finds out whether GitHub answers again, or what
// is left of the budget, it waits, at most until ctx ends. n units have to be left, of which
// the request takes one and the others are promised; 0 is for a request that was promised.
func (cr *credential) admit(ctx context.Context, l *limits, n int) (p permit, hold upstream.Hold, err error) {
	l.queue(1)
	p = permit{credential: cr, limits: l}
	if hold, err = cr.wait(ctx, l, n); err != nil || !hold.Until.IsZero() {
		l.queue(-1)
		return p, hold, err
	}
	p.begun = time.Now()
	if p.gate, hold, err = cr.gate.Admit(ctx); err == nil && hold.Until.IsZero() {
		if p.probe, hold, err = l.take(ctx, n); err == nil && hold.Until.IsZero() {
			return p, hold, nil
		}
		cr.gate.Release(p.gate)
	}
	p.leave()
	return p, hold, err
}

// wait returns when it is the turn of a request and it has a place among those in flight,
// or with what forbids it.
func (cr *credential) wait(ctx context.Context, l *limits, n int) (hold upstream.Hold, err error) {
	if hold = cr.elsewhere(); !hold.Until.IsZero() {
		return hold, nil
	}
	if hold = cr.gate.Hold(); !hold.Until.IsZero() && !upstream.Insists(ctx) {
		return hold, nil
	}
	if hold, err = l.turn(ctx, n); err != nil || !hold.Until.IsZero() {
		return hold, err
	}
	if err = l.next(ctx); err != nil {
		return hold, err
	}
	if err = cr.inFlight.Acquire(ctx, 1); err != nil && l.turns != nil {
		l.turns.Release(1)
	}
	return hold, err
}

// next waits until the request before this one has ended, where they go one at a time, and
// for a pause after that.
func (l *limits) next(ctx context.Context) error {
	if l.turns == nil {
		return nil
	}
	if err := l.turns.Acquire(ctx, 1); err != nil {
		return err
	}
	l.mu.Lock()
	until := l.pausedUntil
	l.mu.Unlock()
	if err := upstream.Sleep(ctx, time.Until(until)); err != nil {
		l.turns.Release(1)
		return err
	}
	return nil
}

// pauseShare is how much longer a query takes than the pause after it. GitHub allows
// GraphQL 60 seconds of its servers' time a minute; so it takes 50 at most.
const pauseShare = 5

// leave makes room for another request.
func (p permit) leave() {
	p.credential.inFlight.Release(1)
	if l := p.limits; l.turns != nil {
		l.mu.Lock()
		l.pausedUntil = time.Now().Add(time.Since(p.begun) / pauseShare)
		l.mu.Unlock()
		l.turns.Release(1)
	}
	p.limits.queue(-1)
}

// end gives p back when all is known of the answer; e is nil where it was of use.
func (p permit) end(e *upstream.Error) {
	p.credential.gate.Settle(p.gate, e)
	p.credential.noteUse()
	p.leave()
}

// withdraw gives p back where its request was not sent after all: it has cost nothing, and
// says nothing of GitHub.
func (p permit) withdraw() {
	l := p.limits
	l.mu.Lock()
	l.inFlight--
	l.pace.refund()
	if p.probe {
		close(l.probe)
		l.probe = nil
	}
	l.mu.Unlock()
	p.credential.gate.Release(p.gate)
	p.leave()
}

func (l *limits) queue(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued += n
}

// turn waits for the moment at which a request may be sent, which is at once where a
// person asks. It returns the hold where the budget is used up, or the wait too long.
func (l *limits) turn(ctx context.Context, n int) (hold upstream.Hold, err error) {
	l.mu.Lock()
	now := time.Now()
	if hold = l.usedUp(now, n); !hold.Until.IsZero() {
		l.mu.Unlock()
		return hold, nil
	}
	at, pace := l.pace.next(now, l.mostPerMinute(now), l.gap(now))
	if upstream.Insists(ctx) {
		at = now
	}
	wait := at.Sub(now)
	if wait > longestWait {
		l.mu.Unlock()
		return upstream.Hold{Until: at, Reason: fmt.Sprintf("so many GitHub %s are waiting for their turn that this one would have to wait for more than %s", l.unit, longestWait)}, nil
	}
	l.pace = pace
	l.mu.Unlock()
	return hold, upstream.Sleep(ctx, wait)
}
