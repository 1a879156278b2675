package sim

import (
	"maps"
	"slices"
)

// AddRepo declares a repository and returns it. The id, the node id, the default
// branch and the time of creation are filled in if they are missing. A repository
// of the same name is replaced.
func (w *World) AddRepo(r *Repo) *Repo {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addRepo(r)
}

func (w *World) addRepo(r *Repo) *Repo {
	if old, moved := w.named(r.FullName, w.Now()); old != nil && !moved {
		w.dropRepo(old.ID)
	}
	if r.ID == 0 {
		for r.ID = 1_000_000 + int64(len(w.repos))*37; w.repo(r.ID) != nil; r.ID++ {
		}
	}
	r.fill(w.anchor)
	if !r.Unlisted {
		r.catalogueID = w.takeID()
	}
	w.repos = append(w.repos, r)
	w.repoByID[r.ID] = r
	w.repoByNode[r.NodeID] = r
	for _, old := range r.OldNames {
		if w.repoByName[fold(old)] == nil {
			w.repoByName[fold(old)] = r
		}
	}
	w.repoByName[fold(r.FullName)] = r
	w.edition.Add(1)
	return r
}

func (w *World) dropRepo(id int64) {
	maps.DeleteFunc(w.repoByName, func(_ string, x *Repo) bool { return x.ID == id })
	if of, ok := w.generated.repoID(id); ok && w.repoByID[id] == nil {
		w.generated.repos[of] = nil
		return
	}
	w.repos = slices.DeleteFunc(w.repos, func(x *Repo) bool { return x.ID == id })
	delete(w.repoByID, id)
	maps.DeleteFunc(w.repoByNode, func(_ string, x *Repo) bool { return x.ID == id })
}

// RemoveRepo removes a repository and its former names.
func (w *World) RemoveRepo(fullName string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, _ := w.named(fullName, w.Now()); r != nil {
		w.dropRepo(r.ID)
		w.edition.Add(1)
	}
}

// Rename moves a repository: the old name redirects to it from now on. It returns
// the repository, or nil if none has the old name.
func (w *World) Rename(old, new string) *Repo {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.Now()
	found, _ := w.named(old, now)
	if found == nil {
		return nil
	}
	if other, moved := w.named(new, now); other != nil && other.ID != found.ID && !moved {
		w.dropRepo(other.ID)
	}
	r := w.hold(w.repo(found.ID))
	if r.life != nil { // it is renamed by hand, and will not be by itself
		r.OldNames = found.OldNames
		r.FullName = found.FullName
		fixed := *r.life
		fixed.renamed = never
		r.life = &fixed
	}
	if fold(r.FullName) != fold(new) {
		r.OldNames = append(r.OldNames, r.FullName)
	}
	r.FullName = new
	w.repoByName[fold(new)] = r
	w.edition.Add(1)
	return r
}

// AddProject declares a PyPI project and returns it. A project of the same
// normalised name is replaced.
func (w *World) AddProject(p *Project) *Project {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addProject(p)
}

func (w *World) addProject(p *Project) *Project {
	name := Normalize(p.Name)
	if old := w.projByName[name]; old != nil {
		w.projects = slices.DeleteFunc(w.projects, func(x *Project) bool { return x == old })
		delete(w.watched, old)
	} else if i, ok := w.generated.find(name); ok {
		w.generated.projects[i] = nil
	}
	if p.Serial == 0 {
		p.Serial = 20_000_000 + int64(len(w.projects))*11
	}
	p.lastSerial = p.Serial
	p.serialFrom = w.Now()
	if !p.Unlisted {
		p.catalogueID = w.takeID()
	}
	w.projects = append(w.projects, p)
	w.projByName[name] = p
	w.watched[p] = p.fingerprint()
	w.edition.Add(1)
	return p
}

func (w *World) takeID() int {
	for slices.ContainsFunc(w.catalogue.Packages, func(p Package) bool { return p.ID == w.nextID }) {
		w.nextID++
	}
	w.nextID++
	return w.nextID - 1
}

// Repo returns the repository of this name, present or former and in any case,
// or nil.
func (w *World) Repo(fullName string) *Repo {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, _ := w.named(fullName, w.Now()); r != nil {
		return w.hold(w.repo(r.ID))
	}
	return nil
}

// Repos returns the repositories: those that were generated, then the declared ones in the
// order in which they were added. Those that take a name later are not among them.
func (w *World) Repos() (list []*Repo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.generated.len() {
		if r := w.generated.known(generatedID{i: i}); r != nil {
			list = append(list, w.hold(r))
		}
	}
	return append(list, w.repos...)
}

// Project returns the project of this name, however it is spelt, or nil.
func (w *World) Project(name string) *Project {
	w.mu.Lock()
	defer w.mu.Unlock()
	name = Normalize(name)
	if p := w.projByName[name]; p != nil {
		return p
	}
	if i, ok := w.generated.find(name); ok {
		return w.holdProject(i)
	}
	return nil
}

// Projects returns the projects: those that were generated, then the declared ones in the
// order in which they were added.
func (w *World) Projects() (list []*Project) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.generated.len() {
		if p := w.holdProject(i); p != nil {
			list = append(list, p)
		}
	}
	return append(list, w.projects...)
}

// watch notes that a caller holds p and may change it in an Edit.
func (w *World) watch(p *Project) {
	if _, ok := w.watched[p]; !ok {
		w.watched[p] = p.fingerprint()
	}
}

// Edit runs f, which may change the fields of the world's repositories and projects,
// except their names (see Rename), while all requests wait. A project that f changed
// gets a new serial. f must not call methods of the World.
func (w *World) Edit(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		for p, before := range w.watched {
			w.watched[p] = p.fingerprint()
			p.noteEdit(w.watched[p] != before, w.Now())
		}
		w.edition.Add(1)
	}()
	f()
}

// Commits returns the commits on r's default branch so far, in the order of git log: newest
// first.
func (w *World) Commits(r *Repo) []Commit {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.graph(r, w.Now()).commits()
}

// Releases returns the releases of p so far, in version order.
func (w *World) Releases(p *Project) []Release {
	w.mu.RLock()
	defer w.mu.RUnlock()
	releases, _ := p.at(w.Now()).visible(w.Now())
	return releases
}
