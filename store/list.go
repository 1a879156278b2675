package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// lists has in memory what lists sort and filter all live packages by. It is read from the
// states bucket when somebody first asks for such a list, and again after a sync of the
// catalogue; in between, each write brings the packages up to date that it changes.
type lists struct {
	mu       sync.RWMutex
	order    *[]int          // Store.order when it was read, which a sync replaces; nil before
	packages []record.Listed // by id, ascending
	licences licences
}

// List returns the part of a list of live packages that q asks for. The packages of q.IDs
// that are not live are left out.
func (s *Store) List(q record.ListQuery) (record.Listing, error) {
	l := &s.lists
	if err := s.readLists(); err != nil {
		return record.Listing{}, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return record.Select(l.packages, q), nil
}

// readLists makes s.lists current. Writers wait for it, so that none is missed.
func (s *Store) readLists() error {
	l, order := &s.lists, s.order.Load()
	l.mu.RLock()
	current := l.order == order && l.licences.ordered
	l.mu.RUnlock()
	if current {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.order != order {
		if err := s.view(func(tx *bolt.Tx) error { return l.read(tx, *order) }); err != nil {
			return fmt.Errorf("read what lists are sorted by: %w", err)
		}
		l.order = order
	}
	l.orderLicences()
	return nil
}

// read reads the packages with these ids, which ascend. One without a value that can be read
// is listed, with nothing known of it.
func (l *lists) read(tx *bolt.Tx, ids []int) error {
	l.packages, l.licences = make([]record.Listed, len(ids)), licences{numbers: map[string]uint32{}}
	names := make([]string, len(ids))
	c := tx.Bucket(bucketStates).Cursor()
	k, v := c.First()
	for i, id := range ids {
		for k != nil && number(k) < uint64(id) {
			k, v = c.Next()
		}
		l.packages[i].ID = id
		if k != nil && number(k) == uint64(id) {
			l.set(&l.packages[i], v)
			_, _, names[i], _ = listedIn(v)
		}
	}
	for i, place := range placesOf(names) {
		l.packages[i].Name = place
	}
	place := uint32(0)
	return tx.Bucket(bucketSlugs).ForEach(func(_, id []byte) error {
		if i, ok := slices.BinarySearch(ids, int(number(id))); ok { // else it is of a tombstone
			place++
			l.packages[i].Slug = place
		}
		return nil
	})
}

// placesOf returns the place of each name in their order, from 1; equal names share one.
func placesOf(names []string) []uint32 {
	type named struct {
		first, second uint64 // 8 bytes of the name each: these tell most names apart, and faster
		at            int
	}
	order := make([]named, len(names))
	for i, name := range names {
		var begin [16]byte
		copy(begin[:], name)
		order[i] = named{binary.BigEndian.Uint64(begin[:8]), binary.BigEndian.Uint64(begin[8:]), i}
	}
	slices.SortFunc(order, func(a, b named) int {
		switch {
		case a.first != b.first:
			return cmp.Compare(a.first, b.first)
		case a.second != b.second:
			return cmp.Compare(a.second, b.second)
		}
		return strings.Compare(names[a.at], names[b.at])
	})
	places := make([]uint32, len(names))
	place, last := uint32(0), ""
	for _, n := range order {
		if place == 0 || names[n.at] != last {
			place, last = place+1, names[n.at]
		}
		places[n.at] = place
	}
	return places
}

// set sets what a value of the states bucket says of a package. The places in the orders of
// all packages stay, since these change with the catalogue alone.
func (l *lists) set(p *record.Listed, value []byte) {
	next, licence, _, ok := listedIn(value)
	if !ok {
		return // damaged; written again with the package
	}
	next.ID, next.Name, next.Slug, next.Licence = p.ID, p.Name, p.Slug, l.licences.number(licence)
	*p = next
}

// licences has a number for each licence that a package has, from 1, and 0 for none.
type licences struct {
	numbers map[string]uint32
	ordered bool // the numbers are in the order of the licences
}

// number returns the number of a licence, a new one at the end.
func (l *licences) number(licence string) uint32 {
	if licence == "" {
		return 0
	}
	n, ok := l.numbers[licence]
	if !ok {
		n = uint32(len(l.numbers)) + 1
		l.numbers[licence], l.ordered = n, false
	}
	return n
}

// orderLicences numbers the licences in their order.
func (l *lists) orderLicences() {
	if l.licences.ordered {
		return
	}
	names := slices.Sorted(maps.Keys(l.licences.numbers))
	next := make([]uint32, len(names)+1)
	for i, name := range names {
		next[l.licences.numbers[name]] = uint32(i) + 1
		l.licences.numbers[name] = uint32(i) + 1
	}
	for i := range l.packages {
		l.packages[i].Licence = next[l.packages[i].Licence]
	}
	l.licences.ordered = true
}

// A listedValue is the value of a package in the states bucket.
type listedValue struct {
	id    int
	value []byte
}

// apply takes over what a transaction has written. A package that the order lacks comes with
// the sync that adds it.
func (l *lists) apply(written []listedValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.order == nil {
		return
	}
	for _, w := range written {
		i, ok := slices.BinarySearchFunc(l.packages, w.id, func(p record.Listed, id int) int { return cmp.Compare(p.ID, id) })
		if ok {
			l.set(&l.packages[i], w.value)
		}
	}
}

// forget makes the next reader read everything again: it is unknown what was written.
func (l *lists) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = nil
}
