package store

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Projects returns the normalised names of up to limit projects that packages refer
// to, ascending. It reads no records.
func (s *Store) Projects(limit int) (names []string, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		prefix := []byte(record.ProjectKey(""))
		c := tx.Bucket(bucketSources).Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(names) < limit; k, _ = c.Next() {
			names = append(names, string(k[len(prefix):]))
		}
		return nil
	})
	return names, err
}

// Index returns what is known of PyPI's index since it was last read.
func (s *Store) Index() (index record.Index, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if value := tx.Bucket(bucketMeta).Get(keyIndex); len(value) >= 8 {
			index = record.Index{Read: timeOf(value[:8]), ETag: string(value[8:])}
		}
		return nil
	})
	return index, err
}

// PutIndex stores that PyPI's index was read.
func (s *Store) PutIndex(index record.Index) error {
	err := s.update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyIndex, append(timeKey(index.Read), index.ETag...))
	})
	if err != nil {
		return fmt.Errorf("note that PyPI's index was read: %w", err)
	}
	return nil
}
