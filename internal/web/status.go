package web

import (
	"cmp"
	"io"
	"time"

	"pkgmetad/internal/record"
)

// CatalogueState is how fresh the whole catalogue is and what keeps it so. It
// is served as JSON too; its times are in the zone that the caller chose.
type CatalogueState struct {
	Now          time.Time     `json:"now"`
	Packages     int           `json:"packages"`
	GitHub       SourceTotals  `json:"github"`
	PyPI         SourceTotals  `json:"pypi"`
	RunningSince time.Time     `json:"running_since,omitzero"` // of the pass that runs now
	NextTick     time.Time     `json:"next_tick,omitzero"`     // of the schedule
	Budgets      []Budget      `json:"budgets"`
	Failing      []Failing     `json:"failing"`       // what failed before what is gone, the latest first
	FailingTotal int           `json:"failing_total"` // of which Failing may hold the first only
	Passes       []record.Pass `json:"passes"`        // of the last day, newest first
	Snapshot     *Snapshot     `json:"snapshot"`      // nil while there is none
}

// SourceTotals is where one source of all packages stands.
type SourceTotals struct {
	Ages   []AgeCount   `json:"ages"`          // of the last success; sources that are gone or blocked are left out
	Never  int          `json:"never_fetched"` // that ought to have answered and never have
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

// Budget is what a limit of an upstream leaves. Where it is not Known, as
// before the first answer, Limit, Remaining and Reset mean nothing.
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
	Source    string       `json:"source"`
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

// ageBounds part the ages that people tell apart.
var ageBounds = []struct {
	under time.Duration
	label string
}{
	{time.Hour, "under 1 hour"},
	{6 * time.Hour, "1 to 6 hours"},
	{24 * time.Hour, "6 to 24 hours"},
	{48 * time.Hour, "1 to 2 days"},
	{week, "2 to 7 days"},
	{0, "7 days or more"},
}

// AgeBounds are the bounds that [NewSourceTotals] needs the ages counted by.
func AgeBounds() (bounds []time.Duration) {
	for _, b := range ageBounds {
		if b.under > 0 {
			bounds = append(bounds, b.under)
		}
	}
	return bounds
}

// NewSourceTotals takes over what a store counted by [AgeBounds].
func NewSourceTotals(sum record.SourceSummary) SourceTotals {
	s := SourceTotals{Never: sum.Never}
	for i, b := range ageBounds {
		s.Ages = append(s.Ages, AgeCount{UnderSeconds: int64(b.under / time.Second), Packages: sum.Ages[i]})
	}
	for _, state := range states {
		s.States = append(s.States, StateCount{State: state, Packages: sum.States[state]})
	}
	return s
}

// StatusPage is the status of the whole catalogue.
type StatusPage struct {
	CatalogueState
	Zone *time.Location // of the times shown; nil for UTC
	JSON string         // path of the same as JSON, below the prefix
}

// Status writes the status page.
func Status(w io.Writer, f Frame, p StatusPage) error {
	return render(w, "status", view{Frame: f, clock: Clock{p.Now, p.Zone}, Section: inStatus, Page: p})
}

// shownPasses is how many passes are not folded.
const shownPasses = 8

func (p StatusPage) PassRows() folded[passRow] {
	rows := make([]passRow, len(p.Passes))
	for i, pass := range p.Passes {
		rows[i] = passRow{pass}
	}
	return fold(rows, shownPasses)
}

// passRow is a pass as it is drawn.
type passRow struct{ record.Pass }

// Totals are those of each source.
func (p StatusPage) Totals() []sourcePicture {
	return []sourcePicture{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}}
}

type sourcePicture struct {
	Name string
	SourceTotals
}

// AgeShares are the parts of the packages by the age of their data.
func (s sourcePicture) AgeShares() []share {
	var all []share
	for i, a := range s.Ages {
		label := "older"
		if i < len(ageBounds) {
			label = ageBounds[i].label
		}
		all = append(all, share{Label: label, Class: "age", Count: a.Packages})
	}
	return place(append(all, share{Label: "never", Class: "age-never", Count: s.Never}))
}

// StateShares are the parts of the packages by state.
func (s sourcePicture) StateShares() []share {
	var all []share
	for _, c := range s.States {
		all = append(all, share{Label: string(c.State), Class: stateClass(c.State), Count: c.Packages})
	}
	return place(all)
}

// Fresh is how many packages have data younger than a day.
func (s sourcePicture) Fresh() (n int) {
	for _, a := range s.Ages {
		if a.UnderSeconds > 0 && a.UnderSeconds <= 86400 {
			n += a.Packages
		}
	}
	return n
}

// Aged is how many packages have an age, or ought to.
func (s sourcePicture) Aged() int {
	n := s.Never
	for _, a := range s.Ages {
		n += a.Packages
	}
	return n
}

// Left is the part of the budget that is left, in per cent.
func (b Budget) Left() string {
	if b.Limit <= 0 {
		return percent(0)
	}
	return percent(100 * min(1, max(0, float64(b.Remaining)/float64(b.Limit))))
}

func (f Failing) Words() string { return stateWords(f.State) }
func (f Failing) Class() string { return stateClass(f.State) }

// Name is the package's title or, where it has none, its slug.
func (f Failing) Name() string { return cmp.Or(f.Title, f.Slug) }

// SourceName is how people write the source's name.
func (f Failing) SourceName() string {
	switch f.Source {
	case "github":
		return "GitHub"
	case "pypi":
		return "PyPI"
	}
	return f.Source
}

func (p passRow) Took() string { return took(p.DurationSeconds) }

// passCount is one of the numbers of a pass.
type passCount struct {
	Label string // where no heading stands above it
	Count int
}

// Counts are the numbers of a pass, in the order in which they are shown.
func (p passRow) Counts() []passCount {
	return []passCount{
		{"Asked", p.Asked}, {"Fresh", p.Fresh}, {"Unchanged", p.Unchanged}, {"Pending", p.Pending}, {"Failed", p.Failed},
		{"Gone", p.Gone}, {"Deferred", p.Deferred}, {"Abandoned", p.Abandoned},
		{"GitHub requests", p.GitHub.Requests}, {"GitHub charged", p.GitHub.Charged}, {"PyPI requests", p.PyPI.Requests},
	}
}

// Holds are the limits that the pass met.
func (p passRow) Holds() (all []namedUse) {
	for _, u := range []namedUse{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}} {
		if !u.HeldUntil.IsZero() {
			all = append(all, u)
		}
	}
	return all
}

type namedUse struct {
	Name string
	record.Use
}
