package record

import (
	"maps"
	"slices"
	"strings"
)

// Contribution is a contributor's number of commits.
type Contribution struct {
	Login   string
	Commits int
}

// MaxContributors is how many contributors GitHub lists of a repository.
const MaxContributors = 500

// AddContributions returns the logins and their commits after some more, by commits,
// descending, as far as GitHub lists them. Among equals the order stays as it was, and
// those who are new come last. A login may come in another case: it is the same then, and
// written as it came last.
func AddContributions(logins []string, commits []int, more map[string]int) ([]string, []int) {
	list := make([]Contribution, 0, len(logins)+len(more))
	at := map[string]int{} // by login in lower case
	add := func(login string, n int) {
		key := strings.ToLower(login)
		i, known := at[key]
		if !known {
			i = len(list)
			at[key] = i
			list = append(list, Contribution{})
		}
		list[i] = Contribution{login, list[i].Commits + n}
	}
	for i, login := range logins {
		add(login, commits[i])
	}
	for _, login := range slices.Sorted(maps.Keys(more)) {
		add(login, more[login])
	}
	slices.SortStableFunc(list, func(a, b Contribution) int { return b.Commits - a.Commits })
	list = list[:min(len(list), MaxContributors)]
	logins, commits = make([]string, len(list)), make([]int, len(list))
	for i, c := range list {
		logins[i], commits[i] = c.Login, c.Commits
	}
	return logins, commits
}

// SameContributions reports whether two lists of contributors agree, whatever the order
// among those with equally many commits, and the case of their logins. Of a list that is
// as long as GitHub's are at most, those with the fewest commits do not count: others have
// as many, and are left out.
func SameContributions(aLogins []string, aCommits []int, bLogins []string, bCommits []int) bool {
	if len(aLogins) != len(bLogins) || len(aCommits) != len(aLogins) || !slices.Equal(aCommits, bCommits) {
		return false
	}
	n := len(aCommits)
	if n >= MaxContributors {
		n = slices.Index(aCommits, aCommits[n-1])
	}
	commits := make(map[string]int, n)
	for i, login := range aLogins[:n] {
		commits[strings.ToLower(login)] = aCommits[i]
	}
	for i, login := range bLogins[:n] {
		if known, is := commits[strings.ToLower(login)]; !is || known != bCommits[i] {
			return false
		}
	}
	return true
}

// Logins returns the logins of contributors, in the same order.
func Logins(people []Contribution) []string {
	logins := make([]string, len(people))
	for i, c := range people {
		logins[i] = c.Login
	}
	return logins
}
