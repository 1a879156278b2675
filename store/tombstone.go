package store

import (
	"errors"
	"time"

	"pkgmetad/internal/record"
)

// A tombstone is a package that left the catalogue. It keeps all that was known
// about the package, in case it comes back.
type tombstone struct {
	record.Package
	Deleted time.Time `json:"deleted"`
}

// findFormer looks up what the store holds about an entry that is not live under its
// id: the tombstone with its id or, if the entry had another id, with its slug; else
// the live package with its slug and another id, which this sync is about to remove.
//
// A tombstone under the entry's id is deleted, even one of another slug, since the
// id is the entry's now. One under another id stays, so that no other package is
// ever given that id.
func (cs *catalogueSync) findFormer(w *writer, e *record.Entry) (p prior, err error) {
	ids := []int{e.ID}
	if id := w.Bucket(bucketSlugs).Get([]byte(e.Slug)); id != nil {
		ids = append(ids, int(number(id)))
	}
	tombstones := w.Bucket(bucketTombstones)
	for _, id := range ids {
		value := tombstones.Get(key(id))
		if value == nil {
			continue
		}
		var found tombstone
		match := decode(value, &found, place(bucketTombstones, id)) == nil && found.Slug == e.Slug
		if id == e.ID {
			w.noteEntry(id)
			if !match {
				err = purgeSlug(w.Tx, e.ID)
			}
			if err = errors.Join(err, tombstones.Delete(key(id))); err != nil {
				return p, err
			}
		}
		if match {
			return cs.fromTombstone(&found.Package), nil
		}
	}
	if len(ids) == 2 {
		if r, err := getRow(w.Tx, ids[1]); err == nil && r.Slug == e.Slug {
			p = prior{row: r}
			p.repo, p.project, err = w.sourcesOf(&r)
			return p, err
		}
	}
	return prior{}, nil
}

// fromTombstone returns what a tombstone holds, with the keys that its URLs resolve
// to now.
func (cs *catalogueSync) fromTombstone(p *record.Package) prior {
	refs := cs.refer(p.Entry)
	old := prior{restored: true, row: row{
		Entry: p.Entry, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: refs.GitHub, PyPI: refs.PyPI,
		Modified: p.Modified, LastFetched: p.LastFetched,
	}}
	if refs.Repo != "" && p.GitHub.State.Fetchable() {
		old.repo = &record.Source{Key: refs.Repo, Status: p.GitHub, Repo: &p.Repo}
	} else {
		old.row.Repo = &p.Repo
	}
	if refs.Project != "" && p.PyPI.State.Fetchable() {
		old.project = &record.Source{Key: refs.Project, Status: p.PyPI, Project: &p.Project}
	} else {
		old.row.Project = &p.Project
	}
	return old
}

// removePackage turns a live package into a tombstone. One that is damaged becomes an
// empty tombstone, so that its id is not given to another package.
func (w *writer) removePackage(id int, now time.Time) error {
	r, err := getRow(w.Tx, id)
	slug := r.Slug
	if errors.Is(err, errDamaged) {
		w.met(err)
		if err := w.purgeKeys(id); err != nil {
			return err
		}
		slug = slugOf(w.Tx, id)
		r, err = row{Entry: record.Entry{ID: id}, GitHub: record.StateNone, PyPI: record.StateNone}, nil
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := r.resolve(func(key record.Key) (*record.Source, error) {
		s, err := w.source(key)
		if errors.Is(err, ErrNotFound) || errors.Is(err, errDamaged) { // its data is lost
			s, err = &record.Source{Key: key, Status: record.Status{State: record.StateNew}}, nil
		}
		return s, err
	})
	if err != nil {
		return err
	}
	value, err := encode(tombstone{Package: p, Deleted: now})
	if err != nil {
		return err
	}
	w.noteEntry(id)
	if err := w.noteIntervals(&r, nil); err != nil {
		return err
	}
	for _, key := range r.keys() {
		if err := w.unrefer(key, id); err != nil {
			return err
		}
	}
	if err := dropMembers(w.Tx, &r); err != nil {
		return err
	}
	if err := dropServed(w, id, slug); err != nil {
		return err
	}
	return errors.Join(
		w.Bucket(bucketStates).Delete(key(id)),
		w.Bucket(bucketTombstones).Put(key(id), value),
		w.Bucket(bucketPackages).Delete(key(id)),
	)
}
