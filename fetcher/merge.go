package fetcher

import (
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// tagProject is the key of the project's ETag among a PyPI source's tags.
const tagProject = "project"

// Merge returns prev with what the upstreams said taken in; an answer that is
// nil was not asked for. now is the time of the answers. Merge is pure: the
// same arguments give the same record, and it changes none of them.
//
//   - What was answered replaces what was known; what is no answer replaces
//     nothing, so that no failure writes zeros over numbers.
//   - Each answer moves the state of its own source only.
//   - A limit defers: the source is due again when the limit ends, and nothing
//     else of its state moves. A pass that was cancelled moves nothing at all.
//   - Modified moves when something served, LastFetched aside, has changed.
//   - LastFetched moves with a success only, to the older one of the sources'
//     last successes, so that all of the record is at least as fresh as that.
//     A source that is gone or blocked has no say in it.
func Merge(prev record.Package, repo *github.Answer, release *pypi.Answer, now time.Time, policy Policy) record.Package {
	now = now.UTC().Truncate(time.Microsecond)
	rec := prev
	if repo != nil {
		mergeRepo(&rec.Repo, repo)
		rec.GitHub = mergeGitHub(&rec, repo, now, policy)
	}
	if release != nil {
		if release.Outcome == upstream.Fresh {
			rec.Project = toRelease(release.Project)
		}
		rec.PyPI = mergePyPI(prev, release, now, policy)
	}
	if !record.SameServed(&prev, &rec) {
		rec.Modified = now
	}
	if rec.GitHub.LastSuccess.Equal(now) || rec.PyPI.LastSuccess.Equal(now) {
		rec.LastFetched = lastFetched(&rec, now)
	}
	return rec
}

// mergeRepo takes over the parts that were answered.
func mergeRepo(repo *record.Repo, a *github.Answer) {
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
		repo.Commits = a.Commits.Value.Count
		if last := a.Commits.Value.Last; !last.IsZero() {
			repo.LastCommit = &last
		}
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

// mergeGitHub returns the state of the GitHub source after the answer.
func mergeGitHub(rec *record.Package, a *github.Answer, now time.Time, policy Policy) record.Status {
	s := rec.GitHub
	s.Tags = a.Validators
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	outcome, err := verdict(a)
	switch outcome {
	case upstream.NotAsked, upstream.Canceled:
		return s
	case upstream.Limited:
		return deferred(s, err)
	}
	s = policy.attempt(s, outcome, err, rec.ID, now)
	if outcome == upstream.Gone && rec.Repo.Name != "" {
		// What was asked for is the name that GitHub once gave. The catalogue's
		// own, which a person may have mended, gets its turn soon.
		rec.Repo.Name = ""
		s.Tags = nil
		s.NextDue = now.Add(policy.RetryMin)
	}
	s.Note = ""
	if a.Contributors.Outcome == upstream.TooLarge {
		s.Note = "GitHub lists no contributors for a repository this large; the ones known stay"
	}
	if outcome == upstream.Pending {
		s.Note = "GitHub is still computing the weekly commit counts; the ones known stay"
	}
	if outcome == upstream.Doubtful {
		s.Note = err.Error() + "; what is known stays"
	}
	for _, n := range a.Notes {
		if s.Note != "" {
			s.Note += "; "
		}
		s.Note += n
	}
	return s
}

// verdict sums up the parts of an answer: the repository's own fate first, then
// whatever kept the answer from being complete.
func verdict(a *github.Answer) (upstream.Outcome, *upstream.Error) {
	switch a.Repository.Outcome {
	case upstream.Gone, upstream.Blocked:
		return a.Repository.Outcome, a.Repository.Err
	}
	rank := map[upstream.Outcome]int{upstream.Unchanged: 1, upstream.Empty: 2, upstream.TooLarge: 2, upstream.Fresh: 2,
		upstream.Pending: 3, upstream.Doubtful: 3, upstream.Gone: 4, upstream.Blocked: 4, upstream.Failed: 4, upstream.Limited: 5, upstream.Canceled: 6}
	var worst partOutcome
	for _, part := range outcomes(a) {
		if rank[part.outcome] > rank[worst.outcome] {
			worst = part
		}
	}
	switch rank[worst.outcome] {
	case 2:
		return upstream.Fresh, nil
	case 4: // a part that is missing where the repository is there
		return upstream.Failed, worst.err
	}
	return worst.outcome, worst.err
}

func mergePyPI(prev record.Package, a *pypi.Answer, now time.Time, policy Policy) record.Status {
	s := prev.PyPI
	switch a.Outcome {
	case upstream.NotAsked, upstream.Canceled:
		return s
	case upstream.Limited:
		return deferred(s, a.Err)
	case upstream.Fresh:
		s.Tags = nil
		if a.ETag != "" {
			s.Tags = map[string]string{tagProject: a.ETag}
		}
		s.Serial = a.Project.Serial
	}
	s = policy.attempt(s, a.Outcome, a.Err, prev.ID, now)
	s.Note = ""
	if a.Outcome == upstream.Empty {
		s.Note = "PyPI knows the project but no release of it"
	}
	return s
}

// deferred returns the state of a source that a limit kept from being asked.
func deferred(s record.Status, err *upstream.Error) record.Status {
	if err != nil && err.RetryAt.After(s.NextDue) {
		s.NextDue = err.RetryAt.UTC().Truncate(time.Microsecond)
	}
	return s
}

func toRelease(p pypi.Project) record.Project {
	r := record.Project{
		Name: p.Name, Licence: p.Licence, Status: p.DevelopmentStatus,
		RequiresPython: p.RequiresPython, Python3: p.Python3, DocumentationURL: p.DocumentationURL,
	}
	if p.Latest != "" {
		r.Version = &p.Latest
	}
	for _, v := range p.Versions {
		version := record.Version{Version: v.Version, Yanked: v.Yanked}
		if !v.Uploaded.IsZero() {
			uploaded := v.Uploaded.UTC()
			version.Uploaded = &uploaded
		}
		r.Versions = append(r.Versions, version)
	}
	return r
}

// lastFetched returns the time that all of the record is at least as fresh as.
func lastFetched(rec *record.Package, now time.Time) time.Time {
	var oldest time.Time
	counted := false
	for _, s := range []record.Status{rec.GitHub, rec.PyPI} {
		if !s.State.Fetchable() || s.State == record.StateGone || s.State == record.StateBlocked {
			continue
		}
		if !counted || s.LastSuccess.Before(oldest) {
			oldest, counted = s.LastSuccess, true
		}
	}
	if oldest.Before(rec.LastFetched) && !rec.LastFetched.After(now) { // one ahead was of a clock that was wrong
		return rec.LastFetched
	}
	return oldest
}

// nonEmpty returns nil for an empty list: the two are one in the store.
func nonEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}
