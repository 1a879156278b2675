package github

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/upstream"
)

const (
	sweptJSON = `{"id":"R_1","databaseId":7,"nameWithOwner":"o/n","stargazerCount":3,"forkCount":2,"description":null,"isArchived":false,"isDisabled":false,"isEmpty":false,` +
		`"defaultBranchRef":{"target":{"oid":"c9","committedDate":"2026-05-06T07:08:09+02:00"}}}`
	loggedJSON = `{"object":{"history":{"pageInfo":{"hasNextPage":true,"endCursor":"x"},"nodes":[` +
		`{"oid":"c9","authoredDate":"2026-05-06T07:08:09+02:00","committedDate":"2026-05-06T07:08:09Z","author":{"user":{"login":"ann"}},"parents":{"nodes":[{"oid":"c8"}]}}]}}}`
)

// TestSweepAnswers: an answer about one repository that is odd or not whole is none, and
// takes nothing from that about another.
func TestSweepAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		one, problem string // about the first repository
		want         upstream.Outcome
	}{
		"whole":                       {sweptJSON, "", upstream.Fresh},
		"not there":                   {"null", `{"type":"NOT_FOUND","path":["r0"]}`, upstream.Gone},
		"forbidden":                   {"null", `{"type":"FORBIDDEN","path":["r0"]}`, upstream.Failed},
		"null without a reason":       {"null", "", upstream.Failed},
		"no repository":               {"{}", "", upstream.Failed},
		"a string":                    {`"x"`, "", upstream.Failed},
		"stars are a string":          {strings.Replace(sweptJSON, `"stargazerCount":3`, `"stargazerCount":"3"`, 1), "", upstream.Failed},
		"no id":                       {strings.Replace(sweptJSON, `"R_1"`, `null`, 1), "", upstream.Failed},
		"its branch failed":           {strings.Replace(sweptJSON, `{"target":{"oid":"c9","committedDate":"2026-05-06T07:08:09+02:00"}}`, "null", 1), `{"message":"Something went wrong","path":["r0","defaultBranchRef"]}`, upstream.Failed},
		"its head is not found":       {strings.Replace(sweptJSON, `{"oid":"c9","committedDate":"2026-05-06T07:08:09+02:00"}`, "null", 1), `{"type":"NOT_FOUND","path":["r0","defaultBranchRef","target"]}`, upstream.Failed},
		"its head has no name":        {strings.Replace(sweptJSON, `"c9"`, "7", 1), "", upstream.Failed},
		"no branch, though not empty": {strings.Replace(sweptJSON, `{"target":{"oid":"c9","committedDate":"2026-05-06T07:08:09+02:00"}}`, "null", 1), "", upstream.Fresh},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, newFake().set(graphURI, ok(`{"data":{"r0":`+test.one+`,"r1":`+sweptJSON+`},"errors":[`+test.problem+`]}`)), graphQL)
			swept, _ := c.Sweep(t.Context(), []SweepItem{{Ref: ref}, {NodeID: "R_1"}})
			if s := swept[0]; s.Outcome != test.want || (s.Err == nil) != (s.Outcome == upstream.Fresh) {
				t.Errorf("%+v, %v", s, s.Err)
			}
			if s := swept[1]; s.Outcome != upstream.Fresh || s.Head != "c9" || s.Stars != 3 || !s.HeadDate.Equal(time.Date(2026, 5, 6, 5, 8, 9, 0, time.UTC)) {
				t.Errorf("the other one: %+v, %v", s, s.Err)
			}
		})
	}
}

// TestLogAnswers is the same of histories: no commit of a page is left out, and a page that
// says that more follow can be followed.
func TestLogAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		one, problem string
		want         upstream.Outcome
	}{
		"whole":                    {loggedJSON, "", upstream.Fresh},
		"no such commit":           {`{"object":null}`, "", upstream.Gone},
		"no such repository":       {"null", `{"type":"NOT_FOUND","path":["r0"]}`, upstream.Gone},
		"not a commit":             {`{"object":{}}`, "", upstream.Gone},
		"a list":                   {"[]", "", upstream.Failed},
		"a commit is left out":     {strings.Replace(loggedJSON, `"nodes":[`, `"nodes":[null,`, 1), "", upstream.Failed},
		"an author failed":         {strings.Replace(loggedJSON, `{"user":{"login":"ann"}}`, "null", 1), `{"message":"Something went wrong","path":["r0","object","history","nodes",0,"author"]}`, upstream.Failed},
		"a commit has no name":     {strings.Replace(loggedJSON, `"c9"`, `""`, 1), "", upstream.Failed},
		"a parent has no name":     {strings.Replace(loggedJSON, `"c8"`, `null`, 1), "", upstream.Failed},
		"more, but not where":      {strings.Replace(loggedJSON, `"x"`, `null`, 1), "", upstream.Failed},
		"more, and nothing so far": {`{"object":{"history":{"pageInfo":{"hasNextPage":true,"endCursor":"x"},"nodes":[]}}}`, "", upstream.Failed},
		"nothing":                  {`{"object":{"history":{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]}}}`, "", upstream.Fresh},
		"no dates":                 {strings.ReplaceAll(loggedJSON, "2026-05", "2026-55"), "", upstream.Fresh},
		"no account":               {strings.Replace(loggedJSON, `{"login":"ann"}`, "null", 1), "", upstream.Fresh},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, newFake().set(graphURI, ok(`{"data":{"r0":`+test.one+`,"r1":`+loggedJSON+`},"errors":[`+test.problem+`]}`)), graphQL)
			pages, _ := c.Log(t.Context(), []LogQuestion{{NodeID: "R_1", Head: "c9", First: 10}, {NodeID: "R_2", Head: "c9", First: 10}})
			if p := pages[0]; p.Outcome != test.want || (p.Err == nil) != (p.Outcome == upstream.Fresh) {
				t.Errorf("%+v, %v", p, p.Err)
			}
			if p := pages[1]; p.Outcome != upstream.Fresh || p.Cursor != "x" || len(p.Commits) != 1 || p.Commits[0].Login != "ann" || p.Commits[0].Parents[0] != "c8" {
				t.Errorf("the other one: %+v, %v", p, p.Err)
			}
		})
	}
}

