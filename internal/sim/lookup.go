package sim

import (
	"slices"
	"strings"
	"time"
)

// The functions of this file are called with the world's lock held, for reading or writing.

// named finds the repository that a name leads to at a moment, present or former and in any
// case, as it is then. moved is true for a former name.
func (w *World) named(fullName string, now time.Time) (r *Repo, moved bool) {
	name := fold(fullName)
	if r := w.repoByName[name]; r != nil {
		if c := r.at(now); c != nil {
			return c, fold(c.FullName) != name
		}
	}
	for _, base := range w.candidates(name) {
		c := base.at(now)
		switch {
		case c == nil:
		case fold(c.FullName) == name:
			return c, false
		case r == nil && slices.ContainsFunc(c.OldNames, func(old string) bool { return fold(old) == name }):
			r = c
		}
	}
	return r, r != nil
}

// candidates are the generated repositories that may ever have a name, which is folded.
func (w *World) candidates(name string) (list []*Repo) {
	_, project, _ := strings.Cut(name, "/")
	i, ok := w.generated.find(project)
	if !ok {
		return nil
	}
	for _, heir := range []bool{false, true} {
		if r := w.generated.known(generatedID{i, heir}); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// find returns the number of the package whose repository or project may have a name.
func (g *generation) find(name string) (i int, ok bool) {
	if g == nil {
		return 0, false
	}
	for _, suffix := range renamed {
		name = strings.TrimSuffix(name, suffix)
	}
	i, ok = g.names.find(name)
	return i, ok && i < g.n && projectName(g.seed, i) == name
}

// known returns a generated repository: as its holder has edited it, or as it is made.
func (g *generation) known(id generatedID) *Repo {
	if r, held := g.repos[id]; held {
		return r
	}
	if id.heir {
		return g.heir(id.i)
	}
	return g.repo(id.i)
}

// repoID tells which package an id belongs to.
func (g *generation) repoID(id int64) (of generatedID, ok bool) {
	switch {
	case g == nil || id < firstRepoID:
		return of, false
	case id < firstHeirID:
		of.i = int(id-firstRepoID) / repoIDStep
	default:
		of = generatedID{int(id-firstHeirID) / heirIDStep, true}
	}
	return of, of.i < g.n
}

// repo finds a repository by its id, whether or not it is there now.
func (w *World) repo(id int64) *Repo {
	if r := w.repoByID[id]; r != nil {
		return r
	}
	if of, ok := w.generated.repoID(id); ok {
		if r := w.generated.known(of); r != nil && r.ID == id {
			return r
		}
	}
	return nil
}

// repoAt finds a repository by its id, as it is at a moment.
func (w *World) repoAt(id int64, now time.Time) *Repo {
	if r := w.repo(id); r != nil {
		return r.at(now)
	}
	return nil
}

// project finds a project by its normalised name.
func (w *World) project(name string) *Project {
	if p := w.projByName[name]; p != nil {
		return p
	}
	if i, ok := w.generated.find(name); ok {
		if p := w.generated.knownProject(i); p != nil && Normalize(p.Name) == name {
			return p
		}
	}
	return nil
}

func (g *generation) knownProject(i int) *Project {
	if p, held := g.projects[i]; held {
		return p
	}
	return g.project(i)
}

// hold keeps a generated repository that a caller gets, because the caller may edit it. It is
// called with the lock held for writing.
func (w *World) hold(r *Repo) *Repo {
	if of, ok := w.generated.repoID(r.ID); ok && r.life != nil {
		if _, held := w.generated.repos[of]; !held {
			w.generated.repos[of] = r
		}
		return w.generated.repos[of]
	}
	return r
}

// holdProject is hold for the project of the i-th package.
func (w *World) holdProject(i int) *Project {
	p := w.generated.knownProject(i)
	if p != nil {
		w.generated.projects[i] = p
		w.watch(p)
	}
	return p
}
