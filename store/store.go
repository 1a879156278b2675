// Package store keeps package records in one bbolt file.
//
// The data of a repository or a project is stored once, by its [record.Key], and
// each package refers to the sources that its URLs name. What the catalogue declares
// is written only by [Store.SyncCatalogue], the data of sources only by [Store.Put];
// [Store.Import] writes both. Which of two answers about a source is kept is decided
// by [record.Wins], whoever writes them.
//
// Readers get copies. No transaction of this package outlives the call that
// opened it: a long reader would block a writer that has to grow the file, and
// that writer every reader after it.
//
// The served form of a package is rendered when the package is written
// ([Options.Render]) and stored beside it, so that serving it is copying bytes, and
// comparing bytes shows whether a write has changed it. Each such change takes the
// next number of the sequence, and the feed ([Store.Changes]) lists the changes in
// that order.
//
// # Layout of the file
//
//	meta        "schema"      -> version of this layout
//	            "migrating"   -> id of the last package that an unfinished migration has moved
//	            "sequence"    -> of the last change of anything served
//	            "changed"     -> time of that change
//	            "floor"       -> the feed has all deletions after this sequence
//	            "rendering"   -> name of the rendering that the served packages have
//	            "catalogue"   -> Catalogue.Digest of the last one synced
//	            "attempted"   -> time of the latest attempt, at least
//	            "limits"      -> name of the limits that due times keep to  (see Reschedule)
//	            "damaged"     -> nothing, once damage was met that no sync has repaired yet
//	            "index"       -> time ‖ ETag                 (of PyPI's index, when it was last read)
//	            "copy"        -> nothing, in a copy that nobody has opened as a store yet
//	            "dated NAME"  -> time ‖ value                (see Dated)
//	            "stream"      -> identity of the stream      (of a replica; see replica.go)
//	            "followed"    -> sequence of the last message applied ‖ names that there are messages of ‖ their digest
//	sources     Key           -> record.Source               (that a live package refers to)
//	references  Key ‖ 0 ‖ id  -> nothing                     (the live packages that refer to a source)
//	due         time ‖ Key    -> what else counts            (when each source is due; see dueValue)
//	packages    id            -> row                         (live packages: what is declared, and which sources they refer to)
//	served      id            -> sequence ‖ time ‖ body      (live packages as they are served, and when that last changed)
//	states      id            -> two states ‖ facts          (what Summary counts, and what List sorts and filters by; see states.go)
//	changes     sequence      -> id                          (the last change of each live package; of a replica, sequence ‖ id)
//	deletions   sequence      -> time ‖ id ‖ slug            (packages that left the catalogue, for as long as the feed lists them)
//	tombstones  id            -> tombstone                   (packages that left the catalogue, with the data of their sources)
//	slugs       slug          -> id                          (of live packages and tombstones, so that a slug keeps its id)
//	categories  id            -> Category
//	grids       id            -> Grid
//	members     grid ‖ title ‖ 0 ‖ id -> nothing             (a grid's packages in the order it lists them)
//	passes      time          -> record.Pass                 (reports of the passes, by their start)
//	messages    name          -> known                       (of a replica: what the last message of each name said of itself)
//	probe       number        -> filling                     (only while it is tried whether writes work again)
//
// Numbers and times are 8 bytes big-endian, so that keys sort as numbers; a
// time is microseconds since 1970 in UTC. Sources, rows, categories, grids and
// tombstones are JSON. They and the served packages are preceded by a CRC-32C of 4
// bytes, because bbolt itself does not detect a flipped bit in its data. Passes are
// JSON without a checksum.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/internal/record"
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
	bucketMessages   = []byte("messages")
	bucketProbe      = []byte("probe")

	keySchema    = []byte("schema")
	keyMigrating = []byte("migrating")
	keySequence  = []byte("sequence")
	keyChanged   = []byte("changed")
	keyFloor     = []byte("floor")
	keyRendering = []byte("rendering")
	keyCatalogue = []byte("catalogue")
	keyAttempted = []byte("attempted")
	keyLimits    = []byte("limits")
	keyDamaged   = []byte("damaged")
	keyIndex     = []byte("index")
	keyCopy      = []byte("copy")
	keyStream    = []byte("stream")
	keyFollowed  = []byte("followed")
)

// ErrNotFound is returned for a package, grid, category or source that does not
// exist.
var ErrNotFound = record.ErrNotFound

