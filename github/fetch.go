package github

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// Fetch asks for the given parts of one repository, one after the other, the
// repository itself first. It never waits for a limit to pass.
//
// A part that fails does not spoil the others, except where its failure
// concerns them all: they then have the same outcome and error. That holds for
// a repository that is gone or blocked, and for any part that is limited (a
// refused token is that too) or canceled.
func (c *Client) Fetch(ctx context.Context, q Question) Answer {
	ref, parts, known := q.Ref, q.Parts, q.Known
	f := &fetch{client: c, ctx: ctx, ref: ref, known: known}
	f.answer.Validators = Validators{}
	maps.Copy(f.answer.Validators, known)

	if _, err := ParseRef(ref.String()); err != nil {
		f.over = &upstream.Error{Outcome: upstream.Failed, Message: err.Error(), Err: err}
	}
	a := &f.answer
	a.Repository = step(f, parts&PartRepository != 0, f.repository)
	if o := a.Repository.Outcome; o == upstream.Gone || o == upstream.Blocked {
		f.over = a.Repository.Err
	}
	a.Contributors = step(f, parts&PartContributors != 0, f.contributors)
	a.Commits = step(f, parts&PartCommits != 0, f.commits)
	a.Participation = step(f, parts&PartParticipation != 0, f.participation)
	return *a
}

// fetch is one Fetch under way.
type fetch struct {
	client *Client
	ctx    context.Context
	ref    Ref // the name to ask by
	known  Validators
	answer Answer
	over   *upstream.Error // why nothing more is to be asked
}

func step[T any](f *fetch, wanted bool, ask func() (T, *upstream.Error)) (p Part[T]) {
	if !wanted {
		return p
	}
	p.Err = f.over
	var value T
	if p.Err == nil {
		value, p.Err = ask()
	}
	if p.Err == nil {
		p.Outcome, p.Value = upstream.Fresh, value
		return p
	}
	switch p.Outcome = p.Err.Outcome; p.Outcome {
	case upstream.Limited, upstream.Canceled:
		f.over = p.Err
	case upstream.Unchanged, upstream.Empty:
		p.Err = nil
	}
	return p
}

// answered is an answer with a value, apart from the value.
type answered struct {
	*gh.Response
	call *call
}

// ask calls one of go-github's methods, conditionally if tag is not "", and
// says in our terms how it failed.
func ask[T any](f *fetch, tag string, method func(context.Context) (T, *gh.Response, error)) (value T, a answered, e *upstream.Error) {
	c := &call{tag: tag}
	ctx := upstream.WithMoves(context.WithValue(f.ctx, callKey{}, c), &c.moves)
	value, resp, err := method(ctx)
	f.answer.Requests += c.requests
	f.answer.Charged += c.charged
	a = answered{resp, c}
	e = upstream.Classify(f.ctx, c.url, err)
	if e == nil || e.Err == nil {
		return value, a, e // a value, or an error that is ours
	}
	e.Message = clip(e.Message)
	if resp != nil && e.Outcome == upstream.Failed {
		e.Status = resp.StatusCode
		e.Message = "broken answer: " + e.Message
		if isWebPage(resp.Header) {
			e.Message = "broken answer: a web page instead of JSON; is a proxy or a login page in the way?"
		}
	}
	return value, a, e
}

// broken says that an answer is not what its endpoint promises.
func (a answered) broken(format string, args ...any) *upstream.Error {
	return &upstream.Error{
		Outcome: upstream.Failed,
		URL:     upstream.Redact(a.call.url),
		Status:  a.StatusCode,
		Message: "broken answer: " + clip(fmt.Sprintf(format, args...)),
	}
}

// keep stores the tag of an answer whose value is handed out.
func (f *fetch) keep(name, tag string) {
	if tag == "" {
		delete(f.answer.Validators, name)
		return
	}
	f.answer.Validators[name] = tag
}

// etag returns the answer's ETag, verbatim, or "" for one that could not be
// sent back.
func (a answered) etag() string {
	t := a.Header.Get("ETag")
	if len(t) > 256 {
		return ""
	}
	for _, b := range []byte(t) {
		if b < ' ' || b > '~' {
			return ""
		}
	}
	return t
}

// noContent reports a 204, which says that there is nothing.
func (a answered) noContent() bool { return a.StatusCode == http.StatusNoContent }

func empty() *upstream.Error {
	return &upstream.Error{Outcome: upstream.Empty, Message: "the repository is empty"}
}

// utc normalises a time and reports whether it can be stored: JSON ends with
// the year 9999.
func utc(t gh.Timestamp) (time.Time, bool) {
	u := t.UTC()
	return u, !u.IsZero() && u.Year() >= 1 && u.Year() <= 9999
}
