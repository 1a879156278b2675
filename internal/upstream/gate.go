package upstream

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// After a refusal that names no time, and while an upstream does not answer,
	// the wait doubles from the first to the last.
	firstWait = time.Minute
	lastWait  = 15 * time.Minute

	// longestHold caps what an upstream can make us wait by naming a time.
	longestHold = time.Hour

	// So many failures of one kind in a row, each within a minute of the one before it,
	// mean that the upstream as a whole does not answer. Statuses need more of them:
	// a server may fail on some things alone.
	outageFailures = 5
	outageStatuses = 10
	outageSpan     = time.Minute
)

// A Gate keeps requests to one upstream back while a limit forbids them, while the
// upstream refuses the credential, and while it does not answer at all. Once that
// time is over a single request goes through, the probe; the others wait for its
// answer, which opens the gate or closes it again. A Gate is safe for concurrent use.
type Gate struct {
	name string // of the upstream

	mu       sync.Mutex
	hold     Hold          // zero: open
	closings int           // how often it was closed
	wait     time.Duration // of the last closing that the upstream named no time for
	probe    chan struct{} // closed when the probe has ended; nil while there is none

	failure  string // the kind of the latest failure to answer
	failures int    // how often it came in a row
	failedAt time.Time
}

// Hold is why, and until when, nothing is asked.
type Hold struct {
	Until  time.Time // zero: there is no hold
	Reason string
	Fault  bool // something is wrong, as against a limit that was met

	// Elsewhere says that another host asks instead of this one, which is neither a limit
	// nor a fault. It may end before Until.
	Elsewhere bool
}

// NewGate returns an open gate of the upstream with that name.
func NewGate(name string) *Gate { return &Gate{name: name} }

// A Permit allows one request. Whoever has one gives it back by exactly one of
// Answered, Failed, Unanswered, Refused, Settle and Release.
type Permit struct {
	closings int // of the gate when it was given
	probe    bool
}

type insistKey struct{}

// Insist returns a context under which the gate's time is not waited for: a person
// asks, who may know more. While the gate is closed one request at a time goes
// through, as a probe.
func Insist(ctx context.Context) context.Context { return context.WithValue(ctx, insistKey{}, true) }

// Insists reports whether ctx comes from Insist: a person waits for the answer.
func Insists(ctx context.Context) bool { return ctx.Value(insistKey{}) != nil }

// Admit returns a permit for one request, or the hold that forbids it. While another
// request is the probe it waits, at most until ctx ends, whose error it returns then.
func (g *Gate) Admit(ctx context.Context) (p Permit, hold Hold, err error) {
	insists := Insists(ctx)
	for {
		g.mu.Lock()
		hold, probe := g.hold, g.probe
		switch {
		case hold.Until.IsZero():
			p = Permit{closings: g.closings}
			g.mu.Unlock()
			return p, Hold{}, nil
		case time.Now().Before(hold.Until) && !insists:
			g.mu.Unlock()
			return p, hold, nil
		case probe == nil:
			g.probe = make(chan struct{})
			p = Permit{g.closings, true}
			g.mu.Unlock()
			return p, Hold{}, nil
		}
		g.mu.Unlock()
		select {
		case <-probe:
		case <-ctx.Done():
			return p, Hold{}, ctx.Err()
		}
	}
}

// Answered notes that the request of p got an answer of use, and opens the gate unless it
// has been closed since.
func (g *Gate) Answered(p Permit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures = 0
	if p.closings == g.closings {
		g.hold, g.wait = Hold{}, 0
	}
	g.endProbe(p)
}

// Failed notes that the request of p brought no answer, then status is 0, or one that
// is of no use. failure says why. Enough of one kind in a row close the gate.
func (g *Gate) Failed(p Permit, status int, failure string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, kind := time.Now(), kindOf(status, failure)
	goesOn := kind == g.failure
	if !goesOn || now.Sub(g.failedAt) > outageSpan {
		g.failures = 0
	}
	g.failures++
	g.failure, g.failedAt = kind, now
	enough := outageFailures
	if status != 0 {
		enough = outageStatuses
	}
	if p.closings == g.closings && (p.probe || g.failures >= enough) {
		reason := g.name + " fails: " + failure
		if goesOn && g.hold.Fault {
			reason = g.hold.Reason // in the same words, or it would seem to be news
		}
		g.close(p, time.Time{}, reason, true)
	}
	g.endProbe(p)
}