// ErrContradiction is returned for a catalogue whose ids or slugs clash.
var ErrContradiction = errors.New("the catalogue contradicts itself")

// Options configures [Open].
type Options struct {
	// LockWait is how long to wait for another process to release the file; 0 means 5 s.
	LockWait time.Duration
	// MaxSize is the size, in bytes, that the file may grow to; 0 means no limit.
	MaxSize int
	// Refer returns the sources that an entry refers to. It is called when the
	// catalogue is synced, and when a file of an older schema is opened. Nil means
	// that no URL can be fetched.
	Refer func(record.Entry) record.References
	// Render returns the rendering of that name: a function that returns the served
	// form of a package, which depends only on the package and the name. It fails on
	// a name that it does not know. Nil means the documented fields in plain JSON,
	// whatever the name.
	Render func(name string) (func(*record.Package) []byte, error)
	// Rendering is the name of the rendering for a new file.
	Rendering string
	// Rerender makes Open render the packages again if the file has another rendering
	// than Rendering. Without it, the file's own rendering stays in use.
	Rerender bool
	// Migrating is told, in a sentence, that Open begins to migrate the file, or continues,
	// which may take minutes: from which schema, and where its copy is. It may be nil.
	Migrating func(sentence string)
	// Replica opens the store as the replica of a stream that several hosts follow, or as one
	// that is to become one. Without it, a replica becomes a store that is alone.
	Replica bool
	// ReadOnly makes Open change nothing: the file must exist and have the current
	// schema, and keeps its rendering. Every method that writes fails. Several
	// processes may have a file open like this, but none while another writes it.
	ReadOnly bool
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	path    string
	options Options
	named   string // the rendering, see Rendering
	refer   func(record.Entry) record.References
	render  func(*record.Package) []byte

	swap    sync.RWMutex                // held for reading by each transaction, and for writing by what closes or replaces the file
	file    *file                       // guarded by swap
	info    atomic.Pointer[os.FileInfo] // of file
	writing sync.Mutex                  // held by each transaction that writes, and by Compact

	version version               // of what is served
	order   atomic.Pointer[[]int] // ids of the live packages, ascending; a sync replaces the slice
	titles  titles
	lists   lists
	synced  atomic.Bool // a catalogue has been synced, now or in an earlier run
	health  health
	syncing sync.Mutex // held by SyncCatalogue and Import
	writes  writes
	replica replica // where options.Replica
}

// Open opens the database at path, which it creates if it does not exist, and
// migrates it to the current schema, after a copy of the file was put beside it. A
// file that needs neither that nor another rendering is not written to. It fails, with
// a message for the operator, if the file is locked by another process, is not a
// database of this program, is damaged, or was written by a newer version.
func Open(path string, o Options) (*Store, error) {
	o = o.withDefaults()
	s := &Store{path: path, options: o, refer: o.Refer}
	s.version.wake, s.replica.applied.wake = make(chan struct{}), make(chan struct{})
	var err error
	if s.file, err = openFile(path, o, o.ReadOnly); err != nil {
		return nil, err
	}
	s.info.Store(&s.file.info)
	steps := []func() error{
		s.inPlace, // while it waited for the lock, the file may have been replaced
		func() error { return removeIfThere(compactPath(path)) }, // which a kill has left
		s.migrate,
		func() error { return s.view(s.load) },
		func() error { return s.chooseRendering(o) },
		s.endCopy,
	}
	if !o.Replica {
		steps = append(steps, s.leave)
	}
	if o.ReadOnly {
		steps = []func() error{
			func() error { return s.view(requireSchema) },
			func() error { return s.view(s.load) },
			func() error { return s.chooseRendering(o) },
		}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			_ = s.file.close()
			return nil, fmt.Errorf("open the store %s: %w", path, err)
		}
	}
	s.replica.open.Store(o.Replica)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.LockWait == 0 {
		o.LockWait = 5 * time.Second
	}
	if o.Refer == nil {
		o.Refer = referToNothing
	}
	if o.Migrating == nil {
		o.Migrating = func(string) {}
	}
	if o.Render == nil {
		o.Render = func(string) (func(*record.Package) []byte, error) { return renderPlain, nil }
	}
	return o
}

