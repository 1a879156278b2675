package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/internal/record"
)

const damageAdvice = "pkgmetad check lists all that is damaged: put a backup in the file's place, " +
	"or, without one, move it away and import a snapshot into an empty store"

// damageError is the error of a damaged store, with what to do about it.
type damageError struct{ error }

func (d *damageError) Error() string { return d.error.Error() + "; " + damageAdvice }
func (d *damageError) Unwrap() error { return d.error }

// withAdvice adds to the error of a damaged store what to do about it, once.
func withAdvice(err error) error {
	if err == nil { // as nearly always, and without what errors.As allocates
		return nil
	}
	if advised := (*damageError)(nil); !errors.Is(err, errDamaged) || errors.As(err, &advised) {
		return err
	}
	return &damageError{err}
}

// health is what is known to be wrong with a store.
type health struct {
	mu     sync.Mutex
	away   *record.Problem // the file is not at its path
	damage *record.Problem // something damaged was read
	writes *record.Problem // writes fail
	failed error           // the write that did
	probe  int             // pages that a write has to get before writes count as working
	repair bool            // the next sync has to repair what is damaged

	unmarked atomic.Bool // the file does not say yet that damage was met; every read looks here
}

// Kinds of [record.Problem] that a store has.
const (
	ProblemFile   = "store_file"   // the file was deleted, moved or replaced
	ProblemDamage = "store_damage" // something damaged was read
	ProblemWrites = "store_writes" // writes fail
)

// note makes p the problem at place, which keeps its time as long as it goes on.
// nil is no problem. The caller holds mu.
func note(place **record.Problem, kind string, err error) {
	switch {
	case err == nil:
		*place = nil
	case *place == nil:
		*place = &record.Problem{Kind: kind, Since: time.Now().UTC(), Detail: err.Error()}
	default:
		p := **place
		p.Detail = err.Error()
		*place = &p
	}
}

// Problems returns what is wrong with the store: at most one of each kind.
func (s *Store) Problems() (all []record.Problem) {
	_ = s.inPlace() // which notes it
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	for _, p := range []*record.Problem{s.health.away, s.health.damage, s.health.writes} {
		if p != nil {
			all = append(all, *p)
		}
	}
	return all
}

// forget forgets what was wrong with a file that another one has replaced.
func (h *health) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away, h.damage, h.repair = nil, nil, false
	h.unmarked.Store(false)
}

// Synced reports whether the store holds a catalogue, synced now or in an earlier run.
func (s *Store) Synced() bool { return s.synced.Load() }

