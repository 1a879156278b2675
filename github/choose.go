package github

import (
	"cmp"
	"context"
	"math/bits"
	"time"

	"pkgmetad/internal/upstream"
)

// rest and graph are the two kinds of limits of a credential; graph returns nil for one
// that GraphQL does not take.
func (cr *credential) rest() *limits  { return cr.requests }
func (cr *credential) graph() *limits { return cr.points }

// standing is how well a credential could take the next question.
type standing struct {
	held      time.Time // until when it may not be asked; zero where it may
	tryAgain  bool      // it did not work, and has waited for long enough
	queued    int       // requests before it, where they go one at a time
	turn      time.Time // when its next request may be sent
	perSecond float64   // units left to spend, for each second to the reset
	inFlight  int
}

// better reports whether a credential that stands like s is to be preferred to one like o.
func (s standing) better(o standing) bool {
	switch {
	case !s.held.Equal(o.held):
		return s.held.Before(o.held)
	case s.tryAgain != o.tryAgain:
		return s.tryAgain
	case s.queued != o.queued:
		return s.queued < o.queued
	case !s.turn.Equal(o.turn):
		return s.turn.Before(o.turn)
	case s.perSecond != o.perSecond:
		return s.perSecond > o.perSecond
	}
	return s.inFlight < o.inFlight
}

// standing returns how the credential stands for a question that takes n units.
func (cr *credential) standing(l *limits, n int) standing {
	now := time.Now()
	o := l.outlook(now)
	s := standing{held: cr.hold(l, n).Until, perSecond: o.units / o.within.Seconds()}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.turn, _ = l.pace.next(now, l.mostPerMinute(now), l.gap(now))
	s.inFlight = l.inFlight
	if l.turns != nil {
		s.queued = l.queued
	}
	s.tryAgain = s.held.IsZero() && cr.gate.Fault() != ""
	if s.held.IsZero() && s.turn.Sub(now) > longestWait {
		s.held = s.turn
	}
	return s
}

// choose returns the credential to put a question with that takes n units: the one with
// the given signature if it may be asked, as GitHub's validators differ by credential; else
// one that did not work, if it is time to try it again, as the question then goes on with
// another; else the one whose turn comes first, of those the one with most left per second to its
// reset. While none may be asked it is the one that may be first. It returns nil where
// there is none with such limits.
func (c *Client) choose(of func(*credential) *limits, signature string, n int) (best *credential) {
	var how standing
	for _, cr := range c.credentials {
		l := of(cr)
		if l == nil {
			continue
		}
		s := cr.standing(l, n)
		if cr.signature() == signature && s.held.IsZero() {
			return cr
		}
		if best == nil || s.better(how) {
			best, how = cr, s
		}
	}
	return best
}

// hold returns what forbids a question that takes n units now: that another host uses the
// credential, whatever this one knows of its limits; else the credential's gate, or the
// limits if they last longer.
func (cr *credential) hold(l *limits, n int) upstream.Hold {
	if away := cr.elsewhere(); !away.Until.IsZero() {
		return away
	}
	hold := cr.gate.Hold()
	if limited := l.hold(n); limited.Until.After(hold.Until) {
		return limited
	}
	return hold
}

// begin returns the fetch of a question, which is over at once where its name cannot be
// one.
func (c *Client) begin(ctx context.Context, q Question) *fetch {
	c.questions.begin(c.outlook((*credential).rest).units)
	f := &fetch{client: c, ctx: ctx, question: q, ref: q.Ref, units: c.credentials[0].units(q.Parts)}
	f.credential = c.choose((*credential).rest, q.Known[tagCredential], f.units)
	if _, err := ParseRef(q.Ref.String()); err != nil {
		f.over = &upstream.Error{Outcome: upstream.Failed, Message: err.Error(), Err: err}
	}
	return f
}

// units is how many requests have to be left for a question about those parts to begin.
// An anonymous budget is so small that questions which it cannot answer as a whole would
// use it up.
func (cr *credential) units(parts Parts) int {
	if cr.kind != KindAnonymous {
		return 1
	}
	return bits.OnesCount8(uint8(parts))
}

// end takes note of what the question has cost.
func (f *fetch) end() {
	if f.promised > 0 {
		f.credential.requests.unpromise(f.promised)
	}
	if f.requests > 0 {
		f.client.questions.learn(f.charged)
	}
}

// next returns the credential for the next request, and the units that it needs.
func (f *fetch) next() (cr *credential, units int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	units, f.units = f.units, 1
	if f.promised > 0 {
		f.promised--
		units = 0
	}
	return f.credential, units
}

// keepPromise notes what became of a request that needed so many units: the first one has
// the others promised, and one that was not admitted has not used its own.
func (f *fetch) keepPromise(units int, admitted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case admitted && units > 1:
		f.promised += units - 1
	case !admitted && units == 0:
		f.promised++
	}
}

// change goes on with another credential instead of one that is refused. It reports
// whether there is one.
func (f *fetch) change(refused *credential) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.credential != refused {
		return true // beside this request it has been changed
	}
	next := f.client.choose((*credential).rest, "", 1)
	if next == refused || !next.standing(next.requests, 1).held.IsZero() {
		return false
	}
	f.credential = next
	return true
}

// took notes that an answer was for a credential.
func (f *fetch) took(cr *credential) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = cr.signature()
}

// tagCredential is the name, among Validators, of the signature of the credential that the
// others are for.
const tagCredential = "credential"

// signature tells credentials apart: its name does so on one host, its fingerprint on all.
func (cr *credential) signature() string { return cmp.Or(cr.fingerprint, cr.name) }

// sign notes which credential the validators are for: the one that was taken, unless no
// answer came. Where there is only one, on one host, it need not be known.
func (v Validators) sign(taken string, several bool) {
	switch {
	case !several:
		delete(v, tagCredential)
	case taken != "" && len(v) > 0:
		v[tagCredential] = taken
	}
}
