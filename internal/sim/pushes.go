package sim

import "slices"

// Push adds commits to the head of r's default branch, the first on the head and each on the
// one before, as of now. It returns their OIDs.
func (w *World) Push(r *Repo, commits ...Commit) []string {
	return w.push(r, 0, false, commits)
}

// ForcePush is Push in place of the newest drop commits of the first parents' line.
func (w *World) ForcePush(r *Repo, drop int, commits ...Commit) []string {
	return w.push(r, drop, false, commits)
}

// Merge pushes a branch, which left the first parents' line the given number of commits before
// the head. The last of the commits merges it into the head.
func (w *World) Merge(r *Repo, before int, commits ...Commit) []string {
	return w.push(r, before, true, commits)
}

// ResetHead moves the head of the default branch to another commit of the repository, until
// the next push.
func (w *World) ResetHead(r *Repo, oid string) { w.Edit(func() { r.Head = oid }) }

func (w *World) push(r *Repo, before int, merge bool, commits []Commit) (oids []string) {
	now := w.Now()
	w.Edit(func() {
		g := r.graph(now)
		head, parent := g.name(g.head), g.name(g.back(g.head, before))
		r.Head = ""
		for i, c := range commits {
			if c.At.IsZero() {
				c.At = now
			}
			c.Pushed, c.Parents = now, parent
			if merge && i == len(commits)-1 {
				c.Parents = slices.Concat(head, parent)
			}
			r.Commits = append(r.Commits, c)
			g = r.graph(now)
			parent = g.name(g.head)
			oids = append(oids, parent...)
		}
	})
	return oids
}

// name returns the OID of a commit, none for none.
func (g *graph) name(i int32) []string {
	if i == none {
		return []string{}
	}
	return []string{g.nodes[i].oid.String()}
}
