package sim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counter counts a repository's commits from the pages of its history alone.
type counter struct {
	id    string
	known map[string]commitNode // by OID; none that was read is ever forgotten
	head  string
}

// read reads from the head until every parent of a commit that is new is known.
func (c *counter) read(t *testing.T, w *World) {
	vars := map[string]any{"ids": []string{c.id}, "first": 10}
	missing := map[string]bool{}
	for {
		got := graphql(t, w, counting, vars).fine(t)
		target := got.Data.Nodes[0].DefaultBranchRef.Target
		c.head = target.OID
		for _, n := range target.History.Nodes {
			delete(missing, n.OID)
			if _, ok := c.known[n.OID]; ok {
				continue
			}
			c.known[n.OID] = n
			for _, p := range n.Parents.Nodes {
				if _, ok := c.known[p.OID]; !ok {
					missing[p.OID] = true
				}
			}
		}
		if len(missing) == 0 || !target.History.PageInfo.HasNextPage {
			return
		}
		vars["after"] = target.History.PageInfo.EndCursor
	}
}

// count is what can be reached from the head: by author day, and by login.
func (c *counter) count(now time.Time) (weeks [52]int, people map[string]int) {
	people = map[string]int{}
	seen, open := map[string]bool{c.head: true}, []string{c.head}
	for len(open) > 0 {
		n := c.known[open[0]]
		open = open[1:]
		if n.Author.User != nil {
			people[n.Author.User.Login]++
		}
		if age := midnight(now).Sub(midnight(n.AuthoredDate)) - day; age >= 0 && age < 364*day {
			weeks[51-age/(7*day)]++
		}
		for _, p := range n.Parents.Nodes {
			if !seen[p.OID] {
				seen[p.OID] = true
				open = append(open, p.OID)
			}
		}
	}
	return weeks, people
}

// The histories of a world, read on from day to day, give what REST says of it on every day:
// through merges, forced pushes, rewritten histories, heads that go back and wrong clocks.
func TestHistoriesCountUpToREST(t *testing.T) {
	clock := noon()
	w := Generate(12, 40, Options{Now: func() time.Time { return clock }, PointLimit: 1 << 30, NoSecondary: true, Rates: Rates{Pushes: 0.2, Dormant: 0.2, Odd: 0.4}})
	var counters []*counter
	var ids []int64
	for i := range w.generated.n {
		if r := w.generated.repo(i); r != nil && r.gen != nil && r.Blocked == "" && r.gen.newRate > 0.02 && len(counters) < 6 {
			counters, ids = append(counters, &counter{id: r.NodeID, known: map[string]commitNode{}}), append(ids, r.ID)
		}
	}
	pushes := map[pushKind]int{}
	for range 90 {
		for i, c := range counters {
			before := c.head
			c.read(t, w)
			weeks, people := c.count(clock)
			truth, _ := w.RepoTruth(ids[i], clock)
			want := map[string]int{}
			for _, p := range truth.Contributors {
				want[p.Login] = p.Contributions
			}
			if weeks != truth.Weeks || !cmp.Equal(people, want) || c.head != truth.Head {
				t.Fatalf("%s at %v: counted %v, %s", truth.FullName, clock, weeks, cmp.Diff(truth.Weeks, weeks)+cmp.Diff(want, people))
			}
			if c.head != before {
				for _, p := range w.repo(ids[i]).gen.pushes(clock.Unix() / 86400) {
					pushes[p.kind]++
				}
			}
		}
		clock = clock.Add(day)
	}
	if len(pushes) < 7 {
		t.Errorf("too little happened: %v", pushes)
	}
}
