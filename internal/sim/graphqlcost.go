package sim

import (
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// GitHub's limits of one query.
const (
	maxNodeIDs = 100     // of nodes(ids:)
	maxPage    = 100     // of a connection
	maxNodes   = 500_000 // that a query may return
)

// How long GitHub works on the parts of a query. These are guesses of the order that people
// report; what matters is that each is bounded somewhere.
const (
	timeBase       = 20 * time.Millisecond
	timeRepository = 6 * time.Millisecond
	timeHistory    = 12 * time.Millisecond
	timeCommit     = 500 * time.Microsecond
	timeCounted    = 5 * time.Millisecond // a commit, for totalCount of a history
)

// price computes what a query costs before it is run: a request for every connection that it
// would take with REST, assuming that each returns as much as it may, and a point for a
// hundred of them, at least one.
func (q *query) price() []graphQLError {
	requests := q.weigh(q.op.SelectionSet, 1)
	if len(q.refused) > 0 {
		return q.refused
	}
	if q.nodes > maxNodes {
		return failed("MAX_NODE_LIMIT_EXCEEDED", "This query requests up to %d possible nodes which exceeds the maximum limit of %d.", q.nodes, maxNodes)
	}
	q.cost = max(int((requests+50)/100), 1)
	return nil
}

// weigh returns the requests for connections in a selection that is made so many times, and
// counts the nodes.
func (q *query) weigh(set ast.SelectionSet, times int64) (requests int64) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			if q.included(s.Directives) {
				requests += q.weigh(s.SelectionSet, times)
			}
		case *ast.FragmentSpread:
			if q.included(s.Directives) {
				requests += q.weigh(s.Definition.SelectionSet, times)
			}
		case *ast.Field:
			if q.included(s.Directives) {
				requests += q.weighField(s, times)
			}
		}
	}
	return requests
}

func (q *query) weighField(f *ast.Field, times int64) (requests int64) {
	args := f.ArgumentMap(q.vars)
	switch {
	case f.Name == "nodes" && f.ObjectDefinition.Name == "Query":
		ids, _ := args["ids"].([]any)
		if len(ids) > maxNodeIDs {
			q.refused = append(q.refused, failed("ARGUMENT_LIMIT", "You may not provide more than %d node ids; you provided %d.", maxNodeIDs, len(ids))...)
		}
		times *= int64(len(ids))
		q.nodes += times
	case f.Name == "rateLimit" && args["dryRun"] == true:
		q.dryRun = true
	case strings.HasSuffix(f.Definition.Type.Name(), "Connection"):
		first, given := integer(args["first"])
		switch {
		case !given:
			q.refused = append(q.refused, failed("MISSING_PAGINATION_BOUNDARIES", "You must provide a `first` or `last` value to properly paginate the `%s` connection.", f.Name)...)
		case first < 0:
			q.refused = append(q.refused, failed("", "`first` on the `%s` connection cannot be less than zero.", f.Name)...)
		case first > maxPage:
			q.refused = append(q.refused, failed("EXCESSIVE_PAGINATION", "Requesting %d records on the `%s` connection exceeds the `first` limit of %d records.", first, f.Name, maxPage)...)
		}
		requests = times
		times *= min(max(first, 0), maxPage)
		q.nodes += times
	}
	if times > maxNodes {
		times = maxNodes + 1 // it is refused, and must not overflow
	}
	return requests + q.weigh(f.SelectionSet, times)
}

// batch is what the simulated GitHub makes of large queries.
type batch struct{ heavy, limit int }

// SetBatchLimits makes queries of more than heavy repositories time out with 502, and leaves
// out, with RESOURCE_LIMITS_EXCEEDED, the repositories of a query beyond a limit. 0 means that
// neither happens.
func (w *World) SetBatchLimits(heavy, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch = batch{heavy, limit}
}

func (x batch) tooHeavy(repositories int) bool { return x.heavy > 0 && repositories > x.heavy }
func (x batch) tooMany(repositories int) bool  { return x.limit > 0 && repositories > x.limit }
