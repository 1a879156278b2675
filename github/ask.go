package github

import (
	"context"

	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// ask sends a request to a path below the base URL with the credential, with body as its
// JSON unless nil, and decodes the body of the answer into v, which declares only what is
// used: through go-github's own methods a single field that nobody reads would fail the
// whole answer. c says how to ask, and records what happens.
func (cr *credential) ask(ctx context.Context, c *call, method, path string, body, v any) (resp *gh.Response, e *upstream.Error) {
	req, err := cr.gh.NewRequest(method, path, body)
	if err != nil {
		return nil, &upstream.Error{Outcome: upstream.Failed, Message: "cannot ask for " + path + ": " + clip(err.Error()), Err: err}
	}
	if c.query {
		req.Header.Set("X-Github-Next-Global-ID", "1")
	}
	resp, err = cr.gh.BareDo(upstream.WithMoves(context.WithValue(ctx, callKey{}, c), &c.moves), req)
	if err == nil {
		err = decode(resp.Body, v)
		_ = resp.Body.Close() // it has been read
	}
	e = upstream.Classify(ctx, c.url, err)
	if c.permit != nil {
		defer func() { c.permit.end(e) }()
	}
	if e == nil || e.Err == nil {
		return resp, e // a value, or an error that our transport made
	}
	e.Method, e.Message = method, clip(e.Message)
	if resp != nil && e.Outcome == upstream.Failed {
		e.Status = resp.StatusCode
		e.Message = "broken answer: " + clip(explain(err, e.Message))
		if isWebPage(resp.Header) {
			e.Message = "broken answer: a web page instead of JSON; is a proxy or a login page in the way?"
		}
	}
	return resp, e
}
