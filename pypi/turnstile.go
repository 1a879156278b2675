package pypi

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"pkgmetad/internal/upstream"
)

// A turnstile lets requests through, so many at once and so many a second. Those that a
// person waits for go first, the others in the order in which they came. It is safe for
// concurrent use.
type turnstile struct {
	gap time.Duration // between the starts of two requests, on average; 0 for none

	mu      sync.Mutex
	free    int             // requests that may begin
	urgent  []chan struct{} // those who wait for a turn; closed when it has come
	waiting []chan struct{}
	next    time.Time // when the next request would start if all were gap apart
}

func newTurnstile(concurrency, rate int) *turnstile {
	t := &turnstile{free: concurrency}
	if rate > 0 {
		t.gap = time.Second / time.Duration(rate)
	}
	return t
}

// enter waits for a turn, at most until ctx ends, whose error it returns then. After a
// turn comes leave.
func (t *turnstile) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	mine, queue := make(chan struct{}), &t.waiting
	if upstream.Insists(ctx) {
		queue = &t.urgent
	}
	*queue = append(*queue, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(*queue, mine)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // the turn came as well, and goes to the next one
		t.leave()
	}
	return ctx.Err()
}

// leave ends a turn.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&t.urgent, &t.waiting} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = (*queue)[1:]
			return
		}
	}
	t.free++
}

// pace waits, within a turn, for the rate to allow one more request. The requests of
// one second may come at once where none came in the second before.
func (t *turnstile) pace(ctx context.Context) error {
	if t.gap == 0 {
		return nil
	}
	t.mu.Lock()
	now := time.Now()
	if earliest := now.Add(t.gap - time.Second); t.next.Before(earliest) {
		t.next = earliest
	}
	wait := t.next.Sub(now)
	t.next = t.next.Add(t.gap)
	t.mu.Unlock()
	return upstream.Sleep(ctx, wait)
}

// turn is the body of an answer: with it ends the turn of its request.
type turn struct {
	io.ReadCloser
	once  sync.Once
	leave func()
}

func (b *turn) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.leave)
	return err
}
