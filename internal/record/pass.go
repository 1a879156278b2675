package record

import "time"

// Tally counts what became of questions.
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

// Use is what a pass asked of one upstream.
type Use struct {
	Requests  int       `json:"requests"`            // HTTP requests, redirects included
	Charged   int       `json:"charged_requests"`    // of these, those that count against a budget
	HeldUntil time.Time `json:"held_until,omitzero"` // what a limit deferred is due then
	Reason    string    `json:"reason,omitempty"`    // of the hold
}

// Pass is the report of one pass, as it is kept and as the status tells it.
type Pass struct {
	Started         time.Time `json:"started"` // UTC
	DurationSeconds float64   `json:"duration_seconds"`
	Tally                     // of repositories and projects
	GitHub          Use       `json:"github"`
	PyPI            Use       `json:"pypi"`
	Error           string    `json:"error,omitempty"` // what could not be read or stored
}
