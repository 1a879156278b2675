package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said is an answer of the GraphQL API.
type said struct {
	reply
	Data struct {
		Nodes      []*repoNode
		Node       *repoNode
		Repository *repoNode
		Second     *repoNode
		RateLimit  struct {
			Cost, Limit, NodeCount, Remaining, Used int
			ResetAt                                 time.Time
		}
	}
	Errors []struct {
		Type    string
		Message string
		Path    []any
	}
}

type repoNode struct {
	TypeName                        string `json:"__typename"`
	ID, NameWithOwner               string
	DatabaseID                      int64
	StargazerCount, ForkCount       int
	Description                     *string
	IsArchived, IsDisabled, IsEmpty bool
	PushedAt                        time.Time
	DefaultBranchRef                *struct {
		Name   string
		Target commitNode
	}
	Object *commitNode
	commitNode
}

type commitNode struct {
	OID                         string
	CommittedDate, AuthoredDate time.Time
	Author                      struct{ User *struct{ Login string } }
	Parents                     struct{ Nodes []struct{ OID string } }
	History                     *struct {
		Nodes    []commitNode
		PageInfo struct {
			HasNextPage bool
			EndCursor   string
		}
		TotalCount int
	}
}

// graphql asks with a credential. Headers are given in pairs.
func graphql(t testing.TB, w *World, query string, vars map[string]any, headers ...string) (s said) {
	t.Helper()
	req := httptest.NewRequest("POST", "http://sim/graphql", strings.NewReader(string(marshal(map[string]any{"query": query, "variables": vars}))))
	req.Header.Set("Authorization", "Bearer one")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	s.reply = reply{rec.Code, rec.Header(), rec.Body.String()}
	if err := json.Unmarshal(rec.Body.Bytes(), &s); err != nil {
		t.Fatalf("%v in %.300s", err, rec.Body)
	}
	return s
}

// fine fails the test if a query had errors.
func (s said) fine(t testing.TB) said {
	t.Helper()
	if s.status != http.StatusOK || len(s.Errors) > 0 {
		t.Fatalf("%d %.500s", s.status, s.body)
	}
	return s
}

const sweep = `query($ids: [ID!]!) {
  rateLimit { cost limit remaining used resetAt nodeCount }
  nodes(ids: $ids) { __typename ... on Repository {
    id databaseId nameWithOwner stargazerCount forkCount description isArchived isDisabled isEmpty pushedAt
    defaultBranchRef { name target { oid ... on Commit { committedDate } } }
  } }
}`

