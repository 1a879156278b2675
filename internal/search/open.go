package search

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/rs/zerolog"
)

// What bleve stores in the folder of an index.
const (
	metaFile    = "index_meta.json"
	storeFolder = "store"
)

// errDamaged is wrapped by the errors after which an index is rebuilt.
var errDamaged = errors.New("the search index is damaged")

// Open opens the index in the folder dir, or creates it, to follow source. An index
// that is damaged or of another version is removed and rebuilt. If there can be no
// index (the folder cannot be written to, holds something else, or holds an index that
// another process has open), Open logs the reason and Run tries again; until then
// Search fails with ErrNotReady. Open itself fails only if this process has the index
// open already.
func Open(dir string, source Source, log zerolog.Logger) (*Index, error) {
	m, err := newMapping()
	if err != nil {
		return nil, err
	}
	x := &Index{dir: filepath.Clean(dir), source: source, log: log, mapping: m, sleep: sleep}
	if _, open := opened.LoadOrStore(x.storePath(), x); open {
		return nil, fmt.Errorf("open the search index %s: this process has it open already", dir)
	}
	x.reopen(x.open)
	return x, nil
}

// Close waits for running searches and closes the index. Stop Run first; otherwise
// it returns ErrClosed.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	opened.Delete(x.storePath())
	x.fail(ErrClosed)
	if err := x.closeIndex(); err != nil {
		return fmt.Errorf("close the search index %s: %w", x.dir, err)
	}
	return nil
}

// opened holds the open indexes by the path that bleve passes to its callback, which
// is one for all indexes, when one of its goroutines fails.
var opened sync.Map

const asyncCallback = "pkgmetad" // name of that callback

func init() {
	bleve.Config.SetAnalysisQueueSize(1) // indexing must leave the CPUs to requests
	scorch.RegistryAsyncErrorCallbacks[asyncCallback] = func(err error, path string) {
		if x, ok := opened.Load(path); ok {
			x.(*Index).fail(err)
		}
		time.Sleep(100 * time.Millisecond) // bleve tries again at once, for ever
	}
}

func (x *Index) storePath() string { return filepath.Join(x.dir, storeFolder) }

func options() map[string]any {
	return map[string]any{
		"unsafe_batch":           true, // Batch need not wait for the disk: write does, by a callback
		"asyncErrorCallbackName": asyncCallback,
		// With bleve's default of 2,000 documents, most of an index is merged again
		// and again while it is written to, which takes longer than everything else;
		// with fewer than 1,000, there are too many segments to search.
		"scorchMergePlanOptions": map[string]any{"FloorSegmentSize": 1000},
		"bolt_timeout":           "100ms", // to wait for another process to release its lock; Run tries again
	}
}

// reopen opens the index, which is not open, with either x.open or x.create, and
// records the error if that fails. It logs each reason once. The caller holds mu,
// except in Open, where nobody else has x yet.
func (x *Index) reopen(open func() (bleve.Index, error)) {
	before := x.openErr
	x.index, x.openErr = open()
	x.state.reopened(x.openErr)
	switch {
	case x.openErr == nil && before != nil:
		x.log.Info().Str("path", x.dir).Msg("the search index is open now")
	case x.openErr != nil && (before == nil || before.Error() != x.openErr.Error()):
		x.log.Error().Err(x.openErr).Str("path", x.dir).Msg("the search index cannot be opened: " + advice(x.openErr) + "; until then there is no search, and everything else works; opening it is tried again at least every minute")
	}
}

// open opens the existing index, or creates one.
func (x *Index) open() (bleve.Index, error) {
	entries, err := os.ReadDir(x.dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return x.create()
	}
	if err != nil {
		return nil, err
	}
	index, err := x.openExisting()
	if err == nil || isSystemError(err) {
		return index, err
	}
	cause := err
	if index, err = x.create(); err != nil {
		return nil, fmt.Errorf("%w (it was to be rebuilt because it cannot be used: %w)", err, cause)
	}
	x.log.Warn().Err(cause).Str("path", x.dir).Msg("the search index cannot be used and is being rebuilt; searches find what has been indexed so far")
	return index, nil
}

