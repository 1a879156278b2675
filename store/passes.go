package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// LogPass stores the report of a pass, and deletes those of passes that began before
// since, or after now, by a clock that was ahead: they would pass for the latest until
// their time has come.
func (s *Store) LogPass(pass record.Pass, since time.Time) error {
	value, err := json.Marshal(pass)
	if err != nil {
		return fmt.Errorf("log the pass: %w", err)
	}
	err = s.update(func(tx *bolt.Tx) error {
		passes, now := tx.Bucket(bucketPasses), time.Now()
		var wrong [][]byte
		c := passes.Cursor()
		for k, _ := c.First(); k != nil && timeOf(k).Before(since); k, _ = c.Next() {
			wrong = append(wrong, bytes.Clone(k))
		}
		for k, _ := c.Last(); k != nil && timeOf(k).After(now); k, _ = c.Prev() {
			wrong = append(wrong, bytes.Clone(k))
		}
		if err := deleteKeys(passes, wrong); err != nil {
			return err
		}
		return passes.Put(timeKey(pass.Started), value)
	})
	if err != nil {
		return fmt.Errorf("log the pass: %w", err)
	}
	return nil
}

// Passes returns the reports of the passes that began at since or later, the
// latest first.
func (s *Store) Passes(since time.Time) (passes []record.Pass, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketPasses).Cursor()
		for k, v := c.Last(); k != nil && !timeOf(k).Before(since); k, v = c.Prev() {
			var pass record.Pass
			if json.Unmarshal(v, &pass) == nil { // else another version of this program stored it
				passes = append(passes, pass)
			}
		}
		return nil
	})
	return passes, err
}
