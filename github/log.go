package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// LogQuestion asks for a page of the history of one commit of a repository, in git's
// order: the newest first, parents after their children.
type LogQuestion struct {
	NodeID  string    // of the repository
	Head    string    // oid of the commit
	Since   time.Time // only commits committed from then on; zero for all
	After   string    // LogPage.Cursor of the page before; "" for the first one
	First   int       // commits to a page, at most 100
	Parents bool      // ask for the parents too, which costs a hundredth of a point for each commit
}

// maxParents is how many parents of a commit are asked for. A merge mostly has two, one of
// many branches more, and each that is left out would make its branch new, or never seen.
const maxParents = 10

// LogPage is one page of a history.
type LogPage struct {
	Outcome upstream.Outcome // Fresh; Gone if the repository or the commit is missing; or why there is no answer
	Err     *upstream.Error  // set unless Fresh
	Commits []record.Commit
	Cursor  string // for the next page; "" if there is none
}

// logBody is what is used of one history.
type logBody struct {
	Object *struct {
		History *struct {
			PageInfo struct {
				More   bool   `json:"hasNextPage"`
				Cursor string `json:"endCursor"`
			} `json:"pageInfo"`
			Nodes []loggedBody `json:"nodes"`
		} `json:"history"`
	} `json:"object"`
}

// loggedBody is what is used of a Commit in a history.
type loggedBody struct {
	OID       text `json:"oid"`
	Authored  text `json:"authoredDate"`
	Committed text `json:"committedDate"`
	Author    *struct {
		User *struct {
			Login text `json:"login"`
		} `json:"user"`
	} `json:"author"`
	Parents struct {
		Nodes []struct {
			OID text `json:"oid"`
		} `json:"nodes"`
	} `json:"parents"`
}

// Log asks for pages of histories (POST /graphql), as many in a query as GitHub answers well. The
// result has one element for each question, in the same order; see [Client.Sweep].
func (c *Client) Log(ctx context.Context, questions []LogQuestion) ([]LogPage, Cost) {
	return inBatches(&c.logs, questions,
		func(questions []LogQuestion) ([]LogPage, graphAnswer, *upstream.Error) { return c.log(ctx, questions) },
		func(p *LogPage) *upstream.Error { return p.Err },
		func(e *upstream.Error) LogPage { e = c.byREST(e); return LogPage{Outcome: e.Outcome, Err: e} })
}

func (c *Client) log(ctx context.Context, questions []LogQuestion) ([]LogPage, graphAnswer, *upstream.Error) {
	var query strings.Builder
	query.WriteString("query{rateLimit{cost}")
	for i, q := range questions {
		fmt.Fprintf(&query, " r%d:node(id:%s){... on Repository{object(oid:%s){... on Commit{history(first:%d", i, quoted(q.NodeID), quoted(q.Head), q.First)
		if q.After != "" {
			fmt.Fprintf(&query, ",after:%s", quoted(q.After))
		}
		if !q.Since.IsZero() {
			fmt.Fprintf(&query, ",since:%s", quoted(q.Since.UTC().Format(time.RFC3339)))
		}
		query.WriteString("){pageInfo{hasNextPage endCursor}nodes{oid authoredDate committedDate author{user{login}}")
		if q.Parents {
			fmt.Fprintf(&query, "parents(first:%d){nodes{oid}}", maxParents)
		}
		query.WriteString("}}}}}}")
	}
	query.WriteString("}")
	data := map[string]jsontext.Value{}
	answer, e := c.query(ctx, query.String(), nil, &data)
	if e != nil {
		return nil, answer, e
	}
	pages := make([]LogPage, len(questions))
	for i := range questions {
		var v logBody
		p, e := LogPage{}, answer.part(fmt.Sprintf("r%d", i), data, &v)
		if e == nil {
			p, e = v.page()
		}
		if e != nil {
			p = LogPage{Outcome: e.Outcome, Err: e}
		}
		pages[i] = p
	}
	return pages, answer, nil
}

// page returns the page, or what is wrong with it: one that leaves something out would
// have commits never counted.
func (v *logBody) page() (LogPage, *upstream.Error) {
	if v.Object == nil || v.Object.History == nil {
		return LogPage{}, &upstream.Error{Outcome: upstream.Gone, Message: "the commit is not there"}
	}
	h, p := v.Object.History, LogPage{Outcome: upstream.Fresh}
	if h.PageInfo.More {
		p.Cursor = h.PageInfo.Cursor
		if p.Cursor == "" || len(h.Nodes) == 0 {
			return LogPage{}, brokenPart("more of the history is said to follow, but not where")
		}
	}
	for i := range h.Nodes {
		c := h.Nodes[i].value()
		if c.OID == "" || slices.Contains(c.Parents, "") {
			return LogPage{}, brokenPart("it leaves a commit of the history out")
		}
		p.Commits = append(p.Commits, c)
	}
	return p, nil
}

func (n *loggedBody) value() record.Commit {
	c := record.Commit{OID: string(n.OID), Authored: signature{Date: n.Authored}.date(), Committed: signature{Date: n.Committed}.date()}
	if c.Authored.IsZero() {
		c.Authored = c.Committed
	}
	if n.Author != nil && n.Author.User != nil {
		c.Login = string(n.Author.User.Login)
	}
	for _, parent := range n.Parents.Nodes {
		c.Parents = append(c.Parents, string(parent.OID))
	}
	return c
}
