package github

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/upstream"
)

// slowQuery is how long an answer to a query may take before the next one asks for less:
// GitHub gives up on a query after 10 s, and charges more for one that it gave up on.
const slowQuery = 5 * time.Second

// A batch is how many things to ask for in one query. It is halved where a query turns
// out to be too heavy and grows again by as much as a query shows to be light.
type batch struct {
	mu   sync.Mutex
	size int // 0: MaxSweep
}

func (b *batch) next() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 {
		return MaxSweep
	}
	return b.size
}

// heavy notes that n things were too many.
func (b *batch) heavy(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 || n <= b.size {
		b.size = max(n/2, 1)
	}
}

// light notes that n things took so long.
func (b *batch) light(n int, took time.Duration) {
	if took >= slowQuery {
		b.heavy(n)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size != 0 && n >= b.size {
		b.size = min(b.size+max(b.size/4, 1), MaxSweep)
	}
}

// Cost is what questions to GraphQL have cost.
type Cost struct{ Requests, Points int }

// inBatches puts questions, as many in a query as b says, and returns an answer to each,
// in the same order. What was too much for one query is asked again in smaller ones. If
// GraphQL cannot be asked at all, the rest gets the same answer, made by failed; failure
// returns why an answer brings nothing, nil if it does.
func inBatches[Q, A any](b *batch, questions []Q, ask func([]Q) ([]A, graphAnswer, *upstream.Error), failure func(*A) *upstream.Error, failed func(*upstream.Error) A) ([]A, Cost) {
	answers, cost := make([]A, len(questions)), Cost{}
	rest := make([]int, len(questions)) // of the questions, by index
	for i := range rest {
		rest[i] = i
	}
	for len(rest) > 0 {
		n := min(b.next(), len(rest))
		now := make([]Q, n)
		for i, index := range rest[:n] {
			now[i] = questions[index]
		}
		part, spent, e := ask(now)
		cost.Requests += spent.Requests
		cost.Points += spent.Cost
		switch {
		case e != nil && e.Outcome == upstream.TooLarge && n > 1:
			b.heavy(n)
			continue
		case e != nil && e.Outcome == upstream.TooLarge:
			e.Outcome = upstream.Failed
			answers[rest[0]] = failed(e)
			rest = rest[1:]
			continue
		case e != nil:
			for _, index := range rest {
				answers[index] = failed(e)
			}
			return answers, cost
		}
		var again []int
		for i, index := range rest[:n] {
			answers[index] = part[i]
			switch e := failure(&part[i]); {
			case e == nil || e.Outcome != upstream.TooLarge:
			case n > 1:
				again = append(again, index)
			default:
				e.Outcome = upstream.Failed
				answers[index] = failed(e)
			}
		}
		if len(again) > 0 {
			b.heavy(n)
		} else {
			b.light(n, spent.Took)
		}
		rest = slices.Concat(again, rest[n:])
	}
	return answers, cost
}

// part decodes the part of a query with that name into v, or returns why it cannot be
// used: GitHub says that it, or something within it, is missing, or it is odd.
func (a *graphAnswer) part(name string, data map[string]jsontext.Value, v any) *upstream.Error {
	for _, x := range a.Errors {
		if x.Path != name && !strings.HasPrefix(x.Path, name+".") {
			continue
		}
		e := &upstream.Error{Outcome: upstream.Failed, Message: "GraphQL: " + x.Message}
		switch {
		case x.Type == graphNotFound && x.Path == name:
			e.Outcome = upstream.Gone
		case x.Type == graphTooMuch:
			e.Outcome = upstream.TooLarge
		}
		return e
	}
	if kind := data[name].Kind(); kind != '{' {
		return brokenPart("it leaves the repository out and does not say why")
	}
	if err := decode(bytes.NewReader(data[name]), v); err != nil {
		return brokenPart(explain(err, err.Error()))
	}
	return nil
}

func brokenPart(what string) *upstream.Error {
	return &upstream.Error{Outcome: upstream.Failed, Message: "broken answer: " + clip(what)}
}

// Sweeps reports whether repositories can be asked about many at once: GraphQL is
// wanted, and there is a credential that it is there for, and does not fail with at
// present, and that no other host uses. Where there are no points left it still is the way
// to ask.
func (c *Client) Sweeps() bool {
	for _, cr := range c.credentials {
		if !c.graphQL || cr.graph() == nil || !cr.elsewhere().Until.IsZero() {
			continue
		}
		if hold := cr.points.gate.Hold(); hold.Until.IsZero() || !hold.Fault && !cr.noGraphQL.Load() {
			return true
		}
	}
	return false
}

// byREST makes an error of GraphQL as a whole into one that REST can stand in for, unless
// that cannot be asked either.
func (c *Client) byREST(e *upstream.Error) *upstream.Error {
	if e.Outcome == upstream.Gone || e.Outcome == upstream.Limited && !c.Sweeps() && !c.Hold().Elsewhere {
		e.Outcome = upstream.Failed
	}
	return e
}
