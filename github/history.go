package github

import (
	"net/http"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// history is what three parts say of a repository's commits, each in its way.
type history struct {
	contributors  result[[]record.Contribution]
	commits       result[Commits]
	participation result[[]int]
}

// history asks for the wanted parts, and once more, unconditionally, for those
// that are then in doubt.
func (f *fetch) history() *history {
	h := &history{}
	f.ask(h, f.question.Parts, f.question.Known)
	now := time.Now()
	t := h.testimony(f.question, now)
	if again := t.doubts().parts(); again != 0 && f.stopped() == nil {
		f.ask(h, again, nil)
		t = h.testimony(f.question, now)
	}
	f.withhold(h, t, now)
	if h.commits.outcome == upstream.Empty && h.participation.outcome == upstream.Pending {
		h.participation = result[[]int]{outcome: upstream.Empty} // of no commits there is nothing to compute
	}
	return h
}

// ask puts the replies about the given parts into h.
func (f *fetch) ask(h *history, parts Parts, known Validators) {
	var steps []func()
	if parts&PartContributors != 0 {
		steps = append(steps, func() { h.contributors = run(f, f.contributors, known) })
	}
	if parts&PartCommits != 0 {
		steps = append(steps, func() { h.commits = run(f, f.commits, known) })
	}
	if parts&PartParticipation != 0 {
		steps = append(steps, func() { h.participation = run(f, f.participation, known) })
	}
	f.sideBySide(steps...)
}

// testimony sums up what the replies say, as far as it can be contradicted.
func (h *history) testimony(q Question, now time.Time) testimony {
	t := testimony{
		contributors:  absence(h.contributors.outcome, h.contributors.err),
		commits:       absence(h.commits.outcome, h.commits.err),
		participation: absence(h.participation.outcome, h.participation.err),

		knownCommits: q.Commits,
		knownLogins:  q.Participants,
	}
	switch c := h.contributors; {
	case c.outcome == upstream.Fresh && len(c.value) == 0:
		t.contributors = noLogins
	case c.outcome == upstream.Doubtful:
		t.contributors, t.cutShort = someCommits, true
	case c.outcome == upstream.Fresh, c.outcome == upstream.TooLarge, c.outcome == upstream.Unchanged && q.Participants > 0:
		t.contributors = someCommits
	}
	switch h.commits.outcome {
	case upstream.Fresh, upstream.Unchanged:
		t.commits = someCommits
	}
	if q.Parts&PartCommits == 0 && q.HasCommits {
		t.commits = someCommits
	}
	for _, n := range h.participation.value {
		if n > 0 {
			t.participation = someCommits
		}
	}
	for part, name := range map[Parts]string{PartContributors: "contributors", PartCommits: "commits", PartParticipation: "participation"} {
		if now.Sub(q.Known.doubtedSince(name, now)) >= doubtLasts {
			t.stood |= part
		}
	}
	return t
}

// absence returns what an answer without a value says.
func absence(o upstream.Outcome, e *upstream.Error) claim {
	switch {
	case o != upstream.Empty:
		return silent
	case e.Status == http.StatusConflict:
		return emptyRepository
	}
	return nothingThere
}

// withhold takes the replies that are in doubt out of h.
func (f *fetch) withhold(h *history, t testimony, now time.Time) {
	// since is what is stored of a doubt: when it began, if it can come to an end.
	since := func(part Parts, name string, c claim) Validators {
		if !t.canStand(part, c) {
			return nil
		}
		return Validators{name + doubted: f.question.Known.doubtedSince(name, now).UTC().Format(time.RFC3339)}
	}
	d := t.doubts()
	switch {
	case d.contributors != "":
		h.contributors = doubtful(f, h.contributors, "/contributors", d.contributors)
		h.contributors.tags = since(PartContributors, "contributors", t.contributors)
	case h.contributors.outcome == upstream.Doubtful: // for long enough
		h.contributors.outcome, h.contributors.err = upstream.Fresh, nil
	}
	if d.commits != "" {
		h.commits = doubtful(f, h.commits, "/commits", d.commits)
		h.commits.tags = since(PartCommits, "commits", t.commits)
	}
	if d.participation != "" {
		h.participation = doubtful(f, h.participation, "/stats/participation", d.participation)
		h.participation.tags = since(PartParticipation, "participation", t.participation)
	}
}

// doubtful returns the reply that r becomes if it is not believed.
func doubtful[T any](f *fetch, r result[T], endpoint, why string) result[T] {
	e := &upstream.Error{
		Outcome: upstream.Doubtful,
		URL:     upstream.Redact(f.credential.gh.BaseURL.JoinPath(f.path(endpoint))),
		Status:  http.StatusOK,
		Message: why + "; not believed yet",
	}
	if r.err != nil {
		e.Status = r.err.Status
	}
	return result[T]{outcome: upstream.Doubtful, err: e}
}
