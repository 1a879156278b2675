package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	bolt "go.etcd.io/bbolt"
)

// Put stores the fetched half of each record in one transaction, with its due
// key and the snapshot sequence: all of it or, on an error, nothing.
//
// The catalogue half stays as it is stored: a package that left the catalogue
// meanwhile is passed over, and where a source's URL is not the one that rec
// was fetched by, that source's half stays too. So does the state of a source
// of which the catalogue has decided otherwise whether it can be asked.
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
	if !sameRepo {
		rec.Repo, rec.GitHub = old.Repo, old.GitHub
	}
	if !samePyPI {
		rec.Release, rec.PyPI = old.Release, old.PyPI
	}
	if old.GitHub.State.Fetchable() != fetched.GitHub.State.Fetchable() {
		rec.GitHub = old.GitHub
	}
	if old.PyPI.State.Fetchable() != fetched.PyPI.State.Fetchable() {
		rec.PyPI = old.PyPI
	}
	same, err := sameData(&old, &rec)
	if err != nil {
		return false, err
	}
	if !sameRepo || !samePyPI { // the times of rec are of data that was not taken over
		rec.LastFetched = old.LastFetched
		if same {
			rec.Modified = old.Modified
		}
	}
	if old.Modified.After(rec.Modified) {
		rec.Modified = old.Modified
	}
	same = same && rec.Modified.Equal(old.Modified) && rec.LastFetched.Equal(old.LastFetched)
	return !same, putRecord(tx, &old, &rec)
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

// sameData reports whether a and b are kept as the same data: an empty list and
// none, or one instant in two forms, are no change. The states of the sources
// are not part of what is served as the record.
func sameData(a, b *Record) (bool, error) {
	if reflect.DeepEqual(a.Repo, b.Repo) && reflect.DeepEqual(a.Release, b.Release) {
		return true, nil
	}
	type data struct {
		Repo    Repo
		Release Release
	}
	x, err := json.Marshal(data{a.Repo, a.Release})
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(data{b.Repo, b.Release})
	return bytes.Equal(x, y), err
}

func sameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
