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
	batchSize = 500 // documents written at once
	retryMin  = time.Second
	retryMax  = 5 * time.Minute // also how long it must go well for the next wait to be the least again
)

// Run follows the source until ctx ends, and then returns nil. No failure ends
// it before: it says so, waits, and tries again; meanwhile searches find what
// has been indexed. Only one Run may be going on.
func (x *Index) Run(ctx context.Context) error {
	wait := x.retryMin
	for {
		began := time.Now()
		err := x.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed):
			return err
		case errors.Is(err, store.ErrForgotten):
			x.log.Info().Err(err).Msg("the search index is of another store, or was away for too long: it is built anew")
			if err = x.repair(errDamaged); err == nil {
				continue
			}
		case isOurs(err):
			if repaired := x.repair(err); repaired != nil {
				err = errors.Join(err, repaired)
			}
		}
		if time.Since(began) > retryMax {
			wait = x.retryMin
		}
		x.log.Error().Err(err).Stringer("retry_in", wait).Msg("the search index does not follow the store for now; searches find what has been indexed")
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// errWrite is wrapped by the errors of writing to the index.
var errWrite = errors.New("write to the search index")

// isOurs reports whether an error is of the index, not of the source.
func isOurs(err error) bool {
	var async *scorch.ScorchError
	return errors.Is(err, errWrite) || errors.Is(err, errDamaged) || errors.Is(err, errNotOpen) || errors.As(err, &async)
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
	for moved := true; ; {
		changes, next, more, err := x.source.Changes(position, batchSize)
		if err != nil {
			return fmt.Errorf("read what changed in the store: %w", err)
		}
		if len(changes) > 0 {
			err := x.write(ctx, func(b *bleve.Batch) {
				for _, c := range changes {
					x.apply(b, c, categories.titles)
				}
				b.SetInternal(keyPosition, binary.BigEndian.AppendUint64(nil, next))
			})
			if err != nil {
				return err
			}
		}
		moved = moved || next-position > uint64(len(changes))
		position = next
		if more {
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
				position = 0
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
	}
}

// apply adds to a batch what a change calls for. A package that cannot be read
// keeps what is indexed of it: there is a change again when it is next written.
func (x *Index) apply(b *bleve.Batch, c store.Change, categories map[int]string) {
	id := docID(false, c.ID)
	if c.Deleted {
		b.Delete(id)
		return
	}
	p, err := x.source.Package(c.ID)
	if errors.Is(err, store.ErrNotFound) {
		b.Delete(id) // it went away since; the feed will tell
		return
	}
	if err == nil {
		err = b.Index(id, x.packageDocument(&p, categories[p.Category]))
	}
	if err != nil {
		x.log.Error().Err(err).Int("package", c.ID).Msg("a package is left out of the search index until it is next written")
	}
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
