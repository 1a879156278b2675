package reads

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func count(c *Counter, id, n int) {
	for range n {
		c.Count(id)
	}
}

func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		check := func(want map[int]uint64) {
			t.Helper()
			if diff := cmp.Diff(want, c.All()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
		check(map[int]uint64{})
		count(c, 1, 9)
		count(c, 2, 1)
		count(c, places, 4)
		check(map[int]uint64{1: 9, 2: 1, places: 4})
		time.Sleep(halving - time.Nanosecond)
		check(map[int]uint64{1: 9, 2: 1, places: 4})
		time.Sleep(time.Nanosecond)
		check(map[int]uint64{1: 4, places: 2})
		time.Sleep(2*halving + time.Hour)
		check(map[int]uint64{1: 1})
		time.Sleep(halving - time.Hour)
		check(map[int]uint64{})
		count(c, 1, 1)
		time.Sleep(1000 * halving)
		check(map[int]uint64{})
	})
}

// TestShared: of the ids that share a place, the one that is read most has it.
func TestShared(t *testing.T) {
	c := New()
	seldom, often := 7, 7+3*places
	count(c, seldom, 5)
	for range 20 {
		count(c, often, 10)
		count(c, seldom, 1)
	}
	if counts := c.All(); counts[seldom] != 0 || counts[often] < 100 || len(counts) != 1 {
		t.Errorf("%v", counts)
	}
}

func TestConcurrent(t *testing.T) {
	c := New()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 10_000 {
				c.Count(5)
				c.Count(i)
				c.Count(i + places)
			}
		})
	}
	all.Go(func() {
		for range 20 {
			c.All()
		}
	})
	all.Wait()
	if counts := c.All(); counts[5] < 39_000 || len(counts) > places {
		t.Errorf("%d reads of one that was read 40,000 times; %d counts", counts[5], len(counts))
	}
}

// TestLargest: the largest id keeps all of its bits, and no count runs into them.
func TestLargest(t *testing.T) {
	c := New()
	const largest = 1<<53 - 1
	count(c, largest, full+1<<11)
	if diff := cmp.Diff(map[int]uint64{largest: full}, c.All()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
