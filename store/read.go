package store

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Package returns the live package with that id, or ErrNotFound.
func (s *Store) Package(id int) (rec record.Package, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		rec, err = getPackage(tx, id)
		return err
	})
	return rec, err
}

// PackageBySlug returns the live package with that slug, or ErrNotFound.
func (s *Store) PackageBySlug(slug string) (rec record.Package, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		id := tx.Bucket(bucketSlugs).Get([]byte(slug))
		if id == nil {
			return ErrNotFound
		}
		rec, err = getPackage(tx, int(number(id)))
		return err
	})
	return rec, err
}

// Packages returns up to limit live packages, highest id first, after skipping
// offset of them, and how many there are in all. Both are of the same state of the
// store.
func (s *Store) Packages(offset, limit int) (recs []record.Package, total int, err error) {
	offset = max(0, offset)
	err = s.readPage(func() (func(*bolt.Tx) error, error) {
		order := *s.order.Load()
		total = len(order)
		recs = make([]record.Package, 0, max(0, min(limit, total-offset)))
		return func(tx *bolt.Tx) error {
			for i := offset; i < total && len(recs) < limit; i++ {
				rec, err := getPackage(tx, order[total-1-i])
				if errors.Is(err, ErrNotFound) {
					return errRemoved
				}
				if err != nil {
					return err
				}
				recs = append(recs, rec)
			}
			return nil
		}, nil
	})
	return recs, total, err
}

// errRemoved is met by who reads a page and finds that a sync has removed one of its
// packages since the order of the packages was read.
var errRemoved = errors.New("a listed package has been removed")

// readPage reads a page of packages in an order that is kept in memory: begin reads the
// order, and returns what reads the page by it. Both are done again if that meets errRemoved.
func (s *Store) readPage(begin func() (page func(*bolt.Tx) error, err error)) error {
	for begun := time.Now(); ; wait() {
		page, err := begin()
		if err == nil {
			err = s.view(page)
		}
		if !errors.Is(err, errRemoved) {
			return err
		}
		if time.Since(begun) > maxReading {
			return s.listedAndMissing()
		}
	}
}

// maxReading is how long a page is read again and again before the order of the packages
// counts as wrong. More than once is normal, since a sync removes packages a chunk at a
// time, and the order follows each.
const maxReading = 2 * time.Second

// wait lets a sync go on before a page is read again.
func wait() { time.Sleep(time.Millisecond) }

// listedAndMissing is the error of a read that meets, however often it is repeated, a
// package in the order that has no row.
func (s *Store) listedAndMissing() error {
	err := withAdvice(fmt.Errorf("%w: a package that is listed does not exist", errDamaged))
	s.noteDamage(err)
	s.markDamage()
	return err
}

// Category returns the category with that id, or ErrNotFound.
func (s *Store) Category(id int) (record.Category, error) {
	return one[record.Category](s, bucketCategories, id)
}

// Categories returns up to limit categories, highest id first, after skipping
// offset of them, and how many there are in all.
func (s *Store) Categories(offset, limit int) ([]record.Category, int, error) {
	return page[record.Category](s, bucketCategories, offset, limit)
}

// Grid returns the grid with that id, or ErrNotFound.
func (s *Store) Grid(id int) (record.Grid, error) {
	return one[record.Grid](s, bucketGrids, id)
}

// GridBySlug returns the grid with that slug, or ErrNotFound.
func (s *Store) GridBySlug(slug string) (grid record.Grid, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		missing := ErrNotFound
		c := tx.Bucket(bucketGrids).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			grid = record.Grid{}
			if err := decode(v, &grid, place(bucketGrids, int(number(k)))); err != nil {
				missing = err // it may be this one
				s.noteDamage(err)
			} else if grid.Slug == slug {
				return nil
			}
		}
		grid = record.Grid{}
		return missing
	})
	return grid, err
}

// Grids returns up to limit grids, highest id first, after skipping offset of
// them, and how many there are in all.
func (s *Store) Grids(offset, limit int) ([]record.Grid, int, error) {
	return page[record.Grid](s, bucketGrids, offset, limit)
}

// GridPackages returns the ids of the grid's packages by title in code point
// order, then by id.
func (s *Store) GridPackages(grid int) (ids []int, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		prefix := key(grid)
		c := tx.Bucket(bucketMembers).Cursor()
		for k, _ := c.Seek(prefix); k != nil && string(k[:8]) == string(prefix); k, _ = c.Next() {
			ids = append(ids, int(number(k[len(k)-8:])))
		}
		return nil
	})
	return ids, err
}

func one[T any](s *Store, bucket []byte, id int) (item T, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		value := tx.Bucket(bucket).Get(key(id))
		if value == nil {
			return ErrNotFound
		}
		return decode(value, &item, place(bucket, id))
	})
	return item, err
}

func page[T any](s *Store, bucket []byte, offset, limit int) (items []T, total int, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			total++
			if total <= offset || len(items) >= limit {
				continue
			}
			var item T
			if err := decode(v, &item, place(bucket, int(number(k)))); err != nil {
				return fmt.Errorf("%w; it is written again when the catalogue is next loaded: on SIGHUP, or at the next start", err)
			}
			items = append(items, item)
		}
		return nil
	})
	return items, total, err
}
