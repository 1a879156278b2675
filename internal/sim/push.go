package sim

import (
	"slices"
	"time"
)

// A push changes the head of a generated repository's default branch.
type push struct {
	id   uint64 // names it within the repository; never 0
	at   int64  // Unix seconds
	kind pushKind
}

type pushKind int

const (
	ordinary pushKind = iota // a few commits, of the last hour
	merging                  // a branch with commits from before the former head, and its merging
	rebased                  // commits that were written days before
	oddDates                 // a clock was wrong: dates in the future, long ago, or before the parent's
	bulk                     // bulkCommits at once
	forced                   // in place of the newest commits
	rewrite                  // every commit becomes another
	undo                     // the head is again what it was before the last push
)

const bulkCommits = 300

// oddKinds are drawn by these weights.
var oddKinds = [...]struct {
	kind   pushKind
	weight int
}{{rebased, 40}, {oddDates, 20}, {forced, 15}, {bulk, 5}, {undo, 10}, {rewrite, 10}}

const mergeShare = 0.18 // of the pushes that are not odd

// pushes returns those of one day (Unix seconds / 86400), in their order.
func (h *repoHistory) pushes(unixDay int64) []push {
	d := roll(h.seed, 2, uint64(unixDay))
	if !d.chance(h.newRate) {
		return nil
	}
	list := make([]push, 1, 2)
	if d.chance(0.2) {
		list = list[:2]
	}
	at := unixDay*86400 + int64(d.below(80_000))
	for i := range list {
		list[i] = push{id: uint64(unixDay)<<8 | uint64(i), at: at, kind: h.kind(&d)}
		at += int64(d.within(600, 6000))
	}
	return slices.DeleteFunc(list, func(p push) bool { return !h.ends.IsZero() && p.at > h.ends.Unix() })
}

func (h *repoHistory) kind(d *dice) pushKind {
	if !d.chance(h.odd) {
		if d.chance(mergeShare) {
			return merging
		}
		return ordinary
	}
	sum := 0
	for _, k := range oddKinds {
		sum += k.weight
	}
	i := 0
	for n := d.below(sum); n >= oddKinds[i].weight; i++ {
		n -= oddKinds[i].weight
	}
	return oddKinds[i].kind
}

// advance applies the generated pushes until now.
func (b *builder) advance(now time.Time) {
	if b.history == nil || b.history.newRate == 0 {
		return
	}
	for ; b.day*86400 <= now.Unix(); b.day++ {
		for _, p := range b.history.pushes(b.day) {
			if p.at > now.Unix() {
				return
			}
			if p.id > b.last {
				b.apply(p)
				b.last = p.id
			}
		}
	}
}

// nextPush is when the head may next change.
func (h *repoHistory) nextPush(now time.Time) time.Time {
	if h.newRate == 0 {
		return never
	}
	today := now.Unix() / 86400
	for unixDay := today; unixDay < today+lookAhead; unixDay++ {
		for _, p := range h.pushes(unixDay) {
			if p.at > now.Unix() {
				return time.Unix(p.at, 0)
			}
		}
	}
	return time.Unix((today+lookAhead)*86400, 0)
}

const lookAhead = 30 // days

// tip is the newest commit of a generated repository, found without building its graph: from
// the last push back.
func (h *repoHistory) tip(now time.Time) (o oid, committed int64) {
	undone, rewrites := 0, []uint64(nil)
	o, committed = h.commitOID(0, 0), h.newest.Unix()
	if h.newRate > 0 {
	search:
		for unixDay, first := now.Unix()/86400, h.anchor.Unix()/86400; unixDay >= first; unixDay-- {
			for _, p := range slices.Backward(h.pushes(unixDay)) {
				switch {
				case p.at > now.Unix():
				case undone > 0:
					undone--
				case p.kind == undo:
					undone++
				case p.kind == rewrite:
					rewrites = append(rewrites, p.id)
				case p.kind == merging:
					o, committed = h.commitOID(p.id, 0), p.at
					break search
				default:
					line := h.line(p)
					o, committed = h.commitOID(p.id, len(line)-1), line[len(line)-1].committed
					break search
				}
			}
		}
	}
	for _, id := range slices.Backward(rewrites) {
		o = rewritten(o, id)
	}
	return o, committed
}

