package store

import (
	"encoding/binary"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// states in the order of their number in the sources bucket. A new one is added
// at the end.
var states = []State{StateNone, StateUnsupported, StateNew, StateOK, StatePending, StateFailed, StateGone, StateBlocked}

// A value of the sources bucket holds, for GitHub and then for PyPI: the state's
// number, the last success and the begin of the failures, as 1, 8 and 8 bytes.
const sourceLen = 1 + 8 + 8

func putSources(tx *bolt.Tx, rec *Record) error {
	value := make([]byte, 0, 2*sourceLen)
	for _, s := range []*Source{&rec.GitHub, &rec.PyPI} {
		value = append(value, byte(max(0, slices.Index(states, s.State))))
		value = append(value, timeKey(s.LastSuccess)...)
		value = append(value, timeKey(s.FailingSince)...)
	}
	return tx.Bucket(bucketSources).Put(key(rec.ID), value)
}

// Summary counts the states and ages of all live packages.
type Summary struct {
	Packages     int
	GitHub, PyPI SourceSummary
	Failing      []Failing // at most as many as were asked for: failed before gone and blocked, then those that began last
	AllFailing   int       // how many sources there are of which Failing may hold a part
}

// SourceSummary is about one source of all packages.
type SourceSummary struct {
	States map[State]int
	Ages   []int // of the last successes, but of those gone or blocked: how many are younger than each bound, and not than the one before; then the older ones
	Never  int   // sources that ought to have answered and never did
}

// Failing is a source that failed, is gone or blocked.
type Failing struct {
	ID    int // of the package
	PyPI  bool
	State State
	Since time.Time // the first of the attempts that failed
}

// Summary counts packages by the state of each source and by the age of its last
// success at now, in classes of the bounds, which ascend. It lists at most
// limit sources that fail.
func (s *Store) Summary(now time.Time, bounds []time.Duration, limit int) (sum Summary, err error) {
	sum.GitHub, sum.PyPI = newSourceSummary(bounds), newSourceSummary(bounds)
	var failing []Failing
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketSources).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if len(v) != 2*sourceLen || int(v[0]) >= len(states) || int(v[sourceLen]) >= len(states) {
				continue // damaged; written again with the package
			}
			sum.Packages++
			for i, into := range []*SourceSummary{&sum.GitHub, &sum.PyPI} {
				at := v[i*sourceLen:]
				state := states[at[0]]
				into.count(state, micros(at[1:9]), now, bounds)
				if state == StateFailed || state == StateGone || state == StateBlocked {
					sum.AllFailing++
					failing = append(failing, Failing{ID: int(number(k)), PyPI: i == 1, State: state, Since: micros(at[9:17])})
				}
			}
		}
		return nil
	})
	slices.SortStableFunc(failing, func(a, b Failing) int {
		if (a.State == StateFailed) != (b.State == StateFailed) {
			if a.State == StateFailed {
				return -1
			}
			return 1
		}
		return b.Since.Compare(a.Since)
	})
	sum.Failing = failing[:min(len(failing), limit)]
	return sum, err
}

func newSourceSummary(bounds []time.Duration) SourceSummary {
	return SourceSummary{States: make(map[State]int), Ages: make([]int, len(bounds)+1)}
}

func (sum *SourceSummary) count(state State, success, now time.Time, bounds []time.Duration) {
	sum.States[state]++
	switch {
	case !state.Fetchable() || state == StateGone || state == StateBlocked: // nothing fresher is to be had
	case success.IsZero():
		sum.Never++
	default:
		i, _ := slices.BinarySearch(bounds, now.Sub(success)+1) // an age equal to a bound is not below it
		sum.Ages[i]++
	}
}

// micros reads a time of which 0 stands for none.
func micros(b []byte) time.Time {
	if n := binary.BigEndian.Uint64(b); n != 0 {
		return time.UnixMicro(int64(n)).UTC()
	}
	return time.Time{}
}
