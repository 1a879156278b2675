package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
)

// file is a database file that is open.
type file struct {
	db         *bolt.DB
	opened     *os.File    // by db, which closes it
	info       os.FileInfo // of when it was opened
	descriptor int         // of opened

	size   atomic.Int64 // in bytes, after the last write: a store never shrinks
	head   []byte       // the two meta pages, mapped
	made   time.Time
	looked atomic.Int64 // when readers last looked at the size, in nanoseconds since made
	broken atomic.Bool  // a write met a damaged page, and may have left locks behind
	stuck  bool         // it did
	closed bool
}

// openFile opens the database file at path. Its error is for the operator.
func openFile(path string, o Options, readOnly bool) (*file, error) {
	f := &file{made: time.Now()}
	f.looked.Store(-int64(lookAgain))
	err := guard(func() (err error) {
		f.db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout:         o.LockWait,
			ReadOnly:        readOnly,
			FreelistType:    bolt.FreelistMapType,
			InitialMmapSize: mapSize(path),
			MaxSize:         o.MaxSize,
			OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
				opened, err := os.OpenFile(path, flag, mode)
				if err != nil {
					return nil, err
				}
				f.opened, f.descriptor = opened, int(opened.Fd())
				if err := f.measure(); err != nil || !readOnly || f.info.Size() > 0 {
					return opened, err
				}
				return opened, errEmpty // which bbolt would write to
			},
		})
		return err
	})
	if err == nil {
		err = f.measure() // once more: it waited for the lock
	}
	if err == nil {
		f.head, err = syscall.Mmap(f.descriptor, 0, 2*f.db.Info().PageSize, syscall.PROT_READ, syscall.MAP_SHARED)
	}
	if err != nil {
		if f.db != nil {
			_ = f.db.Close()
		} else if f.opened != nil { // a panic of bbolt leaves it open, and locked
			_ = f.abandon()
		}
		return nil, explainOpen(path, o.LockWait, err)
	}
	return f, nil
}

// measure notes the size of the file. It fails if the file ends before the last page
// that it says it has: bbolt would only notice once it reads there, which is a fault.
func (f *file) measure() (err error) {
	needed := bytesInUse(f.opened) // read first: a file that another process has open may grow
	if f.info, err = f.opened.Stat(); err != nil {
		return err
	}
	f.size.Store(f.info.Size())
	if f.info.Size() < needed {
		return fmt.Errorf("%w: it was cut short: it has %d bytes of at least %d", errDamaged, f.info.Size(), needed)
	}
	return nil
}

// meta is how bbolt keeps what it has to know first: behind the header of each of the
// first two pages.
type meta struct {
	Magic, Version, PageSize, Flags uint32
	Root, RootSequence, Freelist    uint64
	Pages, Transaction              uint64 // Pages is how many are in use, or free
	Checksum                        uint64 // FNV-1a of all before it
}

const (
	pageHead  = 16 // bytes, of the header of a page
	boltMagic = 0xED0CDAED
)

// bytesInUse returns how long a database file has to be, by the later of its meta pages;
// 0 if neither can be read, of which bbolt has errors of its own.
func bytesInUse(file io.ReaderAt) (needed int64) {
	var last uint64
	read := func(at int64) (m meta) {
		raw := make([]byte, binary.Size(m))
		sum := fnv.New64a()
		if _, err := file.ReadAt(raw, at+pageHead); err != nil {
			return meta{}
		}
		_, _ = binary.Decode(raw, binary.NativeEndian, &m)
		_, _ = sum.Write(raw[:len(raw)-8])
		if m.Magic != boltMagic || m.Checksum != sum.Sum64() {
			return meta{}
		}
		if m.Transaction >= last {
			last, needed = m.Transaction, int64(m.Pages)*int64(m.PageSize)
		}
		return m
	}
	pageSize := int64(read(0).PageSize)
	if pageSize == 0 {
		pageSize = int64(os.Getpagesize())
	}
	read(pageSize)
	return needed
}

// whole fails if the file has become shorter than it was: reading what is mapped and
// is not there any more is a fault, which bbolt does not always survive with its locks
// released.
func (f *file) whole() error {
	if f.closed {
		return nil // bbolt says so
	}
	var now syscall.Stat_t
	if err := syscall.Fstat(f.descriptor, &now); err != nil {
		return err
	}
	if was := f.size.Load(); now.Size < was {
		return fmt.Errorf("%w: it was cut short: it had %d bytes and has %d now", errDamaged, was, now.Size)
	}
	return nil
}

// lookAgain is how long readers rely on the size being as they last saw it.
const lookAgain = 10 * time.Millisecond

// readable is whole for a reader, of which there may be so many that asking the kernel
// each time would cost a tenth of what they do. It must be called under guard.
//
// The meta pages it reads each time: bbolt does so while it holds locks that a fault
// would leave behind.
func (f *file) readable() error {
	if f.closed {
		return nil // bbolt says so
	}
	for page := f.head; len(page) > 0; page = page[len(f.head)/2:] {
		if binary.NativeEndian.Uint32(page[pageHead:]) != boltMagic {
			return fmt.Errorf("%w: its first pages are gone; it was cut short, or written by something else", errDamaged)
		}
	}
	now := int64(time.Since(f.made))
	if now-f.looked.Load() < int64(lookAgain) {
		return nil
	}
	err := f.whole()
	if err == nil {
		f.looked.Store(now)
	}
	return err
}

// errBroken is wrapped by the errors of a store that takes no write any more.
var errBroken = errors.New("a write met a damaged page, so nothing more is written until a restart")

// update runs f in a read-write transaction.
func (f *file) update(do func(*bolt.Tx) error) error {
	if f.broken.Load() {
		return fmt.Errorf("%w: %w", errDamaged, errBroken)
	}
	if err := f.whole(); err != nil {
		return err
	}
	var tx *bolt.Tx
	panicked := true
	err := guard(func() error {
		err := f.db.Update(func(t *bolt.Tx) error { tx = t; return do(t) })
		panicked = false
		return err
	})
	if panicked {
		f.broken.Store(true)
		f.stuck = tx == nil || tx.DB() != nil // its rollback panicked as well
	}
	if !f.closed {
		if info, statErr := f.opened.Stat(); statErr == nil && info.Size() > f.size.Load() {
			f.size.Store(info.Size())
		}
	}
	return err
}

func (f *file) close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	_ = syscall.Munmap(f.head)
	if f.stuck { // bbolt would wait for ever for the lock of its writer
		return f.abandon()
	}
	return f.db.Close()
}

// abandon closes the file without bbolt. The map of it stays, and would keep it locked.
func (f *file) abandon() error {
	return errors.Join(syscall.Flock(int(f.opened.Fd()), syscall.LOCK_UN), f.opened.Close())
}

// errDamaged is wrapped by every error that stems from unreadable pages or values.
var errDamaged = errors.New("the store is damaged")

// guard turns a panic of bbolt, which panics on a damaged page, into an error, and so
// a fault: reading a page of the map that the disk cannot deliver, or that is not in
// the file any more.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		var fault interface {
			runtime.Error
			Addr() uintptr
		}
		if cause, ok := p.(error); ok && errors.As(cause, &fault) {
			err = fmt.Errorf("%w: a page of the file cannot be read; it was cut short, or the disk fails", errDamaged)
			return
		}
		err = fmt.Errorf("%w: %v", errDamaged, p)
	}()
	return f()
}
