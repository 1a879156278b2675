package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// Fetch asks for the wanted parts of one repository: first the repository
// itself, which tells its current name, then the others, side by side as far as
// [Question.Beside] allows and otherwise one after the other. Each request waits for its
// turn, for a minute at most, but not for a limit to pass. Where GitHub refuses the
// credential, or it has nothing left, another one goes on.
//
// A part that fails does not spoil the others, unless its failure concerns them
// all: then the parts not yet begun get the same outcome and error. That is so
// if the repository is gone or blocked, and if any part is limited (as with a
// refused token) or canceled.
//
// GitHub computes contributors, commits and participation in different places
// and caches some of them for hours, so for a while one can be wrong; and to
// believe that there is nothing means to forget what is known. Therefore they are
// compared with each other and with what is known. A part that is contradicted
// is asked once more, and if it still is, its outcome is Doubtful:
//
//   - Only a 409 says that a repository is empty. A 204, or an empty list of
//     commits, says so if another part says 409.
//   - A part that says that there is nothing is not believed while another part
//     shows commits. If it is the list of commits that says 409, that other part
//     is not believed either: each of the two may be the one that is right.
//   - A 409 that no other part supports, about a repository whose commits or
//     contributors are known, has to be said for a day, uncontradicted.
//   - An empty list of contributors can be the truth about a repository with
//     commits: that of authors without an account. If logins are known, it has to
//     be said for a day.
//   - So has a list of contributors with an empty page where more were to follow.
func (c *Client) Fetch(ctx context.Context, q Question) Answer {
	f := c.begin(ctx, q)
	defer f.end()
	var repository result[Repository]
	if q.Parts&PartRepository != 0 {
		repository = run(f, f.repository, q.Known)
	}
	if repository.outcome == upstream.Gone || repository.outcome == upstream.Blocked {
		f.over = repository.err
	}
	h := f.history()
	a := Answer{
		Repository:    repository.part(),
		Contributors:  h.contributors.part(),
		Commits:       h.commits.part(),
		Participation: h.participation.part(),
		Ref:           f.learnt,
		Validators:    Validators{},
		Requests:      f.requests,
		Charged:       f.charged,
	}
	if c := h.commits; c.outcome == upstream.Fresh && c.value.Last.IsZero() {
		a.Notes = append(a.Notes, "GitHub gives no readable date for the newest commit; the last one known stays")
	}
	maps.Copy(a.Validators, q.Known)
	a.Validators.settle("repository", repository.outcome, repository.tags)
	a.Validators.settle("contributors", h.contributors.outcome, h.contributors.tags)
	a.Validators.settle("commits", h.commits.outcome, h.commits.tags)
	a.Validators.settle("participation", h.participation.outcome, h.participation.tags)
	a.Validators.sign(f.taken, len(c.credentials) > 1 || f.credential.fingerprint != "")
	return a
}

// fetch is one Fetch in progress.
type fetch struct {
	client   *Client
	ctx      context.Context
	question Question
	ref      Ref // the name to ask by; set before any part is asked side by side
	learnt   Ref // Answer.Ref

	mu                sync.Mutex
	credential        *credential     // to ask with
	taken             string          // signature of the one that the latest answer was for; "" for no answer
	units             int             // of the budget that have to be left for the next request: see credential.admit
	promised          int             // units, to requests that are not made yet
	over              *upstream.Error // why nothing more is to be asked; nil while asking goes on
	requests, charged int
}

// result is what became of one part.
type result[T any] struct {
	outcome upstream.Outcome
	value   T
	tags    Validators      // to be stored; those of a Fresh value
	err     *upstream.Error // nil for NotAsked and Fresh
}

// part returns r as callers see it: being unchanged or empty is no error.
func (r result[T]) part() Part[T] {
	p := Part[T]{Outcome: r.outcome, Value: r.value, Err: r.err}
	if r.outcome == upstream.Unchanged || r.outcome == upstream.Empty {
		p.Err = nil
	}
	return p
}

// step asks for one part, conditionally where known has a tag for it, and
// returns its value and the tags that go with it.
type step[T any] func(known Validators) (T, Validators, *upstream.Error)

// run takes one step, unless the fetch is over.
func run[T any](f *fetch, ask step[T], known Validators) result[T] {
	var r result[T]
	if r.err = f.stopped(); r.err == nil {
		r.value, r.tags, r.err = ask(known)
	}
	if r.err == nil {
		r.outcome = upstream.Fresh
		return r
	}
	r.outcome = r.err.Outcome
	if r.outcome == upstream.Limited || r.outcome == upstream.Canceled {
		f.stop(r.err)
	}
	return r
}

func (f *fetch) stopped() *upstream.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

func (f *fetch) stop(e *upstream.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over == nil {
		f.over = e
	}
}

func (f *fetch) count(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests += c.requests
	f.charged += c.charged
}

