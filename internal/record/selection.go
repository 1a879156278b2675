package record

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sort"
)

// place is a package of a list, and where it belongs in it: by order, then by slug.
type place struct {
	order uint64
	slug  uint32
	at    uint32 // in the packages
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.order, other.order), cmp.Compare(p.slug, other.slug))
}

// Select answers q from all packages, by ascending id. Where the column is unknown, or equal,
// packages are in the order of their slugs; unknown ones come last in both directions.
func Select(all []Listed, q ListQuery) Listing {
	var found Listing
	longest := len(all)
	if q.IDs != nil {
		longest = len(q.IDs)
	}
	places := make([]place, 0, longest)
	var djangos [64]int
	add := func(at int, order uint64) {
		l := &all[at]
		found.All++
		if !l.passes(&q) {
			return
		}
		if q.Django {
			for rest := l.Djangos; rest != 0; rest &= rest - 1 {
				djangos[bits.TrailingZeros64(rest)]++
			}
		}
		if q.Sort != ByDefault {
			order = sorted(l.value(q.Sort), q.Descending)
		}
		places = append(places, place{order, l.Slug, uint32(at)})
	}
	if q.IDs != nil {
		for i, id := range q.IDs {
			if at, ok := find(all, id); ok {
				add(at, uint64(i))
			}
		}
	} else {
		for at := range all {
			switch {
			case q.Category == 0:
				add(at, uint64(len(all)-at))
			case q.Category == all[at].Category:
				add(at, uint64(all[at].Name))
			}
		}
	}
	found.Count = len(places)
	from := min(max(0, q.Offset), len(places))
	to := from + min(max(0, q.Limit), len(places)-from)
	for _, p := range window(places, from, to) {
		found.IDs = append(found.IDs, all[p.at].ID)
	}
	for bit, n := range slices.Backward(djangos[:]) {
		if n > 0 {
			found.Django = append(found.Django, VersionCount{djangoVersion(bit), n})
		}
	}
	return found
}

// sorted returns the order of a value, of which 0, the unknown, is last in both directions.
func sorted(value uint64, descending bool) uint64 {
	switch {
	case value == 0:
		return math.MaxUint64
	case descending:
		return math.MaxUint64 - value
	}
	return value
}

func find(all []Listed, id int) (at int, ok bool) {
	at = sort.Search(len(all), func(i int) bool { return all[i].ID >= id })
	return at, at < len(all) && all[at].ID == id
}

// window returns the places from from to to in their order. It does not sort the others: for
// a page of a million packages, to sort all takes five times as long.
func window(places []place, from, to int) []place {
	if from >= to {
		return nil
	}
	part(places, from)
	part(places[from:], to-from)
	wanted := places[from:to]
	slices.SortFunc(wanted, place.compare)
	return wanted
}

// part moves the n first places before the others.
func part(places []place, n int) {
	lo, hi := 0, len(places)
	for round := 0; n > lo && n < hi; round++ {
		if hi-lo <= 64 || round > 100 { // a hundred bad pivots are no accident
			slices.SortFunc(places[lo:hi], place.compare)
			return
		}
		pivot := median(places[lo], places[lo+(hi-lo)/2], places[hi-1])
		i, j := lo, hi-1
		for i <= j {
			for places[i].compare(pivot) < 0 {
				i++
			}
			for places[j].compare(pivot) > 0 {
				j--
			}
			if i <= j {
				places[i], places[j] = places[j], places[i]
				i++
				j--
			}
		}
		switch { // lo..j are not after the pivot, i..hi not before it, and what is between is equal to it
		case n <= j+1:
			hi = j + 1
		case n >= i:
			lo = i
		default:
			return
		}
	}
}

func median(a, b, c place) place {
	three := []place{a, b, c}
	slices.SortFunc(three, place.compare)
	return three[1]
}
