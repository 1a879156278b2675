package search

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// What the index keeps beside its documents.
var (
	keyVersion    = []byte("version")
	keyPosition   = []byte("position")   // the sequence that the documents are of, 8 bytes big-endian
	keyCategories = []byte("categories") // digest of the titles that the documents hold
	keyGrids      = []byte("grids")      // digest of the grids that are indexed
)

const (
	batchSize    = 500             // changes read, and documents written, at once
	gather       = 2 * time.Second // that changes are left to pile up
	retryMin     = time.Second
	retryMax     = time.Minute // also how long it must go well for the next wait to be the least again
	rebuildEvery = time.Minute // at most, of a store that forgets
)

// Run follows the source until ctx ends, and then returns nil. No failure ends
// it before: it says so, once for each, waits, and tries again; meanwhile
// searches find what has been indexed. Only one Run may be going on.
func (x *Index) Run(ctx context.Context) error {
	wait := retryMin
	said := ""
	var rebuilt time.Time
	for {
		began := time.Now()
		err := x.follow(ctx)
		if time.Since(began) > retryMax {
			wait, said = retryMin, ""
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed):
			return err
		case errors.Is(err, store.ErrForgotten):
			x.log.Warn().Err(err).Msg("the search index is of another store, or was away for too long: it is built anew, at most once a minute")
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
			if err.Error() != said {
				said = err.Error()
				x.log.Error().Err(err).Msg("the search index does not follow the store; it is tried again every minute at least, and searches find what has been indexed")
			}
			if isOurs(err) {
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

// sleep returns nil when a duration is over, or ctx's error.
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

// isOurs reports whether an error is of the index, not of the source.
func isOurs(err error) bool {
	var async *scorch.ScorchError
	return errors.Is(err, errWrite) || errors.Is(err, errDamaged) || errors.As(err, &async)
}

// fail ends the present follow, if there is one.
func (x *Index) fail(err error) {
	if cancel := x.cancel.Load(); cancel != nil {
		(*cancel)(err)
	}
}

// follow follows the source until something fails, be it in a goroutine of
// bleve's.
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

// followFeed follows the source until something fails. When it has caught up it
// looks whether categories or grids have changed too: they are not in the feed,
// but each change of theirs takes a number of the sequence.
func (x *Index) followFeed(ctx context.Context) error {
	if err := x.verify(ctx); err != nil {
		return err
	}
	position, err := x.position()
	if err != nil {
		return err
	}
	categories, err := x.categories()
	if err != nil {
		return err
	}
	if position == 0 {
		if err := x.write(ctx, func(b *bleve.Batch) { b.SetInternal(keyCategories, categories.digest) }); err != nil {
			return err
		}
	}
	kept := position
	for moved := true; ; {
		began := time.Now()
		changes, next, more, err := x.source.Changes(position, batchSize)
		if err != nil {
			return fmt.Errorf("read what changed in the store: %w", err)
		}
		documents, gone := x.documents(changes, categories.titles)
		if documents, err = x.unlikeIndexed(ctx, documents); err != nil {
			return err
		}
		// Where no document changes, the position is not worth a write: after a
		// restart the same changes are seen again, and again to be none.
		if len(documents)+len(gone) > 0 || kept == 0 && next > 0 {
			err := x.write(ctx, func(b *bleve.Batch) {
				for _, id := range gone {
					b.Delete(id)
				}
				for _, d := range documents {
					x.add(b, d)
				}
				b.SetInternal(keyPosition, binary.BigEndian.AppendUint64(nil, next))
			})
			if err != nil {
				return err
			}
			kept = next
		}
		moved = moved || next-position > uint64(len(changes))
		position = next
		if more {
			// Half of the time is left to whoever waits for an answer.
			if err := x.sleep(ctx, time.Since(began)); err != nil {
				return err
			}
			continue
		}
		if moved {
			moved = false
			if err := x.followGrids(ctx); err != nil {
				return err
			}
			if categories, err = x.categories(); err != nil {
				return err
			}
			if held, err := x.internal(keyCategories); err != nil {
				return err
			} else if !slices.Equal(held, categories.digest) {
				// A category's title is part of each of its packages. It changes
				// so rarely that a pass over all of them is no matter; deletions
				// up to here are in the index, later ones are in the feed.
				position, kept = 0, 0
				err := x.write(ctx, func(b *bleve.Batch) {
					b.SetInternal(keyCategories, categories.digest)
					b.SetInternal(keyPosition, make([]byte, 8))
				})
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := x.source.Wait(ctx, position); err != nil {
			return fmt.Errorf("wait for the store to change: %w", err)
		}
		// Whoever writes is at it, and many small batches cost more than a large one.
		if err := x.sleep(ctx, gather); err != nil {
			return err
		}
	}
}

// documents returns what the packages that changed are to be indexed as, and the
// ids of the documents that are to go. A package that cannot be read is in
// neither, and so keeps what is indexed of it: there is a change again when it is
// next written.
func (x *Index) documents(changes []store.Change, categories map[int]string) (live []document, gone []string) {
	for _, c := range changes {
		p, err := record.Package{}, store.ErrNotFound
		if !c.Deleted {
			p, err = x.source.Package(c.ID)
		}
		switch {
		case err == nil:
			live = append(live, x.packageDocument(&p, categories[p.Category]))
		case errors.Is(err, store.ErrNotFound): // or it went away since: the feed will tell
			gone = append(gone, docID(false, c.ID))
		default:
			x.leftOut(docID(false, c.ID), err)
		}
	}
	return live, gone
}

// add adds a document to a batch.
func (x *Index) add(b *bleve.Batch, d document) {
	if err := b.Index(d.id, d.texts); err != nil {
		x.leftOut(d.id, err)
	}
}

func (x *Index) leftOut(document string, err error) {
	x.log.Error().Err(err).Str("document", document).Msg("what changed is left out of the search index until it changes again")
}

// write fills a batch, writes it, and returns when it is on the disk.
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
		return 0, fmt.Errorf("%w: its position has %d bytes", errDamaged, len(value))
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
