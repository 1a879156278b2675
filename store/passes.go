package store

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// LogPass keeps what the daemon tells of a pass that began then, and forgets
// the passes that began before since.
func (s *Store) LogPass(began time.Time, told []byte, since time.Time) error {
	err := s.update(func(tx *bolt.Tx) error {
		passes := tx.Bucket(bucketPasses)
		var old [][]byte
		c := passes.Cursor()
		for k, _ := c.First(); k != nil && timeOf(k).Before(since); k, _ = c.Next() {
			old = append(old, bytes.Clone(k))
		}
		if err := deleteKeys(passes, old); err != nil {
			return err
		}
		return passes.Put(timeKey(began), told)
	})
	if err != nil {
		return fmt.Errorf("log the pass: %w", err)
	}
	return nil
}

// Passes returns what was kept of the passes that began at since or later,
// the latest first.
func (s *Store) Passes(since time.Time) (told [][]byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketPasses).Cursor()
		for k, v := c.Last(); k != nil && !timeOf(k).Before(since); k, v = c.Prev() {
			told = append(told, bytes.Clone(v))
		}
		return nil
	})
	return told, err
}
