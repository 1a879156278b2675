package sim

import (
	"math"
	"time"
)

// dice is a small deterministic random number generator (SplitMix64). It costs nothing
// to make, so every repository, and every day of its history, has its own: what happens
// to one never depends on what was asked about another.
type dice uint64

// roll makes dice for one purpose, which the numbers identify.
func roll(seed uint64, purpose ...uint64) dice {
	d := dice(seed)
	for _, p := range purpose {
		d = dice(d.next() ^ p*0x9E3779B97F4A7C15)
	}
	return d
}

func (d *dice) next() uint64 {
	*d += 0x9E3779B97F4A7C15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is in [0, 1).
func (d *dice) float() float64 { return float64(d.next()>>11) / (1 << 53) }

// below is in [0, n); 0 if n is not positive.
func (d *dice) below(n int) int {
	if n <= 0 {
		return 0
	}
	return int(d.next() % uint64(n))
}

// within is in [a, b].
func (d *dice) within(a, b int) int { return a + d.below(b-a+1) }

// chance is true with probability p.
func (d *dice) chance(p float64) bool { return d.float() < p }

// exp is exponentially distributed with the mean m.
func (d *dice) exp(m float64) float64 { return -m * math.Log(1-d.float()) }

// days is a span of about n days, in whole seconds.
func (d *dice) days(n float64) time.Duration {
	return time.Duration(d.exp(n)*86400) * time.Second
}

func pick[T any](d *dice, list []T) T { return list[d.below(len(list))] }
