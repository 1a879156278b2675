package store

import (
	"cmp"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// titles are the live packages in the order of their titles. Titles and categories change
// with the catalogue alone, so one reading serves until the next sync. It is kept in memory,
// and made when somebody first asks for that order.
type titles struct {
	mu         sync.Mutex    // held while it is made, so that others wait for it
	order      *[]int        // Store.order when it was made, which a sync replaces; nil before
	all        []int         // ids
	byCategory map[int][]int // ids by the id of the category
}

// ServedByTitle is ServedPage in the code point order of the titles, then by id. With a
// category other than 0, only its packages are passed and counted.
func (s *Store) ServedByTitle(category, offset, limit int, begin func(total int), use func(Served)) error {
	return s.readPage(func() (page func(*bolt.Tx) error, err error) {
		ids, err := s.byTitle(category)
		if err != nil {
			return nil, err
		}
		begin(len(ids))
		from := min(max(0, offset), len(ids))
		to := from + min(max(0, limit), len(ids)-from)
		return func(tx *bolt.Tx) error {
			for _, id := range ids[from:to] {
				value := tx.Bucket(bucketServed).Get(key(id))
				if value == nil {
					return errRemoved
				}
				p, err := s.servedFrom(tx, id, value)
				if err != nil {
					return err
				}
				use(p)
			}
			return nil
		}, nil
	})
}

// Slugs returns the slugs of the live packages with these ids, in the same order. An id
// that no live package has is left out.
func (s *Store) Slugs(ids []int) (slugs []string, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		slugs = make([]string, 0, len(ids))
		for _, id := range ids {
			value := tx.Bucket(bucketPackages).Get(key(id))
			if value == nil {
				continue
			}
			var p struct{ Slug string }
			if err := decode(value, &p, place(bucketPackages, id)); err != nil {
				return err
			}
			slugs = append(slugs, p.Slug)
		}
		return nil
	})
	return slugs, err
}

// byTitle returns the ids of the packages of a category, 0 for all, by their titles. The
// slice must not be changed.
func (s *Store) byTitle(category int) ([]int, error) {
	t := &s.titles
	t.mu.Lock()
	defer t.mu.Unlock()
	if order := s.order.Load(); t.order != order {
		if err := s.readTitles(*order); err != nil {
			return nil, err
		}
		t.order = order
	}
	if category == 0 {
		return t.all, nil
	}
	return t.byCategory[category], nil
}

// readTitles makes the order of the packages with these ids, which ascend. A damaged one is
// listed as one without a title: it counts, and who asks for its page is told.
func (s *Store) readTitles(ids []int) error {
	type titled struct {
		ID       int    `json:"-"`
		Title    string `json:"title"`
		Category int    `json:"category"`
	}
	all := make([]titled, len(ids))
	if err := s.view(func(tx *bolt.Tx) error {
		packages := tx.Bucket(bucketPackages)
		for i, id := range ids {
			all[i].ID = id
			value := packages.Get(key(id))
			if value == nil {
				continue // a sync has removed it, and is about to replace the order
			}
			if err := decode(value, &all[i], place(bucketPackages, id)); err != nil {
				s.noteDamage(err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b titled) int { return cmp.Compare(a.Title, b.Title) })
	s.titles.all, s.titles.byCategory = make([]int, len(all)), map[int][]int{}
	for i, p := range all {
		s.titles.all[i] = p.ID
		s.titles.byCategory[p.Category] = append(s.titles.byCategory[p.Category], p.ID)
	}
	return nil
}
