package store

import (
	"errors"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxAhead is further than any due time lies ahead. What is due later than
// that was computed under a clock that was wrong, and counts as due now.
const maxAhead = 45 * 24 * time.Hour

// Due returns up to limit live packages of which a source is due at now, the
// one with the oldest success first, and whether there are more. Records that
// are damaged are left out and named in an error that wraps each; the records
// returned beside it are good.
func (s *Store) Due(now time.Time, limit int) (recs []Record, more bool, err error) {
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		take := func(k []byte) error {
			rec, err := getPackage(tx, int(number(k[8:])))
			if err != nil {
				damaged = append(damaged, err)
				return nil
			}
			recs = append(recs, rec)
			return nil
		}
		c := tx.Bucket(bucketDue).Cursor()
		last := timeKey(now)
		for k, _ := c.First(); k != nil && string(k[:8]) <= string(last); k, _ = c.Next() {
			if more = len(recs) >= limit; more {
				return nil
			}
			if err := take(k); err != nil {
				return err
			}
		}
		sane := timeKey(now.Add(maxAhead))
		for k, _ := c.Last(); k != nil && string(k[:8]) > string(sane); k, _ = c.Prev() {
			if more = len(recs) >= limit; more {
				return nil
			}
			if err := take(k); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortStableFunc(recs, func(a, b Record) int {
		return a.oldestSuccess().Compare(b.oldestSuccess())
	})
	return recs, more, errors.Join(err, errors.Join(damaged...))
}

// IsDue reports whether the source is to be asked at now.
func (s Source) IsDue(now time.Time) bool {
	return s.State.Fetchable() && (!s.NextDue.After(now) || s.NextDue.After(now.Add(maxAhead)))
}

// due returns when the first of the record's sources falls due.
func (r *Record) due() (at time.Time, ok bool) {
	for _, source := range []Source{r.GitHub, r.PyPI} {
		if source.State.Fetchable() && (!ok || source.NextDue.Before(at)) {
			at, ok = source.NextDue, true
		}
	}
	return at, ok
}

// oldestSuccess is the older of the last successes of the sources to ask.
func (r *Record) oldestSuccess() time.Time {
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

// moveDue replaces the due key of old, if any, by the one of rec.
func moveDue(tx *bolt.Tx, old, rec *Record) error {
	bucket := tx.Bucket(bucketDue)
	if old != nil {
		if at, ok := old.due(); ok {
			if err := bucket.Delete(append(timeKey(at), key(old.ID)...)); err != nil {
				return err
			}
		}
	}
	if rec == nil {
		return nil
	}
	at, ok := rec.due()
	if !ok {
		return nil
	}
	return bucket.Put(append(timeKey(at), key(rec.ID)...), nil)
}
