package github

import (
	"testing"
	"time"
)

// TestBatch: what was too much, or slow, is halved, and what is light grows again, but only
// by queries that were as large as allowed.
func TestBatch(t *testing.T) {
	var b batch
	for i, step := range []struct {
		n    int
		took time.Duration // 0: it was too much
		want int           // of the next query
	}{
		{100, time.Second, 100},
		{100, 0, 50},
		{50, slowQuery, 25},
		{100, 0, 25}, // it was under way as well
		{10, time.Second, 25},
		{25, time.Second, 31},
		{31, slowQuery - 1, 38},
		{38, 0, 19},
		{19, 0, 9},
		{9, 0, 4},
		{4, 0, 2},
		{2, 0, 1},
		{1, 0, 1},
		{1, time.Second, 2},
	} {
		if step.took == 0 {
			b.heavy(step.n)
		} else {
			b.light(step.n, step.took)
		}
		if got := b.next(); got != step.want {
			t.Fatalf("step %d: %d, want %d", i, got, step.want)
		}
	}
	for range 20 {
		b.light(b.next(), time.Second)
	}
	if got := b.next(); got != MaxSweep {
		t.Errorf("it grows to %d, not %d", got, MaxSweep)
	}
}
