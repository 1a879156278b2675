package fetcher

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// Answer is what an upstream said of a source: of a repository what was asked of Repo
// and Swept, of a project Project; nothing where nothing was asked.
type Answer struct {
	Repo    *github.Answer
	Swept   *github.Swept
	reading *reading // of the repository's history
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
	case a.Repo != nil || a.Swept != nil:
		return mergeRepo(prev, &a, now, policy)
	case a.Project != nil:
		return mergeProject(prev, a.Project, now, policy)
	}
	return prev
}

func mergeRepo(s record.Source, a *Answer, now time.Time, policy Policy) record.Source {
	rest := a.Repo
	if rest == nil {
		rest = &github.Answer{Validators: s.Tags}
	}
	outcome, err := verdict(&s, a)
	known := s.Repo
	s.Repo, s.Former = startOf(&s, a)
	if !another(outcome, err) {
		takeSwept(s.Repo, a.Swept, record.DayOf(a.clock(now)))
		takeParts(s.Repo, rest, record.DayOf(a.clock(now)))
		count(s.Repo, known, a, s.Key, now)
	}
	s.Tags = tagsAfter(s.Tags, rest, a.Swept)
	if another(outcome, err) {
		s.Tags = nil // they are of that one
	}
	switch outcome {
	case upstream.NotAsked, upstream.Canceled, upstream.Limited:
		if a.Swept == nil && known != nil { // so that what its commits change is still asked for
			s.Repo.LastCommit, s.Repo.Commits, s.Repo.HeadSeen = known.LastCommit, known.Commits, known.HeadSeen
			s.Tags = github.Validators(s.Tags).Without(github.PartCommits)
		}
		return s
	}
	s.Status = policy.attempt(&s, outcome, err, now)
	s.Replaced = another(outcome, err)
	if outcome == upstream.Gone && s.Repo.Name != "" {
		// What was asked for is the name that GitHub once gave. The catalogue's
		// own, which a person may have mended, gets its turn soon.
		s.Repo.Name = ""
		s.Tags = nil
		s.NextDue = now.Add(policy.RetryMin)
	}
	s.Note = noteOf(rest, outcome)
	if s.Repo.Disabled {
		s.Note = joined(s.Note, "GitHub has disabled the repository")
	}
	if r := a.reading; r != nil && r.err != nil {
		s.Note = joined(s.Note, "GitHub does not tell its commits, and its statistics are served instead: "+r.err.Message)
	}
	if c := s.Repo.Counting; c != nil && c.Statistics != "" {
		s.Note = joined(s.Note, c.Statistics)
	}
	return s
}

