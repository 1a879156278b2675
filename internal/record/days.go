package record

import (
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