// Ready returns nil if the store can be read, nothing damaged was met in it, its file
// is still the one at its path, and it is Synced. Writes that fail do not count: what
// is stored can be served.
func (s *Store) Ready() error {
	if !s.Synced() {
		return errors.New("the catalogue has not been loaded into the store yet")
	}
	if err := s.view(func(tx *bolt.Tx) error { return nil }); err != nil {
		return err
	}
	if err := s.inPlace(); err != nil {
		return err
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.damage != nil {
		return errors.New(s.health.damage.Detail)
	}
	return nil
}

// errNotInPlace is wrapped by the errors of inPlace.
var errNotInPlace = errors.New("another file, or none, is at the store's path")

// inPlace fails if the open file is not the one at its path. Locks follow the inode:
// if the file is moved away, another process can open a new one at its path, and both
// believe that they own it.
func (s *Store) inPlace() error {
	named, err := os.Stat(s.path)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: the file that is open is not at its path any more: %w; put it back, or restart to begin with a new one", errNotInPlace, err)
	case !os.SameFile(*s.info.Load(), named):
		err = fmt.Errorf("%w: the file at %s is not the one that is open; restart to use it", errNotInPlace, s.path)
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	note(&s.health.away, ProblemFile, err)
	return err
}

// noteDamage notes that something damaged was read, if err says so.
func (s *Store) noteDamage(err error) {
	if err == nil || !errors.Is(err, errDamaged) {
		return
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.damage == nil {
		note(&s.health.damage, ProblemDamage, withAdvice(err))
		s.health.unmarked.Store(true)
		s.health.repair = true
	}
}

// markDamage writes into the file that damage was met, if it was: the next start then
// syncs the catalogue again, which repairs values. It must not be called within a
// transaction.
func (s *Store) markDamage() {
	if !s.health.unmarked.Load() || !s.health.unmarked.CompareAndSwap(true, false) {
		return
	}
	_ = s.change(func(tx *bolt.Tx) error { // if it fails, SIGHUP still syncs the catalogue
		if meta := tx.Bucket(bucketMeta); meta != nil {
			return errors.Join(meta.Delete(keyCatalogue), meta.Put(keyDamaged, nil))
		}
		return nil
	})
}

// partly returns the error of a read that left out what is damaged.
func (s *Store) partly(err error, damaged []error) error {
	err = errors.Join(err, errors.Join(damaged...))
	s.noteDamage(err)
	s.markDamage()
	return withAdvice(err)
}

// endRepair ends the state of being damaged if everything that is served and fetched
// can be read again. A sync has repaired values; pages it cannot.
func (s *Store) endRepair() {
	err := s.read(func(tx *bolt.Tx) error {
		if s.file.broken.Load() {
			return errBroken
		}
		return firstDamaged(tx)
	})
	if err == nil {
		err = s.change(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyDamaged) })
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	note(&s.health.damage, ProblemDamage, withAdvice(err))
	s.health.repair = err != nil
}

// firstDamaged fails if a value is damaged that a reader, a pass or a sync reads.
func firstDamaged(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketPackages, bucketSources, bucketServed, bucketCategories, bucketGrids} {
		c := tx.Bucket(name).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if !intact(v) {
				return fmt.Errorf("%w: the checksum of %s does not match its value", errDamaged, placeOf(name, k))
			}
		}
	}
	return nil
}

// Damaged reports whether damage was met that nothing has repaired yet. Of a replica, Rebuild
// does.
func (s *Store) Damaged() bool { return s.toRepair() }

// toRepair reports whether a sync has to repair what is damaged.
func (s *Store) toRepair() bool {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.repair
}

// A probe has to get at least this much, and at most that much, of the file.
const (
	minProbe = 1 << 20 >> 12 // pages of 4 KiB
	maxProbe = 16 << 20 >> 12
)

// noteFailedWrite notes that a write failed, and returns its error.
func (s *Store) noteFailedWrite(err error) error {
	if errors.Is(err, errNotInPlace) || errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return err // a problem of its own, and none
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.writes == nil { // else it is a probe, or writes as small as fit in
		s.health.probe = min(max(minProbe, 2*s.health.probe), maxProbe)
	}
	note(&s.health.writes, ProblemWrites, withAdvice(err))
	s.health.failed = err
	return err
}

// Writable returns nil if writes are expected to work. After one has failed, they are
// not until a probe has: a write that gets as much of the file as a batch may need,
// since on a full disk small ones go on succeeding. The error says what was wrong
// when it was last tried.
func (s *Store) Writable() error {
	if err := s.inPlace(); err != nil {
		return err
	}
	s.health.mu.Lock()
	failed, pages := s.health.failed, s.health.probe
	s.health.mu.Unlock()
	if failed == nil {
		return nil
	}
	err := s.update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketProbe)
		if err != nil {
			return err
		}
		filling := make([]byte, 1900) // two of them fill a page
		for i := range 2 * pages {
			if err := b.Put(key(i), filling); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.update(dropProbe)
	}
	if err != nil {
		return err
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	s.health.writes, s.health.failed = nil, nil
	return nil
}

func dropProbe(tx *bolt.Tx) error {
	if tx.Bucket(bucketProbe) == nil {
		return nil
	}
	return tx.DeleteBucket(bucketProbe)
}
