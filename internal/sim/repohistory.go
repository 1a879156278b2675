package sim

import (
	"math"
	"time"
)

// repoHistory computes a generated repository's commits on demand, from a few numbers,
// so that a world of many repositories needs little memory.
type repoHistory struct {
	world   uint64 // the world's seed
	seed    uint64
	anchor  time.Time // the world's first midnight, which ends the past
	born    time.Time // no commit before
	newest  time.Time // the last push of the past
	rate    float64   // pushes a day, in the past
	newRate float64   // pushes a day, from the anchor on
	owner   string
	people  int     // distinct authors
	growth  float64 // stars a day
}

const maxPast = 6000 // commits

func (g *repoHistory) history(now time.Time) history {
	past := g.past()
	recent, until := g.since(now, len(past))
	// recent is oldest first, the past newest first.
	commits := make([]Commit, 0, len(past)+len(recent))
	for i := len(recent) - 1; i >= 0; i-- {
		commits = append(commits, recent[i])
	}
	return history{append(commits, past...), until}
}

// past lists the commits before the anchor, newest first.
func (g *repoHistory) past() []Commit {
	d := roll(g.seed, 1)
	var list []Commit
	for at := g.newest; at.After(g.born) && len(list) < maxPast; {
		for range d.within(1, 4) {
			list = append(list, Commit{At: at, Merge: d.chance(0.12)})
			at = at.Add(-time.Duration(d.within(40, 5000)) * time.Second)
		}
		at = at.Add(-d.days(1 / g.rate))
	}
	for i := range list {
		list[i].Author = g.author(len(list)-1-i, len(list))
	}
	return list
}

// since returns the commits from the anchor to now, oldest first, and when the next one
// may come. n is the number of commits before the anchor.
func (g *repoHistory) since(now time.Time, n int) (list []Commit, until time.Time) {
	if g.newRate == 0 {
		return nil, never
	}
	for start := g.anchor; ; start = start.Add(day) {
		if start.After(now) {
			return list, start
		}
		d := roll(g.seed, 2, uint64(start.Unix()))
		if !d.chance(g.newRate) {
			continue
		}
		at := start.Add(time.Duration(d.below(80_000)) * time.Second)
		for range d.within(1, 4) {
			if at.After(now) {
				return list, at
			}
			c := Commit{At: at, Merge: d.chance(0.12)}
			c.Author = g.author(n+len(list), n)
			list = append(list, c)
			at = at.Add(time.Duration(d.within(40, 1500)) * time.Second)
		}
	}
}

// author returns the author of the i-th commit, counted from the oldest, where the past
// has n commits. Everybody has at least one commit in the past; most are the owner's.
func (g *repoHistory) author(i, n int) string {
	stride := max(n/g.people, 1)
	if i%stride == 0 && i/stride < g.people {
		return g.login(i / stride)
	}
	d := roll(g.seed, 3, uint64(i))
	if d.chance(0.03) {
		return ""
	}
	return g.login(int(float64(g.people) * math.Pow(d.float(), 3)))
}

func (g *repoHistory) login(i int) string {
	if i == 0 {
		return g.owner
	}
	return loginName(g.world, g.seed+uint64(i))
}

// drift is how far the stars are from the declared number.
func (g *repoHistory) drift(now time.Time) int {
	days := int(midnight(now).Sub(g.anchor) / day)
	if days <= 0 {
		return 0
	}
	d := roll(g.seed, 4, uint64(days))
	n := int(g.growth * float64(days))
	if d.chance(0.02) {
		n += d.within(-1, 1)
	}
	return n
}

// nextDrift is when the stars may next change.
func (g *repoHistory) nextDrift(now time.Time) time.Time { return midnight(now).Add(day) }
