package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Due returns the sources that are due at now, and whether there are more than
// limit of them, in which case it returns those that fell due first. The result is
// sorted by the last success, oldest first; sources with the same one are grouped
// by package. It passes over the sources that skip, unless nil, says so of, without
// reading them. Damaged sources are left out and reported in an error; the sources
// returned with it are good.
func (s *Store) Due(now time.Time, limit int, skip func(record.Key) bool) (sources []record.Source, more bool, err error) {
	var found []dueSource
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		take := func(k []byte) (full bool) {
			key := record.Key(k[8:])
			if skip != nil && skip(key) {
				return false
			}
			source, err := getSource(tx, key)
			switch {
			case err != nil:
				damaged = append(damaged, fmt.Errorf("%s: %w", key, err))
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
		last := timeKey(now)
		for k, _ := c.First(); k != nil && string(k[:8]) <= string(last); k, _ = c.Next() {
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

// mendChunk is how many sources Reschedule reads between two writes.
const mendChunk = 5_000

// Reschedule makes every source due at now whose times cannot be right: it was asked
// after now, or is due further ahead of now than longest allows in its state. Both
// come from a clock that was ahead, the latter also from limits that have been
// lowered. It returns how many there were.
//
// It reads all sources, but only where there is reason to: an attempt after now is
// stored, or limits, the name of what longest returns, has changed since the last call.
func (s *Store) Reschedule(now time.Time, longest func(record.State) time.Duration, limits string) (mended int, err error) {
	suspect := false
	if err := s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		suspect = timeOf(meta.Get(keyAttempted)).After(now) || string(meta.Get(keyLimits)) != limits
		return nil
	}); err != nil || !suspect {
		return 0, err
	}
	wrong := func(source *record.Source) bool {
		return !source.IsDue(now) && source.State.Fetchable() && (source.LastAttempt.After(now) || source.NextDue.After(now.Add(longest(source.State))))
	}
	last := record.Key("")
	for {
		sources, err := s.SourcesAfter(last, mendChunk)
		if err != nil && len(sources) == 0 {
			return mended, err
		}
		if len(sources) == 0 {
			break
		}
		last = sources[len(sources)-1].Key
		sources = slices.DeleteFunc(sources, func(source record.Source) bool { return !wrong(&source) })
		n, err := s.dueNow(sources, wrong, now)
		if mended += n; err != nil {
			return mended, err
		}
	}
	return mended, s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(keyLimits, []byte(limits)), meta.Put(keyAttempted, timeKey(now)))
	})
}

// dueNow makes those of the sources due at now that are still wrong, and returns how
// many were.
func (s *Store) dueNow(sources []record.Source, wrong func(*record.Source) bool, now time.Time) (mended int, err error) {
	if len(sources) == 0 {
		return 0, nil
	}
	err = s.write(func(w *writer) error {
		mended = 0
		for i := range sources {
			stored, err := w.source(sources[i].Key)
			if errors.Is(err, ErrNotFound) || err == nil && !wrong(stored) {
				continue // a pass came before
			}
			if err != nil {
				return err
			}
			due := *stored
			due.NextDue = now.UTC().Truncate(time.Microsecond)
			if err := w.putSource(stored, &due); err != nil {
				return err
			}
			mended++
		}
		return nil
	})
	return mended, err
}
