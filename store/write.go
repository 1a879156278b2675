package store

import (
	"context"
	"sync"
	"time"

	"pkgmetad/internal/record"

	bolt "go.etcd.io/bbolt"
)

// A writer is a read-write transaction that numbers and dates what it changes
// of what is served.
type writer struct {
	*bolt.Tx
	render   func(*record.Package) []byte
	sequence uint64    // of the last change
	now      time.Time // that changes are dated with

	attempted time.Time   // of the sources written, the latest attempt
	met       func(error) // notes a damaged value that f goes on without
	repair    bool        // not even missing values are trusted to be missing for a reason

	listed     []listedValue                 // written so far, of the states bucket
	sources    map[record.Key]*record.Source // read or written so far
	referring  map[int]lesson                // packages to be brought up to date, by id
	unreferred map[record.Key]bool           // sources that a package has ceased to refer to
	intervals  map[record.Key]bool           // sources whose interval may have changed
	changes    map[string]*change            // of records, by their names, where these are published; nil otherwise
}

// next returns the number of one more change.
func (w *writer) next() uint64 {
	w.sequence++
	return w.sequence
}

// write runs f in a read-write transaction and, once it is committed, tells
// those who wait that something served has changed. On a replica, what f changes is
// published instead, and comes back as messages.
func (s *Store) write(f func(*writer) error) error {
	if s.replica.open.Load() {
		return s.publish(f)
	}
	return s.commit(f)
}

func (s *Store) commit(f func(*writer) error) error {
	var w *writer
	err := s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		before := number(meta.Get(keySequence))
		w = s.newWriter(tx)
		tx.OnCommit(func() { s.lists.apply(w.listed) }) // before another transaction can write
		w.sequence = before
		// A clock that was set back must not date a change before an earlier
		// one: who asks by date would never hear of it.
		w.now = time.Now().UTC().Truncate(time.Microsecond)
		if last := timeOf(meta.Get(keyChanged)); w.now.Before(last) {
			w.now = last
		}
		if err := f(w); err != nil {
			return err
		}
		if w.attempted.After(timeOf(meta.Get(keyAttempted))) {
			if err := meta.Put(keyAttempted, timeKey(w.attempted)); err != nil {
				return err
			}
		}
		if w.sequence == before {
			return nil
		}
		if err := meta.Put(keySequence, key(int(w.sequence))); err != nil {
			return err
		}
		return meta.Put(keyChanged, timeKey(w.now))
	})
	if err == nil {
		s.version.publish(w.sequence, w.now)
	} else if w != nil && len(w.listed) > 0 { // a commit that failed may be stored nevertheless
		s.lists.forget()
	}
	return err
}

func (s *Store) newWriter(tx *bolt.Tx) *writer {
	return &writer{
		Tx: tx, render: s.render, met: s.noteDamage, sources: map[record.Key]*record.Source{},
		referring: map[int]lesson{}, unreferred: map[record.Key]bool{}, intervals: map[record.Key]bool{},
	}
}

// version is the state that readers are told of.
type version struct {
	mu       sync.Mutex
	sequence uint64
	changed  time.Time
	wake     chan struct{} // closed when sequence moves
	epoch    int           // how often another file came in the place of the one that was open
}

// publish moves the version on. Writers may come here in another order than
// they committed in.
func (v *version) publish(sequence uint64, changed time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if sequence > v.sequence {
		v.sequence, v.changed = sequence, changed
		close(v.wake)
		v.wake = make(chan struct{})
	}
}

// restart moves the version to where another file is, which may be back.
func (v *version) restart(sequence uint64, changed time.Time, _ <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sequence, v.changed = sequence, changed
	v.epoch++
	close(v.wake)
	v.wake = make(chan struct{})
}

func (v *version) epochs() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.epoch
}

func (v *version) get() (sequence uint64, changed time.Time, wake <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sequence, v.changed, v.wake
}

// Sequence returns the number of the last change of anything served. It grows
// with each; a new file begins with the time of its making in microseconds, so
// that it goes on where an earlier one at its path cannot have ended.
func (s *Store) Sequence() uint64 {
	sequence, _, _ := s.version.get()
	return sequence
}

// Changed returns when anything served last changed. It never goes back. What is
// read after this call is of this time or later.
func (s *Store) Changed() time.Time {
	_, changed, _ := s.version.get()
	return changed
}

// Wait returns nil as soon as Sequence is greater than since, or ctx's error
// when that ends first. It also returns nil when the store is rebuilt: since may then be
// ahead of it for long.
func (s *Store) Wait(ctx context.Context, since uint64) error {
	epoch := s.version.epochs()
	for {
		sequence, _, wake := s.version.get()
		if sequence > since || s.version.epochs() != epoch {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
