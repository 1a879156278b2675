package status

import (
	"slices"
	"time"

	"pkgmetad/internal/record"
)

// Catalogue is how fresh the catalogue is and what happens to keep it so: the
// answer to GET /status/.
type Catalogue struct {
	Now          time.Time     `json:"now"`
	Packages     int           `json:"packages"`
	GitHub       Totals        `json:"github"`
	PyPI         Totals        `json:"pypi"`
	RunningSince time.Time     `json:"running_since,omitzero"` // start of the running pass
	NextTick     time.Time     `json:"next_tick,omitzero"`     // of the schedule
	PausedSince  time.Time     `json:"paused_since,omitzero"`  // when an operator stopped the schedule
	Reload       *Reload       `json:"reload,omitempty"`       // the last one, or a start that refused the catalogue; nil for neither
	Budgets      []Budget      `json:"budgets"`
	Failing      []Failing     `json:"failing"`       // at most 200: failed before gone and blocked, then the most recent first
	FailingTotal int           `json:"failing_total"` // how many there are in all
	Passes       []record.Pass `json:"passes"`        // of the last day, newest first
	Snapshot     *Snapshot     `json:"snapshot"`      // nil until there is one
	Search       *Search       `json:"search"`        // nil if there is no search

	Problems []record.Problem `json:"problems"` // what is wrong with the program itself
	Database *Database        `json:"database"` // nil where it is not known

	Cluster *Cluster `json:"cluster,omitempty"` // nil where this host is alone
}

// Database is the file that everything is kept in.
type Database struct {
	Bytes int64 `json:"size_bytes"`
	Free  int64 `json:"free_bytes"` // of Bytes, which new data fills first
}

// Reload is the outcome of reading configuration and catalogue.
type Reload struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why nothing of it was put in force
}

// Totals count packages by the state of one of their sources, GitHub or PyPI.
type Totals struct {
	Ages   []AgeCount   `json:"ages"`          // of the last success; sources that are gone or blocked are left out
	Never  int          `json:"never_fetched"` // fetchable, neither gone nor blocked, and without any success
	States []StateCount `json:"states"`        // of all packages
}

// AgeCount counts the packages whose data is younger than a bound, but not younger
// than the bound before it.
type AgeCount struct {
	UnderSeconds int64 `json:"age_under_seconds,omitempty"` // the bound; 0 for none
	Packages     int   `json:"packages"`
}

// StateCount counts the packages in a state.
type StateCount struct {
	State    record.State `json:"state"`
	Packages int          `json:"packages"`
}

// Budget is what an upstream allows, for one of its credentials. While it is not Known,
// such as before the first answer, Limit, Remaining and Reset mean nothing.
type Budget struct {
	Name       string    `json:"name"`                 // of the upstream
	Credential string    `json:"credential,omitempty"` // its name, never a secret; "" where there are none
	Kind       string    `json:"kind,omitempty"`       // of the credential: anonymous, token, app or oauth
	Expires    time.Time `json:"expires,omitzero"`     // when the credential does, if the upstream tells
	Known      bool      `json:"known"`
	Limit      int       `json:"limit_requests,omitempty"`
	Remaining  int       `json:"remaining_requests"`
	Reset      time.Time `json:"reset,omitzero"`
	Points     *Points   `json:"graphql,omitempty"`   // nil while it is not known, such as before the first query
	HeldUntil  time.Time `json:"held_until,omitzero"` // no requests are made until then
	Reason     string    `json:"reason,omitempty"`    // for HeldUntil
	Fault      string    `json:"fault,omitempty"`     // what is wrong with the upstream or the credential; "" where nothing is
	Elsewhere  bool      `json:"elsewhere,omitempty"` // another host uses the credential, or asks the upstream, and this one does not
}

// Points are the budget of GraphQL queries.
type Points struct {
	Limit     int       `json:"limit_points"`
	Remaining int       `json:"remaining_points"`
	Reset     time.Time `json:"reset"`
}

// Failing is a source of a package that failed, is gone or is blocked.
type Failing struct {
	Slug      string       `json:"slug"`
	Title     string       `json:"title"`
	Source    string       `json:"source"` // "github" or "pypi"
	State     record.State `json:"state"`
	Since     time.Time    `json:"failing_since,omitzero"`
	Failures  int          `json:"failures"`
	LastError string       `json:"last_error"`

	LastSuccess time.Time `json:"last_success,omitzero"` // zero for never: there is no data then
}

