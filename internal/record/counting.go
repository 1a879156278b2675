package record

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Day is a day in UTC, as days since 1970-01-01.
type Day int

// DayOf returns the day of t.
func DayOf(t time.Time) Day {
	seconds := t.Unix()
	day := seconds / (24 * 60 * 60)
	if seconds%(24*60*60) < 0 {
		day--
	}
	return Day(day)
}

// Start returns the time at which d begins.
func (d Day) Start() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// How far commits go back: in the weeks that are served, and in those that are kept
// so that a day that passes takes nothing away that is still needed.
const (
	Weeks     = 52
	servedFor = 7 * Weeks     // days
	keptFor   = servedFor + 7 // days
)

// Days are the commits of a repository by day. Days without any are left out. It
// holds the last 53 weeks, and days to come: git lets people write any date.
type Days map[Day]int

// Add counts n more commits on a day.
func (d Days) Add(day Day, n int) { d[day] += n }

// Weeks returns the commits of 52 weeks, oldest first, as GitHub's stats/participation
// counts them on the day today: its last week ends with yesterday, so that today is in
// none of them.
func (d Days) Weeks(today Day) []int {
	weeks := make([]int, Weeks)
	for day, n := range d {
		if i := int(day - (today - servedFor)); i >= 0 && i < servedFor {
			weeks[i/7] += n
		}
	}
	return weeks
}

// Trimmed returns a copy without the days that are no longer needed on the day today.
func (d Days) Trimmed(today Day) Days {
	kept := Days{}
	for day, n := range d {
		if day >= today-keptFor {
			kept[day] = n
		}
	}
	return kept
}

// Way is how commits are counted by day. GitHub's documentation and its answers do not
// agree on it, so it is a matter of observation: see [Counting].
type Way struct {
	NoMerges   bool `json:"no_merges,omitempty"`    // commits with more than one parent do not count
	CommitDate bool `json:"commit_dates,omitempty"` // the committer's date decides, not the author's
}

// Ways are all ways of counting, the likeliest first.
func Ways() []Way {
	return []Way{{}, {NoMerges: true}, {CommitDate: true}, {NoMerges: true, CommitDate: true}}
}

func (w Way) String() string {
	words := []string{"with merges", "by author date"}
	if w.NoMerges {
		words[0] = "without merges"
	}
	if w.CommitDate {
		words[1] = "by commit date"
	}
	return strings.Join(words, ", ")
}

// Commit is what is used of a commit in order to count it.
type Commit struct {
	OID       string
	Authored  time.Time // author date
	Committed time.Time // committer date
	Login     string    // of its author; "" for one without an account
	Parents   []string  // a merge has more than one
}

// Counts reports whether the commit counts, and on which day.
func (w Way) Counts(c *Commit) (Day, bool) {
	if w.NoMerges && len(c.Parents) > 1 {
		return 0, false
	}
	if w.CommitDate {
		return DayOf(c.Committed), true
	}
	return DayOf(c.Authored), true
}

// Counting is what makes the weekly commits and the participants of a repository known
// without asking GitHub for its statistics: both follow from the commits, and only new
// ones have to be read. That the two agree is checked from time to time.
type Counting struct {
	Head string `json:"head"` // the commit that the default branch was at when all below was right; "" for none
	Way  Way    `json:"way,omitzero"`
	// WayFound is set if the commits, counted in another way, did not agree with
	// GitHub's statistics.
	WayFound bool `json:"way_found,omitempty"`
	Days     Days `json:"days,omitempty"` // commits by day; empty if TooMany

	// Statistics says why this repository goes by GitHub's statistics for now, for a
	// person; "" if it goes by the count.
	Statistics string `json:"statistics,omitempty"`
	TooMany    bool   `json:"too_many,omitempty"` // there are more commits than are counted

	CheckDue time.Time `json:"check_due,omitzero"` // when to compare with GitHub's statistics next
	Agreed   int       `json:"agreed,omitempty"`   // how often in a row they agreed
	Moved    bool      `json:"moved,omitempty"`    // Days have changed since they were compared
	Drifts   int       `json:"drifts,omitempty"`   // how often they did not, in all
	// Unanswered is how often in a row GitHub did not say what to compare with.
	Unanswered int `json:"unanswered,omitempty"`
}

// ForgetCounts forgets all that follows from counting here, but for what is served: that
// has come from elsewhere.
func (r *Repo) ForgetCounts() {
	r.Contributions, r.CountsFrom, r.AsOf, r.HeadSeen, r.Counting = nil, "", 0, 0, nil
}

// Where the weekly commits of a repository come from.
const (
	FromStatistics = "participation" // GitHub's stats/participation
	FromCounting   = "counted"       // our count of its commits
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

// CountsText says where the weekly commits of a repository come from and up to which
// day they go, for a person; "" while they are unknown.
func (r *Repo) CountsText() string {
	if r.AsOf == 0 || r.Commits52 == nil {
		return ""
	}
	text := "weekly commits up to " + (r.AsOf - 1).Start().Format(time.DateOnly) + ", from GitHub's statistics"
	if r.CountsFrom == FromCounting && r.Counting != nil {
		text = "weekly commits up to " + (r.AsOf - 1).Start().Format(time.DateOnly) + ", counted " + r.Counting.Way.String()
		if !r.Counting.CheckDue.IsZero() {
			text += "; the count is checked next on " + r.Counting.CheckDue.UTC().Format(time.DateOnly)
		}
	}
	return text
}
