package store

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Due returns the sources that are due at now, at most limit of them, and whether there
// are more. Their order also decides which of them the limit leaves out: first those that
// have never answered; then those that are overdue by more of their interval, in steps of a
// quarter; then those of packages that are read more; then those that fell due first.
// Sources alike in all of that are grouped by package. Damaged sources are left out and
// reported in an error; the sources returned with it are good.
func (s *Store) Due(now time.Time, limit int, by record.Order) (sources []record.Source, more bool, err error) {
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		for _, r := range rankDue(tx, now, limit+spareRanks, by) {
			if len(sources) == limit {
				more = true
				return nil
			}
			source, err := getSource(tx, r.key)
			if err != nil {
				damaged = append(damaged, fmt.Errorf("%s: %w", r.key, err))
			} else if source.IsDue(now) { // else later within the microsecond that the key is truncated to
				sources = append(sources, source)
			}
		}
		return nil
	})
	return sources, more, s.partly(err, damaged)
}

// DueKeys is Due for the keys alone. It reads no sources, so that damage goes unnoticed.
func (s *Store) DueKeys(now time.Time, limit int, by record.Order) (keys []record.Key, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		ranks := rankDue(tx, now, limit+1, by)
		if more = len(ranks) > limit; more {
			ranks = ranks[:limit]
		}
		for _, r := range ranks {
			keys = append(keys, r.key)
		}
		return nil
	})
	return keys, more, err
}

// spareRanks stand in for sources that turn out to be damaged.
const spareRanks = 256

// rank is what decides when it is the turn of a source that is due.
type rank struct {
	step  int    // how overdue it is
	reads uint64 // of the packages that refer to it
	due   uint64 // when it fell due, in microseconds since 1970
	id    int    // the lowest of the packages that refer to it
	name  string // what key ends in, which stands in for id until that is looked up
	key   record.Key
}

// neverAnswered is the step of a source that nothing is known of, beyond all others.
const neverAnswered = math.MaxInt

// compare is negative if a comes before b.
func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(b.step, a.step), cmp.Compare(b.reads, a.reads), cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id),
		cmp.Compare(a.name, b.name), cmp.Compare(a.key, b.key))
}

// rankDue returns up to limit of the sources that are due, the first in order, without
// reading the sources.
func rankDue(tx *bolt.Tx, now time.Time, limit int, by record.Order) []rank {
	var best []rank
	var bar *rank // what does not come before it is beyond the limit
	cut := func() {
		slices.SortFunc(best, rank.compare)
		if len(best) > limit {
			best = best[:limit]
			worst := best[limit-1]
			bar = &worst
		}
	}
	var reads map[record.Key]uint64
	last := number(timeKey(now))
	c := tx.Bucket(bucketDue).Cursor()
	for k, v := c.First(); k != nil && number(k[:8]) <= last; k, v = c.Next() {
		if by.Skip != nil && by.Skip(record.Key(k[8:])) {
			continue
		}
		if reads == nil {
			reads = readsOf(tx, by.Reads)
		}
		r := rank{due: number(k[:8]), reads: reads[record.Key(k[8:])], key: record.Key(k[8:])}
		r.name = string(r.key[strings.LastIndexAny(string(r.key), "/:")+1:]) // mostly that of a package's repository and its project
		never, interval := decodeDueValue(v)
		if r.step = neverAnswered; !never {
			quarter := max(interval.Or(by.StaleAfter), time.Second) / 4
			r.step = int(time.Duration(last-r.due) * time.Microsecond / quarter)
		}
		if bar != nil && r.compare(*bar) >= 0 {
			continue
		}
		if best = append(best, r); len(best) >= 2*limit {
			cut()
		}
	}
	cut()
	for i := range best {
		best[i].id, best[i].name = firstReferring(tx, best[i].key), ""
	}
	slices.SortFunc(best, rank.compare)
	return best
}

// readsOf returns how often the packages that refer to a source were read.
func readsOf(tx *bolt.Tx, byID func() map[int]uint64) map[record.Key]uint64 {
	reads := map[record.Key]uint64{}
	if byID == nil {
		return reads
	}
	for id, n := range byID() {
		r, err := getRow(tx, id)
		if err != nil {
			continue // it has left the catalogue, or is damaged: then it is as if unread
		}
		for _, key := range r.keys() {
			reads[key] += n
		}
	}
	return reads
}

