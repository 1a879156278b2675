package github

import (
	"context"
	"fmt"
	"strings"
	"time"

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
			Nodes []struct {
				OID       string `json:"oid"`
				Authored  text   `json:"authoredDate"`
				Committed text   `json:"committedDate"`
				Author    *struct {
					User *struct {
						Login text `json:"login"`
					} `json:"user"`
				} `json:"author"`
				Parents struct {
					Nodes []struct {
						OID string `json:"oid"`
					} `json:"nodes"`
				} `json:"parents"`
			} `json:"nodes"`
		} `json:"history"`
	} `json:"object"`
}

// Log asks for pages of histories, as many in a query as GitHub answers well. The
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
			query.WriteString("parents(first:2){nodes{oid}}")
		}
		query.WriteString("}}}}}}")
	}
	query.WriteString("}")
	data := map[string]*logBody{}
	answer, e := c.query(ctx, query.String(), nil, &data)
	if e != nil {
		return nil, answer, e
	}
	pages := make([]LogPage, len(questions))
	for i := range questions {
		name := fmt.Sprintf("r%d", i)
		pages[i] = pageOf(data[name], answer.errorAt(name))
	}
	return pages, answer, nil
}

func pageOf(v *logBody, e *upstream.Error) LogPage {
	if v == nil || v.Object == nil || v.Object.History == nil {
		if e == nil {
			e = &upstream.Error{Outcome: upstream.Gone, Message: "the commit is not there"}
		}
		return LogPage{Outcome: e.Outcome, Err: e}
	}
	h := v.Object.History
	p := LogPage{Outcome: upstream.Fresh}
	if h.PageInfo.More {
		p.Cursor = h.PageInfo.Cursor
	}
	for _, n := range h.Nodes {
		c := record.Commit{OID: n.OID, Authored: signature{Date: n.Authored}.date(), Committed: signature{Date: n.Committed}.date()}
		if c.Authored.IsZero() {
			c.Authored = c.Committed
		}
		if n.Author != nil && n.Author.User != nil {
			c.Login = string(n.Author.User.Login)
		}
		for _, parent := range n.Parents.Nodes {
			c.Parents = append(c.Parents, parent.OID)
		}
		p.Commits = append(p.Commits, c)
	}
	return p
}
