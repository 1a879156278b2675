package status

import (
	"time"

	"pkgmetad/internal/record"
)

// Catalogue is how fresh the whole catalogue is and what keeps it so, as GET
// /status/ answers.
type Catalogue struct {
	Now          time.Time     `json:"now"`
	Packages     int           `json:"packages"`
	GitHub       Totals        `json:"github"`
	PyPI         Totals        `json:"pypi"`
	RunningSince time.Time     `json:"running_since,omitzero"` // of the pass that runs now
	NextTick     time.Time     `json:"next_tick,omitzero"`     // of the schedule
	Budgets      []Budget      `json:"budgets"`
	Failing      []Failing     `json:"failing"`       // what failed before what is gone, the latest first
	FailingTotal int           `json:"failing_total"` // of which Failing may hold the first only
	Passes       []record.Pass `json:"passes"`        // of the last day, newest first
	Snapshot     *Snapshot     `json:"snapshot"`      // nil while there is none

	Problems []record.Problem `json:"problems"` // what is wrong with the program itself
	Database *Database        `json:"database"` // nil where it is not known
}

// Database is the file that everything is kept in.
type Database struct {
	Bytes int64 `json:"size_bytes"`
	Free  int64 `json:"free_bytes"` // of Bytes, which new data fills first
}

// Totals are where one source of all packages stands.
type Totals struct {
	Ages   []AgeCount   `json:"ages"`          // of the last success; sources that are gone or blocked are left out
	Never  int          `json:"never_fetched"` // that should have answered and never have
	States []StateCount `json:"states"`        // of all packages
}

// AgeCount counts the packages whose data is younger than a bound but not than
// the bound before.
type AgeCount struct {
	UnderSeconds int64 `json:"age_under_seconds,omitempty"` // 0 for no bound
	Packages     int   `json:"packages"`
}

// StateCount counts the packages in a state.
type StateCount struct {
	State    record.State `json:"state"`
	Packages int          `json:"packages"`
}

// Budget is what a limit of an upstream leaves. Where it is not Known, as before
// the first answer, Limit, Remaining and Reset mean nothing.
type Budget struct {
	Name      string    `json:"name"`
	Known     bool      `json:"known"`
	Limit     int       `json:"limit_requests,omitempty"`
	Remaining int       `json:"remaining_requests"`
	Reset     time.Time `json:"reset,omitzero"`
	HeldUntil time.Time `json:"held_until,omitzero"` // nothing is asked until then
	Reason    string    `json:"reason,omitempty"`    // of the hold
}

// Failing is a source of a package that does not answer.
type Failing struct {
	Slug      string       `json:"slug"`
	Title     string       `json:"title"`
	Source    string       `json:"source"` // "github" or "pypi"
	State     record.State `json:"state"`
	Since     time.Time    `json:"failing_since,omitzero"`
	Failures  int          `json:"failures"`
	LastError string       `json:"last_error"`
}

// Snapshot is the one that is served.
type Snapshot struct {
	Sequence uint64    `json:"sequence"`
	Made     time.Time `json:"made,omitzero"`
	Bytes    int64     `json:"size_bytes"`
}

// Package is where the sources of one package stand, as GET
// /status/packages/{id or slug}/ answers.
type Package struct {
	Slug   string `json:"slug"`
	ID     int    `json:"id"`
	Title  string `json:"title"`
	GitHub Source `json:"github"`
	PyPI   Source `json:"pypi"`
}

// Source is where one source of a package stands.
type Source struct {
	State        record.State `json:"state"`
	LastAttempt  time.Time    `json:"last_attempt,omitzero"`
	LastSuccess  time.Time    `json:"last_success,omitzero"`
	NextDue      time.Time    `json:"next_due,omitzero"` // zero: at once, or never where the state is none or unsupported
	Failures     int          `json:"failures"`          // consecutive
	FailingSince time.Time    `json:"failing_since,omitzero"`
	LastError    string       `json:"last_error"`
	Note         string       `json:"note"`
}

func source(s record.Status, zone *time.Location) Source {
	return Source{
		State: s.State, LastAttempt: s.LastAttempt.In(zone), LastSuccess: s.LastSuccess.In(zone), NextDue: s.NextDue.In(zone),
		Failures: s.Failures, FailingSince: s.FailingSince.In(zone), LastError: s.LastError, Note: s.Note,
	}
}

// ageBounds part the ages that people tell apart.
var ageBounds = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour}

// states in the order in which they are listed.
var states = []record.State{
	record.StateOK, record.StatePending, record.StateNew, record.StateFailed,
	record.StateGone, record.StateBlocked, record.StateUnsupported, record.StateNone,
}

// totals takes over what a store counted by ageBounds.
func totals(sum record.SourceSummary) Totals {
	t := Totals{Never: sum.Never, Ages: []AgeCount{}}
	for i, packages := range sum.Ages {
		count := AgeCount{Packages: packages}
		if i < len(ageBounds) {
			count.UnderSeconds = int64(ageBounds[i] / time.Second)
		}
		t.Ages = append(t.Ages, count)
	}
	for _, state := range states {
		t.States = append(t.States, StateCount{State: state, Packages: sum.States[state]})
	}
	return t
}
