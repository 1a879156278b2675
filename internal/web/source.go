package web

import (
	"pkgmetad/store"
)

// states in the order in which pages list them.
var states = []store.State{
	store.StateOK, store.StatePending, store.StateNew, store.StateFailed,
	store.StateGone, store.StateBlocked, store.StateUnsupported, store.StateNone,
}

// stateWords says in a few words what a state means.
func stateWords(s store.State) string {
	switch s {
	case store.StateNone:
		return "none is named"
	case store.StateUnsupported:
		return "cannot be asked"
	case store.StateNew:
		return "not asked yet"
	case store.StateOK:
		return "answers"
	case store.StatePending:
		return "answers, weekly counts to come"
	case store.StateFailed:
		return "last attempt failed"
	case store.StateGone:
		return "not found there"
	case store.StateBlocked:
		return "taken down there"
	}
	return string(s)
}

// stateClass returns the class that colours a state.
func stateClass(s store.State) string {
	for _, known := range states {
		if s == known {
			return "state-" + string(s)
		}
	}
	return "state-none"
}

// source is where one source of a package stands, as its pages show it.
type source struct {
	Name  string
	Words string // of its state
	Class string // of its state
	store.Source
}

// counted reports whether a record's numbers are GitHub's: one that it was
// never asked about, or never answered for, has zeros that mean nothing.
func counted(rec *store.Record) bool {
	return !rec.GitHub.LastSuccess.IsZero() || rec.Repo.Stars > 0 || rec.Repo.Forks > 0 || len(rec.Repo.Participants) > 0
}

// sources are those of a record, in the order in which pages show them.
func sources(rec *store.Record) []source {
	return []source{
		{"GitHub", stateWords(rec.GitHub.State), stateClass(rec.GitHub.State), rec.GitHub},
		{"PyPI", stateWords(rec.PyPI.State), stateClass(rec.PyPI.State), rec.PyPI},
	}
}
