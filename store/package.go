package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// A row is a package as it is stored: what the catalogue declares, and which sources
// it refers to.
type row struct {
	record.Entry
	RepoKey    record.Key `json:"repo_key,omitempty"`
	ProjectKey record.Key `json:"project_key,omitempty"`

	// For a half without a key: why it has none, and any data that another site had
	// fetched for it.
	GitHub  record.State    `json:"github,omitempty"`
	PyPI    record.State    `json:"pypi,omitempty"`
	Repo    *record.Repo    `json:"repo,omitempty"`
	Project *record.Project `json:"project,omitempty"`

	Modified    time.Time `json:"modified"`
	LastFetched time.Time `json:"last_fetched,omitzero"`
}

func getRow(tx *bolt.Tx, id int) (r row, err error) {
	value := tx.Bucket(bucketPackages).Get(key(id))
	if value == nil {
		return r, ErrNotFound
	}
	return r, decode(value, &r, place(bucketPackages, id))
}

// keys returns the keys of the sources that r refers to, the repository first.
func (r *row) keys() (keys []record.Key) {
	for _, key := range []record.Key{r.RepoKey, r.ProjectKey} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// resolve returns the package of a row, with the data of its sources.
func (r *row) resolve(source func(record.Key) (*record.Source, error)) (record.Package, error) {
	p := record.Package{
		Entry: r.Entry, RepoKey: r.RepoKey, ProjectKey: r.ProjectKey,
		GitHub: record.Status{State: r.GitHub}, PyPI: record.Status{State: r.PyPI},
		Modified: r.Modified, LastFetched: r.LastFetched,
	}
	repo, project := r.Repo, r.Project
	if r.RepoKey != "" {
		s, err := source(r.RepoKey)
		if err != nil {
			return p, missingSource(r.RepoKey, err)
		}
		p.GitHub, repo = s.Status, s.Repo
	}
	if r.ProjectKey != "" {
		s, err := source(r.ProjectKey)
		if err != nil {
			return p, missingSource(r.ProjectKey, err)
		}
		p.PyPI, project = s.Status, s.Project
	}
	if repo != nil {
		p.Repo = *repo
	}
	if project != nil {
		p.Project = *project
	}
	return p, nil
}

// missingSource turns an ErrNotFound for a source that a package refers to into an
// errDamaged.
func missingSource(key record.Key, err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: there is no %s/%s, which a package refers to", errDamaged, bucketSources, key)
	}
	return err
}

func getPackage(tx *bolt.Tx, id int) (record.Package, error) {
	r, err := getRow(tx, id)
	if err != nil {
		return record.Package{Entry: r.Entry}, err
	}
	return r.resolve(func(key record.Key) (*record.Source, error) {
		s, err := getSource(tx, key)
		return &s, err
	})
}

// serves reports whether p, with the times that are stored with it, is what is served
// of it; without a served form that can be read, it is as the caller has it.
func (w *writer) serves(p *record.Package, otherwise bool) bool {
	served, err := getServed(w.Tx, p.ID)
	if err != nil {
		return otherwise
	}
	return bytes.Equal(served.Body, w.render(p))
}

// later returns the first of the times that moves modified forward, else the present.
// A modified that is after the present comes from a wrong clock, and may go back.
func later(modified time.Time, times ...time.Time) time.Time {
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, t := range times {
		if t = t.UTC().Truncate(time.Microsecond); t.After(modified) || modified.After(now) {
			return t
		}
	}
	return now
}

func (w *writer) resolve(r *row) (record.Package, error) { return r.resolve(w.source) }

// putPackage writes a package in every form: its row, its served form, and the states
// of its sources.
func (w *writer) putPackage(r *row) error {
	value, err := encode(r)
	if err != nil {
		return err
	}
	w.noteEntry(r.ID)
	packages := w.Bucket(bucketPackages)
	if !bytes.Equal(packages.Get(key(r.ID)), value) {
		if err := packages.Put(key(r.ID), value); err != nil {
			return err
		}
	}
	if w.changes != nil { // each host renders it when the change comes back
		return nil
	}
	p, err := w.resolve(r)
	if err != nil {
		return err
	}
	if err := putServed(w, &p); err != nil {
		return err
	}
	return w.putStates(&p)
}
