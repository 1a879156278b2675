package fetcher

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

const (
	quickRetry  = 300 * time.Millisecond // before the one quick retry of a passing fault
	pendingAsks = 4                      // questions a pass puts for one thing that is being computed
)

// job is one package on its way through a pass. Its answers accumulate, and
// the result is always Merge(prev, all of them), so that asking again for a
// part of them is still one attempt.
type job struct {
	prev    record.Package
	parts   github.Parts // to ask GitHub for, next time a worker has it
	askPyPI bool         // to ask PyPI, next time a worker has it

	repo    *github.Answer // nil until asked
	release *pypi.Answer   // nil until asked

	retried bool      // the quick retry has been used
	asks    int       // questions so far while something was being computed
	at      time.Time // while delayed: when to go on
	gaps    *backoff.ExponentialBackOff
}

// ask puts the job's questions to both upstreams at once.
func (f *Fetcher) ask(ctx context.Context, j *job) {
	var both sync.WaitGroup
	if j.parts != 0 {
		both.Go(func() {
			a := f.askGitHub(ctx, j)
			if j.repo != nil {
				a = combine(*j.repo, a)
			}
			j.repo = &a
		})
	}
	if j.askPyPI {
		both.Go(func() {
			a := f.askPyPI(ctx, j)
			if j.release != nil {
				a.Requests += j.release.Requests
			}
			j.release = &a
		})
	}
	both.Wait()
	j.parts, j.askPyPI = 0, false
}

func (f *Fetcher) askGitHub(ctx context.Context, j *job) (a github.Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = refused(j.parts, f.bug(j, "github", v))
		}
	}()
	ref, err := reference(j.prev)
	if err != nil {
		return refused(j.parts, &upstream.Error{Outcome: upstream.Failed, Message: err.Error()})
	}
	q := github.Question{
		Ref: ref, Parts: j.parts, Known: j.prev.GitHub.Tags,
		Commits: j.prev.Repo.Commits, Participants: len(j.prev.Repo.Participants),
	}
	if j.repo != nil {
		q.Known = j.repo.Validators
		if !j.repo.Ref.IsZero() {
			q.Ref = j.repo.Ref
		}
	}
	return f.GitHub.Fetch(ctx, q)
}

func (f *Fetcher) askPyPI(ctx context.Context, j *job) (a pypi.Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = pypi.Answer{Outcome: upstream.Failed, Err: f.bug(j, "pypi", v)}
		}
	}()
	name, err := pypi.ParseURL(*j.prev.PyPIURL)
	if err != nil {
		return pypi.Answer{Outcome: upstream.Failed, Err: &upstream.Error{Outcome: upstream.Failed, Message: err.Error()}}
	}
	return f.PyPI.Fetch(ctx, name, j.prev.PyPI.Tags[tagProject])
}

// bug keeps a fault of this program that one package brings out from ending
// the work on all others.
func (f *Fetcher) bug(j *job, source string, v any) *upstream.Error {
	f.Log.Error().Str("slug", j.prev.Slug).Str("source", source).Str("stack", string(debug.Stack())).Msgf("a fault in pkgmetad itself, please report it: %v", v)
	return &upstream.Error{Outcome: upstream.Failed, Message: fmt.Sprintf("a fault in pkgmetad itself: %v", v)}
}

// reference returns the name to ask GitHub by: the one that GitHub gave, else
// the one that the catalogue's URL holds.
func reference(rec record.Package) (github.Ref, error) {
	if rec.Repo.Name != "" {
		if ref, err := github.ParseRef(rec.Repo.Name); err == nil {
			return ref, nil
		}
	}
	if rec.RepoURL == nil {
		return github.Ref{}, github.ErrNoURL
	}
	return github.ParseURL(*rec.RepoURL, github.GitHubHost)
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
		a.Contributors = github.Part[[]string]{Outcome: err.Outcome, Err: err}
	}
	if parts&github.PartCommits != 0 {
		a.Commits = github.Part[github.Commits]{Outcome: err.Outcome, Err: err}
	}
	if parts&github.PartParticipation != 0 {
		a.Participation = github.Part[[]int]{Outcome: err.Outcome, Err: err}
	}
	return a
}

// arrived reports whether there is anything to store, be it a new due time.
func (j *job) arrived() bool {
	said := func(o upstream.Outcome) bool {
		return o != upstream.NotAsked && o != upstream.Canceled
	}
	if j.release != nil && said(j.release.Outcome) {
		return true
	}
	if j.repo != nil {
		for _, part := range outcomes(j.repo) {
			if said(part.outcome) {
				return true
			}
		}
	}
	return false
}

// askAgain decides what is worth asking once more in this pass: a passing fault
// once and soon; what is being computed a few times, with growing gaps, as long
// as the pass has patience. It prepares the job for it.
func (j *job) askAgain(now time.Time, patient bool) bool {
	var failed, pending github.Parts
	if j.repo != nil {
		for _, part := range outcomes(j.repo) {
			switch {
			case part.outcome == upstream.Pending, part.outcome == upstream.Doubtful:
				pending |= part.part
			case part.err != nil && part.err.Quick:
				failed |= part.part
			}
		}
	}
	failedPyPI := j.release != nil && j.release.Err != nil && j.release.Err.Quick
	if !j.retried && (failed != 0 || failedPyPI) {
		j.retried = true
		j.parts, j.askPyPI = failed, failedPyPI
		j.at = now.Add(quickRetry)
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