// tagsAfter returns the validators to keep after an answer. Those of what a sweep has told
// are of an older state than the record's, which a 304 would leave as it is.
func tagsAfter(known map[string]string, rest *github.Answer, s *github.Swept) map[string]string {
	if rest.Validators == nil {
		return known
	}
	tags := rest.Validators
	if s != nil && s.Outcome == upstream.Fresh {
		for _, part := range outcomes(rest) {
			if part.outcome == upstream.NotAsked {
				tags = tags.Without(part.part)
			}
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return tags
}

// startOf returns what the answer's parts are taken into: a copy of what is known
// or, where this shows to be the repository that a package referred to under
// another URL, of what was known under that.
func startOf(s *record.Source, a *Answer) (repo, former *record.Repo) {
	known := new(record.Repo)
	if s.Repo != nil {
		*known = *s.Repo
	}
	id := a.id()
	if s.Former == nil || id == 0 {
		return known, s.Former
	}
	if s.Repo == nil && s.Former.ID == id {
		*known = *s.Former
	}
	return known, nil
}

// clock returns the time by GitHub's clock, as far as the answer tells it, else now. Its
// days are those that weeks are made of, and ours may be wrong.
func (a *Answer) clock(now time.Time) time.Time {
	if a.Swept != nil && !a.Swept.At.IsZero() {
		return a.Swept.At
	}
	return now
}

// id returns the id of the repository that the answer is about; 0 if it does not tell.
func (a *Answer) id() int64 {
	switch {
	case a.Repo != nil && a.Repo.Repository.Outcome == upstream.Fresh:
		return a.Repo.Repository.Value.ID
	case a.Swept != nil && a.Swept.Outcome == upstream.Fresh:
		return a.Swept.ID
	}
	return 0
}

// takeSwept takes over what a sweep says of a repository.
func takeSwept(repo *record.Repo, s *github.Swept, today record.Day) {
	if s != nil && s.Outcome == upstream.Gone {
		repo.NodeID = "" // if the repository is there, its name finds it
	}
	if s == nil || s.Outcome != upstream.Fresh {
		return
	}
	takeNumbers(repo, s.Repository)
	repo.Name, repo.NodeID = s.FullName, s.NodeID
	if s.Head == "" {
		if s.Empty && repo.LastCommit == nil && len(repo.Participants) == 0 { // REST has to agree where there was something
			repo.Commits52, repo.AsOf, repo.CountsFrom = make([]int, record.Weeks), today, record.FromCounting
		}
		return
	}
	if repo.Counting == nil || repo.Counting.Head != s.Head {
		repo.HeadSeen = today
	}
	if last := s.HeadDate.UTC(); !last.IsZero() {
		if newerHead(repo, s) {
			repo.Commits = 0 // as many as there are now is not told
		}
		repo.LastCommit = &last
	}
}

func takeNumbers(repo *record.Repo, r github.Repository) {
	repo.ID, repo.Stars, repo.Forks = r.ID, r.Stars, r.Forks
	repo.Description, repo.Archived, repo.Disabled = r.Description, r.Archived, r.Disabled
}

// takeParts takes over the parts that REST answered.
func takeParts(repo *record.Repo, a *github.Answer, today record.Day) {
	if a.Repository.Outcome == upstream.Fresh {
		takeNumbers(repo, a.Repository.Value)
		if !a.Ref.IsZero() {
			repo.Name = a.Ref.String()
		}
	}
	switch a.Contributors.Outcome {
	case upstream.Fresh, upstream.Empty:
		repo.Participants, repo.Contributions = split(a.Contributors.Value)
	}
	switch a.Commits.Outcome {
	case upstream.Fresh:
		last := a.Commits.Value.Last.UTC()
		if hasMoved(repo, a.Commits.Value) {
			repo.HeadSeen = today
		} else {
			age(repo, today)
		}
		if !last.IsZero() {
			repo.LastCommit = &last
		}
		repo.Commits = a.Commits.Value.Count
	case upstream.Empty:
		repo.LastCommit, repo.Commits, repo.Counting = nil, 0, nil
	case upstream.Unchanged:
		age(repo, today)
	}
	switch a.Participation.Outcome {
	case upstream.Fresh:
		repo.Commits52, repo.AsOf, repo.CountsFrom = a.Participation.Value, today, record.FromStatistics
	case upstream.Unchanged:
		repo.AsOf = today
	case upstream.Empty: // no commit at all: known, and zero in each week
		repo.Commits52, repo.AsOf, repo.CountsFrom = make([]int, record.Weeks), today, record.FromStatistics
	}
}

// stands reports whether REST says that the commits are those known.
func stands(known *record.Repo, a github.Part[github.Commits]) bool {
	return a.Outcome == upstream.Unchanged || a.Outcome == upstream.Fresh && !hasMoved(known, a.Value)
}

// hasMoved reports whether the commits are other ones than those known.
func hasMoved(known *record.Repo, c github.Commits) bool {
	return known.LastCommit == nil || !c.Last.Equal(*known.LastCommit) || known.Commits != 0 && c.Count != known.Commits
}

// split returns logins and their commits. The latter are nil where one is unknown.
func split(people []record.Contribution) (logins []string, commits []int) {
	for _, c := range people {
		logins = append(logins, c.Login)
		commits = append(commits, c.Commits)
	}
	if slices.Contains(commits, 0) {
		commits = nil
	}
	return logins, commits
}

// age moves the weeks of a repository on whose head has not moved. If they were asked
// after the day of the last push, each week that has passed since had no commit.
func age(repo *record.Repo, today record.Day) {
	weeks := int(today-repo.AsOf) / 7
	if len(repo.Commits52) != record.Weeks || repo.AsOf == 0 || weeks <= 0 || statisticsDue(repo, repo.LastCommit, false, today.Start()) {
		return
	}
	weeks = min(weeks, record.Weeks)
	repo.Commits52 = append(slices.Clone(repo.Commits52[weeks:]), make([]int, weeks)...)
	repo.AsOf += record.Day(7 * weeks)
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

func joined(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}

// verdict sums up an answer about a repository: its own fate first, then whatever kept
// the answer from being complete.
func verdict(prev *record.Source, a *Answer) (upstream.Outcome, *upstream.Error) {
	if isOther(prev, a.id()) {
		return upstream.Gone, &upstream.Error{Outcome: upstream.Gone, Err: errAnother, Message: fmt.Sprintf(
			"the name now belongs to another repository (id %d); the data is that of the former one (id %d). If the package has moved there, take it out of the catalogue, reload, and put it back", a.id(), prev.Repo.ID)}
	}
	var parts []partOutcome
	if a.Repo != nil {
		switch a.Repo.Repository.Outcome {
		case upstream.Gone, upstream.Blocked:
			return a.Repo.Repository.Outcome, a.Repo.Repository.Err
		}
		all := outcomes(a.Repo)
		parts = all[:]
		if isCounted(prev.Repo, a) {
			parts = all[:1] // the others only check the count
		}
	}
	if s := a.Swept; s != nil && (a.Repo == nil || s.Outcome == upstream.Fresh) {
		outcome := s.Outcome
		if outcome == upstream.Fresh && sameSwept(prev.Repo, s) {
			outcome = upstream.Unchanged
		}
		parts = append(parts, partOutcome{outcome: outcome, err: s.Err})
	}
	if r := a.reading; r != nil && r.deferred() {
		parts = append(parts, partOutcome{outcome: r.err.Outcome, err: r.err})
	}
	rank := map[upstream.Outcome]int{upstream.Unchanged: 1, upstream.Empty: 2, upstream.TooLarge: 2, upstream.Fresh: 2,
		upstream.Pending: 3, upstream.Doubtful: 4, upstream.Gone: 5, upstream.Blocked: 5, upstream.Failed: 5, upstream.Limited: 6, upstream.Canceled: 7}
	var worst partOutcome
	for _, part := range parts {
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

// sameSwept reports whether a sweep says of a repository what is known.
func sameSwept(known *record.Repo, s *github.Swept) bool {
	if known == nil || known.Name != s.FullName || headOf(known) != s.Head {
		return false
	}
	then := *known
	takeNumbers(&then, s.Repository)
	return then.ID == known.ID && then.Stars == known.Stars && then.Forks == known.Forks && then.Description == known.Description &&
		then.Archived == known.Archived && then.Disabled == known.Disabled
}

// errAnother is the cause of an answer about another repository than the one known.
var errAnother = errors.New("another repository")

func another(o upstream.Outcome, err *upstream.Error) bool {
	return o == upstream.Gone && errors.Is(err.Err, errAnother)
}
