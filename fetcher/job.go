package fetcher

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v5"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

const (
	quickRetry  = 300 * time.Millisecond // before the one quick retry of a passing fault
	pendingAsks = 4                      // questions a pass puts for one thing that is being computed
)

// job is one source on its way through a pass. Its answers accumulate, and
// the result is always Merge(prev, all of them), so that asking again for a
// part of them is still one attempt.
type job struct {
	prev   record.Source
	step   step         // what to ask next time a worker has it
	parts  github.Parts // of a repository: what to ask REST for, in stepREST, or beside the log
	answer Answer       // so far

	checked   bool // a check of its count has been told of
	recounted bool // its commits were read anew because the count did not hold

	retried bool      // the quick retry has been used
	asks    int       // questions so far while something was being computed
	stales  int       // questions so far that were answered with less than PyPI's index knows
	order   int       // in the queue that it came with
	at      time.Time // while delayed: when to go on
	gaps    *backoff.ExponentialBackOff
}

// ask puts the job's question. beside is where further requests may run.
func (p *pass) ask(ctx context.Context, j *job, beside func(func()) bool) {
	if _, ok := j.prev.Key.Project(); ok {
		j.takeProject(p.askPyPI(ctx, j))
		return
	}
	a := p.askGitHub(ctx, j, beside)
	if before := j.answer.Repo; before != nil {
		a = combine(*before, a)
	}
	j.answer.Repo = &a
}

func (p *pass) askGitHub(ctx context.Context, j *job, beside func(func()) bool) (a github.Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = refused(j.parts, p.bug(j, v))
		}
	}()
	q := github.Question{Ref: reference(&j.prev), Parts: j.parts, Known: github.Validators(j.prev.Tags), Beside: beside}
	if j.prev.Repo != nil {
		q.Commits, q.Participants = j.prev.Repo.Commits, len(j.prev.Repo.Participants)
	}
	if s := j.answer.Swept; s != nil && s.Outcome == upstream.Fresh {
		q.Ref = s.Ref()
		q.Known = q.Known.Without(j.parts) // what is compared with a count has to be told
		q.HasCommits = s.Head != ""
	}
	if before := j.answer.Repo; before != nil {
		q.Known = before.Validators
		q.HasCommits = q.HasCommits || before.Commits.Outcome == upstream.Fresh || before.Commits.Outcome == upstream.Unchanged
		if !before.Ref.IsZero() {
			q.Ref = before.Ref
		}
	}
	return p.GitHub.Fetch(ctx, q)
}

// bug keeps a fault of this program that one source brings out from ending
// the work on all others.
func (p *pass) bug(j *job, v any) *upstream.Error {
	p.Log.Error().Str("key", string(j.prev.Key)).Str("stack", string(debug.Stack())).Msgf("a fault in pkgmetad itself, please report it: %v", v)
	return &upstream.Error{Outcome: upstream.Failed, Message: fmt.Sprintf("a fault in pkgmetad itself: %v", v)}
}

// reference returns the name to ask GitHub by: the one that GitHub gave, else
// the one that the key holds.
func reference(s *record.Source) github.Ref {
	if s.Repo != nil && s.Repo.Name != "" {
		if ref, err := github.ParseRef(s.Repo.Name); err == nil {
			return ref
		}
	}
	_, owner, name, _ := s.Key.Repo()
	return github.Ref{Owner: owner, Name: name}
}

// combine returns the answer that a has become by asking for some parts again.
func combine(a, again github.Answer) github.Answer {
	replace(&a.Repository, again.Repository)
	replace(&a.Contributors, again.Contributors)
	replace(&a.Commits, again.Commits)
	replace(&a.Participation, again.Participation)
	if !again.Ref.IsZero() {
		a.Ref = again.Ref
	}
	a.Validators = again.Validators
	a.Notes = append(a.Notes, again.Notes...)
	a.Requests += again.Requests
	a.Charged += again.Charged
	return a
}

// replace takes over a later answer to the same question. One that says only
// that the question could not be put leaves an earlier answer standing.
func replace[T any](part *github.Part[T], again github.Part[T]) {
	switch again.Outcome {
	case upstream.NotAsked:
	case upstream.Limited, upstream.Canceled:
		if part.Outcome != upstream.Pending {
			*part = again
		}
	default:
		*part = again
	}
}

// refused answers every part with the same error.
func refused(parts github.Parts, err *upstream.Error) (a github.Answer) {
	if parts&github.PartRepository != 0 {
		a.Repository = github.Part[github.Repository]{Outcome: err.Outcome, Err: err}
	}
	if parts&github.PartContributors != 0 {
		a.Contributors = github.Part[[]record.Contribution]{Outcome: err.Outcome, Err: err}
	}
	if parts&github.PartCommits != 0 {
		a.Commits = github.Part[github.Commits]{Outcome: err.Outcome, Err: err}
	}
	if parts&github.PartParticipation != 0 {
		a.Participation = github.Part[[]int]{Outcome: err.Outcome, Err: err}
	}
	return a
}

// said reports whether an outcome says anything of what was asked about.
func said(o upstream.Outcome) bool {
	return o != upstream.NotAsked && o != upstream.Canceled && o != upstream.Limited
}

// arrived reports whether there is anything to store.
func (j *job) arrived() bool {
	if j.answer.Project != nil {
		outcome, _ := projectVerdict(j.answer.Project)
		return said(outcome)
	}
	if j.answer.Repo != nil {
		for _, part := range outcomes(j.answer.Repo) {
			if said(part.outcome) {
				return true
			}
		}
	}
	return j.answer.Swept != nil && said(j.answer.Swept.Outcome)
}

// askAgain decides what is worth asking once more in this pass: a passing fault
// once and soon; what is being computed a few times, with growing gaps, as long
// as the pass has patience. What is doubtful waits for another pass: its parts are
// believed only beside all others, and change slowly. It prepares the job for it.
func (j *job) askAgain(now time.Time, patient bool) bool {
	var failed, pending github.Parts
	failedProject := false
	if j.answer.Project != nil {
		failedProject = j.answer.Project.Err != nil && j.answer.Project.Err.Quick
	}
	if j.answer.Repo != nil {
		for _, part := range outcomes(j.answer.Repo) {
			switch {
			case part.outcome == upstream.Pending:
				pending |= part.part
			case part.err != nil && part.err.Quick:
				failed |= part.part
			}
		}
	}
	j.step = stepREST
	if !j.retried && (failed != 0 || failedProject) {
		j.retried = true
		j.parts = failed
		j.at = now.Add(quickRetry)
		return true
	}
	if patient && j.askStaleAgain(now) {
		return true
	}
	if j.asks++; pending == 0 || !patient || j.asks >= pendingAsks {
		return false
	}
	if j.gaps == nil {
		j.gaps = &backoff.ExponentialBackOff{InitialInterval: time.Second, Multiplier: 2, MaxInterval: 8 * time.Second, RandomizationFactor: 0.1}
		j.gaps.Reset()
	}
	j.parts = pending
	j.at = now.Add(j.gaps.NextBackOff())
	return true
}

// partOutcome is what became of one part of a question to GitHub.
type partOutcome struct {
	part    github.Parts
	outcome upstream.Outcome
	err     *upstream.Error
}

func outcomes(a *github.Answer) [4]partOutcome {
	return [4]partOutcome{
		{github.PartRepository, a.Repository.Outcome, a.Repository.Err},
		{github.PartContributors, a.Contributors.Outcome, a.Contributors.Err},
		{github.PartCommits, a.Commits.Outcome, a.Commits.Err},
		{github.PartParticipation, a.Participation.Outcome, a.Participation.Err},
	}
}
