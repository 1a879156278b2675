package web

import (
	"cmp"
	"io"
	"pkgmetad/internal/record"
	"time"
)

// PackageState is where the sources of one package stand. It is served as JSON
// too; its times are in the zone that the caller chose.
type PackageState struct {
	Slug   string      `json:"slug"`
	ID     int         `json:"id"`
	Title  string      `json:"title"`
	GitHub SourceState `json:"github"`
	PyPI   SourceState `json:"pypi"`
}

// SourceState is where one source of a package stands.
type SourceState struct {
	State        record.State `json:"state"`
	LastAttempt  time.Time    `json:"last_attempt,omitzero"`
	LastSuccess  time.Time    `json:"last_success,omitzero"`
	NextDue      time.Time    `json:"next_due,omitzero"` // zero: at once, or never where the state is none or unsupported
	Failures     int          `json:"failures"`          // consecutive
	FailingSince time.Time    `json:"failing_since,omitzero"`
	LastError    string       `json:"last_error"`
	Note         string       `json:"note"`
}

// NewSourceState takes over what a record tells of a source, with the times in
// a zone, nil for UTC.
func NewSourceState(s record.Status, zone *time.Location) SourceState {
	if zone == nil {
		zone = time.UTC
	}
	return SourceState{
		State: s.State, LastAttempt: s.LastAttempt.In(zone), LastSuccess: s.LastSuccess.In(zone), NextDue: s.NextDue.In(zone),
		Failures: s.Failures, FailingSince: s.FailingSince.In(zone), LastError: s.LastError, Note: s.Note,
	}
}

// PackageStatusPage is the status of one package.
type PackageStatusPage struct {
	Clock
	PackageState
	Path string // of the package's page, below the prefix
	JSON string // path of the same as JSON, below the prefix
}

// PackageStatus writes the status page of a package.
func PackageStatus(w io.Writer, f Frame, p PackageStatusPage) error {
	return render(w, "packagestatus", view{Frame: f, clock: p.Clock, Section: inStatus, Page: p})
}

// Name is the package's title or, where it has none, its slug.
func (p PackageState) Name() string { return cmp.Or(p.Title, p.Slug) }

type namedSource struct {
	Name string
	SourceState
}

// Sources are those of the package, in the order in which they are shown.
func (p PackageState) Sources() []namedSource {
	return []namedSource{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}}
}

func (s SourceState) Words() string { return stateWords(s.State) }
func (s SourceState) Class() string { return stateClass(s.State) }
func (s SourceState) Asked() bool   { return s.State.Fetchable() }