// Snapshot is the snapshot that is served.
type Snapshot struct {
	Sequence uint64    `json:"sequence"`
	Made     time.Time `json:"made,omitzero"`
	Bytes    int64     `json:"size_bytes"`
}

// Search is the state of the search.
type Search struct {
	State     string    `json:"state"`          // one of the states below
	Since     time.Time `json:"since,omitzero"` // when it entered this state
	Sequence  uint64    `json:"sequence"`       // up to which the index has followed the changes
	LastError string    `json:"last_error"`     // "" unless it is failing or unavailable
}

// The states of the search.
const (
	SearchCurrent     = "current"     // searches find everything, except for changes of the last few seconds
	SearchBehind      = "behind"      // the index is being built or is catching up: searches find a part
	SearchFailing     = "failing"     // the index cannot follow: searches find what it had before
	SearchUnavailable = "unavailable" // there is no index: searches are answered with 503
)

// Package is the state of the sources of one package: the answer to GET
// /status/packages/{id or slug}/.
type Package struct {
	Slug   string `json:"slug"`
	ID     int    `json:"id"`
	Title  string `json:"title"`
	GitHub Source `json:"github"`
	PyPI   Source `json:"pypi"`
}

// Source is the state of one source of a package.
type Source struct {
	State        record.State `json:"state"`
	LastAttempt  time.Time    `json:"last_attempt,omitzero"`
	LastSuccess  time.Time    `json:"last_success,omitzero"`
	NextDue      time.Time    `json:"next_due,omitzero"` // zero: at once, or never if the state is none or unsupported
	Failures     int          `json:"failures"`          // consecutive
	FailingSince time.Time    `json:"failing_since,omitzero"`
	LastError    string       `json:"last_error"`
	Note         string       `json:"note"`

	// Of a repository: where its weekly commits come from (participation or counted), the
	// last day that is in them (YYYY-MM-DD, UTC), and that in a sentence; "" while unknown.
	CountsFrom  string `json:"counts_from,omitempty"`
	CountsUntil string `json:"counts_until,omitempty"`
	Counts      string `json:"counts,omitempty"`

	// Of a project, what PyPI says of it as a whole; "" and zero until it was asked.
	ProjectStatus       string    `json:"project_status,omitempty"` // active, archived, deprecated or quarantined
	ProjectStatusReason string    `json:"project_status_reason,omitempty"`
	ProjectStatusAsked  time.Time `json:"project_status_asked,omitzero"`
}

func source(s record.Status, zone *time.Location) Source {
	return Source{
		State: s.State, LastAttempt: s.LastAttempt.In(zone), LastSuccess: s.LastSuccess.In(zone), NextDue: s.NextDue.In(zone),
		Failures: s.Failures, FailingSince: s.FailingSince.In(zone), LastError: s.LastError, Note: s.Note,
	}
}

// repoSource is the source of a package's repository.
func repoSource(p *record.Package, zone *time.Location) Source {
	s := source(p.GitHub, zone)
	if s.Counts = p.Repo.CountsText(); s.Counts != "" {
		s.CountsFrom, s.CountsUntil = p.Repo.CountsFrom, (p.Repo.AsOf - 1).Start().Format(time.DateOnly)
	}
	return s
}

// projectSource is the source of a package's project.
func projectSource(p *record.Package, zone *time.Location) Source {
	s, standing := source(p.PyPI, zone), p.Project.Standing
	s.ProjectStatus, s.ProjectStatusReason, s.ProjectStatusAsked = standing.Status, standing.Reason, standing.Asked.In(zone)
	return s
}

// AgeBounds returns the upper bounds of the classes of ages, ascending; a last class
// has none.
func AgeBounds() []time.Duration { return slices.Clone(ageBounds) }

// ageBounds are the upper bounds of the classes of ages; the last class has none.
var ageBounds = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour}

// States returns all states, in the order in which they are listed.
func States() []record.State { return slices.Clone(states) }

// states are in the order in which they are listed.
var states = []record.State{
	record.StateOK, record.StatePending, record.StateNew, record.StateFailed,
	record.StateGone, record.StateBlocked, record.StateUnsupported, record.StateNone,
}

// totals converts what the store counted with ageBounds.
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
