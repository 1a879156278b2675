package store

import (
	"errors"
	"fmt"
	"pkgmetad/internal/record"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Due returns live packages of which a source is due at now, and whether there
// are more than limit of them: then it returns those that fell due first.
// Whatever is returned is in the order of the last success, oldest first.
// Records that are damaged are left out and named in an error that wraps each;
// the records returned beside it are good.
func (s *Store) Due(now time.Time, limit int) (recs []record.Package, more bool, err error) {
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		seen := make(map[int]bool) // a record has a key for each source
		take := func(k []byte) (full bool) {
			id := int(number(k[8:]))
			if seen[id] {
				return false
			}
			seen[id] = true
			rec, err := getPackage(tx, id)
			switch {
			case err != nil:
				damaged = append(damaged, fmt.Errorf("package %d: %w", id, err))
			case !rec.GitHub.IsDue(now) && !rec.PyPI.IsDue(now):
				// due within the microsecond that the key leaves out
			case len(recs) >= limit:
				more = true
			default:
				recs = append(recs, rec)
			}
			return more
		}
		c := tx.Bucket(bucketDue).Cursor()
		last, sane := timeKey(now), timeKey(now.Add(record.MaxAhead))
		for k, _ := c.First(); k != nil && string(k[:8]) <= string(last); k, _ = c.Next() {
			if take(k) {
				return nil
			}
		}
		for k, _ := c.Last(); k != nil && string(k[:8]) >= string(sane); k, _ = c.Prev() {
			if take(k) {
				return nil
			}
		}
		return nil
	})
	slices.SortStableFunc(recs, func(a, b record.Package) int {
		return oldestSuccess(&a).Compare(oldestSuccess(&b))
	})
	err = errors.Join(err, errors.Join(damaged...))
	s.noteDamage(err)
	return recs, more, err
}

// dueKeys returns a key for each source that is ever asked. One for the earlier
// of them would not do: behind it, a due time of a wrong clock would not be seen.
func dueKeys(r *record.Package) (keys [][]byte) {
	for _, source := range []*record.Status{&r.GitHub, &r.PyPI} {
		if source.State.Fetchable() {
			keys = append(keys, append(timeKey(source.NextDue), key(r.ID)...))
		}
	}
	return keys
}

// oldestSuccess is the older of the last successes of the sources to ask.
func oldestSuccess(r *record.Package) time.Time {
	switch {
	case !r.GitHub.State.Fetchable():
		return r.PyPI.LastSuccess
	case !r.PyPI.State.Fetchable() || r.GitHub.LastSuccess.Before(r.PyPI.LastSuccess):
		return r.GitHub.LastSuccess
	}
	return r.PyPI.LastSuccess
}

func timeKey(t time.Time) []byte {
	return key(int(max(0, t.UnixMicro())))
}

// moveDue replaces the due keys of old by those of rec; either may be nil.
func moveDue(tx *bolt.Tx, old, rec *record.Package) error {
	bucket := tx.Bucket(bucketDue)
	if old != nil {
		for _, k := range dueKeys(old) {
			if err := bucket.Delete(k); err != nil {
				return err
			}
		}
	}
	if rec == nil {
		return nil
	}
	for _, k := range dueKeys(rec) {
		if err := bucket.Put(k, nil); err != nil {
			return err
		}
	}
	return nil
}

// timeOf reads what timeKey wrote.
func timeOf(k []byte) time.Time {
	return time.UnixMicro(int64(number(k))).UTC()
}
