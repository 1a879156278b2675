package web

import "pkgmetad/internal/record"

// stateWords says in a few words what a state means.
func stateWords(s record.State) string {
	switch s {
	case record.StateNone:
		return "none given"
	case record.StateUnsupported:
		return "cannot be asked"
	case record.StateNew:
		return "not asked yet"
	case record.StateOK:
		return "answers"
	case record.StatePending:
		return "answers, to be asked again soon"
	case record.StateFailed:
		return "last attempt failed"
	case record.StateGone:
		return "not found there"
	case record.StateBlocked:
		return "taken down there"
	}
	return string(s)
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

// source is the state of one source of a package, as the package's page shows it.
type source struct {
	Name  string
	Words string // of its state
	Class string // of its state
	record.Status
}

// sources are the sources of a record, in the order in which pages show them.
func sources(rec *record.Package) []source {
	return []source{
		{"GitHub", stateWords(rec.GitHub.State), stateClass(rec.GitHub.State), rec.GitHub},
		{"PyPI", stateWords(rec.PyPI.State), stateClass(rec.PyPI.State), rec.PyPI},
	}
}
