package sim

import (
	"math"
	"time"
)

// life is what happens to a generated repository in the course of time, but for pushes.
type life struct {
	seed     uint64
	anchor   time.Time
	exists   time.Time     // from then on; zero for one that was there at the anchor
	stars    float64       // new ones a day
	describe time.Duration // between two changes of the description; 0 for none
	archived time.Time     // never for most
	renamed  time.Time
	newName  string
	deleted  time.Time
	reused   time.Time // when another repository takes its name
}

// once returns when something happens that happens to a share of all on each day.
func (d *dice) once(from time.Time, share float64) time.Time {
	days := d.exp(1) / share // without an event it is infinite; the dice roll all the same
	if days > 100*365 {
		return never
	}
	return from.Add(time.Duration(days * float64(day))).Truncate(time.Second)
}

// at is the repository at a moment, nil before it was made and after it was deleted. Only a
// generated one changes by itself. Its until is when that may next be.
func (r *Repo) at(now time.Time) *Repo {
	l := r.life
	if l == nil {
		return r
	}
	if now.Before(l.exists) || !now.Before(l.deleted) {
		return nil
	}
	c := *r
	c.until = l.deleted
	c.Stars = max(c.Stars+l.gained(now, l.stars, &c.until), 0)
	c.Forks += l.gained(now, l.stars/6, &c.until)
	if l.passed(now, l.renamed, &c.until) {
		c.FullName = l.newName
		c.OldNames = append(c.OldNames[:len(c.OldNames):len(c.OldNames)], r.FullName)
	}
	c.Archived = l.passed(now, l.archived, &c.until)
	if n := l.described(now, &c.until); n > 0 {
		d := roll(l.seed, 2, uint64(n))
		c.Description = nil
		if d.chance(0.9) {
			c.Description = new(sentence(&d, c.Name()))
		}
	}
	return &c
}

// passed reports whether a time has come. If not, it is the next change, or one before it.
func (l *life) passed(now, t time.Time, until *time.Time) bool {
	if !now.Before(t) {
		return true
	}
	*until = earlier(*until, t)
	return false
}

// gained is how many stars or forks have come since the anchor, by so many a day.
func (l *life) gained(now time.Time, rate float64, until *time.Time) int {
	if rate <= 0 || now.Before(l.anchor) {
		return 0
	}
	d := roll(l.seed, 1, uint64(rate*1e9))
	phase := d.float()
	n := math.Floor(phase + rate*float64(now.Sub(l.anchor))/float64(day))
	// A second early, as the division is not exact: it is then computed again.
	next := l.anchor.Add(time.Duration((n + 1 - phase) / rate * float64(day))).Add(-time.Second)
	*until = earlier(*until, later(next, now.Add(time.Second)))
	return int(n)
}

// described is how often the description has changed.
func (l *life) described(now time.Time, until *time.Time) int {
	if l.describe <= 0 || now.Before(l.anchor) {
		return 0
	}
	n := int(now.Sub(l.anchor) / l.describe)
	*until = earlier(*until, l.anchor.Add(time.Duration(n+1)*l.describe))
	return n
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
