package sim

import (
	"math"
	"time"
)

// repo is the repository of the i-th package, nil if it has none on GitHub.
func (g *generation) repo(i int) *Repo {
	if g.hosting(i) != onGitHub {
		return nil
	}
	b := g.base(i)
	d := roll(g.seed, 24, uint64(i))
	r := &Repo{
		FullName:      b.owner() + "/" + b.name,
		ID:            firstRepoID + int64(i)*repoIDStep + int64(d.below(repoIDStep)),
		Stars:         int(math.Pow(d.float(), 6)*6000) + d.below(40),
		Archived:      d.chance(0.10),
		DefaultBranch: pick(&d, []string{"main", "main", "master", "develop"}),
		License:       pick(&d, []string{"MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0", ""}),
		Organization:  b.organization(),
		Created:       b.created.Truncate(time.Second),
		Pending:       1,
		TooLarge:      d.chance(0.003),
		Unlisted:      true,
	}
	r.NodeID = legacyID(nodeRepository, r.ID, "")
	r.Forks = r.Stars/6 + d.below(5)
	r.Subscribers = r.Stars/25 + d.below(9)
	if !d.chance(0.06) {
		r.Description = new(sentence(&d, b.name))
	}
	if d.chance(0.002) {
		r.Blocked = pick(&d, []string{"dmca", "dmca", "tos"})
	}
	r.gen = g.history(r, &d, r.Owner())
	if d.chance(0.005) {
		r.gen = nil // empty
	}
	if former := g.formerOwner(i); former != "" {
		r.OldNames = []string{former + "/" + b.name}
	}
	g.live(r, roll(g.seed, 25, uint64(i)))
	return r
}

// live draws what will happen to a repository.
func (g *generation) live(r *Repo, d dice) {
	l := &life{seed: d.next(), anchor: g.anchor, stars: float64(r.Stars) * g.rates.Stars / 1000}
	l.archived = d.once(g.anchor, g.rates.Archived)
	l.renamed = d.once(g.anchor, g.rates.Renamed)
	l.deleted = d.once(g.anchor, g.rates.Deleted)
	l.newName = loginName(g.seed, d.next()) + "/" + r.Name()
	if d.chance(0.4) {
		l.newName = r.Owner() + "/" + r.Name() + pick(&d, renamed)
	}
	if g.rates.Described > 0 {
		l.describe = time.Duration(d.exp(1/g.rates.Described)*float64(day)) + day
	}
	l.reused = never
	if left := earlier(l.renamed, l.deleted); left != never && d.chance(g.rates.Reused) {
		l.reused = left.Add(time.Duration(d.exp(30)*float64(day)) + time.Hour).Truncate(time.Second)
	}
	if r.gen != nil {
		r.gen.ends = l.archived
	}
	r.life = l
}

// heir is the repository that takes the name of the i-th package's, nil if none ever does.
func (g *generation) heir(i int) *Repo {
	first := g.repo(i)
	if first == nil || first.life.reused == never {
		return nil
	}
	d := roll(g.seed, 26, uint64(i))
	born := first.life.reused
	r := &Repo{
		FullName: first.FullName, ID: firstHeirID + int64(i)*heirIDStep + int64(d.below(heirIDStep)),
		Description: new(sentence(&d, first.Name())), Stars: d.below(30), Forks: d.below(3), Subscribers: 1,
		DefaultBranch: "main", License: "MIT", Organization: first.Organization, Created: born, Pending: 1, Unlisted: true,
	}
	r.NodeID = legacyID(nodeRepository, r.ID, "")
	r.gen = &repoHistory{
		world: g.seed, seed: d.next(), anchor: midnight(born), born: born.Add(-100 * day), newest: born.Add(-time.Hour),
		rate: 0.1, newRate: 0.1, odd: g.rates.Odd, owner: r.Owner(), people: 1 + d.below(4), ends: never,
	}
	r.life = &life{seed: d.next(), anchor: born, exists: born, stars: 0.2, archived: never, renamed: never, deleted: never, reused: never}
	return r
}

func (g *generation) history(r *Repo, d *dice, owner string) *repoHistory {
	h := &repoHistory{
		world: g.seed, seed: d.next(), anchor: g.anchor, born: r.Created,
		odd: g.rates.Odd, owner: owner, people: 1 + int(d.exp(6)), ends: never,
	}
	if r.Organization {
		h.owner = loginName(g.seed, d.next())
	}
	// A repository is at least two years old, so that its first year is not its last.
	if youngest := g.anchor.Add(-2 * 365 * day); h.born.After(youngest) {
		h.born = youngest
		r.Created = h.born
	}
	age := g.anchor.Sub(h.born)
	active := 1 - g.rates.Dormant
	pace := g.rates.Pushes / 0.03 * 0.5 / max(active, 0.01) // as the rates below are for half of the repositories
	switch {
	case r.Archived || d.chance(1-active/0.9): // dormant: no commit within 53 weeks; a tenth is archived
		quiet := 54*7*day + time.Duration(d.float()*float64(age-54*7*day)*0.8)
		h.newest = g.anchor.Add(-quiet)
		h.rate = 0.01 + d.exp(0.05)
		if !r.Archived {
			h.newRate = 0.0002
		}
	case d.chance(0.05): // busy, with many contributors
		h.newest = g.anchor.Add(-time.Duration(d.below(72*3600)) * time.Second)
		h.born = h.born.Add(-6 * 365 * day)
		r.Created = h.born
		h.rate, h.newRate = 0.35, min(0.35*pace, 1)
		h.people = d.within(101, 420)
		r.Stars += d.within(2000, 30_000)
		if d.chance(0.1) {
			h.people = d.within(501, 640)
		}
	default:
		h.rate = min(0.004+d.exp(0.04), 0.6)
		h.newRate = min(h.rate*pace, 1)
		h.newest = g.anchor.Add(-min(d.days(1/h.rate), 50*7*day) - time.Minute)
	}
	h.newest = h.newest.Truncate(time.Second)
	return h
}
