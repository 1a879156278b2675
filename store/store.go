// Package store keeps package records in one bbolt file.
//
// What a repository or a project said is kept once, by its [record.Key], and each
// package refers to the sources that its URLs name. Who owns what: what the
// catalogue declares is written by [Store.SyncCatalogue] alone, what sources said
// by [Store.Put] alone; [Store.Import] is both at once. Which of two answers about
// a source stands is decided by [record.Wins], whoever brings them.
//
// Readers get copies. No transaction of this package outlives the call that
// opened it: a reader that lingered would keep a growing writer waiting, and
// that writer every reader after it.
//
// What readers get of a package is rendered when it is written
// ([Options.Render]) and kept beside the record: to serve it is to copy it, and
// whether a write changed it is a comparison of bytes. Each such change takes
// the next number of the sequence, and the feed ([Store.Changes]) tells them in
// that order.
//
// # Layout of the file
//
//	meta        "schema"      -> version of this layout
//	            "migrating"   -> id of the last package that a migration has moved
//	            "sequence"    -> of the last change of anything served
//	            "changed"     -> time of that change
//	            "floor"       -> the feed knows all deletions after this sequence
//	            "rendering"   -> name of the rendering that the served packages are of
//	            "catalogue"   -> Catalogue.Digest of the last one taken over
//	            "dated NAME"  -> time ‖ value                (see Dated)
//	sources     Key           -> record.Source               (that a live package refers to)
//	references  Key ‖ 0 ‖ id  -> nothing                     (the live packages that refer to a source)
//	due         time ‖ Key    -> nothing                     (when each source is to be asked)
//	packages    id            -> row                         (live packages: what is declared, and which sources they refer to)
//	served      id            -> sequence ‖ time ‖ body      (live packages as readers get them, and when that last changed)
//	states      id            -> two states                  (what Summary counts; see states.go)
//	changes     sequence      -> id                          (the last change of each live package)
//	deletions   sequence      -> time ‖ id ‖ slug            (packages that left the catalogue, for as long as the feed tells)
//	tombstones  id            -> tombstone                   (packages that left the catalogue, with what their sources said)
//	slugs       slug          -> id                          (of both, so that a slug keeps its id)
//	categories  id            -> Category
//	grids       id            -> Grid
//	members     grid ‖ title ‖ 0 ‖ id -> nothing             (a grid's packages in the order it lists them)
//	passes      time          -> record.Pass                 (reports of the passes, by when they began)
//
// Numbers and times are 8 bytes big-endian, so that keys sort as numbers; a
// time is microseconds since 1970 in UTC. Sources, rows, categories, grids and
// tombstones are JSON; they and the served packages follow a CRC-32C of 4 bytes
// that covers them: bbolt itself does not notice a flipped bit in its data.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"pkgmetad/internal/record"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	bucketMeta       = []byte("meta")
	bucketReferences = []byte("references")
	bucketPackages   = []byte("packages")
	bucketServed     = []byte("served")
	bucketChanges    = []byte("changes")
	bucketDeletions  = []byte("deletions")
	bucketSources    = []byte("sources")
	bucketStates     = []byte("states")
	bucketTombstones = []byte("tombstones")
	bucketSlugs      = []byte("slugs")
	bucketDue        = []byte("due")
	bucketCategories = []byte("categories")
	bucketGrids      = []byte("grids")
	bucketMembers    = []byte("members")
	bucketPasses     = []byte("passes")

	keySchema    = []byte("schema")
	keyMigrating = []byte("migrating")
	keySequence  = []byte("sequence")
	keyChanged   = []byte("changed")
	keyFloor     = []byte("floor")
	keyRendering = []byte("rendering")
	keyCatalogue = []byte("catalogue")
)

// ErrNotFound is returned for a package, grid or category that is not there.
var ErrNotFound = record.ErrNotFound

// ErrContradiction is returned for a catalogue whose ids or slugs clash.
var ErrContradiction = errors.New("the catalogue contradicts itself")

