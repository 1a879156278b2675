// Package snapshot keeps a file of all packages as they are served, one a line,
// lowest id first, and compressed forms of it, so that whoever reads the snapshot
// costs a file descriptor and nothing else.
//
// It follows the store as the search index does, by waiting for its sequence to
// grow; nobody tells it to. A set of files is replaced whole: a reader finds the
// old snapshot or the new one. The names of the files tell the sequence and what
// else their content depends on, so that a restart goes on with what is there.
//
//	snapshot.go  what a Follower is: Run, Make, Open
//	files.go     the files of a set: names, finding them, removing old ones
//	write.go     writing one
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/rs/zerolog"

	"pkgmetad/internal/durable"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// Store is what a snapshot is made of.
type Store interface {
	// EachServed hands every live package, lowest id first, to use, all of one
	// state, and returns that state's sequence and time.
	EachServed(use func(store.Served) error) (sequence uint64, changed time.Time, err error)
	// Sequence returns the number of the last change of anything served.
	Sequence() uint64
	// Wait returns nil as soon as Sequence is greater than since, or ctx's error.
	Wait(ctx context.Context, since uint64) error
}

// Follower keeps the snapshot of a store. It is safe for concurrent use.
type Follower struct {
	dir   string
	store Store
	base  string // of the links: scheme://host[/prefix]
	kind  string // tells snapshots apart whose content differs for another reason than the sequence
	log   zerolog.Logger

	making  sync.Mutex // held while a snapshot is made
	current atomic.Pointer[Info]
	again   chan struct{} // holds a token while the current snapshot has to be made once more: a file is missing, or it is of another store
	renew   atomic.Bool   // the store was built anew, perhaps at the sequence of the current snapshot
}

// Info is about one snapshot.
type Info struct {
	Sequence uint64    // of the store, that it is of
	Name     string    // of its content: no other content has the same
	Changed  time.Time // when anything in it last changed
	Made     time.Time
	Size     int64 // bytes, uncompressed
}

// New returns the keeper of the snapshots of a store in the folder dir, whose
// files are all its own; the folder need not exist yet. r is what the packages
// of the store are rendered by. A snapshot in dir that can still be used is
// served at once, all other files there are removed. New fails where the base of
// r cannot stand before links.
func New(dir string, s Store, r render.Rendering, log zerolog.Logger) (*Follower, error) {
	base, err := render.ParseBase(r.Base)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	f := &Follower{
		dir: dir, store: s, base: base, log: log, again: make(chan struct{}, 1),
		kind: kindOf(r),
	}
	f.find()
	return f, nil
}

// kindOf names what the content of a snapshot depends on besides the sequence: the
// format of the records, the time zone and the base of the links. The text that is
// hashed has the form that the program of the store's schema 2 hashed, whose
// renderings also had http.max_limit in their name, by default 1000. So a snapshot
// from before the migration has the same name after it, and readers are not sent the
// same bytes again.
func kindOf(r render.Rendering) string {
	format, rest, _ := strings.Cut(r.Name(), " ")
	zone, base, _ := strings.Cut(rest, " ")
	text := strings.TrimPrefix(format, "v") + " " + zone + " 1000 " + base + "\n" + base
	return strconv.FormatUint(xxhash.Sum64String(text), 16)
}

// Base returns what stands before the path of the links in the snapshot.
func (f *Follower) Base() string { return f.base }

// Latest returns the snapshot that is served; ok is false while there is none.
func (f *Follower) Latest() (info Info, ok bool) {
	if n := f.current.Load(); n != nil {
		return *n, true
	}
	return Info{}, false
}

// ErrNone is returned while no snapshot has been made yet.
var ErrNone = errors.New("no snapshot has been made yet")

// Open opens the latest snapshot in the form that the content coding of HTTP
// names, one of Codings, and returns which snapshot that is. It fails with
// ErrNone, or with what the file system says.
func (f *Follower) Open(coding string) (*os.File, Info, error) {
	c := codingOf(coding)
	for {
		n := f.current.Load()
		if n == nil {
			return nil, Info{}, ErrNone
		}
		file, err := os.Open(f.path(n, c))
		if err == nil {
			return file, *n, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, Info{}, err
		}
		if f.current.CompareAndSwap(n, nil) { // somebody removed the file: Run makes another
			f.makeAgain()
			return nil, Info{}, err
		} // else the snapshot has been replaced meanwhile
	}
}

