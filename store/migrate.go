package store

import (
	"errors"
	"fmt"
	"pkgmetad/internal/record"
	"time"

	bolt "go.etcd.io/bbolt"
)

// migrations bring a file from one schema version to the next: the first makes
// a new file, migrations[n] turns version n into n+1.
var migrations = []func(*bolt.Tx) error{
	func(tx *bolt.Tx) error {
		return createBuckets(tx, bucketMeta, bucketPackages, bucketTombstones, bucketSlugs, bucketDue, bucketCategories, bucketGrids, bucketMembers)
	},
	addFeed,
}

func createBuckets(tx *bolt.Tx, names ...[]byte) error {
	for _, name := range names {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// addFeed gives each package that is there a change, and an empty served form,
// which Open replaces: it is of no rendering.
func addFeed(tx *bolt.Tx) error {
	if err := createBuckets(tx, bucketServed, bucketChanges, bucketDeletions, bucketSources, bucketPasses); err != nil {
		return err
	}
	// The sequence begins where no earlier file at this path can have ended: a
	// reader of the feed that knew that one is told to begin again.
	now := time.Now()
	sequence := number(timeKey(now))
	meta := tx.Bucket(bucketMeta)
	if err := errors.Join(meta.Put(keyFloor, key(int(sequence))), meta.Put(keyChanged, timeKey(now))); err != nil {
		return err
	}
	c := tx.Bucket(bucketPackages).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		id := int(number(k))
		var rec record.Package
		if err := decode(v, &rec, bucketPackages, uint64(id)); err == nil { // else the next catalogue mends it
			if err := putSources(tx, &rec); err != nil {
				return err
			}
		}
		sequence++
		if err := tx.Bucket(bucketChanges).Put(key(int(sequence)), key(id)); err != nil {
			return err
		}
		if err := tx.Bucket(bucketServed).Put(key(id), encodeServed(sequence, now, nil)); err != nil {
			return err
		}
	}
	return meta.Put(keySequence, key(int(sequence)))
}

func (s *Store) migrate(tx *bolt.Tx) error {
	var version uint64
	if meta := tx.Bucket(bucketMeta); meta != nil {
		version = number(meta.Get(keySchema))
		if version == 0 {
			return errors.New("this is no database of pkgmetad (its schema version is missing); nothing was changed")
		}
	} else if name, _ := tx.Cursor().First(); name != nil {
		return fmt.Errorf("this is the database of another program (it has a bucket %q); nothing was changed", name)
	}
	now := uint64(len(migrations))
	if version > now {
		return fmt.Errorf("written by a newer pkgmetad (schema %d, this one knows %d); nothing was changed: run the newer version", version, now)
	}
	if version == now {
		return nil
	}
	for _, migration := range migrations[version:] {
		if err := migration(tx); err != nil {
			return fmt.Errorf("migrate from schema %d to %d: %w", version, now, err)
		}
	}
	return tx.Bucket(bucketMeta).Put(keySchema, key(int(now)))
}