// Options configures [Open].
type Options struct {
	// LockWait bounds the wait for another process to let go of the file; 0 means 5 s.
	LockWait time.Duration
	// MaxSize, in bytes, is the size that the file may grow to; 0 means no bound.
	MaxSize int
	// Refer tells which sources an entry refers to. It is asked when the catalogue
	// is taken over, and when a file of an older schema is opened. Nil means that
	// no URL can be asked.
	Refer func(record.Entry) record.References
	// Render returns the rendering of that name: a function that makes of a package
	// what readers get, which depends on the package and the name alone. It fails on
	// a name that it does not know. Nil means the documented fields in plain JSON,
	// whatever the name.
	Render func(name string) (func(*record.Package) []byte, error)
	// Rendering is the name of the rendering that a new file begins with.
	Rendering string
	// Rerender has packages that were rendered under another name, or one that
	// Render does not know, rendered anew. Without it, the file's own rendering
	// stays in use.
	Rerender bool
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db     *bolt.DB
	path   string
	file   os.FileInfo // of the file that is open
	refer  func(record.Entry) record.References
	render func(*record.Package) []byte

	version version               // of what is served
	order   atomic.Pointer[[]int] // ids of the live packages, ascending; replaced whole by a sync
	synced  atomic.Bool           // a catalogue has been taken over, now or in an earlier run
	damaged atomic.Bool           // a damaged value was met
	syncing sync.Mutex            // held by SyncCatalogue and Import
}

// Open opens the database at path, or makes it, and brings it to the present
// schema in one transaction. It fails, with a message for the operator, where
// the file is held by another process, is not a database of this program, is
// damaged, or was written by a newer version.
func Open(path string, o Options) (*Store, error) {
	if o.LockWait == 0 {
		o.LockWait = 5 * time.Second
	}
	if o.Refer == nil {
		o.Refer = referToNothing
	}
	if o.Render == nil {
		o.Render = func(string) (func(*record.Package) []byte, error) { return renderPlain, nil }
	}
	s := &Store{path: path, refer: o.Refer}
	s.version.wake = make(chan struct{})
	var opened *os.File
	err := guard(func() error {
		db, err := bolt.Open(path, 0o600, &bolt.Options{
			Timeout:         o.LockWait,
			FreelistType:    bolt.FreelistMapType,
			InitialMmapSize: mapSize(path),
			MaxSize:         o.MaxSize,
			OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(path, flag, mode)
				if err == nil {
					opened = f
					s.file, err = f.Stat()
				}
				return f, err
			},
		})
		s.db = db
		return err
	})
	if err != nil {
		if opened != nil { // a panic of bbolt leaves it open, and locked
			_ = opened.Close()
		}
		return nil, explainOpen(path, o.LockWait, err)
	}
	for _, step := range []func() error{
		s.migrate,
		func() error { return s.view(s.load) },
		func() error { return s.chooseRendering(o) },
	} {
		if err := step(); err != nil {
			_ = s.db.Close()
			return nil, fmt.Errorf("open the store %s: %w", path, err)
		}
	}
	return s, nil
}

// mapSize is how much of the file is mapped from the start. It is address
// space, not memory, and so generous: a file that outgrows it is mapped anew, for
// which bbolt waits until the last reader, the writer of a snapshot too, is done.
func mapSize(path string) int {
	size := 0
	if info, err := os.Stat(path); err == nil {
		size = int(info.Size())
	}
	return max(1<<30, 2*size)
}

func referToNothing(e record.Entry) record.References {
	state := func(url *string) record.State {
		if url == nil || *url == "" {
			return record.StateNone
		}
		return record.StateUnsupported
	}
	return record.References{GitHub: state(e.RepoURL), PyPI: state(e.PyPIURL)}
}

const (
	smallestFile = 4 * 4096 // bytes, of a database: two meta pages, a freelist, a leaf
	notOurs      = "this is not a database of pkgmetad, or its first pages are damaged; nothing was changed: move it away, or restore a backup"
)

