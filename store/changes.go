package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ErrForgotten is returned for a sequence that the feed cannot go on from: it
// is older than the oldest deletion that is still known, or not of this store.
var ErrForgotten = errors.New("the feed does not reach back to this sequence")

// Change is one entry of the feed: the last change of a package.
type Change struct {
	Sequence uint64
	Deleted  bool // the package left the catalogue; else it appeared or changed
	ID       int
	Slug     string    // of a package that is deleted; else Body tells
	At       time.Time // UTC
	Body     []byte    // a copy of what is served; nil where deleted
}

// Changes returns what changed after the sequence since, in the order of the
// changes, at most limit entries, and the sequence to go on from; more says
// whether that is worth doing at once. A package that changed several times
// comes once, at its last change: a reader that applies all entries in order
// holds exactly what is served.
//
// since 0 begins with nothing, and is always answered. Another one that the
// feed does not reach back to, or that lies ahead of it, is an ErrForgotten.
func (s *Store) Changes(since uint64, limit int) (changes []Change, next uint64, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		sequence, floor := number(meta.Get(keySequence)), number(meta.Get(keyFloor))
		if since != 0 && (since < floor || since > sequence) {
			return fmt.Errorf("%w: it knows %d to %d, not %d", ErrForgotten, floor, sequence, since)
		}
		next = sequence
		updates, deletions := tx.Bucket(bucketChanges).Cursor(), tx.Bucket(bucketDeletions).Cursor()
		k, id := updates.Seek(key(int(since + 1)))
		dk, deletion := deletions.Seek(key(int(since + 1)))
		for k != nil || dk != nil {
			if len(changes) >= limit {
				more, next = true, since
				if len(changes) > 0 {
					next = changes[len(changes)-1].Sequence
				}
				return nil
			}
			if k == nil || dk != nil && bytes.Compare(dk, k) < 0 {
				changes = append(changes, Change{
					Sequence: number(dk), Deleted: true,
					At: timeOf(deletion[:8]), ID: int(number(deletion[8:16])), Slug: string(deletion[16:]),
				})
				dk, deletion = deletions.Next()
				continue
			}
			p, err := s.find(tx, int(number(id)))
			if err != nil {
				return err
			}
			changes = append(changes, Change{Sequence: number(k), ID: p.ID, At: p.Changed, Body: bytes.Clone(p.Body)})
			k, id = updates.Next()
		}
		return nil
	})
	return changes, next, more, err
}

// Forget drops the deletions before a time from the feed. A reader that was away
// for longer has to begin again. The packages themselves keep their ids and data.
//
// A package that has not changed since then takes a new place in the feed, behind
// all that is forgotten: so that a reader who begins with nothing never comes by
// a sequence that could be that of one who was away.
func (s *Store) Forget(before time.Time) error {
	stale := func(tx *bolt.Tx) (keys [][]byte) {
		c := tx.Bucket(bucketDeletions).Cursor()
		for k, v := c.First(); k != nil && timeOf(v[:8]).Before(before); k, v = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		return keys
	}
	var last []byte // the latest to forget
	if err := s.view(func(tx *bolt.Tx) error {
		if keys := stale(tx); len(keys) > 0 {
			last = keys[len(keys)-1]
		}
		return nil
	}); err != nil || last == nil {
		return err
	}
	for moved := true; moved; {
		if err := s.write(func(w *writer) (err error) {
			moved, err = s.moveUp(w, last)
			return err
		}); err != nil {
			return fmt.Errorf("forget old deletions: %w", err)
		}
	}
	err := s.update(func(tx *bolt.Tx) error {
		if err := deleteKeys(tx.Bucket(bucketDeletions), stale(tx)); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keyFloor, last)
	})
	if err != nil {
		return fmt.Errorf("forget old deletions: %w", err)
	}
	return nil
}

// moveUp gives packages whose last change is not after a sequence a later one,
// at most syncChunk of them. When they changed stays as it is.
func (s *Store) moveUp(w *writer, last []byte) (moved bool, err error) {
	changes := w.Bucket(bucketChanges)
	var keys, ids [][]byte
	c := changes.Cursor()
	for k, v := c.First(); k != nil && bytes.Compare(k, last) <= 0 && len(keys) < syncChunk; k, v = c.Next() {
		keys, ids = append(keys, bytes.Clone(k)), append(ids, bytes.Clone(v))
	}
	if err := deleteKeys(changes, keys); err != nil {
		return false, err
	}
	for _, id := range ids {
		p, err := s.find(w.Tx, int(number(id)))
		if err != nil {
			return false, err
		}
		if err := writeServed(w, p.ID, p.Changed, bytes.Clone(p.Body)); err != nil {
			return false, err
		}
	}
	return len(keys) > 0, nil
}
