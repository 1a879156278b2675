package fetcher

import (
	"context"
	"maps"
	"strconv"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// The keys of a project among its source's tags.
const (
	tagProject    = "project"             // the ETag
	tagPage       = "page"                // the ETag of its page in the index
	tagStaleSince = "project/stale-since" // while answers are older than what is known, or than the index: when that began, RFC 3339
	tagIndexed    = "project/indexed"     // the serial that the index gives it, while no answer is as new
)

// believeAgain is for how long answers that are older than what is known are taken
// for those of a stale cache, from the first of them on. After that the server has
// lost what it knew, or is another one.
const believeAgain = 7 * 24 * time.Hour

// askPyPI asks what is due of a project: its data, its page in the index, or both.
func (p *pass) askPyPI(ctx context.Context, j *job) (a pypi.Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = pypi.Answer{Outcome: upstream.Failed, Err: p.bug(j, v)}
		}
	}()
	name, _ := j.prev.Key.Project()
	now := time.Now()
	data, page := p.dueOf(&j.prev, now)
	if data {
		a = p.PyPI.Fetch(ctx, projectQuestion(&j.prev, name, now))
	}
	if before := j.answer.Project; before != nil && before.Page != nil {
		page = false
	}
	if page && a.Page == nil && (!data || a.Outcome.Answered()) {
		answer := p.PyPI.Page(ctx, name, j.prev.Tags[tagPage])
		a.Page, a.Requests = &answer, a.Requests+answer.Requests
	}
	return a
}

// projectQuestion is the question for a project's data.
func projectQuestion(s *record.Source, name string, now time.Time) pypi.Question {
	q := pypi.Question{Name: name, ETag: s.Tags[tagProject], Serial: s.Serial, Index: indexed(s)}
	if 0 < q.Index && q.Index < q.Serial {
		q.Serial = q.Index // the index has gone back, and is newer than what is known: see index.note
	}
	if readInPart(s) {
		q.ETag = ""
	}
	if now.Sub(staleSince(s.Tags, now)) >= believeAgain {
		q.Serial, q.Index = 0, 0
	}
	return q
}

// readInPart reports whether a project was last read by a version of this program that kept
// less of the answer. Then it is to be read again, although nothing has changed.
func readInPart(s *record.Source) bool { return s.Project != nil && s.Project.Support == nil }

// indexed returns the serial that the index gives a project while no answer is as new;
// 0 for none.
func indexed(s *record.Source) int64 {
	serial, _ := strconv.ParseInt(s.Tags[tagIndexed], 10, 64)
	return max(serial, 0)
}

// takeProject takes in one more answer about the job's project. One that is none leaves
// an older answer standing that is newer than what is known.
func (j *job) takeProject(a pypi.Answer) {
	if before := j.answer.Project; before != nil {
		a.Requests += before.Requests
		if a.Page == nil {
			a.Page = before.Page
		}
		if before.Outcome == upstream.Stale && (a.Outcome == upstream.Failed || !said(a.Outcome)) {
			a.Outcome, a.Project, a.ETag, a.Serial, a.Err = before.Outcome, before.Project, before.ETag, before.Serial, before.Err
		}
	}
	j.answer.Project = &a
}

// staleAsks is how often PyPI is asked again, after 1, 2 and 4 seconds, where its index
// knows more than its answer about a project. Its caches mostly catch up within that.
const staleAsks = 3

// askStaleAgain decides whether a project is worth asking again because PyPI's index
// knows more than its answer. Once this was to no avail, later passes ask only once.
func (j *job) askStaleAgain(now time.Time) bool {
	a := j.answer.Project
	if a == nil || a.Outcome != upstream.Stale || indexed(&j.prev) == 0 || j.prev.Pending > 0 || j.stales >= staleAsks {
		return false
	}
	j.at = now.Add(time.Second << j.stales)
	j.stales++
	return true
}

// projectVerdict sums up an answer: what became of the question for the data or, where
// only the page was asked for, of that.
func projectVerdict(a *pypi.Answer) (upstream.Outcome, *upstream.Error) {
	if a.Outcome == upstream.NotAsked && a.Page != nil {
		return a.Page.Outcome, a.Page.Err
	}
	return a.Outcome, a.Err
}

func mergeProject(s record.Source, a *pypi.Answer, now time.Time, policy Policy) record.Source {
	if outcome, _ := projectVerdict(a); !said(outcome) {
		return s
	}
	return mergePage(mergeData(s, a, now, policy), a.Page, now, policy)
}

func mergeData(s record.Source, a *pypi.Answer, now time.Time, policy Policy) record.Source {
	switch a.Outcome {
	case upstream.NotAsked, upstream.Canceled, upstream.Limited:
		return s
	case upstream.Fresh:
		s = withProject(s, a)
	case upstream.Stale:
		if a.Serial > s.Serial { // newer than what is known all the same
			s = withProject(s, a)
		}
		s.Tags = withTag(s.Tags, tagStaleSince, staleSince(s.Tags, now).Format(time.RFC3339))
	}
	if a.Outcome != upstream.Stale && a.Outcome != upstream.Failed {
		s.Tags = withTag(withTag(s.Tags, tagStaleSince, ""), tagIndexed, "")
	}
	if a.Outcome.Answered() && a.Serial != 0 {
		s.Serial = a.Serial
	}
	s.Status = policy.attempt(&s, a.Outcome, a.Err, now)
	s.Note = projectNote(&s, a)
	return s
}

// withProject returns s with the data of an answer.
func withProject(s record.Source, a *pypi.Answer) record.Source {
	project := toProject(a.Project)
	project.Standing = standingOf(&s)
	s.Project = &project
	s.Tags = withTag(s.Tags, tagProject, a.ETag)
	if a.Serial != 0 {
		s.Serial = a.Serial
	}
	return s
}

// projectNote says what of the answer is lastingly less than it should be.
func projectNote(s *record.Source, a *pypi.Answer) string {
	switch {
	case a.Outcome == upstream.Empty && s.Project != nil && len(s.Project.Versions) > 0:
		return "PyPI knows the project but no release of it any more: they are deleted or in quarantine; what was known stays"
	case a.Outcome == upstream.Empty:
		return "PyPI knows the project but no release of it"
	case a.Outcome == upstream.Stale && a.Err != nil:
		return a.Err.Message + "; what is known stays, and PyPI is asked again soon"
	}
	return ""
}

// withTag returns a copy of tags in which one has a value; "" takes it out.
func withTag(tags map[string]string, name, value string) map[string]string {
	if tags[name] == value {
		return tags
	}
	tags = maps.Clone(tags)
	if value == "" {
		delete(tags, name)
	} else {
		if tags == nil {
			tags = map[string]string{}
		}
		tags[name] = value
	}
	if len(tags) == 0 {
		return nil
	}
	return tags
}

// staleSince returns since when the answers about a project have been older than what
// is known: now, unless the tags tell.
func staleSince(tags map[string]string, now time.Time) time.Time {
	since, err := time.Parse(time.RFC3339, tags[tagStaleSince])
	if err != nil || since.After(now) { // after now: from a clock that was wrong
		return now
	}
	return since
}

func toProject(p pypi.Project) record.Project {
	r := record.Project{
		Name: p.Name, Licence: p.Licence, Status: p.DevelopmentStatus,
		RequiresPython: p.RequiresPython, Python3: p.Python3, DocumentationURL: p.DocumentationURL,
		Support: &record.Support{Python: p.Python, Django: p.Django},
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
