package store

import (
	"bytes"
	"time"

	bolt "go.etcd.io/bbolt"
)

// syncTaxonomy takes over categories and grids and returns how many changed.
func syncTaxonomy(tx *bolt.Tx, c Catalogue, now time.Time) (changes int, err error) {
	n, err := syncItems(tx, bucketCategories, c.Categories, now, func(category *Category) (int, *time.Time, *time.Time) {
		return category.ID, &category.Created, &category.Modified
	})
	if err != nil {
		return 0, err
	}
	m, err := syncItems(tx, bucketGrids, c.Grids, now, func(grid *Grid) (int, *time.Time, *time.Time) {
		return grid.ID, &grid.Created, &grid.Modified
	})
	return n + m, err
}

// syncItems makes the bucket hold exactly these items. A time that is not
// declared is kept, or becomes now: Created for a new item, Modified for a
// changed one.
func syncItems[T any](tx *bolt.Tx, name []byte, items []T, now time.Time, fields func(*T) (id int, created, modified *time.Time)) (changes int, err error) {
	bucket := tx.Bucket(name)
	declared := make(map[int]bool, len(items))
	for i := range items {
		item := items[i]
		id, created, modified := fields(&item)
		declared[id] = true

		var old T
		value := bucket.Get(key(id))
		known := value != nil && decode(value, &old, name, uint64(id)) == nil
		_, oldCreated, oldModified := fields(&old)
		if created.IsZero() {
			if *created = *oldCreated; !known {
				*created = now
			}
		}
		touch := modified.IsZero()
		if touch {
			if *modified = *oldModified; !known {
				*modified = now
			}
		}
		*created, *modified = created.UTC().Truncate(time.Microsecond), modified.UTC().Truncate(time.Microsecond)
		fresh, err := encode(item)
		if err != nil {
			return 0, err
		}
		if bytes.Equal(fresh, value) {
			continue
		}
		if touch && known {
			*modified = now
			if fresh, err = encode(item); err != nil {
				return 0, err
			}
		}
		if err := bucket.Put(key(id), fresh); err != nil {
			return 0, err
		}
		changes++
	}
	var gone [][]byte
	c := bucket.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !declared[int(number(k))] {
			gone = append(gone, bytes.Clone(k))
		}
	}
	return changes + len(gone), deleteKeys(bucket, gone)
}
