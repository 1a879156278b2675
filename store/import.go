package store

import (
	"bytes"
	"reflect"
	"time"

	"pkgmetad/internal/record"
)

// ImportReport says what an import changed.
type ImportReport struct {
	SyncReport
	Fetched int // packages whose fetched half was imported
}

// Import syncs a catalogue as SyncCatalogue does, and imports what another site
// fetched: for each package, by its id, the documented fields of the fetched half and
// the state of the sources. Whether that replaces what is known of a source is decided
// by [record.Wins], as for an answer. A package that is new here gets the site's
// Modified as well. Importing the same again changes nothing.
//
// If several packages refer to one source and the other site had different data for
// each, all of them get what it fetched last.
func (s *Store) Import(c record.Catalogue, packages []record.Package, now time.Time) (ImportReport, error) {
	fetched := make(map[int]*record.Package, len(packages))
	for i := range packages {
		fetched[packages[i].ID] = &packages[i]
	}
	return s.syncCatalogue(c, fetched, now)
}

// overlay copies the fetched half of another site's package into r and the sources
// that r refers to, and reports whether that changed anything.
//
// A half without a source has no times of its own to be compared. It takes what is
// imported, unless that is older than what r shows.
func (w *writer) overlay(r *row, from *record.Package, now time.Time) (changed bool, err error) {
	p, err := w.resolve(r)
	if err != nil {
		return false, err
	}
	before := *r
	stale := from.LastFetched.Before(r.LastFetched)
	repo, project := p.Repo, p.Project
	repo.Stars, repo.Forks, repo.Description = from.Repo.Stars, from.Repo.Forks, from.Repo.Description
	repo.Participants, repo.Commits52, repo.LastCommit = from.Repo.Participants, from.Repo.Commits52, from.Repo.LastCommit
	repo.ForgetCounts()
	project.Version = from.Project.Version

	switch {
	case r.RepoKey == "" && (r.Repo == nil || !stale):
		r.Repo = &repo
	case r.RepoKey != "":
		learnt := record.Source{Key: r.RepoKey, Status: importedStatus(&from.GitHub), Repo: &repo}
		if changed, err = w.learnImported(&learnt, r.ID); err != nil {
			return false, err
		}
	}
	switch {
	case r.ProjectKey == "" && (r.Project == nil || !stale):
		r.Project = &project
	case r.ProjectKey != "":
		learnt := record.Source{Key: r.ProjectKey, Status: importedStatus(&from.PyPI), Project: &project}
		more, err := w.learnImported(&learnt, r.ID)
		if err != nil {
			return false, err
		}
		changed = changed || more
	}
	if p, err = w.resolve(r); err != nil {
		return false, err
	}
	r.LastFetched = record.LastFetched(&p, now)
	if len(r.keys()) == 0 && !stale {
		r.LastFetched = from.LastFetched.UTC().Truncate(time.Microsecond)
	}
	return changed || !reflect.DeepEqual(before, *r), nil
}

// learnImported is learn for data that another site fetched. It reports whether that
// changed anything.
func (w *writer) learnImported(learnt *record.Source, id int) (changed bool, err error) {
	before := bytes.Clone(w.Bucket(bucketSources).Get([]byte(learnt.Key)))
	if err := w.learn(learnt, id); err != nil {
		return false, err
	}
	return !bytes.Equal(before, w.Bucket(bucketSources).Get([]byte(learnt.Key))), nil
}

// importedStatus returns the status of a source that another site has fetched. It has
// no validators, since those stored here belong to older data.
func importedStatus(from *record.Status) record.Status {
	if from.LastSuccess.IsZero() {
		return record.Status{State: record.StateNew, Imported: true}
	}
	return record.Status{
		State: from.State, LastAttempt: from.LastAttempt, LastSuccess: from.LastSuccess, NextDue: from.NextDue, Imported: true,
	}
}
