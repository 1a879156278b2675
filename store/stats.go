package store

import (
	"errors"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Stats tells how large the file is, what waits in it, and whether it can be written.
type Stats struct {
	Size        int64  // bytes that the file uses, those of free pages included
	FreePages   int    // are used before the file grows
	FreeBytes   int64  // of these pages
	DueRepos    int    // repositories that are due
	DueProjects int    // projects that are due
	Failures    uint64 // writes that failed since Open
	Failing     bool   // the latest write did
}

// Stats returns the statistics of the store at now. It reads the index of what is
// due, as far as it is due, and no records.
func (s *Store) Stats(now time.Time) (stats Stats, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		stats.Size, stats.FreeBytes = space(tx)
		stats.FreePages = int(stats.FreeBytes / int64(tx.DB().Info().PageSize))
		c := tx.Bucket(bucketDue).Cursor()
		last := timeKey(now)
		for k, _ := c.First(); k != nil && string(k[:8]) <= string(last); k, _ = c.Next() {
			if _, project := record.Key(k[8:]).Project(); project {
				stats.DueProjects++
			} else {
				stats.DueRepos++
			}
		}
		return nil
	})
	stats.Failures, stats.Failing = s.writes.failures.Load(), s.writes.failing.Load()
	return stats, err
}

// writes counts the writes that failed.
type writes struct {
	failures atomic.Uint64
	failing  atomic.Bool // the latest did
}

// note notes how a write ended. It did not fail where the caller refused to go on,
// unless for damage that it met.
func (w *writes) note(err error, refused bool) {
	switch {
	case err == nil:
		w.failing.Store(false)
	case !refused || errors.Is(err, errDamaged):
		w.failures.Add(1)
		w.failing.Store(true)
	}
}