// explainOpen says what stands in the way and what to do about it.
func explainOpen(path string, waited time.Duration, err error) error {
	var advice string
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("open the store %s: another process holds its lock (waited %s)%s; stop that one first, or use another store.path", path, waited, lockHolder(path))
	case errors.Is(err, fs.ErrNotExist):
		advice = fmt.Sprintf("create the folder %s first", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission):
		advice = "give the user that runs this program read and write permission on the file and its folder"
	case errors.Is(err, syscall.EISDIR):
		advice = "store.path must name a file, not a folder"
	case errors.Is(err, syscall.ENOSPC):
		advice = "make room on the disk"
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch):
		advice = notOurs
	case errors.Is(err, errDamaged), errors.Is(err, bolterrors.ErrChecksum):
		advice = "nothing was changed: move the file away and restore a backup; without one, an empty store fills itself again from the catalogue"
	default:
		info, statErr := os.Stat(path)
		if statErr != nil || info.Size() == 0 || info.Size() >= smallestFile {
			return fmt.Errorf("open the store %s: %w", path, err)
		}
		advice = notOurs // too short for a database; bbolt has no error of its own for that
	}
	return fmt.Errorf("open the store %s: %w; %s", path, err, advice)
}

// load reads what is kept in memory.
func (s *Store) load(tx *bolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	s.version.publish(number(meta.Get(keySequence)), timeOf(meta.Get(keyChanged)))
	err := s.loadOrder(tx)
	s.synced.Store(len(*s.order.Load()) > 0)
	return err
}

// loadOrder goes by the feed's entries, which are far smaller than the records.
func (s *Store) loadOrder(tx *bolt.Tx) error {
	ids := []int{}
	c := tx.Bucket(bucketChanges).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		ids = append(ids, int(number(v)))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	s.order.Store(&ids)
	return nil
}

// Close waits for running transactions and lets go of the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store %s: %w", s.path, err)
	}
	return nil
}

// Path returns the path that the store was opened with.
func (s *Store) Path() string { return s.path }

// Ready returns nil when the store answers, its file is still the one at its
// path, and a catalogue has been taken over, now or in an earlier run.
func (s *Store) Ready() error {
	if !s.synced.Load() {
		return errors.New("the catalogue has not been taken over yet")
	}
	if err := s.view(func(tx *bolt.Tx) error { return nil }); err != nil {
		return err
	}
	// Locks follow the inode: were the file moved away, another process could
	// open a new one at its path and both would believe that they own it.
	named, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("the store's file is not at its path any more: %w; put it back, or restart to begin a new one", err)
	}
	if !os.SameFile(s.file, named) {
		return fmt.Errorf("the file at %s is not the one that is open; restart to use it", s.path)
	}
	return nil
}

// errDamaged is wrapped by every error that stems from unreadable pages or values.
var errDamaged = errors.New("the store is damaged")

// guard turns a panic of bbolt, which is how it meets a damaged page, into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

func (s *Store) view(f func(*bolt.Tx) error) error {
	err := guard(func() error { return s.db.View(f) })
	s.noteDamage(err)
	return err
}

// noteDamage has the next start take the catalogue over again where a value was
// found damaged: that mends what the catalogue can.
func (s *Store) noteDamage(err error) {
	if err == nil || !errors.Is(err, errDamaged) || !s.damaged.CompareAndSwap(false, true) {
		return
	}
	_ = s.update(func(tx *bolt.Tx) error { // where it fails, SIGHUP still mends it
		if meta := tx.Bucket(bucketMeta); meta != nil {
			return meta.Delete(keyCatalogue)
		}
		return nil
	})
}

// update runs f in a read-write transaction. When the commit itself fails its
// outcome is unknown: what f wrote may be there or not.
func (s *Store) update(f func(*bolt.Tx) error) error {
	err := guard(func() error { return s.db.Update(f) })
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w; make room on the disk, reading goes on meanwhile", err)
	}
	if errors.Is(err, bolterrors.ErrMaxSizeReached) {
		return fmt.Errorf("%w; raise store.max_size", err)
	}
	return err
}

// deleteKeys deletes keys that a cursor came by: to delete under a cursor
// makes it skip one where the transaction has written to the page before.
func deleteKeys(bucket *bolt.Bucket, keys [][]byte) error {
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// key returns n as a key that sorts as a number.
func key(n int) []byte { return appendNumber(nil, uint64(n)) }

func appendNumber(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// number reads what key wrote; anything else is 0.
func number(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

func has(sorted []int, id int) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}