// Renew has Run make the snapshot once more, although the store may be at the sequence of the
// current one: it was built anew, and had something else there.
func (f *Follower) Renew() {
	f.renew.Store(true)
	f.makeAgain()
}

func (f *Follower) makeAgain() {
	select {
	case f.again <- struct{}{}:
	default:
	}
}

const (
	// stillness is how long the store has to stand still before a snapshot is
	// made: whoever writes usually writes more, and a pass does every half second.
	stillness = time.Second
	// longestWait is how long a snapshot waits for a store that does not stand still.
	longestWait = 30 * time.Second
	// retryAfter is the pause after a snapshot that could not be made.
	retryAfter = time.Minute
)

// Run makes a snapshot at once where there is none, and then after the store
// changed, until ctx ends. At most a tenth of the time goes into making them. It tells
// ended how each attempt went; where one failed the old snapshot stays, and another
// attempt follows in a minute.
func (f *Follower) Run(ctx context.Context, ended func(error)) {
	for f.awaitChange(ctx) == nil && f.awaitStillness(ctx) == nil {
		started := time.Now()
		err := f.Make(ctx)
		pause := 9 * time.Since(started)
		if ctx.Err() == nil {
			ended(err)
		}
		if err != nil {
			pause = max(pause, retryAfter)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// awaitChange returns nil when the snapshot is not of the store's present state,
// or ctx's error.
func (f *Follower) awaitChange(ctx context.Context) error {
	n := f.current.Load()
	if n == nil || n.Sequence > f.store.Sequence() { // the store was built anew
		return ctx.Err()
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan error, 1)
	go func() { changed <- f.store.Wait(waiting, n.Sequence) }()
	select {
	case err := <-changed:
		return err
	case <-f.again:
		cancel()
		<-changed
		return ctx.Err()
	}
}

// awaitStillness returns nil when the store has not changed for a moment, when it
// has been changing for too long to wait, or when there is no snapshot at all. It
// returns ctx's error when that ends first.
func (f *Follower) awaitStillness(ctx context.Context) error {
	if f.current.Load() == nil {
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	for {
		quiet, cancel := context.WithTimeout(limited, stillness)
		err := f.store.Wait(quiet, f.store.Sequence())
		cancel()
		if err != nil {
			return ctx.Err()
		}
	}
}

// Make makes a snapshot of the present state, unless there is one that is not to be renewed. A failure
// leaves the old snapshot as it is.
func (f *Follower) Make(ctx context.Context) (err error) {
	f.making.Lock()
	defer f.making.Unlock()
	renew := f.renew.Swap(false)
	if n := f.current.Load(); n != nil && n.Sequence == f.store.Sequence() && !renew {
		return nil
	}
	defer func() {
		if err != nil {
			f.renew.CompareAndSwap(false, renew)
			f.removeUnfinished()
			err = fmt.Errorf("make a snapshot in %s: %w", f.dir, err)
		}
	}()
	next := &Info{Made: time.Now()}
	plain := filepath.Join(f.dir, unfinished)
	if next.Sequence, next.Changed, err = f.writePackages(ctx, plain); err != nil {
		return err
	}
	next.Name = f.name(next.Sequence)
	if err := f.finish(ctx, plain, next); err != nil {
		return err
	}
	f.current.Store(next)
	f.log.Debug().Uint64("sequence", next.Sequence).Int64("bytes", next.Size).Stringer("took", time.Since(next.Made).Round(time.Millisecond)).Msg("snapshot made")
	f.sweep()
	return nil
}

// finish makes the complete set of files of a snapshot out of the uncompressed
// one, and notes its size.
func (f *Follower) finish(ctx context.Context, plain string, n *Info) error {
	info, err := os.Stat(plain)
	if err != nil {
		return err
	}
	n.Size = info.Size()
	if err := os.Chtimes(plain, time.Time{}, n.Changed); err != nil {
		return err
	}
	for _, c := range codings { // the uncompressed one last: it makes the set complete
		from := plain
		if c.compress != nil {
			from += c.suffix
			if err := compress(ctx, plain, from, c); err != nil {
				return err
			}
		}
		if err := os.Rename(from, f.path(n, c)); err != nil {
			return err
		}
	}
	return durable.SyncFolder(f.dir)
}