func TestSweep(t *testing.T) {
	w, r, _ := small(t, Options{})
	empty := w.AddRepo(&Repo{FullName: "o/empty", Archived: true})
	got := graphql(t, w, sweep, map[string]any{"ids": []string{r.NodeID, empty.NodeID}}).fine(t)
	if len(got.Data.Nodes) != 2 {
		t.Fatal(got.body)
	}
	n := got.Data.Nodes[0]
	if n.TypeName != "Repository" || n.DatabaseID != r.ID || n.NameWithOwner != "Otter/Kettle" || n.StargazerCount != 42 || n.ForkCount != 7 ||
		*n.Description != *r.Description || n.IsArchived || n.IsEmpty || n.ID != r.NodeID {
		t.Errorf("%s", got.body)
	}
	newest := decode[[]commit](t, asGitHub(t, w, "/repos/otter/kettle/commits?per_page=1"))[0]
	if b := n.DefaultBranchRef; b.Name != "main" || b.Target.OID != newest.SHA || !b.Target.CommittedDate.Equal(newest.Commit.Committer.Date) || !n.PushedAt.Equal(b.Target.CommittedDate) {
		t.Errorf("%s", got.body)
	}
	if n := got.Data.Nodes[1]; !n.IsEmpty || !n.IsArchived || n.DefaultBranchRef != nil || n.Description != nil {
		t.Errorf("%s", got.body)
	}
	if r := got.Data.RateLimit; r.Cost != 1 || r.Limit != 5000 || r.Used != 1 || r.Remaining != 4999 || r.NodeCount != 2 || !r.ResetAt.Equal(noon().Add(time.Hour)) {
		t.Errorf("%+v", r)
	}
	if h := got.header; h.Get("X-RateLimit-Resource") != "graphql" || h.Get("X-RateLimit-Used") != "1" {
		t.Error(h)
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.header.Get("X-RateLimit-Used") != "2" {
		t.Error("the budgets are not apart:", a.header)
	}
}

// Both forms of ids are understood, and the header chooses the one that is answered.
func TestNodeIDs(t *testing.T) {
	w, r, _ := small(t, Options{})
	const query = `query($id: ID!) { node(id: $id) { id ... on Repository { nameWithOwner } } }`
	next := graphql(t, w, query, map[string]any{"id": r.NodeID}, "X-Github-Next-Global-ID", "1").fine(t).Data.Node
	if !strings.HasPrefix(next.ID, "R_kgDO") || next.NameWithOwner != "Otter/Kettle" {
		t.Fatalf("%+v", next)
	}
	if again := graphql(t, w, query, map[string]any{"id": next.ID}).fine(t).Data.Node; again.ID != r.NodeID {
		t.Errorf("%+v", again)
	}
	own := w.AddRepo(&Repo{FullName: "o/own", NodeID: "own-id"})
	if got := graphql(t, w, query, map[string]any{"id": "own-id"}).fine(t).Data.Node; got.NameWithOwner != own.FullName || got.ID != "own-id" {
		t.Errorf("%+v", got)
	}
	head := w.Commits(r)[0].OID
	const commits = `query($id: ID!) { node(id: $id) { id ... on Commit { oid history(first: 2) { nodes { oid } } } } }`
	for _, id := range []string{nextID(nodeCommit, r.ID, head), legacyID(nodeCommit, r.ID, head)} {
		if got := graphql(t, w, commits, map[string]any{"id": id}).fine(t).Data.Node; got.OID != head || len(got.History.Nodes) != 2 {
			t.Errorf("%+v", got)
		}
	}
}

// A fragment applies to the types that its condition has, an interface's too, and what several
// ask for under one name is answered once.
func TestFragments(t *testing.T) {
	w, r, _ := small(t, Options{})
	got := graphql(t, w, `query($yes: Boolean!) {
	  node(id: "`+r.NodeID+`") { ... on Node { id } ... on Commit { oid } ...f ... on Repository { defaultBranchRef { name } } ... @skip(if: $yes) { __typename } }
	}
	fragment f on Repository { defaultBranchRef { target { ... on GitObject { oid } ... on Commit @include(if: $yes) { committedDate } } } }`, map[string]any{"yes": true}).fine(t)
	n, head := got.Data.Node, w.Commits(r)[0]
	if n.ID != r.NodeID || n.TypeName != "" || n.DefaultBranchRef.Name != "main" || n.DefaultBranchRef.Target.OID != head.OID || !n.DefaultBranchRef.Target.CommittedDate.Equal(head.At) ||
		strings.Count(got.body, "defaultBranchRef") != 1 {
		t.Errorf("%s", got.body)
	}
}

func TestMissingNodes(t *testing.T) {
	w, r, _ := small(t, Options{})
	gone := nextID(nodeRepository, 99, "")
	got := graphql(t, w, sweep, map[string]any{"ids": []string{"nonsense", r.NodeID, gone, "R_", "MDEw"}})
	if got.status != 200 || len(got.Data.Nodes) != 5 || got.Data.Nodes[1] == nil || got.Data.Nodes[0] != nil || got.Data.Nodes[2] != nil {
		t.Fatalf("%s", got.body)
	}
	if len(got.Errors) != 4 || got.Errors[1].Type != "NOT_FOUND" || !cmp.Equal(got.Errors[1].Path, []any{"nodes", 2.}) || !strings.Contains(got.Errors[1].Message, gone) {
		t.Errorf("%+v", got.Errors)
	}
	got = graphql(t, w, `{ repository(owner: "o", name: "no") { id } second: repository(owner: "otter", name: "kettle") { nameWithOwner } }`, nil)
	if got.Data.Repository != nil || got.Data.Second.NameWithOwner != "Otter/Kettle" || len(got.Errors) != 1 || !cmp.Equal(got.Errors[0].Path, []any{"repository"}) {
		t.Errorf("%s", got.body)
	}
}

func TestRepositoryFollowsRenames(t *testing.T) {
	w, _, _ := small(t, Options{})
	w.Rename("otter/kettle", "Weevil/Pot")
	got := graphql(t, w, `{ repository(owner: "otter", name: "kettle") { nameWithOwner } second: repository(owner: "otter", name: "kettle", followRenames: false) { nameWithOwner } }`, nil)
	if got.Data.Repository.NameWithOwner != "Weevil/Pot" || got.Data.Second != nil || len(got.Errors) != 1 {
		t.Errorf("%s", got.body)
	}
}

const counting = `query($ids: [ID!]!, $first: Int!, $after: String, $since: GitTimestamp, $until: GitTimestamp) {
  rateLimit { cost nodeCount }
  nodes(ids: $ids) { ... on Repository { defaultBranchRef { target { oid ... on Commit {
    history(first: $first, after: $after, since: $since, until: $until) { nodes {
      oid authoredDate committedDate author { user { login } } parents(first: 2) { nodes { oid } }
    } pageInfo { hasNextPage endCursor } }
  } } } } }
}`

// The pages of a history are git's order, and go on where they were whatever is pushed.
func TestHistory(t *testing.T) {
	clock := noon()
	w, r, _ := small(t, Options{Now: func() time.Time { return clock }})
	w.Merge(r, 3, Commit{At: at(50), Author: ""}, Commit{At: at(0.5), Authored: at(5), Author: "weevil"})
	want := w.Commits(r)
	vars := map[string]any{"ids": []string{r.NodeID}, "first": 5}
	var got []Commit
	for pages := 1; ; pages++ {
		h := graphql(t, w, counting, vars).fine(t).Data.Nodes[0].DefaultBranchRef.Target.History
		for _, n := range h.Nodes {
			c := Commit{At: n.CommittedDate, Authored: n.AuthoredDate, OID: n.OID, Parents: []string{}, Merge: len(n.Parents.Nodes) > 1}
			if n.Author.User != nil {
				c.Author = n.Author.User.Login
			}
			for _, p := range n.Parents.Nodes {
				c.Parents = append(c.Parents, p.OID)
			}
			got = append(got, c)
		}
		vars["after"] = h.PageInfo.EndCursor
		if !h.PageInfo.HasNextPage {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		clock = clock.Add(time.Minute)
		w.Push(r, Commit{Author: "new"})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	h := graphql(t, w, counting, map[string]any{"ids": []string{r.NodeID}, "first": 100, "since": at(60).Format(time.RFC3339), "until": at(20).Format(time.RFC3339)}).fine(t).Data.Nodes[0].DefaultBranchRef.Target.History
	for _, n := range h.Nodes {
		if n.CommittedDate.Before(at(60)) || n.CommittedDate.After(at(20)) {
			t.Errorf("out of the range: %v", n)
		}
	}
	if len(h.Nodes) != 3 || h.PageInfo.HasNextPage {
		t.Errorf("%+v", h)
	}
	for _, bad := range []map[string]any{{"after": "nonsense"}, {"since": "yesterday"}, {"after": strings.Repeat("a", 40) + " 3"}, {"after": want[0].OID + " -1"}} {
		bad["ids"], bad["first"] = []string{r.NodeID}, 5
		if got := graphql(t, w, counting, bad); len(got.Errors) != 1 || got.status != 200 {
			t.Errorf("%v: %s", bad, got.body)
		}
	}
}

// The documented formula: requests for connections, by a hundred, at least 1.
func TestCost(t *testing.T) {
	w := New(Options{Now: noon})
	var ids []string
	for i := range 100 {
		ids = append(ids, w.AddRepo(&Repo{FullName: fmt.Sprintf("o/n%d", i), Commits: []Commit{{At: at(1)}}}).NodeID)
	}
	for _, tt := range []struct {
		query       string
		ids         int
		cost, nodes int
	}{
		{sweep, 100, 1, 100},
		{counting, 100, 11, 100 + 100*10 + 100*10*2}, // 100 histories and 1,000 times parents
		{counting, 10, 1, 10 + 10*10 + 10*10*2},
		{strings.Replace(counting, "parents(first: 2) { nodes { oid } }", "", 1), 100, 1, 100 + 100*10},
		{strings.Replace(counting, "parents(first: 2) { nodes { oid } }", "parents(first: 2) @include(if: false) { nodes { oid } }", 1), 100, 1, 100 + 100*10},
	} {
		before := w.Credential("one").Points
		vars := map[string]any{"ids": ids[:tt.ids], "first": 10}
		if tt.query == sweep {
			delete(vars, "first")
		}
		got := graphql(t, w, tt.query, vars).fine(t)
		if r := got.Data.RateLimit; r.Cost != tt.cost || r.NodeCount != tt.nodes {
			t.Errorf("%d ids: %+v, want %d points and %d nodes: %s", tt.ids, r, tt.cost, tt.nodes, tt.query)
		}
		if n := w.Credential("one").Points - before; n != int64(tt.cost) {
			t.Errorf("%d points were charged, not %d", n, tt.cost)
		}
	}
	before := w.Credential("one").Points
	dry := graphql(t, w, strings.Replace(counting, "rateLimit", "rateLimit(dryRun: true)", 1), map[string]any{"ids": ids, "first": 10}).fine(t)
	if dry.Data.RateLimit.Cost != 11 || dry.Data.Nodes != nil || w.Credential("one").Points != before+1 {
		t.Errorf("%s", dry.body)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	w, r, _ := small(t, Options{})
	many := make([]string, 101)
	for query, want := range map[string]string{
		`{ nonsense }`:                           "Cannot query field",
		`{ `:                                     "Expected Name",
		`mutation { addStar(input: {}) { id } }`: "mutation",
		`{ nodes(ids: "x") { nope } }`:           "Cannot query field",
		`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`: "must be defined",
		`{ repository(owner: "otter", name: "kettle") { defaultBranchRef { target { ... on Commit { parents(first: -1) { nodes { oid } } } } } } }`: "less than zero",
		`{ __schema { types { name } } }`: "does not answer",
		`{ repository(owner: "otter", name: "kettle") { defaultBranchRef { target { ... on Commit { history { nodes { oid } } } } } } }`:             "must provide a `first`",
		`{ repository(owner: "otter", name: "kettle") { defaultBranchRef { target { ... on Commit { history(first: 101) { nodes { oid } } } } } } }`: "exceeds the `first` limit of 100",
	} {
		got := graphql(t, w, query, nil)
		if got.status != 200 || len(got.Errors) == 0 || !strings.Contains(got.Errors[0].Message, want) {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	if got := graphql(t, w, sweep, map[string]any{"ids": many}); len(got.Errors) != 1 || got.Errors[0].Type != "ARGUMENT_LIMIT" || got.Data.Nodes != nil {
		t.Errorf("%s", got.body)
	}
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = r.NodeID
	}
	deep := `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Repository { defaultBranchRef { target { ... on Commit { history(first: 100) { nodes { history(first: 100) { nodes { oid } } } } } } } } } }`
	if got := graphql(t, w, deep, map[string]any{"ids": ids}); len(got.Errors) != 1 || got.Errors[0].Type != "MAX_NODE_LIMIT_EXCEEDED" {
		t.Errorf("%s", got.body)
	}
	req := httptest.NewRequest("POST", "/graphql", strings.NewReader("{"))
	req.Header.Set("Authorization", "Bearer one")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	if rec.Code != 400 {
		t.Error(rec.Code, rec.Body)
	}
}

func TestGraphQLNeedsACredential(t *testing.T) {
	w, _, _ := small(t, Options{})
	w.SetCredential("gone", Credential{Revoked: true})
	w.SetCredential("held", Credential{Blocked: true})
	for auth, want := range map[string]int{"": 401, "Basic aWQ6c2VjcmV0": 401, "Bearer gone": 401, "Bearer held": 403, "token fine": 200} {
		if got := graphql(t, w, `{ rateLimit { cost } }`, nil, "Authorization", auth); got.status != want {
			t.Errorf("%q: %d %s", auth, got.status, got.body)
		}
	}
}

func TestGraphQLBudget(t *testing.T) {
	clock := noon()
	w, r, _ := small(t, Options{PointLimit: 2, Now: func() time.Time { return clock }})
	vars := map[string]any{"ids": []string{r.NodeID}}
	for range 2 {
		graphql(t, w, sweep, vars).fine(t)
	}
	got := graphql(t, w, sweep, vars)
	if got.status != 200 || len(got.Errors) != 1 || got.Errors[0].Type != "RATE_LIMITED" || got.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
		t.Error("REST too:", a.status)
	}
	clock = clock.Add(time.Hour)
	graphql(t, w, sweep, vars).fine(t)
	if c := w.Credential("one"); c.Points != 3 || c.Charged != 1 || c.OverBudget != 1 || c.Violations != 0 || c.GraphQL.Used != 1 {
		t.Errorf("%+v", c)
	}
}

// What is too heavy times out, and costs further points in the next hour.
func TestTooHeavy(t *testing.T) {
	clock := noon()
	w, r, _ := small(t, Options{Now: func() time.Time { return clock }})
	other := w.AddRepo(&Repo{FullName: "o/other"})
	vars := map[string]any{"ids": []string{r.NodeID, other.NodeID}}
	w.SetBatchLimits(1, 0)
	got := graphql(t, w, sweep, vars)
	if got.status != 502 || !strings.Contains(got.body, "timeout") {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.SetBatchLimits(0, 1)
	got = graphql(t, w, sweep, vars)
	if got.status != 200 || got.Data.Nodes[0] == nil || got.Data.Nodes[1] != nil || len(got.Errors) != 1 || got.Errors[0].Type != "RESOURCE_LIMITS_EXCEEDED" {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.SetBatchLimits(0, 0)
	clock = clock.Add(time.Hour)
	if used := graphql(t, w, sweep, vars).fine(t).Data.RateLimit.Used; used != 2 {
		t.Errorf("%d points were used in the next hour", used)
	}

	long := &Repo{FullName: "o/long"}
	for i := range 2100 {
		long.Commits = append(long.Commits, Commit{At: at(1).Add(-time.Duration(i) * time.Hour)})
	}
	w.AddRepo(long)
	total := `query($ids: [ID!]!) { nodes(ids: $ids) { ... on Repository { defaultBranchRef { target { ... on Commit { history(first: 1) { totalCount } } } } } } }`
	if got := graphql(t, w, total, map[string]any{"ids": []string{long.NodeID}}); got.status != 502 {
		t.Errorf("a long history was counted: %d %s", got.status, got.body)
	}
	if got := graphql(t, w, total, map[string]any{"ids": []string{r.NodeID}}).fine(t); got.Data.Nodes[0].DefaultBranchRef.Target.History.TotalCount != 10 {
		t.Errorf("%s", got.body)
	}
}

func TestGraphQLFaults(t *testing.T) {
	w, r, _ := small(t, Options{})
	other := w.AddRepo(&Repo{FullName: "o/other"})
	vars := map[string]any{"ids": []string{r.NodeID, other.NodeID}}
	for _, tt := range []struct {
		repo   *Repo
		fault  Fault
		status int
		kind   string
		nodes  int // that are there
	}{
		{nil, BadGateway, 502, "", 0},
		{nil, PrimaryLimit, 200, "RATE_LIMITED", 0},
		{nil, SecondaryRetry, 403, "", 0},
		{nil, ResourceLimits, 200, "RESOURCE_LIMITS_EXCEEDED", 1},
		{r, NotFound, 200, "NOT_FOUND", 1},
		{r, ResourceLimits, 200, "RESOURCE_LIMITS_EXCEEDED", 1},
		{r, InternalError, 200, "", 1},
		{r, MovedPermanently, 200, "", 2},
	} {
		w.SetFault(tt.repo, GraphQL, tt.fault, 1)
		got := graphql(t, w, sweep, vars)
		there, kind := 0, ""
		for _, n := range got.Data.Nodes {
			if n != nil {
				there++
			}
		}
		if len(got.Errors) > 0 {
			kind = got.Errors[0].Type
		}
		if got.status != tt.status || there != tt.nodes || kind != tt.kind {
			t.Errorf("%s: %d, %d nodes, %q: %s", tt.fault, got.status, there, kind, got.body)
		}
		graphql(t, w, strings.Replace(sweep, "query", "query again", 1), vars).fine(t) // a fault that is set for once strikes once
		w.ClearFaults()
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
		t.Error("a fault of GraphQL struck at REST:", a.status)
	}
}

// Whatever is asked, there is an answer.
func FuzzGraphQL(f *testing.F) {
	for _, query := range []string{sweep, counting, `{ nodes(ids: ["x", "R_kgDOAA9CQA"]) { id ...f } } fragment f on Repository { name }`,
		`{ repository(owner: "otter", name: "kettle") { defaultBranchRef { target { ... on Commit { history(first: 99999999999999999999) { totalCount } } } } } }`,
		`query($a: Int = 3) { a: repository(owner: "otter", name: "kettle") { object(oid: "x") @skip(if: true) { oid } defaultBranchRef { target { ... on Commit { history(first: $a) { pageInfo { startCursor } } } } } } }`,
		`{ rateLimit(dryRun: true) { cost } }`} {
		f.Add(query, "MDEwOlJlcG9zaXRvcnkxMDAwMDAw", 3)
	}
	w := New(Options{Now: noon, NoLimits: true})
	w.AddRepo(&Repo{FullName: "otter/kettle", Commits: []Commit{{At: at(1)}, {At: at(2), Author: "x"}}})
	f.Fuzz(func(t *testing.T, query, id string, first int) {
		body := marshal(map[string]any{"query": query, "variables": map[string]any{"ids": []string{id}, "first": first, "after": id, "since": id}})
		req := httptest.NewRequest("POST", "/graphql", bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer one")
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, req)
		if rec.Code != 200 && rec.Code != 502 || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
