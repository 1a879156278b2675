package sim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"
)

// rendered is a body that can be sent as it is until the world changes.
type rendered struct {
	instant
	status int
	body   []byte
	sum    [sha256.Size]byte // of the body
	last   int               // number of the last page
	head   oid               // of the default branch; zero in an empty repository
	serial int64             // of the project
	packed bool              // body is compressed already
}

// cacheKey names a rendering.
type cacheKey struct {
	repo          int64  // id, or 0
	project       string // normalised name, or ""
	endpoint      Endpoint
	perPage, page int
	gzip, html    bool
}

// generations keeps values in two generations: when the young one is full it becomes the old
// one, and what is not asked for again is dropped at the next change of generations. It is
// bounded because a world may have many repositories.
type generations[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]sized[V]
	size, max  int // of young, in whatever unit put is told
}

type sized[V any] struct {
	value V
	size  int
}

func (c *generations[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.young[k]
	if !ok {
		if x, ok = c.old[k]; ok {
			c.add(k, x)
		}
	}
	return x.value, ok
}

func (c *generations[K, V]) put(k K, v V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, sized[V]{v, size})
}

// add is called with mu held.
func (c *generations[K, V]) add(k K, x sized[V]) {
	if c.young == nil || c.size+x.size > c.max {
		c.old, c.young, c.size = c.young, map[K]sized[V]{}, 0
	}
	c.size += x.size - c.young[k].size
	c.young[k] = x
}

// An instant is the time for which something was computed: it holds from then on until
// something is edited, or the passing of time changes it.
type instant struct {
	edition     uint64
	from, until time.Time
}

func (i instant) holds(edition uint64, now time.Time) bool {
	return i.edition == edition && !now.Before(i.from) && now.Before(i.until)
}

// graph returns the commits of r as of now. It is called with the read lock held.
func (w *World) graph(r *Repo, now time.Time) *graph {
	edition := w.edition.Load()
	if x, ok := w.graphs.get(r.ID); ok && x.holds(edition, now) {
		return x.graph
	}
	g := r.graph(now)
	w.graphs.put(r.ID, datedGraph{instant{edition, now, g.until}, g}, len(g.nodes)+1)
	return g
}

type datedGraph struct {
	instant
	*graph
}

// render returns the rendering of k as of now, from the cache if it is there.
// fresh is called with the world's read lock held.
func (w *World) render(k cacheKey, now time.Time, fresh func() *rendered) *rendered {
	w.mu.RLock()
	defer w.mu.RUnlock()
	edition := w.edition.Load()
	if r, ok := w.cache.get(k); ok && r.holds(edition, now) {
		return r
	}
	r := fresh()
	r.edition, r.from = edition, now
	if k.gzip && !r.packed {
		r.body = compress(r.body)
	}
	r.sum = sha256.Sum256(r.body)
	if k.page <= r.last || k.page <= 1 {
		w.cache.put(k, r, len(r.body)) // pages past the last are not kept: any number may be asked for
	}
	return r
}

var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for an unknown level
	return z
}}

func compress(body []byte) []byte {
	var out bytes.Buffer
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(&out)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return out.Bytes()
}

// marshal writes JSON as the services do, without HTML escapes.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // every type of this package can be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
