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
	edition uint64    // of the world, when it was rendered
	until   time.Time // when the passing of time may change it
	status  int
	body    []byte
	sum     [sha256.Size]byte // of the body
	last    int               // number of the last page
	head    string            // of the default branch
	serial  int64             // of the project
}

// cacheKey names a rendering. object is a *Repo, a *Project or nil.
type cacheKey struct {
	object        any
	endpoint      Endpoint
	perPage, page int
	gzip, html    bool
}

// cache keeps renderings in two generations: when the young one is full it becomes the
// old one, and what is not asked for again is dropped at the next change of generations.
// It is bounded because a world may have many repositories.
type cache struct {
	mu         sync.Mutex
	young, old map[cacheKey]*rendered
	size       int // bytes of the bodies in young
}

const maxGeneration = 128 << 20

func (c *cache) get(k cacheKey, edition uint64, now time.Time) *rendered {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.young[k]
	if r == nil {
		if r = c.old[k]; r != nil {
			c.add(k, r)
		}
	}
	if r == nil || r.edition != edition || !now.Before(r.until) {
		return nil
	}
	return r
}

func (c *cache) put(k cacheKey, r *rendered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, r)
}

// add is called with mu held.
func (c *cache) add(k cacheKey, r *rendered) {
	if c.young == nil || c.size+len(r.body) > maxGeneration {
		c.old, c.young, c.size = c.young, map[cacheKey]*rendered{}, 0
	}
	if before := c.young[k]; before != nil {
		c.size -= len(before.body)
	}
	c.young[k] = r
	c.size += len(r.body)
}

// render returns the rendering of k as of now, from the cache if it is there.
// fresh is called with the world's read lock held.
func (w *World) render(k cacheKey, now time.Time, fresh func() *rendered) *rendered {
	w.mu.RLock()
	defer w.mu.RUnlock()
	edition := w.edition.Load()
	if r := w.cache.get(k, edition, now); r != nil {
		return r
	}
	r := fresh()
	r.edition = edition
	if k.gzip {
		r.body = compress(r.body)
	}
	r.sum = sha256.Sum256(r.body)
	if k.page <= r.last || k.page <= 1 {
		w.cache.put(k, r) // pages past the last are not kept: any number may be asked for
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
