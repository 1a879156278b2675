package web

import "pkgmetad/internal/record"

// stateWords says in a few words what a state means.
func stateWords(s record.State) string {
	switch s {
	case record.StateNone:
		return "none is named"
	case record.StateUnsupported:
		return "cannot be asked"
	case record.StateNew:
		return "not asked yet"
	case record.StateOK:
		return "answers"
	case record.StatePending:
		return "answers, weekly counts to come"
	case record.StateFailed:
		return "last attempt failed"
	case record.StateGone:
		return "not found there"
	case record.StateBlocked:
		return "taken down there"
	}
	return string(s)
}

// stateClass returns the class that colours a state.
func stateClass(s record.State) string {
	switch s {
	case record.StateOK, record.StatePending, record.StateNew, record.StateFailed,
		record.StateGone, record.StateBlocked, record.StateUnsupported, record.StateNone:
		return "state-" + string(s)
	}
	return "state-none"
}

// source is where one source of a package stands, as its pages show it.
type source struct {
	Name  string
	Words string // of its state
	Class string // of its state
	record.Status
}

// counted reports whether a record's numbers are GitHub's: one that it was
// never asked about, or never answered for, has zeros that mean nothing.
func counted(rec *record.Package) bool {
	return !rec.GitHub.LastSuccess.IsZero() || rec.Repo.Stars > 0 || rec.Repo.Forks > 0 || len(rec.Repo.Participants) > 0
}

// sources are those of a record, in the order in which pages show them.
func sources(rec *record.Package) []source {
	return []source{
		{"GitHub", stateWords(rec.GitHub.State), stateClass(rec.GitHub.State), rec.GitHub},
		{"PyPI", stateWords(rec.PyPI.State), stateClass(rec.PyPI.State), rec.PyPI},
	}
}
