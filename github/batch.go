package github

import (
	"sync"
	"time"
)

// slowQuery is how long an answer to a query may take before the next one asks for less:
// GitHub gives up on a query after 10 s, and charges more for one that it gave up on.
const slowQuery = 5 * time.Second

// A batch is how many things to ask for in one query. It is halved where a query turns
// out to be too heavy and grows again by as much as a query shows to be light.
type batch struct {
	most int

	mu   sync.Mutex
	size int // 0: most
}

func (b *batch) next() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 {
		return b.most
	}
	return b.size
}

// heavy notes that n things were too many.
func (b *batch) heavy(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 || n <= b.size {
		b.size = max(n/2, 1)
	}
}

// light notes that n things took so long.
func (b *batch) light(n int, took time.Duration) {
	if took >= slowQuery {
		b.heavy(n)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size != 0 && n >= b.size {
		b.size = min(b.size+max(b.size/4, 1), b.most)
	}
}
