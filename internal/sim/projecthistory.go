package sim

import (
	"strconv"
	"time"
)

// projectHistory computes a generated project's releases on demand.
type projectHistory struct {
	seed    uint64
	anchor  time.Time
	first   time.Time
	count   int     // releases before the anchor
	rate    float64 // releases a day, from the anchor on
	yanks   float64 // share of those that are yanked later
	style   versionStyle
	yanked  bool // every release is
	noFiles bool // the newest release before the anchor has no files
}

// versionStyle is how a project numbers its releases.
type versionStyle int

const (
	semantic versionStyle = iota
	calendar
	twoPart        // 0.9, 0.10: where text order and version order differ
	preOnly        // never left its pre-releases
	epochs         // began anew under an epoch
	withCandidates // finals with release candidates before them
	styles
)

func (s versionStyle) version(i int, at time.Time) string {
	n := strconv.Itoa
	switch s {
	case calendar:
		return n(at.Year()%100) + "." + n(int(at.Month())) + "." + n(i)
	case twoPart:
		return "0." + n(i+1)
	case preOnly:
		return "0." + n(i/6+1) + []string{".dev1", "a1", "a2", "b1", "b2", "rc1"}[i%6]
	case epochs:
		if i < 3 {
			return "20" + n(12+i) + ".1"
		}
		return "1!0." + n(i-2)
	case withCandidates:
		return n(1+i/8) + "." + n(i/2%4) + []string{"rc1", ""}[i%2]
	}
	return n(i/12) + "." + n(i/3%4+1) + "." + n(i%3)
}

// releases returns the releases so far, oldest first, and when the next one may come.
func (g *projectHistory) releases(p *Project, now time.Time) (list []Release, until time.Time) {
	// The last release before the anchor is well before it.
	span := g.anchor.Sub(g.first) - 2*day
	for i := range g.count {
		at := g.first.Add(span / time.Duration(g.count) * time.Duration(i))
		d := roll(g.seed, 1, uint64(i))
		at = at.Add(time.Duration(d.below(80_000)) * time.Second).Truncate(time.Second)
		list = append(list, g.release(p, i, at))
	}
	if g.noFiles && len(list) > 0 {
		list[len(list)-1].Files = nil
	}
	if g.rate == 0 {
		return list, never
	}
	until = midnight(now).Add(day)
	for unixDay := g.anchor.Unix() / 86400; unixDay <= now.Unix()/86400; unixDay++ {
		at, yanked, ok := g.releaseOn(unixDay)
		switch {
		case !ok:
			continue
		case at.After(now):
			return list, earlier(until, at)
		}
		r := g.release(p, len(list), at)
		r.Yanked, r.changed = g.yanked, at
		if !yanked.After(now) {
			r.Yanked, r.changed = true, yanked
			r.YankedReason = "released by mistake"
		} else {
			until = earlier(until, yanked)
		}
		list = append(list, r)
	}
	return list, until
}

// longestYank is how long after a release it may be yanked.
const longestYank = 10 * day

// releaseOn returns when a release is made on a day (Unix seconds / 86400), and when it is
// yanked: never, mostly.
func (g *projectHistory) releaseOn(unixDay int64) (at, yanked time.Time, ok bool) {
	d := roll(g.seed, 2, uint64(unixDay))
	if !d.chance(g.rate) {
		return at, yanked, false
	}
	at, yanked = time.Unix(unixDay*86400+int64(d.within(1, 80_000)), 0).UTC(), never
	if d.chance(g.yanks) {
		yanked = at.Add(min(time.Minute+time.Duration(d.exp(2)*float64(day)), longestYank)).Truncate(time.Second)
	}
	return at, yanked, true
}

// changed is when the newest release was made, or the last one yanked, since the anchor; zero
// if none was.
func (g *projectHistory) changed(now time.Time) (last time.Time) {
	if g.rate == 0 {
		return last
	}
	first := g.anchor.Unix() / 86400
	for unixDay := now.Unix() / 86400; unixDay >= first; unixDay-- {
		if !last.IsZero() && last.Unix()-(unixDay+1)*86400 > int64(longestYank/time.Second) {
			break
		}
		at, yanked, ok := g.releaseOn(unixDay)
		if !ok || at.After(now) {
			continue
		}
		last = later(last, at)
		if !yanked.After(now) {
			last = later(last, yanked)
		}
	}
	return last
}

func (g *projectHistory) release(p *Project, i int, at time.Time) Release {
	d := roll(g.seed, 3, uint64(i))
	r := Release{Version: g.style.version(i, at), Yanked: g.yanked || d.chance(0.02)}
	if r.Yanked {
		r.YankedReason = pick(&d, []string{"", "broken wheel", "released by mistake"})
	}
	sdist := File{Uploaded: at.Add(time.Duration(d.below(999_999)) * time.Microsecond), Size: int64(d.within(4_000, 400_000))}
	if d.chance(0.7) {
		r.Files = append(r.Files, File{Uploaded: sdist.Uploaded, Wheel: true, Size: sdist.Size / 2})
		sdist.Uploaded = sdist.Uploaded.Add(1900 * time.Millisecond)
	}
	r.Files = append(r.Files, sdist)
	return r
}
