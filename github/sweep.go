package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/upstream"
)

// MaxSweep is how many repositories one query of GitHub's GraphQL API may name.
const MaxSweep = 100

// SweepItem names a repository: by its node id where it is known, else by its name.
type SweepItem struct {
	NodeID string
	Ref    Ref
}

// Swept is what a sweep says of one repository (GraphQL object Repository).
type Swept struct {
	Outcome upstream.Outcome // Fresh; Gone for a node that is missing, which has to be confirmed; or why there is no answer
	Err     *upstream.Error  // set unless Fresh

	Repository
	NodeID   string
	At       time.Time // when GitHub answered, by its clock, which its days go by; zero where it does not tell
	Empty    bool      // it has no commit
	Head     string    // oid of the newest commit on the default branch; "" if there is no such branch
	HeadDate time.Time // its committer date, UTC; zero if unreadable
}

const sweepFields = `id databaseId nameWithOwner stargazerCount forkCount description isArchived isDisabled isEmpty defaultBranchRef{target{oid ... on Commit{committedDate}}}`

// sweptBody is what is used of a Repository in a sweep.
type sweptBody struct {
	ID          string   `json:"id"`
	DatabaseID  *float64 `json:"databaseId"`
	Name        *string  `json:"nameWithOwner"`
	Stars       *float64 `json:"stargazerCount"`
	Forks       *float64 `json:"forkCount"`
	Description text     `json:"description"`
	Archived    flag     `json:"isArchived"`
	Disabled    flag     `json:"isDisabled"`
	Empty       flag     `json:"isEmpty"`
	Branch      *struct {
		Target *struct {
			OID  text `json:"oid"`
			Date text `json:"committedDate"`
		} `json:"target"`
	} `json:"defaultBranchRef"`
}

// Sweep asks for the numbers and the heads of repositories (POST /graphql), as many in a
// query as GitHub answers well: a hundred at first, fewer where a query turns out to be
// too heavy. The result has one element for each item, in the same order.
//
// Where GraphQL cannot be asked at all, the elements that were not answered have the same
// outcome and error: Limited, where it is to be asked again at RetryAt; Canceled, where ctx
// ended; or Failed, where REST can be asked instead.
func (c *Client) Sweep(ctx context.Context, items []SweepItem) ([]Swept, Cost) {
	return inBatches(&c.sweeps, items,
		func(items []SweepItem) ([]Swept, graphAnswer, *upstream.Error) { return c.sweep(ctx, items) },
		func(s *Swept) *upstream.Error { return s.Err },
		func(e *upstream.Error) Swept { e = c.byREST(e); return Swept{Outcome: e.Outcome, Err: e} })
}

func (c *Client) sweep(ctx context.Context, items []SweepItem) ([]Swept, graphAnswer, *upstream.Error) {
	var query strings.Builder
	query.WriteString("query{rateLimit{cost}")
	for i, item := range items {
		if item.NodeID != "" {
			fmt.Fprintf(&query, " r%d:node(id:%s){...f}", i, quoted(item.NodeID))
		} else {
			fmt.Fprintf(&query, " r%d:repository(owner:%s,name:%s){...f}", i, quoted(item.Ref.Owner), quoted(item.Ref.Name))
		}
	}
	query.WriteString("}fragment f on Repository{" + sweepFields + "}")
	data := map[string]jsontext.Value{}
	answer, e := c.query(ctx, query.String(), nil, &data)
	if e != nil {
		return nil, answer, e
	}
	swept := make([]Swept, len(items))
	for i := range items {
		var v sweptBody
		s, e := Swept{}, answer.part(fmt.Sprintf("r%d", i), data, &v)
		if e == nil {
			s, e = v.value()
		}
		if e != nil {
			s = Swept{Outcome: e.Outcome, Err: e}
		}
		s.At = answer.Date
		swept[i] = s
	}
	return swept, answer, nil
}

func (v *sweptBody) value() (Swept, *upstream.Error) {
	r, err := (&repositoryBody{ID: v.DatabaseID, FullName: v.Name, Stars: v.Stars, Forks: v.Forks, Description: v.Description, Archived: v.Archived, Disabled: v.Disabled}).value()
	if err != nil {
		return Swept{}, brokenPart(err.Error())
	}
	if v.ID == "" {
		return Swept{}, brokenPart("no id")
	}
	s := Swept{Outcome: upstream.Fresh, Repository: r, NodeID: v.ID, Empty: bool(v.Empty)}
	if v.Branch == nil {
		return s, nil
	}
	if v.Branch.Target == nil || v.Branch.Target.OID == "" {
		return Swept{}, brokenPart("the default branch has no commit")
	}
	s.Head = string(v.Branch.Target.OID)
	s.HeadDate = signature{Date: v.Branch.Target.Date}.date()
	return s, nil
}

// quoted returns s as a string of the GraphQL language, whose escapes are JSON's.
func quoted(s string) string {
	q, _ := json.Marshal(s) // it cannot fail for a string
	return string(q)
}

// Ref returns the name to ask the repository by.
func (s *Swept) Ref() Ref {
	ref, _ := ParseRef(s.FullName) // it was read from the answer by ParseRef
	return ref
}