func graphQL(o *Options) { o.GraphQL = true }

// FuzzSweep has GraphQL give an answer of any shape about repositories.
func FuzzSweep(f *testing.F) {
	addGraphAnswers(f, sweptJSON)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := newClient(t, graphWire(status, body), graphQL)
		swept, cost := c.Sweep(t.Context(), []SweepItem{{Ref: ref}, {NodeID: "R_1"}, {NodeID: "R_2"}})
		if len(swept) != 3 || cost.Requests < 1 || cost.Points < 0 {
			t.Fatalf("%d answers, cost %+v", len(swept), cost)
		}
		for _, s := range swept {
			checkPart(t, s.Outcome, s.Err)
			if s.Outcome == upstream.Fresh && (s.NodeID == "" || s.ID <= 0 || s.Ref().IsZero() || s.Stars < 0) {
				t.Errorf("believed %+v", s)
			}
		}
	})
}

// FuzzLog does so about histories.
func FuzzLog(f *testing.F) {
	addGraphAnswers(f, loggedJSON)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := newClient(t, graphWire(status, body), graphQL)
		pages, cost := c.Log(t.Context(), []LogQuestion{{NodeID: "R_1", Head: "c9", First: 10}, {NodeID: "R_2", Head: "c9", First: 10, Parents: true, After: "x", Since: time.Now()}})
		if len(pages) != 2 || cost.Requests < 1 || cost.Points < 0 {
			t.Fatalf("%d answers, cost %+v", len(pages), cost)
		}
		for _, p := range pages {
			checkPart(t, p.Outcome, p.Err)
			if p.Cursor != "" && len(p.Commits) == 0 {
				t.Errorf("more is said to follow nothing: %+v", p)
			}
			for _, commit := range p.Commits {
				if commit.OID == "" {
					t.Errorf("believed %+v", commit)
				}
			}
		}
	})
}

func addGraphAnswers(f *testing.F, one string) {
	add := func(data, problems string) {
		f.Add(200, `{"data":`+data+`,"errors":[`+problems+`]}`)
	}
	add(`{"rateLimit":{"cost":2},"r0":`+one+`,"r1":`+one+`,"r2":`+one+`}`, "")
	add(`{"r0":`+one+`,"r1":null}`, `{"type":"NOT_FOUND","path":["r1"],"message":"no"}`)
	add(`{"r0":`+one+`}`, `{"type":"RESOURCE_LIMITS_EXCEEDED","path":["r1","object"]},{"type":"RESOURCE_LIMITS_EXCEEDED","path":["r2"]},7`)
	add(`{"rateLimit":{"cost":1e99},"r0":[],"r1":{},"r2":"x"}`, `{"path":{}}`)
	add("null", `{"type":"RATE_LIMITED"}`)
	add("null", `{"type":"RESOURCE_LIMITS_EXCEEDED"}`)
	f.Add(200, "null")
	f.Add(200, "<html>")
	f.Add(502, "")
	f.Add(404, `{"message":"Not Found"}`)
	f.Add(403, `{"message":"secondary rate limit"}`)
}

// graphWire gives each query the same answer.
func graphWire(status int, body string) http.RoundTripper {
	return newFake().set(graphURI, reply{status: status, body: body, header: map[string]string{"Content-Type": "application/json"}})
}

// checkPart checks that an outcome and its error fit, and that a person can read it.
func checkPart(t *testing.T, o upstream.Outcome, e *upstream.Error) {
	t.Helper()
	switch {
	case (e == nil) != (o == upstream.Fresh), e != nil && (e.Outcome != o || e.Message == ""):
		t.Errorf("outcome %q with error %#v", o, e)
	case o == upstream.TooLarge, o == upstream.NotAsked:
		t.Errorf("the outcome is %q", o)
	case e != nil && (len(e.Error()) > 2000 || strings.ContainsAny(e.Message, "\r\n\x00")):
		t.Errorf("an error for no person: %q", e)
	}
}
