package sim

import (
	"encoding/binary"
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
	rate    float64   // days with pushes a day, in the past
	newRate float64   // the same from the anchor on
	odd     float64   // share of the pushes that are of an odd kind
	owner   string
	people  int       // distinct authors of the past
	ends    time.Time // no push after that; zero means never
}

const maxPast = 6000 // commits

// commitOID names the i-th commit of a push; the past is push 0, and its commits are counted
// from the newest.
func (h *repoHistory) commitOID(push uint64, i int) oid {
	return randomOID(roll(h.seed, 6, push, uint64(i)))
}

// rewritten names the commit that one becomes by a push that rewrites the history.
func rewritten(o oid, push uint64) oid {
	return randomOID(roll(binary.LittleEndian.Uint64(o[:]), push))
}

func randomOID(d dice) (o oid) {
	var random [24]byte
	for i := 0; i < len(random); i += 8 {
		binary.LittleEndian.PutUint64(random[i:], d.next())
	}
	copy(o[:], random[:])
	return o
}

// builder makes the graph of a repository, push by push.
type builder struct {
	*graph
	history *repoHistory     // nil in a declared repository
	who     map[string]int32 // login -> its index
	numbers []int32          // number of a generated author -> its index; 0 for one that is not there yet, else one more
	heads   []int32          // after each push so far
	day     int64            // Unix seconds / 86400; the pushes of the days before are applied
	last    uint64           // the id of the last push that is
}

func newBuilder(h *repoHistory) *builder {
	b := &builder{graph: &graph{head: none, until: never}, history: h, who: map[string]int32{}}
	if h != nil {
		b.past()
		b.heads = append(b.heads, b.head)
	}
	return b
}

// author returns the index of a login.
func (b *builder) author(login string) int32 {
	if login == "" {
		return none
	}
	i, ok := b.who[login]
	if !ok {
		i = int32(len(b.logins))
		b.logins = append(b.logins, login)
		b.who[login] = i
	}
	return i
}

// authorNumber returns the index of the author that has a number in the history.
func (b *builder) authorNumber(n int) int32 {
	if n < 0 {
		return none
	}
	for len(b.numbers) <= n {
		b.numbers = append(b.numbers, 0)
	}
	if b.numbers[n] == 0 {
		b.numbers[n] = b.author(b.history.login(n)) + 1
	}
	return b.numbers[n] - 1
}

// past adds the commits before the anchor.
func (b *builder) past() {
	h := b.history
	d := roll(h.seed, 1)
	type commit struct {
		at    int64
		merge bool
	}
	var list []commit // newest first
	for at := h.newest; at.After(h.born) && len(list) < maxPast; {
		for range d.within(1, 4) {
			list = append(list, commit{at.Unix(), d.chance(0.12)})
			at = at.Add(-time.Duration(d.within(40, 5000)) * time.Second)
		}
		at = at.Add(-d.days(1 / h.rate))
	}
	b.nodes = make([]node, 0, len(list)+16)
	lastMerge := 0
	for i := range list {
		c := list[len(list)-1-i]
		n := node{oid: h.commitOID(0, len(list)-1-i), committed: c.at, authored: c.at, parents: [2]int32{int32(i) - 1, none}, author: b.authorNumber(h.pastAuthor(i, len(list)))}
		dates := roll(h.seed, 7, uint64(len(list)-1-i))
		if dates.chance(h.odd / 2) { // applied from a mail, or rebased
			n.authored -= int64(dates.exp(5 * 86400))
		}
		if c.merge && i >= lastMerge+3 {
			// The commit before was made on a branch that left the line before the one
			// before that.
			b.nodes[i-1].parents[0] = int32(i) - 3
			n.parents = [2]int32{int32(i) - 2, int32(i) - 1}
			lastMerge = i
		}
		b.head = b.add(n)
	}
	b.day = h.anchor.Unix() / 86400
}

// pastAuthor returns the number of the author of the i-th commit of the past, counted from the
// oldest of n. Everybody has at least one commit in the past; most are the owner's.
func (h *repoHistory) pastAuthor(i, n int) int {
	stride := max(n/h.people, 1)
	if i%stride == 0 && i/stride < h.people {
		return i / stride
	}
	d := roll(h.seed, 3, uint64(i))
	return h.anyone(&d)
}

// anyone is the number of an author: -1 for an address that GitHub does not know.
func (h *repoHistory) anyone(d *dice) int {
	if d.chance(0.03) {
		return -1
	}
	x := d.float()
	return int(float64(h.people) * x * x * x)
}

// login is the author with a number; 0 is the owner.
func (h *repoHistory) login(i int) string {
	if i == 0 {
		return h.owner
	}
	return loginName(h.world, h.seed+uint64(i))
}
