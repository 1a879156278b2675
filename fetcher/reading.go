package fetcher

import (
	"context"
	"slices"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

const (
	walkFirst = 8                  // commits to the first page behind a head that has moved; three times as many to each further one
	walkBound = 500                // commits read in search of the head that was known; then counting begins anew
	walkSlack = 7 * 24 * time.Hour // commits that much older than that head do not come before it
	logPage   = 100                // commits to a page where counting begins
	logBound  = 5000               // commits of 53 weeks beyond which a repository is not counted

	// Where counting begins, the history is read that far back. It is more than 53
	// weeks because a history is filtered by commit date, which may be earlier than the
	// author date that counts.
	logReach = 58 * 7 * 24 * time.Hour
)

// A reading is what a job reads of the history of a repository: either what is new
// since the head that was known, or all of the last year, anew. It keeps no commits but
// those that are to be told from known ones, since many readings wait at a time for
// what else is asked.
type reading struct {
	way    record.Way   // how to count
	anew   bool         // counting begins
	walk   *github.Walk // back to the head that was known, until that is met; nil anew
	cursor string       // of the next page
	pages  int          // that have been read
	read   int          // commits so far
	behind time.Time    // commits committed before that are behind the head that was known; zero if unknown

	days   map[record.Way]record.Days // what has been counted, in this way and, with parents, in all
	logins map[string]int             // commits of each

	since        time.Time // anew: how far back
	parents      bool      // anew: read the parents too, which other ways of counting need
	contributors bool      // the contributors are to be asked too: they do not follow from the commits

	done    bool            // all that is wanted has been read
	tooMany bool            // there are more commits than are worth it
	lost    bool            // the head that was known is not there
	err     *upstream.Error // what kept it from being done
}

func newReading(s *github.Swept, way record.Way, contributors, parents bool, now time.Time) *reading {
	r := &reading{way: way, anew: true, contributors: contributors, parents: parents || way.NoMerges, since: now.Add(-logReach)}
	r.done = !s.HeadDate.IsZero() && s.HeadDate.Before(r.since)
	return r
}

// deferred reports whether a limit, or the end of the pass, kept it from being done.
func (r *reading) deferred() bool {
	return r.err != nil && (r.err.Outcome == upstream.Limited || r.err.Outcome == upstream.Canceled)
}

// question returns the next question about the history.
func (r *reading) question(s *github.Swept) github.LogQuestion {
	q := github.LogQuestion{NodeID: s.NodeID, Head: s.Head, After: r.cursor, Since: r.since, First: logPage, Parents: r.parents}
	if !r.anew {
		q.Parents, q.First = true, walkFirst
		for range r.pages {
			q.First = min(3*q.First, logPage)
		}
	}
	return q
}

// take takes in the answer to it.
func (r *reading) take(page github.LogPage) {
	if r.err = page.Err; r.err != nil {
		return
	}
	r.cursor = page.Cursor
	r.pages++
	r.read += len(page.Commits)
	if r.anew {
		r.count(page.Commits)
		r.done = page.Cursor == ""
		r.tooMany = !r.done && r.read >= logBound
		return
	}
	r.walk.Add(page.Commits)
	switch {
	case r.walk.Done():
		r.count(r.walk.New())
		r.walk, r.done = nil, true
	case page.Cursor == "" || r.read >= walkBound || !r.walk.Met() && r.isBehind(page.Commits):
		r.lost = true
	}
}

// hasStrangers reports whether somebody has been met who is not on a list of
// contributors that is full: whether that puts them on it, only GitHub knows.
func (r *reading) hasStrangers(list []string) bool {
	if r.anew || len(list) < record.MaxContributors {
		return false
	}
	for login := range r.logins {
		if !slices.Contains(list, login) {
			return true
		}
	}
	return false
}

// isBehind reports whether a page goes back beyond where the head that was known would
// have been listed: histories are listed by commit date.
func (r *reading) isBehind(page []record.Commit) bool {
	return len(page) > 0 && page[len(page)-1].Committed.Before(r.behind)
}

// count counts commits that are new.
func (r *reading) count(commits []record.Commit) {
	if r.days == nil {
		r.days, r.logins = map[record.Way]record.Days{}, map[string]int{}
	}
	for _, way := range r.ways() {
		if r.days[way] == nil {
			r.days[way] = record.Days{}
		}
		for i := range commits {
			if day, counts := way.Counts(&commits[i]); counts {
				r.days[way].Add(day, 1)
			}
		}
	}
	for i := range commits {
		if login := commits[i].Login; login != "" {
			r.logins[login]++
		}
	}
}

// ways are those that a reading can count in.
func (r *reading) ways() []record.Way {
	if r.anew && r.parents {
		return record.Ways()
	}
	return []record.Way{r.way}
}

// sweep asks about the jobs of a unit in one go.
func (p *pass) sweep(ctx context.Context, jobs []*job) (cost github.Cost) {
	defer func() {
		if v := recover(); v != nil {
			err := p.bug(jobs[0], v)
			for _, j := range jobs { // then each by REST
				j.answer.Swept = &github.Swept{Outcome: err.Outcome, Err: err}
			}
		}
	}()
	items := make([]github.SweepItem, len(jobs))
	for i, j := range jobs {
		items[i].Ref = reference(&j.prev)
		if j.prev.Repo != nil {
			items[i].NodeID = j.prev.Repo.NodeID
		}
	}
	swept, cost := p.GitHub.Sweep(ctx, items)
	for i, j := range jobs {
		j.answer.Swept = &swept[i]
	}
	return cost
}

// readLogs asks for the next page of each job's history in one go.
func (p *pass) readLogs(ctx context.Context, jobs []*job) (cost github.Cost) {
	defer func() {
		if v := recover(); v != nil {
			err := p.bug(jobs[0], v)
			for _, j := range jobs {
				j.answer.reading.err = err
			}
		}
	}()
	questions := make([]github.LogQuestion, len(jobs))
	for i, j := range jobs {
		questions[i] = j.answer.reading.question(j.answer.Swept)
	}
	pages, cost := p.GitHub.Log(ctx, questions)
	for i, j := range jobs {
		j.answer.reading.take(pages[i])
	}
	return cost
}
