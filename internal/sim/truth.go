package sim

import "time"

// RepoTruth is what GitHub knows of a repository at one moment, for tests to compare records
// with.
type RepoTruth struct {
	ID          int64
	NodeID      string
	FullName    string
	Gone        bool   // 404
	Blocked     string // see Repo.Blocked
	Stars       int
	Forks       int
	Description *string
	Archived    bool
	Disabled    bool
	TooLarge    bool
	Head        string    // OID of the default branch's head; "" in an empty repository
	LastCommit  time.Time // its commit date; zero in an empty repository
	Commits     int       // that can be reached from it
	// Contributors are the first 500, in GitHub's order.
	Contributors []Contributor
	// Weeks are the 52 numbers of commits that participation has, once it is computed: oldest
	// first, up to the midnight (UTC) before the moment.
	Weeks [52]int
}

// RepoTruth tells of the repository with an id, as of a moment. Fields that an Edit changed
// are as they are now, whatever the moment. ok is false if there never was one.
func (w *World) RepoTruth(id int64, at time.Time) (t RepoTruth, ok bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	at = at.UTC()
	base := w.repo(id)
	if base == nil {
		return t, false
	}
	r := base.at(at)
	if r == nil {
		return RepoTruth{ID: base.ID, NodeID: base.NodeID, FullName: base.FullName, Gone: true}, true
	}
	g := w.graph(r, at)
	t = RepoTruth{ID: r.ID, NodeID: r.NodeID, FullName: r.FullName, Blocked: r.Blocked, Stars: r.Stars, Forks: r.Forks,
		Description: r.Description, Archived: r.Archived, Disabled: r.Disabled, TooLarge: r.TooLarge, Contributors: r.contributors(g)}
	if g.head != none {
		n := g.nodes[g.head]
		t.Head, t.LastCommit = n.oid.String(), time.Unix(n.committed, 0).UTC()
	}
	_, t.Commits = g.reachable(g.head)
	t.Weeks, _ = r.weeks(g, at, w.counting)
	return t, true
}

// RepoNamed returns the id of the repository that a name leads to at a moment, present or
// former and in any case; 0 for none.
func (w *World) RepoNamed(fullName string, at time.Time) int64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if r, _ := w.named(fullName, at.UTC()); r != nil {
		return r.ID
	}
	return 0
}

// ProjectTruth is what PyPI knows of a project at one moment.
type ProjectTruth struct {
	Name     string // as its owner spells it
	Status   Status
	Gone     bool // 404 from the JSON API: also if it is quarantined, or has no release
	Serial   int64
	Latest   string    // info.version; "" if gone
	Releases []Release // that are listed, in version order
}

// ProjectTruth tells of the project of a name, as of a moment. Fields that an Edit changed are
// as they are now, whatever the moment. ok is false if there never was one.
func (w *World) ProjectTruth(name string, at time.Time) (t ProjectTruth, ok bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	at = at.UTC()
	p := w.project(Normalize(name))
	if p == nil {
		return t, false
	}
	p = p.at(at)
	releases, _ := p.visible(at)
	t = ProjectTruth{Name: p.Name, Status: p.statusName(), Gone: p.gone(releases), Serial: p.serial(at), Releases: releases}
	if latest := p.latest(releases); !t.Gone && latest != nil {
		t.Latest = latest.Version
	}
	return t, true
}
