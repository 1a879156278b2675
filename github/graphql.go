package github

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/upstream"
)

// A graphAnswer is what GraphQL says beside the data.
type graphAnswer struct {
	Requests int // HTTP requests sent
	Cost     int // points, as data.rateLimit.cost tells; 1, the least, where the query does not ask for that

	// Errors concern a part of the query each, whose data is null. All other data is good.
	Errors []graphError

	Date time.Time     // when it was answered, by GitHub's clock; zero where it does not tell
	Took time.Duration // from sending it to the end of its answer; GitHub gives up after 10 s
}

// A graphError is why a part of a query has no data.
type graphError struct {
	Type    string // such as NOT_FOUND (errors[].type); "" where GitHub does not tell one
	Path    string // of the part, such as "nodes.3" or "r7.defaultBranchRef"
	Message string // for a person
}

// Types of graphError that say what to do.
const (
	graphNotFound = "NOT_FOUND"                // there is no such node, or not for this credential: confirm it by REST
	graphTooMuch  = "RESOURCE_LIMITS_EXCEEDED" // asked for too much at once: ask for these parts again, in a smaller query
)

// query puts a GraphQL query (POST /graphql) and decodes its data, or what there is of
// it, into data, a pointer to a struct that declares only what is used; null leaves a
// member as it is. variables is the struct or map that holds the query's; nil for none.
//
// Like [Client.Fetch] it waits for its turn, a minute at most, and not for a limit to pass,
// and goes on with another credential where GitHub refuses one. It keeps to each one's
// budget of points and its reserve, and has one query of each in flight, with a pause
// after it, since GitHub allows GraphQL 60 seconds of its servers' time a minute; where
// many are to be put, [Client.PlanQueries] has the points last. Answers that arrive in
// part are no error: see [graphAnswer]. The outcome of an error says what to do:
//
//   - Limited: come back at RetryAt. A budget that is used up, a secondary limit, a
//     refused token; or GraphQL has failed so often that it is left alone for a while.
//   - TooLarge: the query took too long, or asked for too much (502, 504,
//     RESOURCE_LIMITS_EXCEEDED without data). Halve the batch.
//   - Gone: GraphQL is not there (404), or not for any of the credentials (403, or they
//     are anonymous or OAuth apps). Ask by REST. It is tried again after an hour; until
//     then the outcome is the same, at once.
//   - Failed: any other failure, such as a broken answer or a query that is not valid.
//   - Canceled: ctx ended.
func (c *Client) query(ctx context.Context, query string, variables, data any) (a graphAnswer, e *upstream.Error) {
	c.queries.begin(c.outlook((*credential).graph).units)
	cr := c.choose((*credential).graph, "", 1)
	if cr == nil {
		return a, c.credentials[0].graphFailure(upstream.Gone, 0, "not sent: GraphQL takes a token or a GitHub App, and there is none")
	}
	for range c.credentials {
		before := a.Requests
		a, e = cr.query(ctx, query, variables, data)
		a.Requests += before
		if e == nil {
			c.queries.learn(a.Cost)
			return a, nil
		}
		next := c.choose((*credential).graph, "", 1)
		if e.Outcome != upstream.Limited && e.Outcome != upstream.Gone || !next.standing(next.points, 1).held.IsZero() {
			return a, e
		}
		cr = next
	}
	return a, e
}

// query puts a query with the credential, unless GraphQL is left alone.
func (cr *credential) query(ctx context.Context, query string, variables, data any) (a graphAnswer, e *upstream.Error) {
	gate := cr.points.gate
	p, hold, err := gate.Admit(ctx)
	if err != nil {
		return a, upstream.Classify(ctx, cr.graphURL(), err)
	}
	if !hold.Until.IsZero() {
		e = notSent(http.MethodPost, cr.graphURL(), cr.label(hold.Reason), hold.Until)
		if cr.noGraphQL.Load() {
			e.Outcome = upstream.Gone
		}
		return a, e
	}
	a, e = cr.sendQuery(ctx, query, variables, data)
	cr.noGraphQL.Store(e != nil && e.Outcome == upstream.Gone)
	switch {
	case e == nil:
		gate.Answered(p)
	case e.Outcome == upstream.Gone:
		e.RetryAt = gate.Refused(p, time.Now().Add(graphAgain), e.Message, false)
	case e.Outcome == upstream.Limited && e.RetryAt.IsZero():
		e.RetryAt = gate.Refused(p, time.Time{}, e.Message, false)
	case e.Outcome == upstream.TooLarge && e.Status != http.StatusOK, e.Outcome == upstream.Failed:
		gate.Failed(p, e.Status, e.Message)
	default:
		gate.Release(p)
	}
	return a, e
}

