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

// What bleve keeps in the folder of an index.
const (
	metaFile    = "index_meta.json"
	storeFolder = "store"
)

// errDamaged is wrapped by the errors after which an index is built anew.
var errDamaged = errors.New("the search index is damaged")

// Open opens the index in the folder dir, or makes it, to follow source. One
// that is damaged or of another version is removed and built anew. Where that is
// not possible (the folder cannot be written to, holds something other than an
// index, or holds one that another process has open), Open logs the reason, Run
// tries again, and until then Search fails with ErrNotReady. Open itself fails only
// where this process has the index open already.
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

// Close waits for running searches and closes the index. Stop Run first: it ends
// with ErrClosed otherwise.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	opened.Delete(x.storePath())
	x.fail(ErrClosed)
	if err := x.shut(); err != nil {
		return fmt.Errorf("close the search index %s: %w", x.dir, err)
	}
	return nil
}

// opened are the open indexes by the path that bleve knows them by and names when
// one of its goroutines fails: it has one callback for all indexes.
var opened sync.Map

const reports = "pkgmetad"

func init() {
	bleve.Config.SetAnalysisQueueSize(1) // indexing must leave the processors to those who wait for answers
	scorch.RegistryAsyncErrorCallbacks[reports] = func(err error, path string) {
		if x, ok := opened.Load(path); ok {
			x.(*Index).fail(err)
		}
		time.Sleep(100 * time.Millisecond) // else bleve tries again at once, for ever
	}
}

func (x *Index) storePath() string { return filepath.Join(x.dir, storeFolder) }

func options() map[string]any {
	return map[string]any{
		"unsafe_batch":           true, // write waits for the batch, and learns of failures
		"asyncErrorCallbackName": reports,
		// With bleve's default of 2,000 documents, most of an index is merged again
		// and again while it is written to, which takes longer than everything else;
		// with fewer than 1,000, searches have too many segments to ask.
		"scorchMergePlanOptions": map[string]any{"FloorSegmentSize": 1000},
		"bolt_timeout":           "100ms", // for another process to let go of it; Run tries again
	}
}

// reopen opens the index by one of open and create, where none is open, and keeps
// the error if it cannot. It logs each reason once. The caller holds mu, or is the
// only one that knows of the index yet.
func (x *Index) reopen(by func() (bleve.Index, error)) {
	before := x.openErr
	x.index, x.openErr = by()
	switch {
	case x.openErr == nil && before != nil:
		x.log.Info().Str("path", x.dir).Msg("the search index is open now")
	case x.openErr != nil && (before == nil || before.Error() != x.openErr.Error()):
		x.log.Error().Err(x.openErr).Str("path", x.dir).Msg("the search index cannot be opened: " + advice(x.openErr) + "; until then there is no search, and everything else works; opening it is tried again at least every minute")
	}
}

// open opens the index that there is, or makes a new one.
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
		return nil, fmt.Errorf("%w (it was to be built anew because it cannot be used: %w)", err, cause)
	}
	x.log.Warn().Err(cause).Str("path", x.dir).Msg("the search index cannot be used and is built anew; searches find what has been indexed so far")
	return index, nil
}

func (x *Index) openExisting() (index bleve.Index, err error) {
	// bleve says of any error that the file is missing.
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
	held, err := index.GetInternal(keyVersion)
	if err == nil && string(held) != version {
		err = fmt.Errorf("it is of version %q, and this program needs %q", held, version)
	}
	if err != nil {
		_ = index.Close()
		return nil, err
	}
	return index, nil
}

// errForeign is wrapped by the error of a folder that holds other files as well.
var errForeign = errors.New("nothing was changed, because the folder holds something that is not part of a search index")

// create makes an empty index in place of what is in the folder.
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
		_ = x.clear() // half an index only takes up room
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

func (x *Index) shut() error {
	if x.index == nil {
		return nil
	}
	index := x.index
	x.index = nil
	return guard(index.Close)
}

// repair does what an error of following calls for: an index that is damaged
// is built anew; one that could not be written to is opened again as it is on the
// disk, so that what was not written does not pile up in memory.
func (x *Index) repair(cause error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.shut(); err != nil {
		x.log.Warn().Err(err).Msg("closing the search index failed")
	}
	if errors.Is(cause, errDamaged) || errors.Is(cause, scorch.ErrAsyncPanic) {
		x.reopen(x.create)
	} else {
		x.reopen(x.open)
	}
	return x.openErr
}

// verify checks the checksums of the files of the index: bleve writes these but
// does not read them.
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
		defer reader.Close() // until then no file is removed
		snapshot, ok := reader.(*scorch.IndexSnapshot)
		if !ok {
			return fmt.Errorf("a search index of another kind: %T", reader)
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
	stated, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if !slices.Equal(sum.Sum(nil), stated) {
		return fmt.Errorf("%w: the checksum of %s does not match", errDamaged, path)
	}
	return nil
}

// use calls f with the index, which is not replaced meanwhile.
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

// guard turns a panic of bleve, which is its answer to a damaged file, into an
// error, and so the fault of reading a file that became shorter while it was mapped.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}
