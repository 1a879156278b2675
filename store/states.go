package store

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// states in the order of their number in the states bucket. A new one is added
// at the end.
var states = []record.State{
	record.StateNone, record.StateUnsupported, record.StateNew, record.StateOK,
	record.StatePending, record.StateFailed, record.StateGone, record.StateBlocked,
}

// A value of the states bucket begins, for GitHub and then for PyPI, with the state's
// number, the last success and the start of the failures, in 1, 8 and 8 bytes. What
// lists are sorted and filtered by follows; see listed.go.
const stateLen = 1 + 8 + 8

// statesOf returns the value of a package in the states bucket.
func statesOf(p *record.Package) []byte {
	value := make([]byte, 0, 256)
	for _, s := range []*record.Status{&p.GitHub, &p.PyPI} {
		value = append(value, byte(max(0, slices.Index(states, s.State))))
		value = append(value, timeKey(s.LastSuccess)...)
		value = append(value, timeKey(s.FailingSince)...)
	}
	return appendListed(value, p)
}

func (w *writer) putStates(p *record.Package) error {
	value := statesOf(p)
	bucket := w.Bucket(bucketStates)
	if bytes.Equal(bucket.Get(key(p.ID)), value) {
		return nil
	}
	w.listed = append(w.listed, listedValue{p.ID, value})
	return bucket.Put(key(p.ID), value)
}

// Summary counts packages by the state of each source and by the age of its last
// success at now, grouped by the bounds, which ascend. A success after now counts as
// older than all of them. It lists at most limit failing sources.
func (s *Store) Summary(now time.Time, bounds []time.Duration, limit int) (sum record.Summary, err error) {
	sum.GitHub, sum.PyPI = newSummary(bounds), newSummary(bounds)
	var failing []record.Failing
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketStates).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if len(v) < 2*stateLen || int(v[0]) >= len(states) || int(v[stateLen]) >= len(states) {
				continue // damaged; written again with the package
			}
			sum.Packages++
			for i, into := range []*record.SourceSummary{&sum.GitHub, &sum.PyPI} {
				at := v[i*stateLen:]
				state := states[at[0]]
				count(into, state, micros(at[1:9]), now, bounds)
				if state == record.StateFailed || state == record.StateGone || state == record.StateBlocked {
					sum.AllFailing++
					failing = append(failing, record.Failing{ID: int(number(k)), PyPI: i == 1, State: state, Since: micros(at[9:17])})
				}
			}
		}
		return nil
	})
	slices.SortStableFunc(failing, func(a, b record.Failing) int {
		if (a.State == record.StateFailed) != (b.State == record.StateFailed) {
			if a.State == record.StateFailed {
				return -1
			}
			return 1
		}
		return b.Since.Compare(a.Since)
	})
	sum.Failing = failing[:min(len(failing), limit)]
	return sum, err
}

func newSummary(bounds []time.Duration) record.SourceSummary {
	return record.SourceSummary{States: make(map[record.State]int), Ages: make([]int, len(bounds)+1)}
}

func count(sum *record.SourceSummary, state record.State, success, now time.Time, bounds []time.Duration) {
	sum.States[state]++
	switch {
	case !state.Answers(): // nothing fresher is available
	case success.IsZero():
		sum.Never++
	case success.After(now.Add(time.Minute)): // by a clock that was ahead: its age is not known
		sum.Ages[len(bounds)]++
	default:
		age := now.Sub(success)
		i, _ := slices.BinarySearch(bounds, age+1) // an age equal to a bound is not below it
		sum.Ages[i]++
		sum.AgeSeconds += max(age, 0).Seconds()
	}
}

// micros reads a time, of which 0 is the zero time.
func micros(b []byte) time.Time {
	if n := binary.BigEndian.Uint64(b); n != 0 {
		return time.UnixMicro(int64(n)).UTC()
	}
	return time.Time{}
}
