package search

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/blevesearch/bleve/v2"
)

// followGrids indexes all grids again if any of them has changed.
func (x *Index) followGrids(ctx context.Context) error {
	grids, _, err := x.source.Grids(0, math.MaxInt32)
	if err != nil {
		return fmt.Errorf("read the grids of the store: %w", err)
	}
	sum := sha256.New()
	encoder := json.NewEncoder(sum)
	for _, g := range grids {
		if err := encoder.Encode([]any{g.ID, g.Title, g.Slug, g.Description}); err != nil {
			return err
		}
	}
	digest := sum.Sum(nil)
	stored, err := x.internal(keyGrids)
	if err != nil || slices.Equal(stored, digest) {
		return err
	}
	gone, err := x.indexedGrids(ctx)
	if err != nil {
		return err
	}
	for _, g := range grids {
		delete(gone, docID(true, g.ID))
	}
	for chunk := range slices.Chunk(grids, batchSize) {
		err := x.write(ctx, func(b *bleve.Batch) {
			for i := range chunk {
				x.add(b, x.gridDocument(&chunk[i]))
			}
		})
		if err != nil {
			return err
		}
	}
	return x.write(ctx, func(b *bleve.Batch) {
		for id := range gone {
			b.Delete(id)
		}
		b.SetInternal(keyGrids, digest)
	})
}

// indexedGrids returns the ids of the documents that are grids.
func (x *Index) indexedGrids(ctx context.Context) (ids map[string]bool, err error) {
	ids = map[string]bool{}
	err = x.use(func(index bleve.Index) error {
		r := bleve.NewSearchRequestOptions(term("kind", docID(true, 0)[:1]), math.MaxInt32, 0, false)
		r.Score = bleve.ScoreNone
		found, err := index.SearchInContext(ctx, r)
		if err != nil {
			return err
		}
		for _, match := range found.Hits {
			ids[match.ID] = true
		}
		return nil
	})
	return ids, err
}
