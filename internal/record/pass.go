package record

import "time"

// Tally counts what became of questions, by repository or project.
type Tally struct {
	Asked     int `json:"asked"`     // of which each is one of the following
	Fresh     int `json:"fresh"`     // answered with something
	Unchanged int `json:"unchanged"` // answered: as known
	Pending   int `json:"pending"`   // a part is being computed there; the old value stays
	Failed    int `json:"failed"`
	Gone      int `json:"gone"`      // not found, or taken down
	Deferred  int `json:"deferred"`  // not asked for a limit; due when it ends
	Abandoned int `json:"abandoned"` // cancelled; still due
}

// Use is what a pass asked of one upstream, and what that cost.
type Use struct {
	Tally
	Requests  int       `json:"requests"`            // HTTP requests, redirects included
	Charged   int       `json:"charged_requests"`    // of these, those that count against a budget
	HeldUntil time.Time `json:"held_until,omitzero"` // nothing is asked until then
	Reason    string    `json:"reason,omitempty"`    // of the hold
}

// Pass is the report of one pass, as it is kept and as the status tells it.
type Pass struct {
	Started         time.Time `json:"started"` // UTC
	DurationSeconds float64   `json:"duration_seconds"`
	Tally                     // of both upstreams
	GitHub          Use       `json:"github"`
	PyPI            Use       `json:"pypi"`
	Left            int       `json:"left,omitempty"`      // sources that it did not get to; still due
	More            bool      `json:"more,omitempty"`      // there was more to do than one pass takes
	Cancelled       bool      `json:"cancelled,omitempty"` // it ended before its end
	Error           string    `json:"error,omitempty"`     // what could not be read or stored
}

// Duration is how long the pass took.
func (p *Pass) Duration() time.Duration {
	return time.Duration(p.DurationSeconds * float64(time.Second))
}

// Resume returns when it is worth going on with what the pass deferred or did
// not get to: zero when there is no such thing.
func (p *Pass) Resume() time.Time {
	if p.More {
		return p.Started
	}
	at := p.GitHub.HeldUntil
	if at.IsZero() || !p.PyPI.HeldUntil.IsZero() && p.PyPI.HeldUntil.Before(at) {
		at = p.PyPI.HeldUntil
	}
	return at
}

// Hold notes until when nothing is asked, and why: the latest time counts.
func (u *Use) Hold(until time.Time, reason string) {
	if until.After(u.HeldUntil) {
		u.HeldUntil, u.Reason = until, reason
	}
}
