package store

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"pkgmetad/internal/record"
)

// withCategories gives the entries that name no age of their own that of their category.
func withCategories(entries []record.Entry, categories []record.Category) {
	ages := make(map[int]time.Duration, len(categories))
	for _, c := range categories {
		ages[c.ID] = c.StaleAfter
	}
	for i := range entries {
		if e := &entries[i]; e.StaleAfter == 0 {
			e.StaleAfter = ages[e.Category]
		}
	}
}

// noteIntervals notes the sources whose interval changes, if at all, by the change of a
// package from old to next. Either may be nil: the package is new, or leaves.
func (w *writer) noteIntervals(old, next *row) error {
	none := new(row)
	old, next = cmp.Or(old, none), cmp.Or(next, none)
	for _, key := range append(old.keys(), next.keys()...) {
		source, err := w.source(key)
		if errors.Is(err, ErrNotFound) || errors.Is(err, errDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		same := old.StaleAfter == next.StaleAfter && slices.Contains(old.keys(), key) && slices.Contains(next.keys(), key)
		known := source.Interval != record.Interval{}
		// Where no package names an age, as mostly, there is nothing to compute.
		if known && (!same || w.repair) || !known && next.StaleAfter != 0 {
			w.intervals[key] = true
		}
	}
	return nil
}

// setIntervals computes the intervals anew of the sources that were noted, from the
// packages that refer to them by now.
func (w *writer) setIntervals() error {
	for _, key := range slices.Sorted(maps.Keys(w.intervals)) {
		var ages []time.Duration
		for _, id := range referringTo(w.Tx, key) {
			r, err := getRow(w.Tx, id)
			if errors.Is(err, errDamaged) {
				w.met(err)
				continue
			}
			if err != nil {
				return err
			}
			ages = append(ages, r.StaleAfter)
		}
		source, err := w.source(key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		interval := record.IntervalOf(ages)
		if len(ages) == 0 || interval == source.Interval {
			continue
		}
		next := *source
		next.Interval = interval
		if err := errors.Join(w.putSource(source, &next), w.forgetLimits()); err != nil {
			return err
		}
	}
	clear(w.intervals)
	return nil
}

// forgetLimits makes the next Reschedule look at every source.
func (w *writer) forgetLimits() error { return w.Bucket(bucketMeta).Delete(keyLimits) }
