package record

import "time"

// Tally counts the sources that a pass took on, by outcome.
type Tally struct {
	Asked     int `json:"asked"`     // the sum of the following
	Fresh     int `json:"fresh"`     // answered with data
	Unchanged int `json:"unchanged"` // answered that nothing changed
	Pending   int `json:"pending"`   // an answer left something open: a part is being computed, contradicts another, or is older than what is known; the old value stays
	Failed    int `json:"failed"`
	Gone      int `json:"gone"`      // not found, or taken down
	Deferred  int `json:"deferred"`  // not asked because of a rate limit; due when it ends
	Abandoned int `json:"abandoned"` // cancelled; still due
}

// Use is what a pass asked one upstream for, and what that cost.
type Use struct {
	Tally
	Requests  int       `json:"requests"`            // HTTP requests, redirects included
	Charged   int       `json:"charged_requests"`    // of these, those that count against a budget
	Points    int       `json:"points,omitempty"`    // GitHub's price of GraphQL queries
	Indexed   int       `json:"indexed,omitempty"`   // of the unchanged sources, those that PyPI's index showed to be so, without a request for each
	Checked   int       `json:"checked,omitempty"`   // counts of commits that were compared with GitHub's statistics
	Drifted   int       `json:"drifted,omitempty"`   // of these, those that did not agree
	HeldUntil time.Time `json:"held_until,omitzero"` // no requests are made until then
	Reason    string    `json:"reason,omitempty"`    // why
	Waiting   int       `json:"waiting,omitempty"`   // sources that were due then, and were left for later
	Fault     string    `json:"fault,omitempty"`     // what is wrong with the upstream as a whole
}

// Pass is the report of one pass, as it is stored and as the status shows it.
type Pass struct {
	Started         time.Time `json:"started"` // UTC
	DurationSeconds float64   `json:"duration_seconds"`
	Tally                     // of both upstreams
	GitHub          Use       `json:"github"`
	PyPI            Use       `json:"pypi"`
	Left            int       `json:"left,omitempty"`      // sources that it did not get to; still due
	More            bool      `json:"more,omitempty"`      // there was more to do than one pass takes
	Cancelled       bool      `json:"cancelled,omitempty"` // it was stopped early
	Error           string    `json:"error,omitempty"`     // what could not be read or stored
}

// Duration is how long the pass took.
func (p *Pass) Duration() time.Duration {
	return time.Duration(p.DurationSeconds * float64(time.Second))
}

// Resume returns when to continue with what the pass deferred or did not get to:
// a time in the past for at once, zero if nothing is left.
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

// Hold records until when no requests are made, and why. The latest time counts.
func (u *Use) Hold(until time.Time, reason string) {
	if until.After(u.HeldUntil) {
		u.HeldUntil, u.Reason = until, reason
	}
}

// Add counts what another pass did.
func (t *Tally) Add(other Tally) {
	t.Asked += other.Asked
	t.Fresh += other.Fresh
	t.Unchanged += other.Unchanged
	t.Pending += other.Pending
	t.Failed += other.Failed
	t.Gone += other.Gone
	t.Deferred += other.Deferred
	t.Abandoned += other.Abandoned
}
