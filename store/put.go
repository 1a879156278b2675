package store

import (
	"fmt"
	"reflect"

	bolt "go.etcd.io/bbolt"
)

// Put stores the fetched half of each record in one transaction, with its due
// key and the snapshot sequence: all of it or, on an error, nothing.
//
// The catalogue half stays as it is stored: a package that left the catalogue
// meanwhile is passed over, and where a source's URL is not the one that rec
// was fetched by, that source's half stays too.
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
	if !sameText(old.RepoURL, fetched.RepoURL) {
		rec.Repo, rec.GitHub = old.Repo, old.GitHub
	}
	if !sameText(old.PyPIURL, fetched.PyPIURL) {
		rec.Release, rec.PyPI = old.Release, old.PyPI
	}
	if old.Modified.After(rec.Modified) {
		rec.Modified = old.Modified
	}
	return !sameServed(&old, &rec), putRecord(tx, &old, &rec)
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

// sameServed reports whether a reader sees no difference between a and b: the
// states of the sources are not part of what is served as the record.
func sameServed(a, b *Record) bool {
	return a.Modified.Equal(b.Modified) && a.LastFetched.Equal(b.LastFetched) &&
		reflect.DeepEqual(a.Repo, b.Repo) && reflect.DeepEqual(a.Release, b.Release)
}

func sameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
