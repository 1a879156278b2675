package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ErrForgotten is returned for a sequence that the feed cannot continue from: later
// deletions have been forgotten, or it is not a sequence of this store.
var ErrForgotten = errors.New("the feed does not reach back to this sequence")

// ErrAhead is returned by a replica for a sequence that it has not come to yet. Another host
// may have.
var ErrAhead = errors.New("this store has not come to this sequence yet")

// Change is one entry of the feed: the last change of a package.
type Change struct {
	Sequence uint64
	Deleted  bool // the package left the catalogue; else it appeared or changed
	ID       int
	Slug     string    // if Deleted; else it is in Body
	At       time.Time // UTC
	Body     []byte    // a copy of what is served; nil if Deleted
}

// Changes returns what changed after the sequence since, in the order of the
// changes, at most limit entries, and the sequence to continue from; more says
// whether there are further entries already. A package that changed several times
// is listed once, at its last change: a client that applies all entries in order
// has exactly what is served.
//
// since 0 starts from the beginning, and always works. Any other sequence that the
// feed does not reach back to, or that is ahead of it, is an ErrForgotten; one ahead of a
// replica is an ErrAhead.
func (s *Store) Changes(since uint64, limit int) (changes []Change, next uint64, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		sequence, floor := number(meta.Get(keySequence)), number(meta.Get(keyFloor))
		if s.options.Replica && since > sequence {
			return fmt.Errorf("%w: it has come to %d, not to %d", ErrAhead, sequence, since)
		}
		if since != 0 && (since < floor || since > sequence) {
			return fmt.Errorf("%w: it covers %d to %d, not %d", ErrForgotten, floor, sequence, since)
		}
		next = sequence
		updates, deletions := tx.Bucket(bucketChanges).Cursor(), tx.Bucket(bucketDeletions).Cursor()
		k, id := updates.Seek(key(int(since + 1)))
		dk, deletion := deletions.Seek(key(int(since + 1)))
		for k != nil || dk != nil {
			// The changes that one message has made are listed together: next is between two.
			if n := len(changes); n >= limit && (n == 0 || k == nil || sequenceOf(k) != changes[n-1].Sequence) {
				more, next = true, since
				if n > 0 {
					next = changes[n-1].Sequence
				}
				return nil
			}
			if k == nil || dk != nil && bytes.Compare(dk, k[:8]) < 0 {
				changes = append(changes, Change{
					Sequence: number(dk), Deleted: true,
					At: timeOf(deletion[:8]), ID: int(number(deletion[8:16])), Slug: string(deletion[16:]),
				})
				dk, deletion = deletions.Next()
				continue
			}
			p, err := s.findServed(tx, int(number(id)))
			if err != nil {
				return err
			}
			changes = append(changes, Change{Sequence: sequenceOf(k), ID: p.ID, At: p.Changed, Body: bytes.Clone(p.Body)})
			k, id = updates.Next()
		}
		return nil
	})
	return changes, next, more, err
}

// Forget drops the deletions before a time from the feed. A client that was away
// for longer has to start again. The packages themselves keep their ids and data.
//
// A package whose last change is not after the last of these deletions is moved to
// the end of the feed. Otherwise a client that starts from the beginning and reads in
// pages would be told to continue from a sequence that is refused, just as that of a
// client that was away is.
//
// A replica keeps them all: when they are forgotten would have to be the same on every host.
func (s *Store) Forget(before time.Time) error {
	if s.options.Replica {
		return nil
	}
	stale := func(tx *bolt.Tx) (keys [][]byte) {
		c := tx.Bucket(bucketDeletions).Cursor()
		for k, v := c.First(); k != nil && timeOf(v[:8]).Before(before); k, v = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		return keys
	}
	var last []byte // the key of the latest deletion to forget
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
			moved, err = s.moveToEnd(w, last)
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

// moveToEnd moves packages whose last change is not after the sequence last to the
// end of the feed, at most syncChunk of them. The time of that change stays.
func (s *Store) moveToEnd(w *writer, last []byte) (moved bool, err error) {
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
		p, err := s.findServed(w.Tx, int(number(id)))
		if err != nil {
			return false, err
		}
		if err := writeServed(w, p.ID, p.Changed, bytes.Clone(p.Body)); err != nil {
			return false, err
		}
	}
	return len(keys) > 0, nil
}
