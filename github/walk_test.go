package github

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pkgmetad/internal/record"
)

// graph is a history that grows: commits by oid, each after its parents.
type graph struct {
	commits map[string]*record.Commit
	heads   []string // of branches; the first is the default branch
}

// log lists what is reachable from head as git does: the newest commit date first, no
// commit before one of its children that is already listed.
func (g *graph) log(head string) (list []record.Commit) {
	waiting, seen := []string{head}, map[string]bool{head: true}
	for len(waiting) > 0 {
		newest := 0
		for i, oid := range waiting {
			if g.commits[oid].Committed.After(g.commits[waiting[newest]].Committed) {
				newest = i
			}
		}
		c := g.commits[waiting[newest]]
		waiting = slices.Delete(waiting, newest, newest+1)
		list = append(list, *c)
		for _, parent := range c.Parents {
			if !seen[parent] {
				seen[parent] = true
				waiting = append(waiting, parent)
			}
		}
	}
	return list
}

func (g *graph) reachable(head string) map[string]bool {
	found := map[string]bool{}
	for _, c := range g.log(head) {
		found[c.OID] = true
	}
	return found
}

// grow adds commits on the default branch and on side branches, and merges.
func (g *graph) grow(random *rand.Rand, n int) {
	for range n {
		when := time.Unix(int64(len(g.commits))*3600, 0)
		add := func(parents ...string) string {
			oid := fmt.Sprintf("c%d", len(g.commits))
			g.commits[oid] = &record.Commit{OID: oid, Committed: when, Authored: when, Parents: parents}
			return oid
		}
		switch side := 1 + random.IntN(max(len(g.heads)-1, 1)); {
		case len(g.heads) == 0:
			g.heads = []string{add()}
		case random.IntN(8) == 0: // a branch from anywhere on the default branch
			from := g.log(g.heads[0])
			g.heads = append(g.heads, add(from[random.IntN(len(from))].OID))
		case len(g.heads) > 3 && random.IntN(6) == 0: // several merged
			g.heads = []string{add(g.heads...)}
		case len(g.heads) > 1 && random.IntN(6) == 0: // merged
			g.heads[0] = add(g.heads[0], g.heads[side])
			g.heads = slices.Delete(g.heads, side, side+1)
		case len(g.heads) > 1 && random.IntN(2) == 0:
			g.heads[side] = add(g.heads[side])
		default:
			g.heads[0] = add(g.heads[0])
		}
	}
}

// TestWalk compares walks over random histories with the difference of what is
// reachable: commits of merged branches that are older than the old head, too.
func TestWalk(t *testing.T) {
	behind := 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 8))
		g := &graph{commits: map[string]*record.Commit{}}
		g.grow(random, 30+random.IntN(60))
		old := g.heads[0]
		had := g.reachable(old)
		g.grow(random, 1+random.IntN(40))
		want := []string{}
		log := g.log(g.heads[0])
		for _, c := range log {
			if !had[c.OID] {
				want = append(want, c.OID)
				if c.Committed.Before(g.commits[old].Committed) {
					behind++
				}
			}
		}
		w, read := NewWalk(old), 0
		for !w.Done() {
			if read >= len(log) {
				t.Fatalf("seed %d: not done at the end of the history", seed)
			}
			page := log[read:min(read+1+random.IntN(7), len(log))]
			w.Add(page)
			w.Add(page[:1]) // told twice
			read += len(page)
		}
		got := []string{}
		for _, c := range w.New() {
			got = append(got, c.OID)
		}
		if !slices.Equal(got, want) || w.Len() != read || !w.Met() {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
	if behind < 100 {
		t.Fatalf("only %d new commits are older than the old head: the histories are too simple", behind)
	}
}

// TestWalkLost: a head that the history does not hold is never met.
func TestWalkLost(t *testing.T) {
	g := &graph{commits: map[string]*record.Commit{}}
	g.grow(rand.New(rand.NewPCG(1, 1)), 50)
	w := NewWalk("rewritten")
	w.Add(g.log(g.heads[0]))
	if w.Done() || w.Met() || len(w.New()) != w.Len() {
		t.Errorf("done %t, met %t, %d of %d new", w.Done(), w.Met(), len(w.New()), w.Len())
	}
	w = NewWalk(g.heads[0])
	w.Add(g.log(g.heads[0])[:1])
	if !w.Done() || len(w.New()) != 0 {
		t.Errorf("a head that has not moved: done %t, %v", w.Done(), w.New())
	}
}
