package store

import (
	"fmt"
	"pkgmetad/internal/record"
	"runtime"
	"time"
)

// Put stores the fetched half of each record in one transaction, with its due
// key and what readers get of it: all of it or, on an error, nothing.
//
// The catalogue half stays as it is stored: a package that left the catalogue
// meanwhile is passed over, and where a source's URL is not the one that rec
// was fetched by, that source's half stays too. So does the state of a source
// of which the catalogue has decided otherwise whether it can be asked, and a
// half that somebody else has fetched since rec was read.
func (s *Store) Put(recs []record.Package) error {
	err := s.write(func(w *writer) error {
		for i := range recs {
			if err := putFetched(w, &recs[i]); err != nil {
				return fmt.Errorf("package %s: %w", recs[i].Slug, err)
			}
			runtime.Gosched() // who reads goes first: a reader waits for no writer, but may for its CPU
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d records: %w", len(recs), err)
	}
	return nil
}

func putFetched(w *writer, fetched *record.Package) error {
	old, err := getPackage(w.Tx, fetched.ID)
	if err == ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	rec := *fetched
	rec.Entry = old.Entry
	sameRepo, samePyPI := record.SameText(old.RepoURL, fetched.RepoURL), record.SameText(old.PyPIURL, fetched.PyPIURL)
	keepRepo := !sameRepo || newer(&old.GitHub, &fetched.GitHub)
	if keepRepo {
		rec.Repo, rec.GitHub = old.Repo, old.GitHub
	}
	keepRelease := !samePyPI || newer(&old.PyPI, &fetched.PyPI)
	if keepRelease {
		rec.Project, rec.PyPI = old.Project, old.PyPI
	}
	if old.GitHub.State.Fetchable() != fetched.GitHub.State.Fetchable() {
		rec.GitHub = old.GitHub
	}
	if old.PyPI.State.Fetchable() != fetched.PyPI.State.Fetchable() {
		rec.PyPI = old.PyPI
	}
	if !sameRepo || !samePyPI { // the times of rec are of data that was not taken over
		rec.LastFetched = old.LastFetched
	}
	if (keepRepo || keepRelease) && record.SameServed(&old, &rec) {
		rec.Modified = old.Modified
	}
	now := time.Now()
	if later(old.LastFetched, rec.LastFetched, now) {
		rec.LastFetched = old.LastFetched
	}
	if later(old.Modified, rec.Modified, now) {
		rec.Modified = old.Modified
	}
	return putRecord(w, &old, &rec)
}

// newer reports whether the stored state of a source is of a later attempt, or
// has a later success behind it, than the one to be put: two passes may have had
// the same package at once.
func newer(stored, put *record.Status) bool {
	now := time.Now()
	return later(stored.LastAttempt, put.LastAttempt, now) || later(stored.LastSuccess, put.LastSuccess, now)
}

// later reports whether a stored time is after the one to be put. One that lies
// ahead was of a clock that was wrong, and must not win for ever.
func later(stored, put, now time.Time) bool {
	return stored.After(put) && !stored.After(now)
}

// putRecord writes rec in place of old, nil for none, in every form.
func putRecord(w *writer, old, rec *record.Package) error {
	value, err := encode(rec)
	if err != nil {
		return err
	}
	if err := w.Bucket(bucketPackages).Put(key(rec.ID), value); err != nil {
		return err
	}
	if err := putServed(w, rec); err != nil {
		return err
	}
	if err := putSources(w.Tx, rec); err != nil {
		return err
	}
	return moveDue(w.Tx, old, rec)
}
