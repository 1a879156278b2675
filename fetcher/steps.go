package fetcher

import (
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// What is asked about a repository comes in steps, each of which decides the next:
//
//   - The sweep asks for the numbers and the heads of many repositories in one query.
//     For most of them that is all: nothing was pushed.
//   - The log reads the commits of those whose head has moved, many in one query too.
//   - REST is asked for one repository at a time: for its contributors where counting
//     begins, and for its statistics where commits are not counted or the count is
//     checked.
//
// Without a credential, and where GraphQL does not answer, all is asked by REST.
type step int

const (
	stepREST  step = iota // ask for job.parts
	stepSweep             // ask what a sweep tells
	stepLog               // ask for a page of the history
)

const statistics = github.PartContributors | github.PartParticipation

// plan decides what is to be asked about the source of a job, after what has been
// answered, and reports whether that is anything. It prepares the job for it.
func (p *pass) plan(j *job, now time.Time) bool {
	if _, project := j.prev.Key.Project(); project {
		j.step = stepREST
		return j.answer.Project == nil
	}
	if j.answer.Swept == nil && j.answer.Repo == nil && p.GitHub.Sweeps() {
		j.step = stepSweep
		return true
	}
	next, parts := p.wanted(j, now)
	if next == stepLog {
		j.step, j.parts = stepLog, parts
		return true
	}
	return j.rest(parts)
}

// rest prepares a job for asking REST for those of the parts that have not been
// asked for yet, and reports whether there are any.
func (j *job) rest(parts github.Parts) bool {
	if a := j.answer.Repo; a != nil {
		for _, part := range outcomes(a) {
			if part.outcome != upstream.NotAsked {
				parts &^= part.part
			}
		}
	}
	if parts != 0 {
		j.step, j.parts = stepREST, parts
	}
	return parts != 0
}

// wanted returns the next step and the parts to ask REST for: after the sweep or, where
// the step is the log, beside it.
func (p *pass) wanted(j *job, now time.Time) (step, github.Parts) {
	s := j.answer.Swept
	switch {
	case s == nil:
		return stepREST, p.restParts(j, now)
	case s.Outcome == upstream.Limited || s.Outcome == upstream.Canceled:
		return stepREST, 0
	case s.Outcome == upstream.Gone && (j.answer.Repo == nil || !j.answer.Repo.Repository.Outcome.Answered()):
		return stepREST, github.PartRepository // a node that is missing is gone only if REST agrees
	case s.Outcome != upstream.Fresh: // GraphQL does not answer: REST may
		return stepREST, p.restParts(j, now)
	case isOther(&j.prev, s.ID):
		return stepREST, 0
	case s.Head == "":
		if known := j.prev.Repo; !s.Empty || known != nil && (known.LastCommit != nil || len(known.Participants) > 0) {
			return stepREST, github.AllParts &^ github.PartRepository // a sweep alone does not take that away
		}
		return stepREST, 0
	}
	return p.wantedOfHistory(j, now)
}

// wantedOfHistory is wanted, once the head of the repository is known.
func (p *pass) wantedOfHistory(j *job, now time.Time) (next step, parts github.Parts) {
	c := j.counting()
	if j.answer.reading == nil {
		j.answer.reading = p.begin(j, c, j.answer.clock(now))
	}
	switch r := j.answer.reading; {
	case r == nil: // nothing is to be read
	case r.deferred():
		return stepREST, 0
	case r.err != nil: // GitHub's statistics stand in
		if statisticsDue(j.prev.Repo, &j.answer.Swept.HeadDate, newerHead(j.prev.Repo, j.answer.Swept), j.answer.clock(now)) {
			return stepREST, statistics
		}
		return stepREST, 0
	case r.lost: // the history was rewritten
		j.answer.reading = newReading(j.answer.Swept, p.fetcher.ways.after(c.Way), true, false, j.answer.clock(now))
		return p.wantedOfHistory(j, now)
	case !r.done && !r.tooMany:
		if r.contributors && j.answer.Repo == nil {
			parts = github.PartContributors
		}
		return stepLog, parts
	case r.contributors || r.hasStrangers(j.known().Participants):
		r.contributors = true
		parts |= github.PartContributors
	}
	if r := j.answer.reading; r != nil && r.tooMany {
		parts |= statistics
	} else if p.asksStatistics(j, c, now) {
		parts |= checkParts(&c, j.prev.Key)
	}
	if isToRecount(j, &c, now) {
		j.recounted = true
		j.answer.reading = newReading(j.answer.Swept, p.fetcher.ways.after(c.Way), false, true, j.answer.clock(now))
		if !j.answer.reading.done {
			return stepLog, 0
		}
	}
	return stepREST, parts
}

// isToRecount reports whether the commits are to be read anew, to find out in what way they
// are to be counted: GitHub's statistics differ from the count. Where that is known, it is
// tried again weekly, if something has been pushed.
func isToRecount(j *job, c *record.Counting, now time.Time) bool {
	if j.answer.Repo == nil || j.recounted {
		return false
	}
	moved := c.Moved || c.Head != j.answer.Swept.Head
	if c.Statistics != "" && (!moved || c.Drifts%7 != 0) { // it is compared daily
		return false
	}
	return drifted(&j.prev, &j.answer, now)
}

// begin returns what is to be read of a history, nil if nothing is.
func (p *pass) begin(j *job, c record.Counting, now time.Time) *reading {
	s, way := j.answer.Swept, p.fetcher.ways.after(c.Way)
	switch {
	case c.TooMany:
		return nil
	case c.Head == "":
		return newReading(s, way, true, false, now)
	case c.Head == s.Head && (c.WayFound || c.Way == way):
		return nil
	case c.Head == s.Head: // counted in a way that has turned out to be wrong
		return newReading(s, way, false, false, now)
	}
	r := &reading{way: c.Way, walk: github.NewWalk(c.Head)}
	if last := j.known().LastCommit; last != nil {
		r.behind = last.Add(-walkSlack)
	}
	return r
}

// asksStatistics reports whether GitHub's statistics are to be asked although the
// sweep answered: the repository goes by them, or its count is to be checked.
func (p *pass) asksStatistics(j *job, c record.Counting, now time.Time) bool {
	switch known := j.prev.Repo; {
	case c.Head == "" && !c.TooMany:
		return false // counting begins
	case c.Statistics != "":
		s := j.answer.Swept
		return statisticsDue(known, &s.HeadDate, c.Head != s.Head, j.answer.clock(now)) || !c.TooMany && !now.Before(c.CheckDue)
	case c.Head == j.answer.Swept.Head && (!c.Moved || len(c.Days) == 0):
		return false // the count is as it was when it was checked, or of a year of silence
	}
	return !now.Before(c.CheckDue)
}

// statisticsDue reports whether the statistics of a repository are to be asked, whose
// newest commit is of the time last, and is a new one if moved is set. On the day of a
// push they do not hold that day, so they are asked after it; then they hold for good, and
// only the weeks move on.
func statisticsDue(known *record.Repo, last *time.Time, moved bool, now time.Time) bool {
	today := record.DayOf(now)
	if known == nil || known.AsOf == 0 || last == nil || last.IsZero() {
		return true
	}
	if moved && min(record.DayOf(*last), today) < today { // a clock may have been ahead
		return true
	}
	if known.LastCommit == nil {
		return false
	}
	pushed := min(record.DayOf(*known.LastCommit), known.HeadSeen) // the push before this one
	return pushed < today && known.AsOf <= pushed
}

// newerHead reports whether the newest commit is another one than the record's.
func newerHead(known *record.Repo, s *github.Swept) bool {
	return known == nil || known.LastCommit == nil || !known.LastCommit.Equal(s.HeadDate)
}

// known returns what is known of a job's repository.
func (j *job) known() record.Repo {
	if j.prev.Repo != nil {
		return *j.prev.Repo
	}
	return record.Repo{}
}

// counting returns what is known of how the commits of a job's repository are counted.
func (j *job) counting() record.Counting {
	if c := j.known().Counting; c != nil {
		return *c
	}
	return record.Counting{}
}

// restParts returns what to ask where REST alone is asked: first whether anything has
// been pushed, and the rest where that is so. A person does not wait for that.
func (p *pass) restParts(j *job, now time.Time) github.Parts {
	known, a := j.prev.Repo, j.answer.Repo
	if a != nil && (a.Repository.Outcome == upstream.Gone || a.Repository.Outcome == upstream.Blocked || isOther(&j.prev, j.answer.id())) {
		return 0
	}
	if p.byHand || j.prev.State != record.StateOK || known == nil || known.LastCommit == nil || known.AsOf == 0 {
		return github.AllParts
	}
	const first = github.PartRepository | github.PartCommits
	if a == nil || a.Commits.Outcome == upstream.NotAsked {
		return first
	}
	last, moved := known.LastCommit, false
	switch a.Commits.Outcome {
	case upstream.Unchanged:
	case upstream.Fresh:
		moved = hasMoved(known, a.Commits.Value)
		last = &a.Commits.Value.Last
	default:
		return github.AllParts
	}
	if !statisticsDue(known, last, moved, now) {
		return first
	}
	return github.AllParts
}

// isOther reports whether an answer is about another repository than the one that is
// known: one that has been given its name since.
func isOther(prev *record.Source, id int64) bool {
	return prev.Repo != nil && prev.Repo.ID != 0 && id != 0 && prev.Repo.ID != id
}