// apply changes the head as p does.
func (b *builder) apply(p push) {
	switch p.kind {
	case undo:
		if len(b.heads) > 1 {
			b.head = b.heads[len(b.heads)-2]
		}
	case rewrite:
		b.rewrite(p)
	case merging:
		b.mergeBranch(p)
	case forced:
		d := roll(b.history.seed, 8, p.id)
		b.head = b.back(b.head, d.within(1, 3))
		b.line(p)
	default:
		b.line(p)
	}
	b.heads = append(b.heads, b.head)
}

// dates are those of one commit of a push, Unix seconds.
type dates struct{ authored, committed int64 }

// line returns the dates of the commits that a push adds in one line, oldest first.
func (h *repoHistory) line(p push) []dates {
	d := roll(h.seed, 5, p.id)
	n := d.within(1, 4)
	if p.kind == bulk {
		n = bulkCommits
	}
	list := make([]dates, n)
	at := p.at
	for i := n - 1; i >= 0; i-- {
		list[i] = dates{at, at}
		if p.kind == bulk {
			list[i].authored -= int64(d.below(100 * 86400))
			at -= int64(d.below(2))
		} else {
			at -= int64(d.within(10, 800))
		}
	}
	for i := range list {
		switch p.kind {
		case rebased:
			list[i].authored -= int64(d.exp(6 * 86400))
		case oddDates:
			list[i].misdate(&d)
		}
	}
	return list
}

// misdate sets dates as a wrong clock does.
func (x *dates) misdate(d *dice) {
	switch d.below(5) {
	case 0: // written in the future, by a clock that only the author has
		x.authored += int64(d.within(1, 40*86400))
	case 1: // made in the future
		x.committed += int64(d.within(1, 20*86400))
		x.authored = x.committed
	case 2: // long ago
		x.authored = int64(d.below(86400))
	case 3: // a clock that is behind: before the parent
		x.committed -= int64(d.within(3600, 4*86400))
		x.authored = x.committed
	}
}

// line adds the commits of a push to the head.
func (b *builder) line(p push) {
	d := roll(b.history.seed, 9, p.id)
	for i, x := range b.history.line(p) {
		b.head = b.add(node{oid: b.history.commitOID(p.id, i), authored: x.authored, committed: x.committed,
			parents: [2]int32{b.head, none}, author: b.authorNumber(b.history.pusher(&d))})
	}
}

// mergeBranch adds a branch that left the first parents' line a few commits ago, with commits
// made since then, and merges it.
func (b *builder) mergeBranch(p push) {
	d := roll(b.history.seed, 9, p.id)
	tip := b.back(b.head, d.within(1, 6))
	start, end := min(b.nodes[tip].committed, p.at), p.at
	n := d.within(1, 5)
	for i := range n {
		at := start + (end-start)*int64(i+1)/int64(n+2)
		tip = b.add(node{oid: b.history.commitOID(p.id, i+1), authored: at, committed: at,
			parents: [2]int32{tip, none}, author: b.authorNumber(b.history.pusher(&d))})
	}
	b.head = b.add(node{oid: b.history.commitOID(p.id, 0), authored: p.at, committed: p.at,
		parents: [2]int32{b.head, tip}, author: b.authorNumber(b.history.pusher(&d))})
}

// pusher is the number of the author of a commit of a push: now and then somebody new.
func (h *repoHistory) pusher(d *dice) int {
	if d.chance(0.04) {
		return h.people + d.below(20)
	}
	return h.anyone(d)
}

// rewrite adds another commit for each that can be reached.
func (b *builder) rewrite(p push) {
	marks, _ := b.reachable(b.head)
	became := make([]int32, len(b.nodes))
	for i := range became {
		if !marks[i] {
			continue
		}
		n := b.nodes[i]
		n.oid = rewritten(n.oid, p.id)
		for k, parent := range n.parents {
			if parent != none {
				n.parents[k] = became[parent]
			}
		}
		became[i] = b.add(n)
	}
	b.head = became[b.head]
}
