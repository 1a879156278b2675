package fetcher

import (
	"context"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

const (
	walkFirst = 8    // commits to the first page behind a head that has moved; three times as many to each further one
	walkBound = 500  // commits read in search of the head that was known; then counting begins anew
	logPage   = 100  // commits to a page where counting begins
	logBound  = 5000 // commits of 53 weeks beyond which a repository is not counted

	// Where counting begins, the history is read that far back. It is more than 53
	// weeks because a history is filtered by commit date, which may be earlier than the
	// author date that counts.
	logReach = 58 * 7 * 24 * time.Hour
)

// A reading is what a job reads of the history of a repository: either what is new
// since the head that was known, or all of the last year, anew.
type reading struct {
	way     record.Way   // how to count
	walk    *github.Walk // back to the head that was known; nil where counting begins anew
	commits []record.Commit
	cursor  string // of the next page
	pages   int    // that have been read

	since        time.Time // anew: how far back
	parents      bool      // anew: read the parents too, which other ways of counting need
	contributors bool      // the contributors are to be asked too: they do not follow from the commits

	done    bool            // all that is wanted has been read
	tooMany bool            // there are more commits than are worth it
	lost    bool            // the head that was known is not there
	err     *upstream.Error // what kept it from being done
}

func newReading(s *github.Swept, way record.Way, contributors, parents bool, now time.Time) *reading {
	r := &reading{way: way, contributors: contributors, parents: parents || way.NoMerges, since: now.Add(-logReach)}
	r.done = !s.HeadDate.IsZero() && s.HeadDate.Before(r.since)
	return r
}

// question returns the next question about the history.
func (r *reading) question(s *github.Swept) github.LogQuestion {
	q := github.LogQuestion{NodeID: s.NodeID, Head: s.Head, After: r.cursor, Since: r.since, First: logPage, Parents: r.parents}
	if r.walk != nil {
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
	if r.walk == nil {
		r.commits = append(r.commits, page.Commits...)
		r.done = page.Cursor == ""
		r.tooMany = !r.done && len(r.commits) >= logBound
		return
	}
	r.walk.Add(page.Commits)
	switch {
	case r.walk.Done():
		r.commits, r.done = r.walk.New(), true
	case page.Cursor == "" || r.walk.Len() >= walkBound:
		r.lost = true
	}
}

// days counts the commits of a reading by day.
func daysOf(commits []record.Commit, way record.Way) record.Days {
	days := record.Days{}
	for i := range commits {
		if day, counts := way.Counts(&commits[i]); counts {
			days.Add(day, 1)
		}
	}
	return days
}

// contributionsOf counts the commits of a reading by login.
func contributionsOf(commits []record.Commit) map[string]int {
	n := map[string]int{}
	for i := range commits {
		if login := commits[i].Login; login != "" {
			n[login]++
		}
	}
	return n
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
