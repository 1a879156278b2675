package fetcher

import (
	"fmt"
	"slices"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// How long the count of a repository's commits is trusted: it is checked within the
// first time, then ever more rarely. One that did not hold is checked daily.
const (
	checkFirst   = 7 * 24 * time.Hour
	checkLast    = 30 * 24 * time.Hour
	checkTrusted = 2              // checks in a row that agreed
	checkDrift   = 20 * time.Hour // within each day, even if a pass comes a bit early
)

// count brings the counts of a repository up to date with an answer: what was read of
// its history, and how that compares with GitHub's statistics. known is what was known
// before.
func count(repo, known *record.Repo, a *Answer, key record.Key, now time.Time) {
	s := a.Swept
	if s == nil || s.Outcome != upstream.Fresh || s.Head == "" {
		forgetHead(repo, a)
		if known != nil && a.Repo != nil && a.Repo.Participation.Outcome == upstream.NotAsked && stands(known, a.Repo.Commits) {
			serveCount(repo, record.DayOf(a.clock(now)))
		}
		return
	}
	c := record.Counting{}
	if repo.Counting != nil {
		c = *repo.Counting
	}
	begun := c.Head == ""
	current := takeReading(repo, &c, a, a.clock(now))
	if current {
		c.Head = s.Head
		if begun {
			c.CheckDue = now.Add(time.Duration(fraction(key) * float64(checkFirst)))
		}
	}
	if s.Head != headOf(known) {
		c.Moved = true
	}
	if current && checked(a) {
		c.Moved, c.Unanswered = false, 0
		judge(&c, known, a, a.clock(now))
		if !c.TooMany {
			c.CheckDue = now.Add(checkAfter(&c, key))
		}
	} else if isCounted(known, a) && a.Repo != nil { // the check was not answered
		c.Unanswered++
		c.CheckDue = now.Add(doubled(checkDrift, c.Unanswered, checkLast))
	}
	repo.Counting = &c
	if current && serveCount(repo, record.DayOf(a.clock(now))) {
		return
	}
	if current && s.Head == headOf(known) || !newerHead(known, s) {
		age(repo, record.DayOf(a.clock(now)))
	}
}

// serveCount has the weeks of a repository be those that follow from its count, and
// reports whether it goes by that.
func serveCount(repo *record.Repo, today record.Day) bool {
	c := repo.Counting
	if c == nil || c.Head == "" || c.Statistics != "" {
		return false
	}
	repo.Commits52, repo.AsOf, repo.CountsFrom = c.Days.Weeks(today), today, record.FromCounting
	return true
}

func headOf(repo *record.Repo) string {
	if repo == nil || repo.Counting == nil {
		return ""
	}
	return repo.Counting.Head
}

// forgetHead notes that statistics came without the head that they are of: with those
// contributors, commits can no longer be counted on from the head that was known.
func forgetHead(repo *record.Repo, a *Answer) {
	if repo.Counting == nil || a.Repo == nil || a.Repo.Contributors.Outcome != upstream.Fresh {
		return
	}
	c := *repo.Counting
	c.Head = ""
	repo.Counting = &c
}

// takeReading takes over what was read of the history, and reports whether the counts
// now are those of the head that the sweep saw.
func takeReading(repo *record.Repo, c *record.Counting, a *Answer, now time.Time) (current bool) {
	r, today := a.reading, record.DayOf(now)
	contributors := a.contributors()
	switch {
	case r == nil:
		return c.Head == a.Swept.Head || c.TooMany && compared(a)
	case r.tooMany:
		*c = record.Counting{Drifts: c.Drifts, TooMany: true, CheckDue: now.Add(checkLast), Statistics: fmt.Sprintf("more than %d commits in a year: counted by GitHub alone", logBound)}
		return compared(a)
	case !r.done:
		if contributors == upstream.Fresh { // those commits can no longer be counted on from the head that was known
			c.Head = ""
		}
		return false
	case r.contributors && contributors != upstream.Fresh && contributors != upstream.TooLarge:
		return false
	case !r.anew:
		days := c.Days.Trimmed(today)
		for day, n := range r.days[r.way] {
			days.Add(day, n)
		}
		c.Days = days
		if contributors != upstream.Fresh && repo.Contributions != nil {
			repo.Participants, repo.Contributions = record.AddContributions(repo.Participants, repo.Contributions, r.logins)
		}
		return true
	}
	c.Days, c.Way, c.WayFound = r.days[r.way].Trimmed(today), r.way, false
	return true
}

// isCounted reports whether all that is served of a repository follows from what is
// counted. What REST says of its commits then only checks that.
func isCounted(known *record.Repo, a *Answer) bool {
	if known == nil || known.Counting == nil || a.Swept == nil || a.Swept.Outcome != upstream.Fresh {
		return false
	}
	c, r := known.Counting, a.reading
	if c.Head == "" || c.Statistics != "" {
		return false
	}
	return r == nil && c.Head == a.Swept.Head || r != nil && r.done && !r.contributors
}

// contributors returns the outcome of asking for contributors.
func (a *Answer) contributors() upstream.Outcome {
	if a.Repo == nil {
		return upstream.NotAsked
	}
	return a.Repo.Contributors.Outcome
}

// compared reports whether GitHub's statistics came with the answer.
func compared(a *Answer) bool { return a.Repo != nil && a.Repo.Participation.Outcome == upstream.Fresh }

// checked reports whether the answer has what a count is checked with.
func checked(a *Answer) bool {
	anew := a.reading != nil && a.reading.anew
	listed := a.contributors() == upstream.Fresh || a.contributors() == upstream.TooLarge
	return compared(a) || listed && a.Repo.Participation.Outcome == upstream.NotAsked && !anew
}

// checkParts returns what to check a count with. The weekly commits cost most, since
// GitHub computes them anew after each push and has to be asked twice. Once they have
// agreed for long, they are left out of every other check.
func checkParts(c *record.Counting, key record.Key) github.Parts {
	turn := 0 // not the same for all
	if fraction(key) < 0.5 {
		turn = 1
	}
	if c.Statistics == "" && c.Agreed >= checkTrusted && c.Agreed%2 == turn {
		return github.PartContributors
	}
	return statistics
}

// judge compares a count with GitHub's statistics.
func judge(c *record.Counting, known *record.Repo, a *Answer, now time.Time) {
	r, weeks, today := a.reading, a.Repo.Participation.Value, record.DayOf(now)
	if !compared(a) {
		weeks = c.Days.Weeks(today)
	}
	switch {
	case c.TooMany:
		if sum(weeks) < logBound*3/4 && !now.Before(c.CheckDue) {
			*c = record.Counting{Drifts: c.Drifts} // few enough by now: counting begins next time
		}
		return
	case r != nil && r.anew && r.parents && !slices.Equal(c.Days.Weeks(today), weeks):
		for _, way := range r.ways() {
			if days := r.days[way]; slices.Equal(days.Weeks(today), weeks) {
				c.Way, c.WayFound, c.Days = way, true, days.Trimmed(today)
				c.Drifts++
				break
			}
		}
	}
	switch {
	case !slices.Equal(c.Days.Weeks(today), weeks):
		c.Drifts++
		c.Agreed, c.Statistics = 0, "its weekly commits, as counted, are not those of GitHub's statistics, which are served until they agree"
	case !sameContributors(known, a):
		c.Drifts++
		c.Agreed, c.Statistics = 0, "its contributors, as counted, are not those of GitHub's list, which is served until they agree"
	default:
		c.Agreed++
		c.Statistics = ""
	}
}

// drifted reports whether the weekly commits that follow from a count are not those
// that GitHub's statistics now say.
func drifted(prev *record.Source, a *Answer, now time.Time) bool {
	if !compared(a) || prev.Repo == nil || a.reading != nil && a.reading.anew {
		return false
	}
	repo, c := *prev.Repo, record.Counting{}
	if repo.Counting != nil {
		c = *repo.Counting
	}
	return takeReading(&repo, &c, a, a.clock(now)) && !c.TooMany && !slices.Equal(c.Days.Weeks(record.DayOf(a.clock(now))), a.Repo.Participation.Value)
}

// sameContributors reports whether the contributors that follow from a count are those
// that GitHub now lists. It is true where the one or the other is unknown.
func sameContributors(known *record.Repo, a *Answer) bool {
	r := a.reading
	if a.contributors() != upstream.Fresh || known == nil || known.Contributions == nil || r != nil && (r.anew || r.contributors) {
		return true
	}
	logins, commits := known.Participants, known.Contributions
	if r != nil {
		logins, commits = record.AddContributions(logins, commits, r.logins)
	}
	listed, counts := split(a.Repo.Contributors.Value)
	return counts == nil || record.SameContributions(logins, commits, listed, counts)
}

// checkAfter returns how long to trust a count.
func checkAfter(c *record.Counting, key record.Key) time.Duration {
	if c.Statistics != "" {
		return checkDrift
	}
	return doubled(checkFirst, c.Agreed, checkLast) - time.Duration(fraction(key)*float64(6*time.Hour))
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}
