package web

import (
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// standing is where a source stands, as the template "state" shows it.
type standing struct {
	Words string
	Class string  // CSS class
	At    *moment // when that was, nil where no time belongs to it
}

// Standing returns where a source stands.
func (d templateData) Standing(s record.Status) standing {
	words, at := status.Words(s)
	line := standing{Words: words, Class: stateClass(s.State)}
	if !at.IsZero() {
		m := d.When(at)
		line.At = &m
	}
	return line
}

// stateClass returns the CSS class of a state.
func stateClass(s record.State) string {
	switch s {
	case record.StateOK, record.StatePending, record.StateNew, record.StateFailed,
		record.StateGone, record.StateBlocked, record.StateUnsupported, record.StateNone:
		return "state-" + string(s)
	}
	return "state-none"
}

// source is one source of a package, as the package's page shows it.
type source struct {
	Name string
	record.Status
}

// sources are the sources of a record, in the order in which pages show them.
func sources(rec *record.Package) []source {
	return []source{{"GitHub", rec.GitHub}, {"PyPI", rec.PyPI}}
}

// ToldByState reports whether where the source stands says all that there is to say of
// when it was asked and when it answered.
func (s source) ToldByState() bool {
	return !s.State.Fetchable() || s.State == record.StateOK || s.State == record.StateNew
}

// NeverThere reports whether the source answers that there is nothing, and always did.
func (s source) NeverThere() bool {
	return s.LastSuccess.IsZero() && (s.State == record.StateGone || s.State == record.StateBlocked)
}