func firstReferring(tx *bolt.Tx, key record.Key) int {
	prefix := append([]byte(key), 0)
	if k, _ := tx.Bucket(bucketReferences).Cursor().Seek(prefix); len(k) == len(prefix)+8 {
		return int(number(k[len(prefix):]))
	}
	return 0
}

// A value of the due bucket says what else decides between sources that are due: in a
// first byte whether one has never answered, and whether some of the packages that refer
// to it name no age at which it is fetched again; in the next 8 the shortest that they
// name, in nanoseconds. What is zero at its end is left out, mostly all of it.
const (
	dueNever   = 1
	dueDefault = 2
)

func dueValue(s *record.Source) (value []byte) {
	var flags byte
	if s.LastSuccess.IsZero() && s.State != record.StateGone && s.State != record.StateBlocked {
		flags |= dueNever
	}
	if s.Interval.Default {
		flags |= dueDefault
	}
	switch {
	case s.Interval.Shortest != 0:
		return append([]byte{flags}, key(int(s.Interval.Shortest))...)
	case flags != 0:
		return []byte{flags}
	}
	return nil
}

func decodeDueValue(v []byte) (never bool, i record.Interval) {
	if len(v) > 0 {
		never, i.Default = v[0]&dueNever != 0, v[0]&dueDefault != 0
	}
	if len(v) == 9 {
		i.Shortest = time.Duration(number(v[1:]))
	}
	return never, i
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

// Reschedule brings sources forward that are due at a time that cannot be right. What was
// asked after now, by a clock that was ahead, becomes due at now. What is due after latest,
// because of such a clock too, or of limits or an interval that have been lowered, becomes
// due then; latest must depend on the source alone. It returns how many were moved, but for
// imported ones: who imports does not know latest, so their time is no sign of trouble.
//
// It reads all sources, but only where there is reason to: an attempt after now is
// stored, an interval has changed, or limits, the name of what latest returns, has changed
// since the last call.
func (s *Store) Reschedule(now time.Time, latest func(*record.Source) time.Time, limits string) (moved int, err error) {
	suspect := false
	if err := s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		suspect = timeOf(meta.Get(keyAttempted)).After(now) || string(meta.Get(keyLimits)) != limits
		return nil
	}); err != nil || !suspect {
		return 0, err
	}
	earlier := func(source *record.Source) (due time.Time, wrong bool) {
		if !source.State.Fetchable() || source.IsDue(now) {
			return due, false
		}
		if due = latest(source); source.LastAttempt.After(now) {
			due = now
		}
		return due.UTC().Truncate(time.Microsecond), due.Before(source.NextDue)
	}
	last := record.Key("")
	for {
		sources, err := s.SourcesAfter(last, mendChunk)
		if err != nil && len(sources) == 0 {
			return moved, err
		}
		if len(sources) == 0 {
			break
		}
		last = sources[len(sources)-1].Key
		sources = slices.DeleteFunc(sources, func(source record.Source) bool { _, wrong := earlier(&source); return !wrong })
		n, err := s.moveDue(sources, earlier)
		if moved += n; err != nil {
			return moved, err
		}
	}
	return moved, s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(keyLimits, []byte(limits)), meta.Put(keyAttempted, timeKey(now)))
	})
}

// moveDue makes those of the sources due earlier that are still wrong, and returns how
// many were, without imported ones.
func (s *Store) moveDue(sources []record.Source, earlier func(*record.Source) (time.Time, bool)) (moved int, err error) {
	if len(sources) == 0 {
		return 0, nil
	}
	err = s.write(func(w *writer) error {
		moved = 0
		for i := range sources {
			stored, err := w.source(sources[i].Key)
			if errors.Is(err, ErrNotFound) {
				continue // it has left the catalogue
			}
			if err != nil {
				return err
			}
			due, wrong := earlier(stored)
			if !wrong {
				continue // a pass came before
			}
			next := *stored
			next.NextDue = due
			if err := w.putSource(stored, &next); err != nil {
				return err
			}
			if !stored.Imported {
				moved++
			}
		}
		return nil
	})
	return moved, err
}