// kindOf returns what failures of one cause have in common: the status of a server that
// fails, whose words may be of the request, or else the words without their numbers, which
// may be of a port, a stream or a moment.
func kindOf(status int, failure string) string {
	if status >= 500 {
		return strconv.Itoa(status)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, failure)
}

// Unanswered notes that the round trip of p under ctx ended with err instead of an
// answer: a failure, unless it was given up.
func (g *Gate) Unanswered(ctx context.Context, p Permit, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		g.Release(p)
		return
	}
	g.Failed(p, 0, Classify(context.WithoutCancel(ctx), nil, err).Message)
}

// Refused notes that the answer to the request of p forbids further ones until the
// given time, at most for an hour; where that is not ahead, for as long as seems wise,
// longer each time. It returns until when nothing is asked.
func (g *Gate) Refused(p Permit, until time.Time, reason string, fault bool) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures, g.failure = 0, ""
	g.close(p, until, reason, fault)
	g.endProbe(p)
	return g.hold.Until
}

// Inform notes that an answer which another host got forbids requests until the given
// time, at most for an hour. An earlier hold that lasts longer stays, and a time that has
// passed says nothing.
func (g *Gate) Inform(until time.Time, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(time.Now()) {
		g.close(Permit{}, until, reason, false)
	}
}

// Settle notes what the answer to the request of p turned out to be when it was
// read; e is nil where it was of use.
func (g *Gate) Settle(p Permit, e *Error) {
	switch {
	case e == nil:
		g.Answered(p)
	case e.Outcome == Failed:
		g.Failed(p, e.Status, e.Message)
	case e.Outcome == Canceled:
		g.Release(p)
	default:
		g.Answered(p)
	}
}

// Release gives a permit back whose request says nothing of the upstream: it was not
// sent, or given up.
func (g *Gate) Release(p Permit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endProbe(p)
}

// close keeps requests back until the given time, or an earlier hold's if that is
// later. Requests that were in flight together meet a limit together, and double the
// wait once.
func (g *Gate) close(p Permit, until time.Time, reason string, fault bool) {
	now := time.Now()
	switch {
	case until.After(now):
		until = earlier(until, now.Add(longestHold))
	case p.closings == g.closings || g.wait == 0:
		g.wait = min(max(2*g.wait, firstWait), lastWait)
		until = now.Add(g.wait)
	default: // the same incident as that which closed it
		return
	}
	g.closings++
	if until.After(g.hold.Until) {
		g.hold = Hold{Until: until, Reason: reason, Fault: fault}
	}
}

func (g *Gate) endProbe(p Permit) {
	if p.probe {
		close(g.probe)
		g.probe = nil
	}
}

// Lift opens the gate. What is wrong, if something is, the next request finds out.
func (g *Gate) Lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.wait, g.failures = Hold{}, 0, 0
	g.closings++ // what is under way says nothing of what is asked from now on
}

// Hold returns the hold that forbids requests now; its Until is zero where none does.
func (g *Gate) Hold() Hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !time.Now().Before(g.hold.Until) {
		return Hold{}
	}
	return g.hold
}

// Fault returns what is wrong with the upstream or its credential, from when it was
// noticed until it answers again; "" where nothing is.
func (g *Gate) Fault() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.hold.Fault {
		return ""
	}
	return g.hold.Reason
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// RetryAfter reads the Retry-After header (RFC 9110, section 10.2.3: seconds or a
// date), capped at an hour. It returns zero if there is none, or none that can be read.
func RetryAfter(h http.Header, now time.Time) time.Time {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return time.Time{}
	}
	var d time.Duration
	if isDigits(v) {
		s, err := strconv.Atoi(v)
		if err != nil || s > int(longestHold/time.Second) {
			s = int(longestHold / time.Second)
		}
		d = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		answered := Answered(h)
		if answered.IsZero() {
			answered = now
		}
		d = t.Sub(answered)
	} else {
		return time.Time{}
	}
	return now.Add(min(max(d, 0), longestHold))
}

// Answered returns when an answer with these headers was sent by the clock of who sent
// it (Date, RFC 9110, section 6.6.1), zero where it does not tell. Other times in its
// headers are of that clock, and ours may be wrong.
func Answered(h http.Header) time.Time {
	t, _ := http.ParseTime(h.Get("Date"))
	return t
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