// mapSize returns the number of bytes to map from the start. It is address space,
// not memory, and so generous: a file that outgrows it is mapped again, for which
// bbolt waits until the last reader is done, even one that writes a snapshot.
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

var errEmpty = errors.New("the file is empty; start the daemon, which fills it")

const (
	smallestFile = 4 * 4096 // bytes, of a database: two meta pages, a freelist, a leaf
	notOurs      = "this is not a database of pkgmetad, or its first pages are damaged; nothing was changed: move it away, or restore a backup"
)

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// explainOpen returns the error for the operator: why the store cannot be opened,
// and what to do about it.
func explainOpen(path string, waited time.Duration, err error) error {
	var advice string
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("open the store %s: another process holds its lock (waited %s)%s; stop that one first, or use another store.path", path, waited, lockHolder(path))
	case errors.Is(err, errEmpty):
		return fmt.Errorf("open the store %s: %w", path, err)
	case errors.Is(err, fs.ErrNotExist) && isFolder(filepath.Dir(path)):
		return fmt.Errorf("open the store %s: %w; serve and refresh make it, and backup makes a copy of it", path, syscall.ENOENT)
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
		advice = "nothing was changed; " + damageAdvice
	default:
		info, statErr := os.Stat(path)
		if statErr != nil || info.Size() == 0 || info.Size() >= smallestFile {
			return fmt.Errorf("open the store %s: %w", path, err)
		}
		advice = notOurs // too short for a database, for which bbolt has no specific error
	}
	return fmt.Errorf("open the store %s: %w; %s", path, err, advice)
}

// load reads what the Store keeps in memory.
func (s *Store) load(tx *bolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	s.version.publish(number(meta.Get(keySequence)), timeOf(meta.Get(keyChanged)))
	s.health.repair = meta.Get(keyDamaged) != nil
	s.loadReplica(tx)
	err := s.loadOrder(tx)
	s.synced.Store(len(*s.order.Load()) > 0)
	return err
}

// loadOrder reads the ids from the feed, whose entries are far smaller than the
// records.
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

// Close waits for running transactions and releases the file.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.swap.Lock()
	defer s.swap.Unlock()
	if err := s.file.close(); err != nil {
		return fmt.Errorf("close the store %s: %w", s.path, err)
	}
	return nil
}

// Rendering returns the name of the rendering that the served packages have.
func (s *Store) Rendering() string { return s.named }

// Path returns the path that the store was opened with.
func (s *Store) Path() string { return s.path }

// view runs f in a read transaction.
func (s *Store) view(f func(*bolt.Tx) error) error {
	err := s.read(f)
	s.noteDamage(err)
	s.markDamage()
	return withAdvice(err)
}

func (s *Store) read(f func(*bolt.Tx) error) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return guard(func() error {
		if err := s.file.readable(); err != nil {
			return err
		}
		return s.file.db.View(f)
	})
}

// update runs f in a read-write transaction. If the commit itself fails, it is
// unknown whether what f wrote is stored. Every write that fails, as against an error
// of f, is noted: see Writable.
func (s *Store) update(f func(*bolt.Tx) error) error {
	var own error // of f
	err := s.change(func(tx *bolt.Tx) error {
		own = f(tx)
		return own
	})
	s.writes.note(err, own != nil)
	s.noteDamage(err)
	if err != nil && own == nil {
		err = s.noteFailedWrite(explainWrite(err))
	}
	return withAdvice(err)
}

func (s *Store) change(f func(*bolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.swap.RLock()
	defer s.swap.RUnlock()
	if err := s.inPlace(); err != nil {
		return err
	}
	return s.file.update(f)
}

// explainWrite adds what helps to the error of a write.
func explainWrite(err error) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "make room on the disk; reads still work meanwhile"
	case errors.Is(err, bolterrors.ErrMaxSizeReached):
		advice = "raise store.max_size, or have pkgmetad compact the file; reads still work meanwhile"
	case errors.Is(err, syscall.EIO):
		advice = "the disk fails: see the kernel's log, and make a backup elsewhere"
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		advice = "let this program write to the file and its folder again"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}

// deleteKeys deletes keys that were collected with a cursor. Deleting while it moves
// makes the cursor skip a key where the transaction has written to the page before.
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

// sequenceOf returns the sequence in a key of the changes bucket.
func sequenceOf(k []byte) uint64 { return number(k[:min(8, len(k))]) }

func has(sorted []int, id int) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}