func (x *Index) openExisting() (index bleve.Index, err error) {
	// bleve reports any error here as a missing file.
	if _, err := os.ReadFile(filepath.Join(x.dir, metaFile)); err != nil {
		return nil, err
	}
	err = guard(func() error {
		index, err = bleve.OpenUsing(x.dir, options())
		return err
	})
	if err != nil {
		return nil, err
	}
	stored, err := index.GetInternal(keyVersion)
	if err == nil && string(stored) != version {
		err = fmt.Errorf("it has version %q, and this program needs %q", stored, version)
	}
	if err != nil {
		_ = index.Close()
		return nil, err
	}
	return index, nil
}

// errForeign is wrapped by the error of a folder that holds other files as well.
var errForeign = errors.New("nothing was changed, because the folder holds something that is not part of a search index")

// create replaces what is in the folder by an empty index.
func (x *Index) create() (index bleve.Index, err error) {
	if err := x.clear(); err != nil {
		return nil, err
	}
	err = guard(func() error {
		if index, err = bleve.NewUsing(x.dir, x.mapping, scorch.Name, scorch.Name, options()); err != nil {
			return err
		}
		if err := index.SetInternal(keyVersion, []byte(version)); err != nil {
			_ = index.Close()
			return err
		}
		return nil
	})
	if err != nil {
		_ = x.clear() // what is left of an incomplete index only takes up space
		return nil, err
	}
	return index, nil
}

// clear removes the index from its folder.
func (x *Index) clear() error {
	entries, err := os.ReadDir(x.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() != metaFile && e.Name() != storeFolder {
			return fmt.Errorf("%w: %s", errForeign, e.Name())
		}
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(x.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// closeIndex closes the bleve index, if it is open. The caller holds mu.
func (x *Index) closeIndex() error {
	if x.index == nil {
		return nil
	}
	index := x.index
	x.index = nil
	return guard(index.Close)
}

// repair does what an error in following the source calls for: a damaged index is
// rebuilt; one that could not be written to is reopened as it is on the disk, so that
// what could not be written does not pile up in memory.
func (x *Index) repair(cause error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.closeIndex(); err != nil {
		x.log.Warn().Err(err).Msg("closing the search index failed")
	}
	if errors.Is(cause, errDamaged) || errors.Is(cause, scorch.ErrAsyncPanic) {
		x.reopen(x.create)
	} else {
		x.reopen(x.open)
	}
	return x.openErr
}

// verify checks the checksums of the files of the index, which bleve writes but
// never checks.
func (x *Index) verify(ctx context.Context) error {
	return x.use(func(index bleve.Index) error {
		inner, err := index.Advanced()
		if err != nil {
			return err
		}
		reader, err := inner.Reader()
		if err != nil {
			return err
		}
		defer reader.Close() // no file is removed before that
		snapshot, ok := reader.(*scorch.IndexSnapshot)
		if !ok {
			return fmt.Errorf("the search index has an unexpected reader: %T", reader)
		}
		for _, segment := range snapshot.Segments() {
			if file, ok := segment.Segment().(interface{ Path() string }); ok {
				if err := verifyFile(ctx, file.Path()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// verifyFile checks the CRC-32 at the end of a segment file against the rest of it.
func verifyFile(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const footer = 4 // bytes, big-endian
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, f, max(0, info.Size()-footer)); err != nil {
		return err
	}
	stored, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if !slices.Equal(sum.Sum(nil), stored) {
		return fmt.Errorf("%w: the checksum of %s does not match", errDamaged, path)
	}
	return nil
}

// use calls f with the index, which is neither replaced nor closed before f returns.
func (x *Index) use(f func(bleve.Index) error) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case x.closed:
		return ErrClosed
	case x.index == nil:
		return fmt.Errorf("%w: %w", ErrNotReady, x.openErr)
	}
	return guard(func() error { return f(x.index) })
}

// guard turns a panic into an error: bleve panics on damaged files, and reading a file
// that became shorter while it was mapped is a fault.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}
