package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"pkgmetad/store"
)

const (
	snapshotPath = "/snapshot/packages.ndjson"

	// sequenceHeader tells the sequence that a snapshot is of.
	sequenceHeader = "Pkgmetad-Sequence"
)

// SnapshotStore is what a snapshot is made of.
type SnapshotStore interface {
	// EachServed hands every live package, lowest id first, to use, all of one
	// state, and returns that state's sequence and time.
	EachServed(use func(store.Served) error) (sequence uint64, changed time.Time, err error)
	Sequence() uint64
}

// Snapshots keeps the snapshot: all packages as they are served, one a line, by
// id, in a file that is replaced whole. It is kept compressed too, so that
// whoever reads it costs a file descriptor and nothing else.
//
// The name of a file tells the sequence and what else its content depends on, so
// a restart goes on with what is there.
type Snapshots struct {
	dir   string
	store SnapshotStore
	base  string // of the links: scheme://host[/prefix]
	kind  string // tells snapshots apart whose content differs for another reason than the sequence
	log   zerolog.Logger

	wanted  chan struct{} // holds one while a snapshot is wanted
	current atomic.Pointer[snapshot]
	making  sync.Mutex
}

// A snapshot is a complete set of files.
type snapshot struct {
	sequence uint64
	kind     string
	changed  time.Time // when what it holds last changed
	made     time.Time
	size     int64 // bytes, uncompressed
}

// A coding is a form that a snapshot is kept in. The preferred one is first.
type coding struct {
	name, suffix string // as in Content-Encoding, "" for none; of the file
	compress     func(io.Writer) (io.WriteCloser, error)
}

var codings = []coding{
	{"zstd", ".zst", func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) // it has time
	}},
	{"gzip", ".gz", func(w io.Writer) (io.WriteCloser, error) {
		return gzip.NewWriterLevel(w, gzip.DefaultCompression)
	}},
	{"", "", nil},
}

const (
	snapshotStem = "packages-"
	snapshotExt  = ".ndjson"
	unfinished   = ".unfinished"
)

// NewSnapshots returns the keeper of the snapshots of a store in the folder dir,
// whose files are all its own; there need be none yet. rendering names what the
// packages are rendered with (see [Rendering]); base stands before the path of
// their links. A usable snapshot that is there is served.
func NewSnapshots(dir string, s SnapshotStore, rendering, base string, log zerolog.Logger) (*Snapshots, error) {
	b, err := newBase(base, nil)
	if err != nil {
		return nil, err
	}
	kept := &Snapshots{
		dir: dir, store: s, base: b.public, log: log, wanted: make(chan struct{}, 1),
		kind: strconv.FormatUint(xxhash.Sum64String(rendering+"\n"+b.public), 16),
	}
	kept.find()
	return kept, nil
}

// find takes over the latest complete snapshot of this kind, and removes the rest.
func (s *Snapshots) find() {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("the folder of the snapshots cannot be read: one is made anew")
	}
	for _, f := range files {
		text, ok := strings.CutPrefix(f.Name(), snapshotStem)
		if !ok || !strings.HasSuffix(text, "-"+s.kind+snapshotExt) {
			continue
		}
		sequence, err := strconv.ParseUint(text[:max(0, strings.IndexByte(text, '-'))], 10, 64)
		if err != nil || sequence > s.store.Sequence() {
			continue
		}
		if known := s.current.Load(); known != nil && known.sequence > sequence {
			continue
		}
		if found, err := s.stat(sequence); err == nil {
			s.current.Store(found)
		}
	}
	s.sweep()
}

// stat returns the snapshot of a sequence, if all its files are there.
func (s *Snapshots) stat(sequence uint64) (*snapshot, error) {
	found := &snapshot{sequence: sequence, kind: s.kind}
	for i, c := range codings {
		info, err := os.Stat(s.path(found, c))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			found.made = info.ModTime()
		}
		found.changed, found.size = info.ModTime(), info.Size() // of the last, which is the uncompressed one
	}
	return found, nil
}

