package github

import "pkgmetad/internal/record"

// A Walk reads the history of a repository from a new head back to what an old head
// already had. It is exact, though the order of a history is by date: commits of a
// merged branch that are older than the old head come behind it, so the walk goes on
// until every parent of a new commit has been seen, or is known to be reachable from
// the old head.
type Walk struct {
	old     string // the old head
	met     bool   // it has been listed
	listed  map[string]*record.Commit
	order   []*record.Commit
	reached map[string]bool // from the old head, itself included
}

// NewWalk returns a walk back to the old head.
func NewWalk(old string) *Walk {
	return &Walk{old: old, listed: map[string]*record.Commit{}, reached: map[string]bool{old: true}}
}

// Add takes in the next commits of the history. One that it has already is ignored.
func (w *Walk) Add(commits []record.Commit) {
	for i := range commits {
		c := &commits[i]
		if w.listed[c.OID] != nil {
			continue
		}
		w.listed[c.OID] = c
		w.order = append(w.order, c)
		w.met = w.met || c.OID == w.old
		if w.reached[c.OID] {
			w.reach(c)
		}
	}
}

// reach notes what is reachable through c, as far as it is listed.
func (w *Walk) reach(c *record.Commit) {
	rest := []*record.Commit{c}
	for len(rest) > 0 {
		c, rest = rest[len(rest)-1], rest[:len(rest)-1]
		for _, parent := range c.Parents {
			if w.reached[parent] {
				continue
			}
			w.reached[parent] = true
			if listed := w.listed[parent]; listed != nil {
				rest = append(rest, listed)
			}
		}
	}
}

// Met reports whether the walk came to the old head.
func (w *Walk) Met() bool { return w.met }

// Len returns how many commits have been read.
func (w *Walk) Len() int { return len(w.order) }

// Done reports whether all that is new has been read: the old head has been met, and
// each parent of a new commit is listed or reachable from it.
func (w *Walk) Done() bool {
	if !w.met {
		return false
	}
	for _, c := range w.order {
		if w.reached[c.OID] {
			continue
		}
		for _, parent := range c.Parents {
			if !w.reached[parent] && w.listed[parent] == nil {
				return false
			}
		}
	}
	return true
}

// New returns the commits that are not reachable from the old head, in the order of
// the history. It is complete once the walk is done.
func (w *Walk) New() []record.Commit {
	var commits []record.Commit
	for _, c := range w.order {
		if !w.reached[c.OID] {
			commits = append(commits, *c)
		}
	}
	return commits
}
