package search

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// Keys of what the index stores besides its documents.
var (
	keyVersion    = []byte("version")
	keyPosition   = []byte("position")   // the sequence up to which the documents follow the feed, 8 bytes big-endian
	keyCategories = []byte("categories") // digest of the titles that the documents hold
	keyGrids      = []byte("grids")      // digest of the grids that are indexed
)

const (
	batchSize    = 500             // changes read, and documents written, at once
	gather       = 2 * time.Second // time for more changes to arrive before a batch
	retryMin     = time.Second
	retryMax     = time.Minute // after that long without a failure, the next wait is retryMin again
	rebuildEvery = time.Minute // shortest time between rebuilds because the feed does not reach back far enough
)

// Run follows the source until ctx ends, and then returns nil. After a failure it
// logs it, unless it is the same as before, waits, and tries again; in the meantime
// searches find what has been indexed. Only one Run may be active at a time. After
// Close it returns ErrClosed.
func (x *Index) Run(ctx context.Context) error {
	wait := retryMin
	logged := "" // the last failure that was logged
	var rebuilt time.Time
	for {
		began := time.Now()
		err := x.follow(ctx)
		if time.Since(began) > retryMax {
			wait, logged = retryMin, ""
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed):
			return err
		case errors.Is(err, store.ErrForgotten), errors.Is(err, store.ErrAhead):
			x.log.Info().Str("reason", err.Error()).Msg("the search index is built anew, because the store is another one, or is too far ahead of it")
			x.state.change(Behind, nil)
			if x.sleep(ctx, time.Until(rebuilt.Add(rebuildEvery))) != nil {
				return nil
			}
			rebuilt = time.Now()
			if err = x.repair(errDamaged); err == nil {
				continue
			}
		case errors.Is(err, ErrNotReady):
			if err = x.repair(err); err == nil {
				wait = retryMin
				continue
			}
		default:
			x.state.change(Failing, err)
			if err.Error() != logged {
				logged = err.Error()
				x.log.Error().Err(err).Msg("the search index could not follow the store; this is tried again at least every minute, and meanwhile searches find what has been indexed")
			}
			if isIndexError(err) {
				err = x.repair(err)
			}
		}
		if errors.Is(err, ErrClosed) {
			return err
		}
		if x.sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// sleep returns nil after a duration, or ctx's error if it ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errWrite is wrapped by the errors of writing to the index.
var errWrite = errors.New("write to the search index")

// isIndexError reports whether an error comes from the index, not from the source.
func isIndexError(err error) bool {
	var async *scorch.ScorchError
	return errors.Is(err, errWrite) || errors.Is(err, errDamaged) || errors.As(err, &async)
}

// fail makes the running follow, if any, return err.
func (x *Index) fail(err error) {
	if cancel := x.cancel.Load(); cancel != nil {
		(*cancel)(err)
	}
}

// Renew has a running Run build the index anew, as the source was: a feed that goes on from
// where the index is does not tell what is different before that.
func (x *Index) Renew() { x.fail(fmt.Errorf("%w: it was built anew", store.ErrForgotten)) }

// follow follows the source until something fails, be it in a goroutine of bleve.
func (x *Index) follow(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	x.cancel.Store(&cancel)
	defer x.cancel.Store(nil)
	err := x.followFeed(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// followFeed follows the source until something fails. Whenever it has caught up, it
// checks whether grids or categories have changed as well: they are not in the feed,
// but each of their changes takes a number of the sequence.
func (x *Index) followFeed(ctx context.Context) error {
	f, err := x.openFeed(ctx)
	if err != nil {
		return err
	}
	for {
		began := time.Now()
		more, err := f.next(ctx)
		if err != nil {
			return err
		}
		if more {
			x.state.followed(f.position, Behind)
			// Leave half of the time to requests.
			if err := x.sleep(ctx, time.Since(began)); err != nil {
				return err
			}
			continue
		}
		if again, err := f.followOthers(ctx); err != nil {
			return err
		} else if again {
			x.state.followed(f.position, Behind)
			continue
		}
		x.state.followed(f.position, Current)
		if err := f.awaitChange(ctx); err != nil {
			return err
		}
	}
}

// A feed is the source's feed of changes, as far as the index has followed it.
type feed struct {
	index      *Index
	categories categories
	position   uint64 // the sequence up to which the feed has been read
	saved      uint64 // the position that the index has stored, at most position
	unchecked  bool   // categories or grids may have changed since they were last read
}

// openFeed verifies the index and returns the feed at the position it has stored.
func (x *Index) openFeed(ctx context.Context) (*feed, error) {
	if err := x.verify(ctx); err != nil {
		return nil, err
	}
	position, err := x.position()
	if err != nil {
		return nil, err
	}
	categories, err := x.readCategories()
	if err != nil {
		return nil, err
	}
	if position == 0 {
		if err := x.write(ctx, func(b *bleve.Batch) { b.SetInternal(keyCategories, categories.digest) }); err != nil {
			return nil, err
		}
	}
	return &feed{index: x, categories: categories, position: position, saved: position, unchecked: true}, nil
}

// next reads a batch of changes, indexes it, and reports whether there is more.
func (f *feed) next(ctx context.Context) (more bool, err error) {
	changes, next, more, err := f.index.source.Changes(f.position, batchSize)
	if err != nil {
		return false, fmt.Errorf("read what changed in the store: %w", err)
	}
	documents, gone := f.index.documents(changes, f.categories.titles)
	if documents, err = f.index.changedDocuments(ctx, documents); err != nil {
		return false, err
	}
	// If no document changes, the position is not worth a write: after a restart the
	// same changes are read again, and again found to be indexed.
	if len(documents)+len(gone) > 0 || f.saved == 0 && next > 0 {
		if err := f.index.writeBatch(ctx, documents, gone, next); err != nil {
			return false, err
		}
		f.saved = next
	}
	if next-f.position > uint64(len(changes)) { // some numbers are not of packages in the batch
		f.unchecked = true
	}
	f.position = next
	return more, nil
}

// writeBatch writes documents, deletes those that are gone, and stores the position
// that the index is at then.
func (x *Index) writeBatch(ctx context.Context, documents []document, gone []string, position uint64) error {
	return x.write(ctx, func(b *bleve.Batch) {
		for _, id := range gone {
			b.Delete(id)
		}
		for _, d := range documents {
			x.add(b, d)
		}
		b.SetInternal(keyPosition, binary.BigEndian.AppendUint64(nil, position))
	})
}

// followOthers follows the grids and categories if they may have changed. It
// reports whether the feed must be read again from the beginning.
func (f *feed) followOthers(ctx context.Context) (again bool, err error) {
	if !f.unchecked {
		return false, nil
	}
	f.unchecked = false
	if err := f.index.followGrids(ctx); err != nil {
		return false, err
	}
	return f.followCategories(ctx)
}

// awaitChange waits for the store to change, and then a little for further changes:
// they tend to come together, and many small batches cost more than a large one.
func (f *feed) awaitChange(ctx context.Context) error {
	if err := f.index.source.Wait(ctx, f.position); err != nil {
		return fmt.Errorf("wait for the store to change: %w", err)
	}
	return f.index.sleep(ctx, gather)
}

// documents returns the documents of the packages that changed, and the ids of the
// documents to delete. A package that cannot be read is in neither, so its old
// document stays; it is in the feed again when it is next written.
func (x *Index) documents(changes []store.Change, categories map[int]string) (live []document, gone []string) {
	for _, c := range changes {
		p, err := record.Package{}, store.ErrNotFound
		if !c.Deleted {
			p, err = x.source.Package(c.ID)
		}
		switch {
		case err == nil:
			live = append(live, x.packageDocument(&p, categories[p.Category]))
		case errors.Is(err, store.ErrNotFound): // deleted in this change or since
			gone = append(gone, docID(false, c.ID))
		default:
			x.logSkipped(docID(false, c.ID), err)
		}
	}
	return live, gone
}

// add adds a document to a batch.
func (x *Index) add(b *bleve.Batch, d document) {
	if err := b.Index(d.id, d.texts); err != nil {
		x.logSkipped(d.id, err)
	}
}

func (x *Index) logSkipped(document string, err error) {
	x.log.Error().Err(err).Str("document", document).Msg("a package or grid could not be indexed; searches use its old state until it changes again")
}

// write fills a batch, writes it, and returns once it is on the disk.
func (x *Index) write(ctx context.Context, fill func(*bleve.Batch)) error {
	persisted := make(chan error, 1)
	err := x.use(func(index bleve.Index) error {
		b := index.NewBatch()
		fill(b)
		b.SetPersistedCallback(func(err error) { persisted <- err })
		return index.Batch(b)
	})
	if errors.Is(err, ErrClosed) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	select {
	case err := <-persisted:
		if err != nil {
			return fmt.Errorf("%w: %w", errWrite, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) position() (uint64, error) {
	value, err := x.internal(keyPosition)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: its position has %s", errDamaged, record.Count(len(value), "byte", "bytes"))
	}
	return binary.BigEndian.Uint64(value), nil
}

func (x *Index) internal(key []byte) (value []byte, err error) {
	err = x.use(func(index bleve.Index) error {
		value, err = index.GetInternal(key)
		return err
	})
	return value, err
}
