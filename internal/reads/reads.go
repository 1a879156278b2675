// Package reads counts how often each package is read, cheaply and roughly: it is used to
// decide what is fetched first where not all can be. It is kept in memory alone.
package reads

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	placeBits = 15
	places    = 1 << placeBits
	countBits = 24
	counts    = 1<<countBits - 1
	full      = counts - 1<<10 // where a count ends: so far below what fits that those who count at the same moment cannot exceed it
	halving   = 24 * time.Hour
)

// Counter counts reads by id, in a quarter of a MiB, up to 16 million each. Each id has one
// place, which it may share with others; there the one that is read most drives the rest out.
// With up to 32,768 packages whose ids run from 1 every one is counted. All counts are halved
// once a day. It is safe for concurrent use.
type Counter struct {
	places [places]atomic.Uint64 // of an id, the bits that its place does not tell; below them its count

	mu     sync.Mutex
	halved time.Time // all counts, for the last time
}

// New returns a Counter that has counted nothing.
func New() *Counter { return &Counter{halved: time.Now()} }

// Count counts a read of the package with the id. It never waits, and may miss one in a place
// that changes at that moment.
func (c *Counter) Count(id int) {
	place, rest := &c.places[id&(places-1)], uint64(id)>>placeBits
	switch was := place.Load(); {
	case was&counts == 0:
		place.CompareAndSwap(was, rest<<countBits|1)
	case was>>countBits != rest:
		place.CompareAndSwap(was, was-1) // another id's, which has one less until it gives way
	case was&counts < full:
		place.Add(1)
	}
}

// All returns the counts by id, of those that are above 0.
func (c *Counter) All() map[int]uint64 {
	c.halve()
	all := map[int]uint64{}
	for i := range c.places {
		if is := c.places[i].Load(); is&counts > 0 {
			all[int(is>>countBits)<<placeBits|i] = is & counts
		}
	}
	return all
}

// halve halves all counts once for each day that has passed.
func (c *Counter) halve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	days := time.Since(c.halved) / halving
	if days <= 0 {
		return
	}
	c.halved = c.halved.Add(days * halving)
	for i := range c.places {
		place := &c.places[i]
		for was := place.Load(); was&counts > 0 && !place.CompareAndSwap(was, was&^counts|was&counts>>days); was = place.Load() {
		}
	}
}