// sideBySide runs all steps and returns when they have ended. The last one runs
// on this goroutine, and so do those that the caller has no room for. A panic
// of any step is raised again here, where the caller can recover from it.
func (f *fetch) sideBySide(steps ...func()) {
	var started sync.WaitGroup
	faults := make(chan any, len(steps))
	for i, s := range steps {
		if i < len(steps)-1 && f.beside(&started, faults, s) {
			continue
		}
		guarded(faults, s)
	}
	started.Wait()
	select {
	case fault := <-faults:
		panic(fault)
	default:
	}
}

// beside hands a step to the caller and reports whether the caller took it.
func (f *fetch) beside(started *sync.WaitGroup, faults chan<- any, s func()) bool {
	if f.question.Beside == nil {
		return false
	}
	started.Add(1)
	taken := f.question.Beside(func() {
		defer started.Done()
		guarded(faults, s)
	})
	if !taken {
		started.Done()
	}
	return taken
}

func guarded(faults chan<- any, s func()) {
	defer func() {
		if fault := recover(); fault != nil {
			faults <- fault
		}
	}()
	s()
}

// answered is an answer with a value, apart from the value.
type answered struct {
	*gh.Response
	call *call
}

// get asks for a path below the base URL, conditionally if tag is not "", and decodes
// the body into v. Where GitHub refuses the credential, or it has nothing left, another
// one goes on.
func (f *fetch) get(path, tag string, v any) (a answered, e *upstream.Error) {
	for range f.client.credentials {
		cr, units := f.next()
		c := &call{tag: tag, units: units}
		a.call = c
		a.Response, e = cr.ask(f.ctx, c, http.MethodGet, path, nil, v)
		f.count(c)
		f.keepPromise(units, c.admitted)
		if e == nil || e.Outcome == upstream.Unchanged {
			f.took(cr)
		}
		if e == nil || e.Outcome != upstream.Limited || !f.change(cr) {
			break
		}
	}
	return a, e
}

// decode reads the JSON value that body holds into v, in one pass and skipping what
// v does not declare. A body without a value leaves v as it is.
func decode(body io.Reader, v any) error {
	d := upstream.NewJSONDecoder(body)
	err := json.UnmarshalDecode(d, v)
	if errors.Is(err, io.EOF) && d.InputOffset() == 0 {
		return nil
	}
	return err
}

// explain says what is wrong with a body that cannot be decoded; other errors
// keep their message.
func explain(err error, message string) string {
	var wrongType *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	case errors.As(err, &wrongType):
		what := upstream.KindName(wrongType.JSONKind)
		if what == "number" && len(wrongType.JSONValue) > 0 {
			what += " " + string(wrongType.JSONValue)
		}
		if field := strings.ReplaceAll(strings.TrimPrefix(string(wrongType.JSONPointer), "/"), "/", "."); strings.Trim(field, "0123456789") != "" {
			return fmt.Sprintf("%s is of the wrong type (%s)", field, what)
		}
		return fmt.Sprintf("it holds a value of the wrong type (%s)", what)
	case errors.As(err, &syntax):
		return "it is not JSON: " + syntax.Err.Error()
	}
	return message
}

// path returns the path of one of the repository's endpoints, "" for its own.
func (f *fetch) path(endpoint string) string { return "repos/" + f.ref.String() + endpoint }

// broken says that an answer is not what its endpoint promises.
func (a answered) broken(format string, args ...any) *upstream.Error {
	return &upstream.Error{
		Outcome: upstream.Failed,
		URL:     upstream.Redact(a.call.url),
		Status:  a.StatusCode,
		Message: "broken answer: " + clip(fmt.Sprintf(format, args...)),
	}
}

// empty says that an answer without a value, or with an empty one, means that
// there is nothing. Whether to believe it is decided when all parts are in.
func (a answered) empty() *upstream.Error {
	return &upstream.Error{
		Outcome: upstream.Empty,
		URL:     upstream.Redact(a.call.url),
		Status:  a.StatusCode,
		Message: "there is nothing",
	}
}

// noContent reports a 204, which says that there is nothing.
func (a answered) noContent() bool { return a.StatusCode == http.StatusNoContent }

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

// tagged returns the validators of a part that is one answer.
func (a answered) tagged(name string) Validators {
	if t := a.etag(); t != "" {
		return Validators{name: t}
	}
	return nil
}

// settle puts tags in place of those of the named part, if its outcome says that
// what they stood for is out of date.
func (v Validators) settle(part string, outcome upstream.Outcome, tags Validators) {
	switch outcome {
	case upstream.Fresh, upstream.Empty, upstream.Doubtful:
		maps.DeleteFunc(v, func(name, _ string) bool { return name == part || strings.HasPrefix(name, part+"/") })
		maps.Copy(v, tags)
	}
}