func (s *Snapshots) path(n *snapshot, c coding) string {
	return filepath.Join(s.dir, snapshotStem+strconv.FormatUint(n.sequence, 10)+"-"+n.kind+snapshotExt+c.suffix)
}

// sweep removes all files but those of the current snapshot. Readers that still
// have one of them open read it to its end.
func (s *Snapshots) sweep() {
	files, err := os.ReadDir(s.dir)
	keep := make(map[string]bool)
	if n := s.current.Load(); n != nil {
		for _, c := range codings {
			keep[filepath.Base(s.path(n, c))] = true
		}
	}
	for _, f := range files {
		if !keep[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	if err != nil { // they take room, and are tried again after the next snapshot
		s.log.Warn().Err(err).Msg("old snapshots stay")
	}
}

// Update asks for a snapshot of the present state. It does not wait for it.
func (s *Snapshots) Update() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// retryAfter is the pause after a snapshot that could not be made.
const retryAfter = time.Minute

// Run makes a snapshot at once where there is no current one, and then after
// each Update that follows a change, until ctx ends. One that takes long to make
// is not made again at once: at most a tenth of the time goes into it.
func (s *Snapshots) Run(ctx context.Context) {
	s.Update()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wanted:
		}
		started := time.Now()
		err := s.Make(ctx)
		pause := time.Duration(0)
		if took := time.Since(started); took > time.Second {
			pause = 9 * took
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Msg("the snapshot stays as it was; a new one is tried in a minute")
			pause = retryAfter
			s.Update()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Make makes a snapshot of the present state, unless there is one. A reader
// finds the old one or the new one, whole.
func (s *Snapshots) Make(ctx context.Context) (err error) {
	s.making.Lock()
	defer s.making.Unlock()
	if n := s.current.Load(); n != nil && n.sequence == s.store.Sequence() {
		return nil
	}
	started := time.Now()
	plain := filepath.Join(s.dir, unfinished)
	temporary := []string{plain}
	defer func() {
		for _, name := range temporary { // gone where they were renamed
			_ = os.Remove(name)
		}
		if err != nil {
			err = fmt.Errorf("make a snapshot in %s: %w", s.dir, err)
		}
	}()

	next := &snapshot{kind: s.kind, made: started}
	if next.sequence, next.changed, err = s.write(ctx, plain); err != nil {
		return err
	}
	if err := os.Chtimes(plain, time.Time{}, next.changed); err != nil {
		return err
	}
	for _, c := range codings {
		from := plain
		if c.compress != nil {
			from += c.suffix
			temporary = append(temporary, from)
			if err := compress(ctx, plain, from, c); err != nil {
				return err
			}
		}
		if err := os.Rename(from, s.path(next, c)); err != nil { // the uncompressed one last: it makes the set complete
			return err
		}
	}
	if err := syncFolder(s.dir); err != nil {
		return err
	}
	info, err := os.Stat(s.path(next, codings[len(codings)-1]))
	if err != nil {
		return err
	}
	next.size = info.Size()
	s.current.Store(next)
	s.log.Debug().Uint64("sequence", next.sequence).Int64("bytes", next.size).Stringer("took", time.Since(started).Round(time.Millisecond)).Msg("snapshot made")
	s.sweep()
	return nil
}

// write writes every package to a file that outlives a power cut.
func (s *Snapshots) write(ctx context.Context, name string) (sequence uint64, changed time.Time, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil { // somebody may have tidied up
		return 0, changed, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, changed, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	sequence, changed, err = s.store.EachServed(func(p store.Served) error {
		line = append(appendTemplate(line[:0], p.Body, s.base, "/"), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
		return ctx.Err()
	})
	return sequence, changed, errors.Join(err, out.Flush(), f.Sync())
}

func compress(ctx context.Context, from, to string, c coding) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := c.compress(f)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(z, readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		runtime.Gosched() // answers go first
		return in.Read(b)
	}), make([]byte, 1<<15))
	return errors.Join(err, z.Close(), f.Sync())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
