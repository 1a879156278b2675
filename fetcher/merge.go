package fetcher

import (
	"slices"
	"strings"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// Answer is what an upstream said of a source: one of the two, according to the
// kind of the source, or neither where nothing was asked.
type Answer struct {
	Repo    *github.Answer
	Project *pypi.Answer
}

// Merge returns prev with what its upstream said taken in. now is the time of
// the answer. Merge is pure: the same arguments give the same source, and it
// changes none of them.
//
//   - What was answered replaces what was known; what is no answer replaces
//     nothing, so that no failure writes zeros over numbers.
//   - What a limit defers stays due, and nothing of its state moves: until when the
//     upstream must not be asked is for its client to know. A pass that was cancelled
//     moves nothing either.
func Merge(prev record.Source, a Answer, now time.Time, policy Policy) record.Source {
	now = now.UTC().Truncate(time.Microsecond)
	switch {
	case a.Repo != nil:
		return mergeRepo(prev, a.Repo, now, policy)
	case a.Project != nil:
		return mergeProject(prev, a.Project, now, policy)
	}
	return prev
}

func mergeRepo(s record.Source, a *github.Answer, now time.Time, policy Policy) record.Source {
	s.Repo, s.Former = startOf(&s, a)
	takeParts(s.Repo, a)
	if a.Validators != nil {
		s.Tags = nil
		if len(a.Validators) > 0 {
			s.Tags = a.Validators
		}
	}
	outcome, err := verdict(a)
	switch outcome {
	case upstream.NotAsked, upstream.Canceled, upstream.Limited:
		return s
	}
	s.Status = policy.attempt(s.Status, s.Key, outcome, err, now)
	if outcome == upstream.Gone && s.Repo.Name != "" {
		// What was asked for is the name that GitHub once gave. The catalogue's
		// own, which a person may have mended, gets its turn soon.
		s.Repo.Name = ""
		s.Tags = nil
		s.NextDue = now.Add(policy.RetryMin)
	}
	s.Note = noteOf(a, outcome)
	return s
}

// startOf returns what the answer's parts are taken into: a copy of what is known
// or, where this shows to be the repository that a package referred to under
// another URL, of what was known under that.
func startOf(s *record.Source, a *github.Answer) (repo, former *record.Repo) {
	known := new(record.Repo)
	if s.Repo != nil {
		*known = *s.Repo
	}
	if s.Former == nil || a.Repository.Outcome != upstream.Fresh {
		return known, s.Former
	}
	if s.Repo == nil && s.Former.ID != 0 && s.Former.ID == a.Repository.Value.ID {
		*known = *s.Former
	}
	return known, nil
}

// takeParts takes over the parts that were answered.
func takeParts(repo *record.Repo, a *github.Answer) {
	if a.Repository.Outcome == upstream.Fresh {
		r := a.Repository.Value
		repo.ID, repo.Stars, repo.Forks = r.ID, r.Stars, r.Forks
		repo.Description, repo.Archived = r.Description, r.Archived
		if !a.Ref.IsZero() {
			repo.Name = a.Ref.String()
		}
	}
	switch a.Contributors.Outcome {
	case upstream.Fresh, upstream.Empty:
		repo.Participants = nonEmpty(a.Contributors.Value)
	}
	switch a.Commits.Outcome {
	case upstream.Fresh:
		if last := a.Commits.Value.Last.UTC(); !last.IsZero() {
			repo.LastCommit = &last
		}
		repo.Commits = a.Commits.Value.Count
	case upstream.Empty:
		repo.LastCommit, repo.Commits = nil, 0
	}
	switch a.Participation.Outcome {
	case upstream.Fresh:
		repo.Commits52 = a.Participation.Value
	case upstream.Empty:
		repo.Commits52 = make([]int, 52) // no commit at all: known, and zero in each week
	}
}

// noteOf says what of the answer is lastingly less than it should be.
func noteOf(a *github.Answer, outcome upstream.Outcome) string {
	notes := slices.Clone(a.Notes)
	if a.Contributors.Outcome == upstream.TooLarge {
		notes = append(notes, "GitHub lists no contributors for a repository this large; the ones known stay")
	}
	for _, part := range outcomes(a) {
		if part.outcome == upstream.Doubtful && part.err != nil {
			notes = append(notes, part.err.Message+"; what is known stays until GitHub's answers agree")
		}
	}
	if (outcome == upstream.Pending || outcome == upstream.Doubtful) && a.Participation.Outcome == upstream.Pending {
		notes = append(notes, "GitHub is still computing the weekly commit counts; the ones known stay")
	}
	return strings.Join(notes, "; ")
}

// verdict sums up the parts of an answer: the repository's own fate first, then
// whatever kept the answer from being complete.
func verdict(a *github.Answer) (upstream.Outcome, *upstream.Error) {
	switch a.Repository.Outcome {
	case upstream.Gone, upstream.Blocked:
		return a.Repository.Outcome, a.Repository.Err
	}
	rank := map[upstream.Outcome]int{upstream.Unchanged: 1, upstream.Empty: 2, upstream.TooLarge: 2, upstream.Fresh: 2,
		upstream.Pending: 3, upstream.Doubtful: 4, upstream.Gone: 5, upstream.Blocked: 5, upstream.Failed: 5, upstream.Limited: 6, upstream.Canceled: 7}
	var worst partOutcome
	for _, part := range outcomes(a) {
		if rank[part.outcome] > rank[worst.outcome] {
			worst = part
		}
	}
	switch rank[worst.outcome] {
	case 2:
		return upstream.Fresh, nil
	case 5: // a part that is missing where the repository is there
		return upstream.Failed, worst.err
	}
	return worst.outcome, worst.err
}

// nonEmpty returns nil for an empty list: the two are one in the store.
func nonEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}
