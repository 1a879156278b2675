package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Due returns the sources that are due at now, and whether there are more than
// limit of them, in which case it returns those that fell due first. The result is
// sorted by the last success, oldest first; sources with the same one are grouped
// by package. Damaged sources are left out and reported in an error; the sources
// returned with it are good.
func (s *Store) Due(now time.Time, limit int) (sources []record.Source, more bool, err error) {
	var found []dueSource
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		take := func(k []byte) (full bool) {
			source, err := getSource(tx, record.Key(k[8:]))
			switch {
			case err != nil:
				damaged = append(damaged, fmt.Errorf("%s: %w", k[8:], err))
			case !source.IsDue(now):
				// Due later within the microsecond that the key is truncated to.
			case len(found) >= limit:
				more = true
			default:
				found = append(found, dueSource{source, firstReferring(tx, source.Key)})
			}
			return more
		}
		c := tx.Bucket(bucketDue).Cursor()
		last, tooFar := timeKey(now), timeKey(now.Add(record.MaxAhead))
		for k, _ := c.First(); k != nil && string(k[:8]) <= string(last); k, _ = c.Next() {
			if take(k) {
				return nil
			}
		}
		for k, _ := c.Last(); k != nil && string(k[:8]) >= string(tooFar); k, _ = c.Prev() {
			if take(k) {
				return nil
			}
		}
		return nil
	})
	slices.SortStableFunc(found, func(a, b dueSource) int {
		return cmp.Or(a.LastSuccess.Compare(b.LastSuccess), cmp.Compare(a.id, b.id))
	})
	for i := range found {
		sources = append(sources, found[i].Source)
	}
	return sources, more, s.partly(err, damaged)
}

// dueSource is a source, and the lowest id of the packages that refer to it.
type dueSource struct {
	record.Source
	id int
}

func firstReferring(tx *bolt.Tx, key record.Key) int {
	prefix := append([]byte(key), 0)
	if k, _ := tx.Bucket(bucketReferences).Cursor().Seek(prefix); len(k) == len(prefix)+8 {
		return int(number(k[len(prefix):]))
	}
	return 0
}

func dueKey(s *record.Source) []byte {
	return append(timeKey(s.NextDue), s.Key...)
}

func timeKey(t time.Time) []byte {
	return key(int(max(0, t.UnixMicro())))
}

// timeOf reads what timeKey wrote.
func timeOf(k []byte) time.Time {
	return time.UnixMicro(int64(number(k))).UTC()
}
