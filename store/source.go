package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Put stores what was learnt of each source, in one transaction: all of it or, on
// an error, nothing. Every package that refers to one of them is rendered anew.
//
// A source that no package refers to any more is passed over, and so is what
// loses against what is stored by [record.Wins].
func (s *Store) Put(learnt []record.Source) error {
	err := s.write(func(w *writer) error {
		for i := range learnt {
			if err := w.learn(&learnt[i], 0); err != nil {
				return fmt.Errorf("%s: %w", learnt[i].Key, err)
			}
		}
		return w.updateReferring(w.now)
	})
	if err != nil {
		return fmt.Errorf("store what %s said: %w", record.Count(len(learnt), "source", "sources"), err)
	}
	return nil
}

// Sources returns the sources that the live package with that slug refers to,
// its repository first, or ErrNotFound.
func (s *Store) Sources(slug string) (sources []record.Source, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		id := tx.Bucket(bucketSlugs).Get([]byte(slug))
		if id == nil {
			return ErrNotFound
		}
		r, err := getRow(tx, int(number(id)))
		if err != nil {
			return err
		}
		for _, key := range r.keys() {
			source, err := getSource(tx, key)
			if err != nil {
				return err
			}
			sources = append(sources, source)
		}
		return nil
	})
	return sources, err
}

// Source returns a source, or ErrNotFound.
func (s *Store) Source(key record.Key) (source record.Source, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		source, err = getSource(tx, key)
		return err
	})
	return source, err
}

// SourcesAfter returns up to limit sources, by key, from the first key greater
// than the given one. Sources that are damaged are left out and named in an error;
// those returned beside it are good.
func (s *Store) SourcesAfter(key record.Key, limit int) (sources []record.Source, err error) {
	var damaged []error
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketSources).Cursor()
		for k, v := c.Seek(append([]byte(key), 0)); k != nil && len(sources) < limit; k, v = c.Next() {
			source, err := decodeSource(k, v)
			if err != nil {
				damaged = append(damaged, err)
				continue
			}
			sources = append(sources, source)
		}
		return nil
	})
	return sources, s.partly(err, damaged)
}

func getSource(tx *bolt.Tx, key record.Key) (record.Source, error) {
	value := tx.Bucket(bucketSources).Get([]byte(key))
	if value == nil {
		return record.Source{}, ErrNotFound
	}
	return decodeSource([]byte(key), value)
}

func decodeSource(key, value []byte) (source record.Source, err error) {
	err = decode(value, &source, fmt.Sprintf("%s/%s", bucketSources, key))
	return source, err
}

// A lesson is what a transaction has learnt of a source.
type lesson struct {
	changed bool      // something served of it
	success bool      // it has answered
	at      time.Time // of the attempt
}

// source returns what is known of a source. It is read once in a transaction.
func (w *writer) source(key record.Key) (*record.Source, error) {
	if known := w.sources[key]; known != nil {
		return known, nil
	}
	source, err := getSource(w.Tx, key)
	if err != nil {
		w.met(err)
		return nil, err
	}
	w.sources[key] = &source
	return &source, nil
}

// learn stores what was learnt of a source, where it wins against what is known,
// and notes the packages that refer to it, but for the one with the id aside.
func (w *writer) learn(learnt *record.Source, aside int) error {
	known, err := w.source(learnt.Key)
	if errors.Is(err, errDamaged) {
		known, err = &record.Source{Key: learnt.Key, Interval: learnt.Interval}, w.purgeDue(learnt.Key)
	}
	if errors.Is(err, ErrNotFound) {
		return nil // no package refers to it any more
	}
	if err != nil {
		return err
	}
	referring := referringTo(w.Tx, learnt.Key)
	if len(referring) == 0 {
		return w.dropSource(known)
	}
	if !record.Wins(learnt, known, time.Now()) {
		return nil
	}
	if learnt.Interval != known.Interval { // a sync has changed it since, and the time that is due was computed without
		if err := w.forgetLimits(); err != nil {
			return err
		}
		kept := *learnt
		kept.Interval, learnt = known.Interval, &kept
	}
	changed, success := !record.SameServed(known, learnt), !known.LastSuccess.Equal(learnt.LastSuccess)
	if err := w.putSource(known, learnt); err != nil {
		return err
	}
	for _, id := range referring {
		if id == aside {
			continue
		}
		l := w.referring[id]
		l.changed, l.success = l.changed || changed, l.success || success
		if learnt.LastAttempt.After(l.at) {
			l.at = learnt.LastAttempt
		}
		w.referring[id] = l
	}
	return nil
}