// graphAgain is how long GraphQL is not asked where it is not there.
const graphAgain = time.Hour

// graphBody is the body of every answer of GraphQL.
type graphBody struct {
	Data   jsontext.Value `json:"data"`
	Errors []object[struct {
		Type    text           `json:"type"`
		Message text           `json:"message"`
		Path    jsontext.Value `json:"path"`
	}] `json:"errors"`
}

func (cr *credential) sendQuery(ctx context.Context, query string, variables, data any) (a graphAnswer, e *upstream.Error) {
	request := struct {
		Query     string `json:"query"`
		Variables any    `json:"variables,omitempty"`
	}{query, variables}
	var body graphBody
	c := &call{query: true, units: 1}
	resp, e := cr.ask(ctx, c, http.MethodPost, cr.graphURL().String(), request, &body)
	if resp != nil {
		a.Date = upstream.Answered(resp.Header)
	}
	if a.Requests = c.requests; a.Requests > 0 {
		a.Took = time.Since(c.sent)
	}
	if e != nil {
		return a, e
	}
	for _, problem := range body.Errors {
		x := problem.fields
		a.Errors = append(a.Errors, graphError{clip(string(x.Type)), graphPath(x.Path), clip(cr.redact(string(x.Message)))})
	}
	if e := cr.refusal(c, body.Data, a.Errors); e != nil {
		return a, e
	}
	a.Cost = graphCost(body.Data)
	if err := decode(bytes.NewReader(body.Data), data); err != nil {
		return a, cr.graphFailure(upstream.Failed, http.StatusOK, "broken answer: "+clip(explain(err, err.Error())))
	}
	return a, nil
}

// refusal returns what a 200 means that has no data, or says that the points are used up;
// nil for any other.
func (cr *credential) refusal(c *call, data jsontext.Value, errors []graphError) *upstream.Error {
	for _, x := range errors {
		if x.Type == "RATE_LIMITED" || x.Type == "RATE_LIMIT" {
			e := cr.graphFailure(upstream.Limited, http.StatusOK, "GitHub's budget of GraphQL points is used up: "+x.Message)
			e.RetryAt = cr.points.exhaust(c.rate).Until
			return e
		}
	}
	switch {
	case data.Kind() == '{':
		return nil
	case len(errors) == 0:
		return cr.graphFailure(upstream.Failed, http.StatusOK, "broken answer: neither data nor errors")
	case errors[0].Type == graphTooMuch || strings.Contains(errors[0].Message, "may be the result of a timeout"):
		return cr.graphFailure(upstream.TooLarge, http.StatusOK, "GraphQL gave up on the query: "+errors[0].Message)
	}
	return cr.graphFailure(upstream.Failed, http.StatusOK, "GraphQL refused the query: "+errors[0].Message)
}

// graphFailure is the error of a query; status is 0 where no answer came.
func (cr *credential) graphFailure(o upstream.Outcome, status int, message string) *upstream.Error {
	return &upstream.Error{Outcome: o, Method: http.MethodPost, URL: upstream.Redact(cr.graphURL()), Status: status, Message: message}
}

// graphURL returns the address of GraphQL: beside the REST API of a GitHub Enterprise
// Server (…/api/v3/ and …/api/graphql), below that of github.com.
func (cr *credential) graphURL() *url.URL {
	if strings.HasSuffix(cr.gh.BaseURL.Path, "/api/v3/") {
		return cr.gh.BaseURL.JoinPath("../graphql")
	}
	return cr.gh.BaseURL.JoinPath("graphql")
}

// graphCost returns what a query has cost, as far as its data tells.
func graphCost(data jsontext.Value) int {
	var told struct {
		RateLimit object[struct {
			Cost float64 `json:"cost"`
		}] `json:"rateLimit"`
	}
	if decode(bytes.NewReader(data), &told) != nil {
		return 1
	}
	return max(1, int(min(told.RateLimit.fields.Cost, 1e6)))
}

// graphPath writes a path, such as ["nodes", 3], with dots.
func graphPath(path jsontext.Value) string {
	var steps []any
	if json.Unmarshal(path, &steps) != nil {
		return ""
	}
	names := make([]string, len(steps))
	for i, step := range steps {
		names[i] = fmt.Sprint(step)
	}
	return clip(strings.Join(names, "."))
}
