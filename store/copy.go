package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/durable"
)

// Backup writes a copy of the store to w: a file like the store's own, of one state.
// Meanwhile, the store's file cannot reuse the pages that writers replace, so w must
// not be slow.
func (s *Store) Backup(w io.Writer) error {
	err := s.view(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the store %s: %w", s.path, err)
	}
	return nil
}

// BackupFile writes a copy of the file of a store that no daemon has open to w.
func BackupFile(path string, o Options, w io.Writer) error {
	f, err := openFile(path, o.withDefaults(), true)
	if err != nil {
		return err
	}
	defer func() { _ = f.close() }()
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
	if err != nil {
		return withAdvice(fmt.Errorf("copy the store %s: %w", path, err))
	}
	return nil
}

// MayReplace fails unless a copy may take the place of what is at path: nothing, an empty
// file, or a database. Whoever mistypes a name loses no configuration, and no device.
func MayReplace(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file; name another one", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() > 0 && bytesInUse(f) == 0 {
		return fmt.Errorf("%s is there and no database; name another file, or move that one away", path)
	}
	return nil
}

// MarkCopy writes into a copy of a store that it is one. Whoever followed the feed of
// the store has then heard of changes that the copy lacks: once the copy is opened as a
// store, its feed begins anew, and they are told to do so as well.
func MarkCopy(path string) error {
	f, err := openFile(path, Options{}.withDefaults(), false)
	if err != nil {
		return err
	}
	err = f.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return errors.New("it is no store")
		}
		return meta.Put(keyCopy, nil)
	})
	if err = errors.Join(err, f.close()); err == nil {
		err = trim(path)
	}
	if err != nil {
		return fmt.Errorf("mark the copy %s: %w", path, err)
	}
	return nil
}

// trim cuts off what of a closed file is not in use: bbolt makes it longer in large steps.
func trim(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if needed := bytesInUse(f); needed > 0 {
		err = errors.Join(f.Truncate(needed), f.Sync())
	}
	return errors.Join(err, f.Close())
}

// endCopy begins the feed of a copy anew: with sequences that the store it is of cannot
// have given out, and everything as changed now. If the process is killed meanwhile, the
// next one starts over.
func (s *Store) endCopy() error {
	marked := false
	if err := s.view(func(tx *bolt.Tx) error {
		marked = tx.Bucket(bucketMeta).Get(keyCopy) != nil
		return nil
	}); err != nil || !marked {
		return err
	}
	if s.options.Replica { // it is none of the stream that the store followed: it lacks what came later
		if err := s.leave(); err != nil {
			return err
		}
	}
	var floor []byte
	if err := s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		floor = key(int(max(number(meta.Get(keySequence)), number(timeKey(time.Now())))))
		return meta.Put(keySequence, floor)
	}); err != nil {
		return fmt.Errorf("begin the feed anew: %w", err)
	}
	for ids := range slices.Chunk(*s.order.Load(), syncChunk) {
		if err := s.write(func(w *writer) error {
			for _, id := range ids {
				p, err := s.findServed(w.Tx, id)
				if errors.Is(err, errDamaged) || errors.Is(err, ErrNotFound) {
					continue // the next sync repairs it
				}
				if err == nil {
					err = dropChange(w, id)
				}
				if err == nil {
					err = writeServed(w, id, w.now, bytes.Clone(p.Body))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return fmt.Errorf("begin the feed anew: %w", err)
		}
	}
	return s.update(func(tx *bolt.Tx) error {
		var gone [][]byte
		c := tx.Bucket(bucketDeletions).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			gone = append(gone, bytes.Clone(k))
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(deleteKeys(tx.Bucket(bucketDeletions), gone), meta.Put(keyFloor, floor), meta.Delete(keyCopy))
	})
}

// Space returns how many bytes of the file are in use or free, and how many of them are
// free, which only Compact gives back.
func (s *Store) Space() (size, free int64) {
	_ = s.read(func(tx *bolt.Tx) error {
		size, free = space(tx)
		return nil
	})
	return size, free
}

func space(tx *bolt.Tx) (size, free int64) { return tx.Size(), int64(tx.DB().Stats().FreeAlloc) }

const (
	compactTx = 4 << 20          // bytes in a transaction of Compact
	swapWait  = 30 * time.Second // that Compact waits for a moment without readers
)

// Compact writes the store into a new file without free pages, and puts that in the
// place of the old one. Readers go on meanwhile; writers wait. It returns the bytes in
// use before and after. On an error, the old file stays.
func (s *Store) Compact() (before, after int64, err error) {
	before, _ = s.Space()
	if err := s.compact(); err != nil {
		return before, before, fmt.Errorf("compact the store %s: %w", s.path, withAdvice(err))
	}
	after, _ = s.Space()
	return before, after, nil
}

func compactPath(path string) string { return path + ".compact" }

func (s *Store) compact() (err error) {
	s.writing.Lock() // so that nothing is written to the old file that the new one lacks
	defer s.writing.Unlock()
	if err := s.inPlace(); err != nil {
		return err
	}
	if s.file.closed {
		return errors.New("it is closed")
	}
	path := compactPath(s.path)
	if err := removeIfThere(path); err != nil {
		return err
	}
	next, err := openFile(path, s.options, false)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, next.close(), os.Remove(path))
		}
	}()
	if err := s.file.copyTo(next); err != nil {
		return explainWrite(err)
	}
	for begun := time.Now(); !s.swap.TryLock(); time.Sleep(time.Millisecond) { // to wait in Lock would hold up new readers
		if time.Since(begun) > swapWait {
			return errors.New("readers never paused; try again when there are fewer")
		}
	}
	defer s.swap.Unlock()
	if err := durable.Rename(path, s.path); err != nil {
		return err
	}
	old := s.file
	s.file = next
	s.info.Store(&next.info)
	_ = old.close() // whatever it says, nothing of it is needed any more
	return nil
}

// copyTo copies everything into another file, which then is synced and belongs to the
// same user.
func (f *file) copyTo(next *file) error {
	if err := f.whole(); err != nil {
		return err
	}
	next.db.NoSync, next.db.NoGrowSync = true, true
	if err := guard(func() error { return bolt.Compact(next.db, f.db, compactTx) }); err != nil {
		return err
	}
	next.db.NoSync, next.db.NoGrowSync = false, false
	if err := next.db.Sync(); err != nil {
		return err
	}
	if err := guard(func() error {
		return next.db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				return fmt.Errorf("the copy is not good: %w", err)
			}
			return nil
		})
	}); err != nil {
		return err
	}
	info, err := f.opened.Stat()
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(next.opened.Name(), int(owner.Uid), int(owner.Gid)); err != nil && os.Geteuid() == 0 {
			return err
		}
	}
	if err := next.opened.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if next.info, err = next.opened.Stat(); err == nil {
		next.size.Store(next.info.Size())
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
