package sim

import (
	"encoding/hex"
	"slices"
	"time"
)

// An oid is the hash that names a commit.
type oid [20]byte

func (o oid) String() string { return hex.EncodeToString(o[:]) }

// parseOID reads 40 hex digits.
func parseOID(s string) (o oid, ok bool) {
	if len(s) != 2*len(o) {
		return o, false
	}
	_, err := hex.Decode(o[:], []byte(s))
	return o, err == nil
}

// none is the index of no commit, and of no author.
const none int32 = -1

// node is a commit in a graph.
type node struct {
	oid                 oid
	authored, committed int64    // Unix seconds
	parents             [2]int32 // indexes of nodes; the first is the one that was built on
	author              int32    // index of a login; none if GitHub does not know the address
}

// graph is a repository at one moment: its commits, also those that a forced push has left
// without a branch, oldest push first, and the head of the default branch.
type graph struct {
	nodes  []node
	logins []string
	head   int32     // none in an empty repository
	until  time.Time // when it may next change
}

// add appends a commit and returns its index.
func (g *graph) add(n node) int32 {
	g.nodes = append(g.nodes, n)
	return int32(len(g.nodes) - 1)
}

// find returns the index of a commit, the newest first, as it is the heads that are looked
// for.
func (g *graph) find(o oid) int32 {
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if g.nodes[i].oid == o {
			return int32(i)
		}
	}
	return none
}

// login returns the login of an author, "" for none.
func (g *graph) login(i int32) string {
	if i == none {
		return ""
	}
	return g.logins[i]
}

// back returns the commit n first parents before i, or the oldest of that line.
func (g *graph) back(i int32, n int) int32 {
	for ; n > 0 && i != none && g.nodes[i].parents[0] != none; n-- {
		i = g.nodes[i].parents[0]
	}
	return i
}

// reachable marks the commits that can be reached from one, itself included.
func (g *graph) reachable(from int32) (marks []bool, n int) {
	marks = make([]bool, len(g.nodes))
	if from == none {
		return marks, 0
	}
	marks[from], n = true, 1
	for open := []int32{from}; len(open) > 0; {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		for _, p := range g.nodes[i].parents {
			if p != none && !marks[p] {
				marks[p] = true
				n++
				open = append(open, p)
			}
		}
	}
	return marks, n
}

// walk lists commits in the order of git log: of those whose child was listed, the one with
// the latest commit date; of several with the same, the one that was found first. So the
// commits of a merged branch come by their dates, wherever the head was before the merge.
type walk struct {
	g     *graph
	queue []int32 // latest first
	seen  []bool
}

func (g *graph) walk(from int32) *walk {
	l := &walk{g: g, seen: make([]bool, len(g.nodes))}
	l.push(from)
	return l
}

func (l *walk) push(i int32) {
	if i == none || l.seen[i] {
		return
	}
	l.seen[i] = true
	at, _ := slices.BinarySearchFunc(l.queue, l.g.nodes[i].committed, func(x int32, date int64) int {
		if l.g.nodes[x].committed >= date {
			return -1 // also behind those with the same date
		}
		return 1
	})
	l.queue = slices.Insert(l.queue, at, i)
}

// next returns none at the end.
func (l *walk) next() int32 {
	if len(l.queue) == 0 {
		return none
	}
	i := l.queue[0]
	l.queue = append(l.queue[:0], l.queue[1:]...)
	for _, p := range l.g.nodes[i].parents {
		l.push(p)
	}
	return i
}

// before marks the commits that git leaves out for a date to begin from: those that were made
// before it, and whatever can be reached from one of them, though it may be dated later.
func (g *graph) before(from int32, date int64) []bool {
	out := make([]bool, len(g.nodes))
	marks, _ := g.reachable(from)
	// Parents have lower indexes than their children.
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if !marks[i] || !out[i] && g.nodes[i].committed >= date {
			continue
		}
		out[i] = true
		for _, p := range g.nodes[i].parents {
			if p != none {
				out[p] = true
			}
		}
	}
	return out
}

// commits lists what is reachable from the head, in the order of git log.
func (g *graph) commits() (list []Commit) {
	l := g.walk(g.head)
	for i := l.next(); i != none; i = l.next() {
		list = append(list, g.commit(i))
	}
	return list
}

func (g *graph) commit(i int32) Commit {
	n := g.nodes[i]
	c := Commit{At: time.Unix(n.committed, 0).UTC(), Authored: time.Unix(n.authored, 0).UTC(), Author: g.login(n.author),
		Merge: n.parents[1] != none, OID: n.oid.String(), Parents: []string{}}
	for _, p := range n.parents {
		if p != none {
			c.Parents = append(c.Parents, g.nodes[p].oid.String())
		}
	}
	return c
}
