package store

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Put stores the fetched half of each record in one transaction, with its due
// key and the snapshot sequence: all of it or, on an error, nothing.
//
// The catalogue half stays as it is stored: a package that left the catalogue
// meanwhile is passed over, and where a source's URL is not the one that rec
// was fetched by, that source's half stays too. So does the state of a source
// of which the catalogue has decided otherwise whether it can be asked, and a
// half that somebody else has fetched since rec was read.
func (s *Store) Put(recs []Record) error {
	err := s.updateServed(func(tx *bolt.Tx) (changes int, err error) {
		for i := range recs {
			changed, err := putFetched(tx, &recs[i])
			if err != nil {
				return 0, fmt.Errorf("package %s: %w", recs[i].Slug, err)
			}
			if changed {
				changes++
			}
		}
		return changes, nil
	})
	if err != nil {
		return fmt.Errorf("write %d records: %w", len(recs), err)
	}
	return nil
}

func putFetched(tx *bolt.Tx, fetched *Record) (changed bool, err error) {
	old, err := getPackage(tx, fetched.ID)
	if err == ErrNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	rec := *fetched
	rec.Entry = old.Entry
	sameRepo, samePyPI := sameText(old.RepoURL, fetched.RepoURL), sameText(old.PyPIURL, fetched.PyPIURL)
	keepRepo := !sameRepo || newer(&old.GitHub, &fetched.GitHub)
	if keepRepo {
		rec.Repo, rec.GitHub = old.Repo, old.GitHub
	}
	keepRelease := !samePyPI || newer(&old.PyPI, &fetched.PyPI)
	if keepRelease {
		rec.Release, rec.PyPI = old.Release, old.PyPI
	}
	if old.GitHub.State.Fetchable() != fetched.GitHub.State.Fetchable() {
		rec.GitHub = old.GitHub
	}
	if old.PyPI.State.Fetchable() != fetched.PyPI.State.Fetchable() {
		rec.PyPI = old.PyPI
	}
	same := SameServed(&old, &rec)
	if !sameRepo || !samePyPI { // the times of rec are of data that was not taken over
		rec.LastFetched = old.LastFetched
	}
	if same && (keepRepo || keepRelease) {
		rec.Modified = old.Modified
	}
	if old.LastFetched.After(rec.LastFetched) {
		rec.LastFetched = old.LastFetched
	}
	if old.Modified.After(rec.Modified) {
		rec.Modified = old.Modified
	}
	same = same && rec.Modified.Equal(old.Modified) && rec.LastFetched.Equal(old.LastFetched)
	return !same, putRecord(tx, &old, &rec)
}

// newer reports whether the stored state of a source is of a later attempt, or
// has a later success behind it, than the one to be put: two passes may have had
// the same package at once.
func newer(stored, put *Source) bool {
	return stored.LastAttempt.After(put.LastAttempt) || stored.LastSuccess.After(put.LastSuccess)
}

// putRecord writes rec in place of old, nil for none, with its due key.
func putRecord(tx *bolt.Tx, old, rec *Record) error {
	value, err := encode(rec)
	if err != nil {
		return err
	}
	if err := tx.Bucket(bucketPackages).Put(key(rec.ID), value); err != nil {
		return err
	}
	return moveDue(tx, old, rec)
}

// SameServed reports whether the fetched halves of a and b are served alike,
// LastFetched and Modified aside. What is kept beside the documented fields,
// such as the state of the sources, is not part of what is served.
func SameServed(a, b *Record) bool {
	x, y := &a.Repo, &b.Repo
	return x.Stars == y.Stars && x.Forks == y.Forks && x.Description == y.Description &&
		slices.Equal(x.Participants, y.Participants) && slices.Equal(x.Commits52, y.Commits52) &&
		(x.LastCommit == nil) == (y.LastCommit == nil) && (x.LastCommit == nil || x.LastCommit.Equal(*y.LastCommit)) &&
		sameText(a.Release.Version, b.Release.Version)
}

func sameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
