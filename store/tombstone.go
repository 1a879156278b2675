package store

import (
	"errors"
	"time"

	"pkgmetad/internal/record"
)

// A tombstone is a package that left the catalogue. It keeps all that was known,
// so that a package which comes back does so with its data.
type tombstone struct {
	record.Package
	Deleted time.Time `json:"deleted"`
}

// former returns what is known of a package that is not live under its id: what
// it had when it was last in the catalogue, under this id or, where it had another
// one, under its slug; else what it has under another id, which is about to be
// buried. A tombstone of another slug under this id makes way: the id is e's now.
// One under another id stays, so that no other package is ever given that id.
func (t *takeover) former(w *writer, e *record.Entry) (k known, err error) {
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
		var buried tombstone
		match := decode(value, &buried, place(bucketTombstones, id)) == nil && buried.Slug == e.Slug
		if id == e.ID {
			if !match {
				err = purgeSlug(w.Tx, e.ID)
			}
			if err = errors.Join(err, tombstones.Delete(key(id))); err != nil {
				return k, err
			}
		}
		if match {
			return t.exhume(&buried.Package), nil
		}
	}
	if len(ids) == 2 {
		if r, err := getRow(w.Tx, ids[1]); err == nil && r.Slug == e.Slug {
			k = known{row: r}
			k.repo, k.project, err = w.sourcesOf(&r)
			return k, err
		}
	}
	return known{}, nil
}

// exhume returns what a tombstone knows, as of the keys that its URLs come to now.
func (t *takeover) exhume(p *record.Package) known {
	refs := t.refer(p.Entry)
	k := known{restored: true, row: row{
		Entry: p.Entry, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: refs.GitHub, PyPI: refs.PyPI,
		Modified: p.Modified, LastFetched: p.LastFetched,
	}}
	if refs.Repo != "" && p.GitHub.State.Fetchable() {
		k.repo = &record.Source{Key: refs.Repo, Status: p.GitHub, Repo: &p.Repo}
	} else {
		k.row.Repo = &p.Repo
	}
	if refs.Project != "" && p.PyPI.State.Fetchable() {
		k.project = &record.Source{Key: refs.Project, Status: p.PyPI, Project: &p.Project}
	} else {
		k.row.Project = &p.Project
	}
	return k
}

// bury turns a live package into a tombstone: one that is damaged into an empty
// one, which keeps its id from being given to another package.
func (w *writer) bury(id int, now time.Time) error {
	r, err := getRow(w.Tx, id)
	if errors.Is(err, errDamaged) {
		if err := w.purgeKeys(id); err != nil {
			return err
		}
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
		if errors.Is(err, ErrNotFound) || errors.Is(err, errDamaged) { // what it said is lost
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
	for _, key := range r.keys() {
		if err := w.unrefer(key, id); err != nil {
			return err
		}
	}
	if err := dropMembers(w.Tx, &r); err != nil {
		return err
	}
	if err := dropServed(w, &p); err != nil {
		return err
	}
	return errors.Join(
		w.Bucket(bucketStates).Delete(key(id)),
		w.Bucket(bucketTombstones).Put(key(id), value),
		w.Bucket(bucketPackages).Delete(key(id)),
	)
}
