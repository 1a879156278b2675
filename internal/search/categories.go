package search

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/blevesearch/bleve/v2"
)

// categories are the parts of the categories that the documents of packages hold.
type categories struct {
	titles map[int]string // by id
	digest []byte         // of the titles
}

func (x *Index) readCategories() (c categories, err error) {
	all, _, err := x.source.Categories(0, math.MaxInt32)
	if err != nil {
		return c, fmt.Errorf("read the categories of the store: %w", err)
	}
	c.titles = make(map[int]string, len(all))
	for _, category := range all {
		c.titles[category.ID] = category.Title
	}
	encoded, err := json.Marshal(c.titles) // sorts by key
	sum := sha256.Sum256(encoded)
	c.digest = sum[:]
	return c, err
}

// followCategories reads the categories again. If a title differs from the one in
// the documents, it goes back to the beginning of the feed and returns true: the
// title is part of the documents of all packages in the category, and changes so
// rarely that every package can be read again.
func (f *feed) followCategories(ctx context.Context) (again bool, err error) {
	if f.categories, err = f.index.readCategories(); err != nil {
		return false, err
	}
	stored, err := f.index.internal(keyCategories)
	if err != nil || slices.Equal(stored, f.categories.digest) {
		return false, err
	}
	// The index has the deletions up to here; the feed will have later ones.
	f.position, f.saved = 0, 0
	return true, f.index.write(ctx, func(b *bleve.Batch) {
		b.SetInternal(keyCategories, f.categories.digest)
		b.SetInternal(keyPosition, binary.BigEndian.AppendUint64(nil, 0))
	})
}
