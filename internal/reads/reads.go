// Package reads counts how often each package is read, cheaply and roughly: it is used to
// decide what is fetched first where not all can be. It is kept in memory alone.
package reads

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	places  = 1 << 15 // a power of two; of 16 bytes each
	halving = 24 * time.Hour
)

// Counter counts reads by id, in half a MiB. Each id has one place, which it may share with
// others; there the one that is read most drives the rest out. With up to 32,768 packages
// whose ids run from 1 every one is counted. All counts are halved once a day. It is safe
// for concurrent use.
type Counter struct {
	places [places]place

	mu     sync.Mutex
	halved time.Time // all counts, for the last time
}

// A place holds the count of one id. The two are not changed together, so a count may be
// off by the reads of a moment.
type place struct {
	id    atomic.Int64
	count atomic.Uint64
}

// New returns a Counter that has counted nothing.
func New() *Counter { return &Counter{halved: time.Now()} }

// Count counts a read of the package with the id. It never waits.
func (c *Counter) Count(id int) {
	p := &c.places[id&(places-1)]
	switch n := p.count.Load(); {
	case p.id.Load() == int64(id):
		p.count.Add(1)
	case n > 0:
		p.count.CompareAndSwap(n, n-1) // another id's, which has one less until it gives way
	default:
		p.id.Store(int64(id))
		p.count.Store(1)
	}
}

// All returns the counts by id, of those that are above 0.
func (c *Counter) All() map[int]uint64 {
	c.halve()
	counts := map[int]uint64{}
	for i := range c.places {
		p := &c.places[i]
		if n := p.count.Load(); n > 0 {
			counts[int(p.id.Load())] = n
		}
	}
	return counts
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
		p := &c.places[i]
		for n := p.count.Load(); n > 0 && !p.count.CompareAndSwap(n, n>>days); n = p.count.Load() {
		}
	}
}
