package sim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var schemaText string

// schema is parsed once. Only its own mistakes could make that panic.
var schema = sync.OnceValue(func() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})
})

const (
	maxQuery    = 1 << 20 // bytes of a request
	maxTokens   = 20_000
	maxDocument = 64 << 10 // bytes of a query that is kept
)

// graphQL answers POST /graphql.
func (x *exchange) graphQL() {
	if x.account.kind == Anonymous || x.account.kind == OAuthApp {
		x.gitHubHeader()
		x.gitHubError(http.StatusUnauthorized, "This endpoint requires you to be authenticated.", graphQLDocs+"guides/forming-calls-with-graphql#authenticating-with-graphql", nil)
		return
	}
	if !x.admitted() || x.faulted() {
		return
	}
	body, err := io.ReadAll(io.LimitReader(x.req.Body, maxQuery))
	var request struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
		Operation string         `json:"operationName"`
	}
	if err == nil {
		numbers := json.NewDecoder(strings.NewReader(string(body)))
		numbers.UseNumber()
		err = numbers.Decode(&request)
	}
	if err != nil {
		x.gitHubError(http.StatusBadRequest, "Problems parsing JSON", graphQLDocs, nil)
		return
	}
	q, failure := x.w.prepare(request.Query, request.Operation, request.Variables)
	if failure != nil {
		x.refuse(failure)
		return
	}
	x.run(q)
}

const graphQLDocs = "https://docs.github.com/graphql/"

// graphQLError is an error as GitHub writes it.
type graphQLError struct {
	Type       string              `json:"type,omitempty"`
	Code       string              `json:"code,omitempty"`
	Path       []any               `json:"path,omitempty"`
	Extensions map[string]any      `json:"extensions,omitempty"`
	Locations  []gqlerror.Location `json:"locations,omitempty"`
	Message    string              `json:"message"`
}

// failed is an answer without data.
func failed(kind, format string, args ...any) []graphQLError {
	return []graphQLError{{Type: kind, Message: fmt.Sprintf(format, args...)}}
}

// prepare reads and validates a query.
func (w *World) prepare(text, operation string, variables map[string]any) (*query, []graphQLError) {
	doc, failure := w.document(text)
	if failure != nil {
		return nil, failure
	}
	op := doc.Operations.ForName(operation)
	if op == nil || op.Operation != ast.Query {
		return nil, failed("", "No operation named %q", operation)
	}
	vars, err := validator.VariableValues(schema(), op, variables)
	if err != nil {
		return nil, invalid(gqlerror.List{gqlerror.WrapIfUnwrapped(err)})
	}
	q := &query{w: w, op: op, vars: vars, collected: map[selection][]*field{}}
	if failure := q.price(); failure != nil {
		return nil, failure
	}
	return q, nil
}

// document parses a query, or finds it among the last ones.
func (w *World) document(text string) (*ast.QueryDocument, []graphQLError) {
	if doc, ok := w.documents.get(text); ok {
		return doc, nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		return nil, invalid(gqlerror.List{gqlerror.WrapIfUnwrapped(err)})
	}
	if list := validator.ValidateWithRules(schema(), doc, rules.NewDefaultRules()); len(list) > 0 {
		return nil, invalid(list)
	}
	if len(text) <= maxDocument {
		w.documents.put(text, doc, len(text))
	}
	return doc, nil
}

// invalid tells what is wrong with a query.
func invalid(list gqlerror.List) (out []graphQLError) {
	for _, e := range list {
		x := graphQLError{Message: e.Message, Locations: e.Locations}
		if e.Rule != "" {
			x.Extensions = map[string]any{"code": e.Rule}
		}
		out = append(out, x)
	}
	return out
}

const queryLimit = 10 * time.Second // GitHub gives up on a query after that

// run executes a query and answers.
func (x *exchange) run(q *query) {
	q.x, q.now, q.next = x, x.now(), x.req.Header.Get("X-Github-Next-Global-ID") == "1"
	cost := q.cost
	if q.dryRun {
		cost = 1 // as the least that any query costs: GitHub does not say
	}
	var ok bool
	if q.rate, ok = x.pay(cost); !ok {
		return
	}
	data, tooHeavy := x.w.execute(q)
	q.spent += x.slow
	x.took = min(q.spent, queryLimit)
	if x.w.opt.TakeTime {
		x.wait(x.took)
	} else {
		x.wait(min(x.slow, queryLimit))
	}
	if q.spent > queryLimit || tooHeavy {
		// "Additional points are deducted for the next hour": GitHub does not say how many.
		excess := max(int((q.spent-queryLimit)/time.Second), 1)
		x.w.owe(x.account, graphQL, excess)
		x.counters.services[gitHub].points.Add(int64(excess))
		x.timeout()
		return
	}
	x.reply(data, q.errors)
}

// refuse charges a point for a query that is not run, and says why.
func (x *exchange) refuse(errors []graphQLError) {
	if _, ok := x.pay(1); ok {
		x.took = 5 * time.Millisecond
		x.reply(nil, errors)
	}
}

// reply answers 200 with data, errors, or both.
func (x *exchange) reply(data []byte, errors []graphQLError) {
	body := make([]byte, 0, len(data)+64)
	body = append(body, '{')
	if data != nil {
		body = append(append(body, `"data":`...), data...)
	}
	if len(errors) > 0 {
		if data != nil {
			body = append(body, ',')
		}
		body = append(append(body, `"errors":`...), marshal(errors)...)
	}
	h := x.rw.Header()
	h["X-Github-Media-Type"] = []string{"github.v4; format=json"}
	if x.gzip() {
		h["Content-Encoding"] = []string{"gzip"}
		x.send(http.StatusOK, jsonType, compress(append(body, '}')))
		return
	}
	x.send(http.StatusOK, jsonType, append(body, '}'))
}

// timeout answers as GitHub does when it gave up.
func (x *exchange) timeout() {
	x.send(http.StatusBadGateway, jsonType, marshal(map[string]any{"data": nil, "errors": failed("",
		"Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug. Please include `%s` when reporting this issue.",
		x.rw.Header().Get("X-Github-Request-Id"))}))
}