// updateReferring brings the packages up to date that refer to what was learnt. now is
// the time of change, where the answers do not give a later one.
func (w *writer) updateReferring(now time.Time) error {
	if w.changes != nil { // each host does so when the change comes back
		clear(w.referring)
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(w.referring)) {
		if err := w.update(id, w.referring[id], now); err != nil {
			return fmt.Errorf("package %d: %w", id, err)
		}
		runtime.Gosched() // readers go first: they never wait for a writer, except for its CPU
	}
	clear(w.referring)
	return nil
}

// update renders a package anew from what its sources say by now.
func (w *writer) update(id int, l lesson, changed time.Time) error {
	r, err := getRow(w.Tx, id)
	if errors.Is(err, errDamaged) {
		w.met(err)
		return nil // served as before, until the catalogue is taken over again
	}
	if err != nil {
		return err
	}
	p, err := w.resolve(&r)
	if errors.Is(err, errDamaged) {
		w.met(err)
		return nil // its other source, likewise
	}
	if err != nil {
		return err
	}
	// What the package serves decides, not what the source had said before: one that
	// was migrated may still be served with older data.
	if !w.serves(&p, !l.changed) {
		r.Modified = later(r.Modified, l.at, changed)
	}
	if l.success {
		r.LastFetched = record.LastFetched(&p, time.Now())
	}
	return w.putPackage(&r)
}

// putSource writes a source in place of old, nil for none, with its due key.
func (w *writer) putSource(old, source *record.Source) error {
	value, err := encode(source)
	if err != nil {
		return err
	}
	w.noteSource(source.Key, old, source)
	due := w.Bucket(bucketDue)
	if old != nil {
		if err := due.Delete(dueKey(old)); err != nil {
			return err
		}
	}
	if err := due.Put(dueKey(source), dueValue(source)); err != nil {
		return err
	}
	kept := *source
	w.sources[source.Key] = &kept
	if source.LastAttempt.After(w.attempted) {
		w.attempted = source.LastAttempt
	}
	return w.Bucket(bucketSources).Put([]byte(source.Key), value)
}

func (w *writer) dropSource(source *record.Source) error {
	w.noteSource(source.Key, source, nil)
	delete(w.sources, source.Key)
	if err := w.Bucket(bucketDue).Delete(dueKey(source)); err != nil {
		return err
	}
	return w.Bucket(bucketSources).Delete([]byte(source.Key))
}

// purgeDue removes the due keys of a source that is damaged and can't tell them.
func (w *writer) purgeDue(key record.Key) error {
	var stale [][]byte
	c := w.Bucket(bucketDue).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if string(k[8:]) == string(key) {
			stale = append(stale, bytes.Clone(k))
		}
	}
	return deleteKeys(w.Bucket(bucketDue), stale)
}

func referenceKey(key record.Key, id int) []byte {
	k := append([]byte(key), 0) // which no key contains
	return appendNumber(k, uint64(id))
}

// referringTo returns the ids of the packages that refer to a source, ascending.
func referringTo(tx *bolt.Tx, key record.Key) (ids []int) {
	prefix := append([]byte(key), 0)
	c := tx.Bucket(bucketReferences).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		ids = append(ids, int(number(k[len(prefix):])))
	}
	return ids
}

// refer notes that a package refers to a source from now on.
func (w *writer) refer(key record.Key, id int) error {
	return w.Bucket(bucketReferences).Put(referenceKey(key, id), nil)
}

// unrefer notes that a package does not refer to a source any more. A source
// that nobody refers to is dropped by dropUnreferenced, not at once: another
// package of the same catalogue may come to refer to it.
func (w *writer) unrefer(key record.Key, id int) error {
	w.unreferred[key] = true
	return w.Bucket(bucketReferences).Delete(referenceKey(key, id))
}

// dropUnreferenced drops those of the given sources that no package refers to.
// The tombstones of the packages that did keep what they said.
func (w *writer) dropUnreferenced(keys map[record.Key]bool) error {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if len(referringTo(w.Tx, key)) > 0 {
			continue
		}
		source, err := w.source(key)
		if errors.Is(err, errDamaged) {
			source, err = &record.Source{Key: key}, w.purgeDue(key)
		}
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			err = w.dropSource(source)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
