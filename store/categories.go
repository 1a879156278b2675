package store

import (
	"bytes"
	"strconv"
	"time"

	"pkgmetad/internal/record"
)

// syncCategoriesAndGrids makes the store hold exactly the categories and grids of c.
func syncCategoriesAndGrids(w *writer, c record.Catalogue, now time.Time) error {
	if err := syncItems(w, bucketCategories, nameCategory, c.Categories, now, func(category *record.Category) (int, *time.Time, *time.Time) {
		return category.ID, &category.Created, &category.Modified
	}); err != nil {
		return err
	}
	return syncItems(w, bucketGrids, nameGrid, c.Grids, now, func(grid *record.Grid) (int, *time.Time, *time.Time) {
		return grid.ID, &grid.Created, &grid.Modified
	})
}

// syncItems makes the bucket hold exactly these items. A time that is not
// declared is kept, or becomes now: Created for a new item, Modified for a
// changed one.
func syncItems[T any](w *writer, name []byte, message string, items []T, now time.Time, fields func(*T) (id int, created, modified *time.Time)) error {
	bucket := w.Bucket(name)
	declared := make(map[int]bool, len(items))
	for i := range items {
		item := items[i]
		id, created, modified := fields(&item)
		declared[id] = true

		var old T
		value := bucket.Get(key(id))
		known := value != nil && decode(value, &old, place(name, id)) == nil
		_, oldCreated, oldModified := fields(&old)
		if created.IsZero() {
			if *created = *oldCreated; !known {
				*created = now
			}
		}
		undated := modified.IsZero()
		if undated {
			if *modified = *oldModified; !known {
				*modified = now
			}
		}
		*created, *modified = created.UTC().Truncate(time.Microsecond), modified.UTC().Truncate(time.Microsecond)
		fresh, err := encode(item)
		if err != nil {
			return err
		}
		if bytes.Equal(fresh, value) {
			continue
		}
		if undated && known {
			*modified = now
			if fresh, err = encode(item); err != nil {
				return err
			}
		}
		w.note(message+strconv.Itoa(id), name, key(id))
		if err := bucket.Put(key(id), fresh); err != nil {
			return err
		}
		w.next()
	}
	var gone [][]byte
	c := bucket.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !declared[int(number(k))] {
			w.note(message+strconv.Itoa(int(number(k))), name, k)
			gone = append(gone, bytes.Clone(k))
			w.next()
		}
	}
	return deleteKeys(bucket, gone)
}
