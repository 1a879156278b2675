package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/durable"
)

func rebuildPath(path string) string { return path + ".rebuild" }

// Rebuild builds the replica anew beside the file that is open, and puts it in its place.
// fill is passed the new one, which is empty, and returns when that has followed its stream
// to where it is to take over; readers have the old one until then. What the file
// has besides records, such as the reports of the passes, is taken along. kept is where the
// old file goes; "" if it is of no more use. On an error, the old file stays.
func (s *Store) Rebuild(fill func(*Store) error, kept string) (err error) {
	path := rebuildPath(s.path)
	defer func() {
		if err != nil {
			err = fmt.Errorf("build the store %s anew: %w", s.path, err)
		}
	}()
	if err := removeIfThere(path); err != nil {
		return err
	}
	o := s.options
	o.Rendering, o.Rerender = s.named, false
	next, err := Open(path, o)
	if err != nil {
		return err
	}
	swapped := false
	defer func() {
		if !swapped {
			err = errors.Join(err, next.Close(), removeIfThere(path))
		}
	}()
	next.file.db.NoSync = true // a file that a kill leaves behind is not gone on with
	next.replica.filling = true
	if err := fill(next); err != nil {
		return err
	}
	next.replica.filling = false
	if err := next.view(next.load); err != nil {
		return err
	}
	if err := s.takeAlong(next); err != nil {
		return err
	}
	next.file.db.NoSync = false
	if err := next.file.db.Sync(); err != nil {
		return err
	}
	if err := s.swapFor(next, path, kept); err != nil {
		return err
	}
	swapped = true
	return nil
}

// takeAlong copies what is this host's own into the new file.
func (s *Store) takeAlong(next *Store) error {
	return s.view(func(from *bolt.Tx) error {
		return next.update(func(to *bolt.Tx) error {
			passes := to.Bucket(bucketPasses)
			if err := from.Bucket(bucketPasses).ForEach(passes.Put); err != nil {
				return err
			}
			return from.Bucket(bucketMeta).ForEach(func(k, v []byte) error {
				if bytes.HasPrefix(k, datedKey("")) || bytes.Equal(k, keyCatalogue) || bytes.Equal(k, keyIndex) {
					return to.Bucket(bucketMeta).Put(k, v)
				}
				return nil
			})
		})
	})
}

// swapFor puts the file of next in the place of that of s.
func (s *Store) swapFor(next *Store, path, kept string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.inPlace(); err != nil && !errors.Is(err, errNotInPlace) { // one that is gone is replaced all the more
		return err
	}
	for begun := time.Now(); !s.swap.TryLock(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > swapWait {
			return errors.New("readers never paused; it is tried again")
		}
	}
	defer s.swap.Unlock()
	if s.file.closed {
		return errors.New("it is closed")
	}
	if kept != "" {
		if err := durable.Rename(s.path, kept); err != nil {
			return err
		}
	}
	if err := durable.Rename(path, s.path); err != nil {
		return err
	}
	old := s.file
	s.file = next.file
	s.info.Store(&next.file.info)
	s.order.Store(next.order.Load())
	s.synced.Store(next.synced.Load())
	s.lists.forget()
	s.health.forget()
	s.version.restart(next.version.get())
	s.replica.applied.restart(next.replica.applied.get())
	_ = old.close() // whatever it says, nothing of it is needed any more
	return nil
}
