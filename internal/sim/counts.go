package sim

import (
	"sort"
	"strings"
	"time"
)

// maxContributors is how many authors GitHub links to logins; the others count as
// anonymous.
const maxContributors = 500

// contributors returns the authors in descending order of their numbers of commits, merges
// included; those with the same number are in the order of their first commits.
func (r *Repo) contributors(g *graph) []Contributor {
	at := map[string]int{}
	var list []Contributor
	add := func(login string, n int) {
		if login == "" || n <= 0 {
			return
		}
		i, ok := at[login]
		if !ok {
			i = len(list)
			at[login] = i
			list = append(list, Contributor{Login: login})
		}
		list[i].Contributions += n
	}
	marks, _ := g.reachable(g.head)
	for i := range g.nodes {
		if marks[i] {
			add(g.login(g.nodes[i].author), 1)
		}
	}
	for _, c := range r.Extra {
		add(c.Login, c.Contributions)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Contributions > list[j].Contributions })
	return list[:min(len(list), maxContributors)]
}

// A Counting is how GitHub counts commits for stats/participation. The zero value is what
// recordings of its answers show: merges count, each on its author's day in UTC.
type Counting struct {
	WithoutMerges bool // as the documentation has it
	ByCommitDate  bool // on the committer's day
}

// SetCounting changes how participation counts, as GitHub may at any time.
func (w *World) SetCounting(how Counting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counting = how
	w.edition.Add(1)
}

// weeks counts the commits in the 52 periods of seven days before today's UTC midnight,
// oldest first: those of all authors, and the owner's. The day of now is in none of them.
func (r *Repo) weeks(g *graph, now time.Time, how Counting) (all, owner [52]int) {
	end, owned := midnight(now).Unix(), strings.ToLower(r.Owner())
	const week = 7 * 86400
	marks, _ := g.reachable(g.head)
	for i := range g.nodes {
		n := &g.nodes[i]
		if !marks[i] || how.WithoutMerges && n.parents[1] != none {
			continue
		}
		date := n.authored
		if how.ByCommitDate {
			date = n.committed
		}
		age := end - date
		if age <= 0 || age > 52*week {
			continue
		}
		bucket := 51 - (age-1)/week
		all[bucket]++
		if strings.ToLower(g.login(n.author)) == owned {
			owner[bucket]++
		}
	}
	return all, owner
}
