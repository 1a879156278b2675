package search

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
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
// that is damaged or of another version is removed and built anew. Where that
// cannot be (the folder cannot be written to, holds anything but an index, or
// holds one that another process has open), it says so in the log, Run tries
// again, and until then Search fails with ErrNotReady. Open itself fails only
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

// Close waits for running searches and closes the index. Run should have
// returned before.
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

// opened are the open indexes by the path that bleve knows them by, and reports
// of its goroutines name. It has one register of such callbacks for all.
var opened sync.Map

const reports = "pkgmetad"

func init() {
	bleve.Config.SetAnalysisQueueSize(1) // to index must not take the processors from who serves
	scorch.RegistryAsyncErrorCallbacks[reports] = func(err error, path string) {
		if x, ok := opened.Load(path); ok {
			x.(*Index).fail(err)
		}
		time.Sleep(100 * time.Millisecond) // bleve tries again at once, and for ever
	}
}

func (x *Index) storePath() string { return filepath.Join(x.dir, storeFolder) }

func options() map[string]any {
	return map[string]any{
		"unsafe_batch":           true, // a batch is waited for in write, which also hears of failures
		"asyncErrorCallbackName": reports,
		// With the default of 2,000 documents all of a common index is merged
		// again and again while it is written to, which takes longer than all
		// else; with fewer than these, searches have too many segments to ask.
		"scorchMergePlanOptions": map[string]any{"FloorSegmentSize": 1000},
		"bolt_timeout":           "100ms", // for another process to let go of it; Run tries again
	}
}

// reopen opens the index by one of open and create, in place of none, and keeps
// why it could not. It says so once for each reason. The caller holds mu, or
// nobody else knows of the index yet.
func (x *Index) reopen(by func() (bleve.Index, error)) {
	before := x.trouble
	x.index, x.trouble = by()
	switch {
	case x.trouble == nil && before != nil:
		x.log.Info().Str("path", x.dir).Msg("the search index is open now")
	case x.trouble != nil && (before == nil || before.Error() != x.trouble.Error()):
		x.log.Error().Err(x.trouble).Str("path", x.dir).Msg("the search index cannot be opened: " + advice(x.trouble) + "; until then there is no search, and all else works; it is tried again every minute at least")
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
	if err == nil || isOfSystem(err) {
		return index, err
	}
	cause := err
	if index, err = x.create(); err != nil {
		return nil, fmt.Errorf("%w (to be built anew, because it cannot be used: %w)", err, cause)
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
		err = fmt.Errorf("it is of version %q, this program knows %q", held, version)
	}
	if err != nil {
		_ = index.Close()
		return nil, err
	}
	return index, nil
}

// errForeign is wrapped by the error of a folder that is not the index's alone.
var errForeign = errors.New("nothing was changed, because the folder holds what is of no search index")

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
		_ = x.clear() // half an index takes room, and is of no use
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
// is built anew; one that could not be written to is opened again as it stands
// on the disk, so that what was not written does not pile up in memory.
func (x *Index) repair(cause error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.shut(); err != nil {
		x.log.Warn().Err(err).Msg("the search index did not close well")
	}
	if errors.Is(cause, errDamaged) || errors.Is(cause, scorch.ErrAsyncPanic) {
		x.reopen(x.create)
	} else {
		x.reopen(x.open)
	}
	return x.trouble
}

// verify checks the checksums of the files of the index, which bleve itself
// only writes.
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
		defer reader.Close() // until then no file goes away
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

// verifyFile checks the CRC-32 that ends a segment file, of all before it.
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

// use lends the index to f, which it is not replaced under.
func (x *Index) use(f func(bleve.Index) error) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case x.closed:
		return ErrClosed
	case x.index == nil:
		return fmt.Errorf("%w: %w", ErrNotReady, x.trouble)
	}
	return guard(func() error { return f(x.index) })
}

// guard turns a panic of bleve, which is how it meets a damaged file, into an
// error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}
