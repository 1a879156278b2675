package github

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

const graphURI = "/graphql"

// graphData is what the tests ask of GraphQL.
type graphData struct {
	Nodes []*struct {
		ID string `json:"id"`
	} `json:"nodes"`
}

func (r reply) points(limit, remaining int, reset time.Time) reply {
	return r.rate(limit, remaining, reset).with("X-RateLimit-Resource", "graphql")
}

func ask(t *testing.T, c *Client) (graphData, graphAnswer, *upstream.Error) {
	t.Helper()
	var data graphData
	a, e := c.query(t.Context(), "query($ids: [ID!]!) { nodes(ids: $ids) { id } rateLimit { cost } }", map[string]any{"ids": []string{"R_1", "R_2"}}, &data)
	a.Took = 0
	return data, a, e
}

func TestQueryAsksGraphQL(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.test":          "https://api.test/graphql",
		"https://ghe.test/api/v3":   "https://ghe.test/api/graphql",
		"https://proxy.test/github": "https://proxy.test/github/graphql",
	} {
		wire := roundTripper(func(req *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(req.Body)
			h := req.Header
			if req.Method != "POST" || req.URL.String() != want || h.Get("Authorization") != "Bearer "+canary ||
				h.Get("X-Github-Next-Global-ID") != "1" || h.Get("X-GitHub-Api-Version") != "2026-03-10" || h.Get("User-Agent") != "test" {
				t.Errorf("%s %s with %v", req.Method, req.URL, h)
			}
			if got := string(body); !strings.Contains(got, `"variables":{"ids":["R_1","R_2"]}`) || !strings.Contains(got, `"query":"query($ids`) {
				t.Errorf("asked %s", got)
			}
			return answerTo(req, ok(`{"data":{"nodes":[{"id":"R_1"},{"id":"R_2"}],"rateLimit":{"cost":3}}}`)), nil
		})
		c := newClient(t, wire, func(o *Options) { o.BaseURL, o.APIVersion = base, "2026-03-10" })
		data, a, e := ask(t, c)
		if e != nil || len(data.Nodes) != 2 || data.Nodes[1].ID != "R_2" || !cmp.Equal(a, graphAnswer{Requests: 1, Cost: 3}) {
			t.Errorf("%s: %+v, %+v, %v", base, data, a, e)
		}
	}
}

// TestQueryInPart: what is missing is told beside what is there.
func TestQueryInPart(t *testing.T) {
	c := newClient(t, newFake().set(graphURI, ok(`{"data":{"nodes":[{"id":"R_1"},null]},"errors":[
		{"type":"NOT_FOUND","path":["nodes",1],"message":"no node R_2, you sent `+canary+`"},
		{"type":"RESOURCE_LIMITS_EXCEEDED","path":["nodes",0,"x"]}, 7, {"path":{}}]}`)))
	data, a, e := ask(t, c)
	want := []graphError{{graphNotFound, "nodes.1", "no node R_2, you sent ***"}, {graphTooMuch, "nodes.0.x", ""}, {}, {}}
	if e != nil || len(data.Nodes) != 2 || data.Nodes[0].ID != "R_1" || data.Nodes[1] != nil || a.Cost != 1 {
		t.Errorf("%+v, %+v, %v", data, a, e)
	}
	if d := cmp.Diff(want, a.Errors); d != "" {
		t.Error("-want +got\n", d)
	}
}

// TestQueryOutcomes: each way to fail has its outcome, and leaves REST alone unless it
// concerns the credential.
func TestQueryOutcomes(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	const gaveUp = "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug."
	for _, tt := range []struct {
		name   string
		reply  func() reply // made inside the bubble of fake time
		want   upstream.Outcome
		text   string
		back   time.Duration // when to come back; 0 where it is not told
		hold   time.Duration // of GraphQL, from then on
		closed bool          // REST too
	}{
		{"not in time", func() reply { return refuse(504, "") }, upstream.TooLarge, "did not answer the query in time", 0, 0, false},
		{"bad gateway", func() reply { return refuse(502, `{"message":"Server Error"}`) }, upstream.TooLarge, "Server Error", 0, 0, false},
		{"gave up", func() reply { return ok(`{"data":null,"errors":[{"message":"` + gaveUp + `"}]}`) }, upstream.TooLarge, "gave up", 0, 0, false},
		{"too much", func() reply { return ok(`{"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"too much"}]}`) }, upstream.TooLarge, "too much", 0, 0, false},
		{"internal error", func() reply { return refuse(500, "") }, failed, "GitHub failed", 0, 0, false},
		{"invalid query", func() reply { return ok(`{"errors":[{"message":"no field x"}]}`) }, failed, "refused the query: no field x", 0, 0, false},
		{"nothing", func() reply { return ok(`{}`) }, failed, "neither data nor errors", 0, 0, false},
		{"wrong type", func() reply { return ok(`{"data":{"nodes":7}}`) }, failed, "broken answer: nodes is of the wrong type", 0, 0, false},
		{"web page", func() reply { return ok(`<html>`).with("Content-Type", "text/html") }, failed, "a web page", 0, 0, false},
		{"moved", func() reply { return moved(301, "https://api.test/elsewhere") }, failed, "unexpected answer", 0, 0, false},
		{"not there", func() reply { return refuse(404, `{"message":"Not Found"}`) }, gone, "GraphQL is not there", time.Hour, time.Hour, false},
		{"not for this one", func() reply { return refuse(403, `{"message":"Resource not accessible by integration"}`) }, gone, "not accessible", time.Hour, time.Hour, false},
		{"bad token", func() reply { return refuse(401, `{"message":"Bad credentials"}`) }, limited, "check github.token_file", 5 * time.Minute, 5 * time.Minute, true},
		{"points used up", func() reply {
			return ok(`{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`).points(5000, 0, in(20*time.Minute))
		}, limited, "points is used up", 20 * time.Minute, 20 * time.Minute, false},
		{"points used up, by the other name, and the header says otherwise", func() reply {
			return ok(`{"data":null,"errors":[{"type":"RATE_LIMIT"}]}`).points(5000, 70, in(20*time.Minute))
		}, limited, "points is used up", 20 * time.Minute, 20 * time.Minute, false},
		{"points used up, for how long is not told", func() reply {
			return ok(`{"data":null,"errors":[{"type":"RATE_LIMITED"}]}`)
		}, limited, "points is used up", time.Minute, time.Minute, false},
		{"secondary limit", func() reply {
			return refuse(403, `{"message":"You have exceeded a secondary rate limit."}`).with("Retry-After", "30")
		}, limited, "secondary", 30 * time.Second, 30 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake().set(graphURI, tt.reply(), ok(`{"data":{}}`))
				c := newClient(t, f)
				_, _, e := ask(t, c)
				if e == nil || e.Outcome != tt.want || !strings.Contains(e.Error(), tt.text) || !strings.HasPrefix(e.Error(), "POST https://api.test/graphql: ") {
					t.Fatalf("%v; want %s, %s", e, tt.want, tt.text)
				}
				back := time.Duration(0)
				if !e.RetryAt.IsZero() {
					back = time.Until(e.RetryAt)
				}
				if back != tt.back || c.Hold().Until.IsZero() == tt.closed {
					t.Errorf("come back in %v, REST is held %+v", back, c.Hold())
				}
				if tt.hold > 0 {
					time.Sleep(tt.hold - time.Nanosecond)
					if _, a, e := ask(t, c); e == nil || e.Outcome != tt.want || a.Requests != 0 || time.Until(e.RetryAt) != time.Nanosecond {
						t.Errorf("a moment too early: %+v, %v", a, e)
					}
					time.Sleep(time.Nanosecond)
				}
				if _, a, e := ask(t, c); e != nil || a.Requests != 1 {
					t.Errorf("afterwards: %+v, %v", a, e)
				}
				if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository}); a.Repository.Outcome != fresh {
					t.Errorf("REST afterwards: %v", a.Repository.Err)
				}
			})
		})
	}
}

func TestQueryAnonymously(t *testing.T) {
	f := newFake()
	c := newClient(t, f, anonymous)
	if _, a, e := ask(t, c); e == nil || e.Outcome != gone || a.Requests+len(f.asked) != 0 {
		t.Errorf("%v, asked %q", e, f.asked)
	}
}

// TestQueryOutage: GraphQL that fails again and again is left alone, REST is not.
func TestQueryOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake().set(graphURI, refuse(502, ""))
		c := newClient(t, f)
		for range 20 {
			_, _, _ = ask(t, c)
		}
		if n := len(f.asked); n != 10 {
			t.Errorf("asked %d times", n)
		}
		if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts}); a.Participation.Outcome != fresh || c.Fault() != "" {
			t.Errorf("%v, fault %q", outcomes(a), c.Fault())
		}
		f.set(graphURI, ok(`{"data":{}}`))
		time.Sleep(time.Minute)
		if _, _, e := ask(t, c); e != nil {
			t.Error(e)
		}
	})
}

// TestLiftedQueries: a person ends a hold of GraphQL as one of REST.
func TestLiftedQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake().set(graphURI, refuse(404, ""), ok(`{"data":{}}`))
		c := newClient(t, f)
		for range 2 {
			if _, _, e := ask(t, c); e == nil || e.Outcome != gone {
				t.Fatal(e)
			}
		}
		c.Lift()
		if _, a, e := ask(t, c); e != nil || a.Requests != 1 {
			t.Errorf("%+v, %v", a, e)
		}
	})
}

// TestQueryGivenUp while it waits for a place among those in flight: the next one gets its
// turn.
func TestQueryGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: 20 * time.Second}
		c, _ := several(t, wire, "a")
		one(t, c, nil) // tells the budget
		var wg sync.WaitGroup
		for range maxInFlight {
			wg.Go(func() { one(t, c, nil) })
		}
		time.Sleep(10 * time.Second) // until all are under way
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if a, e := c.query(ctx, "{}", nil, &graphData{}); e == nil || e.Outcome != upstream.Canceled || a.Requests != 0 {
			t.Errorf("%+v, %v", a, e)
		}
		wg.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, e := c.query(ctx, "{}", nil, &graphData{}); e != nil {
			t.Error(e)
		}
	})
}

// TestQueriesOneAtATime, with pauses, and beside REST, each with a budget of its own.
func TestQueriesOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reset := time.Now().Add(time.Hour)
		wire := &slow{fake: newFake().set(graphURI, ok(`{"data":{}}`).points(5000, 4000, reset))}
		wire.set(repoURI, ok(repoJSON("o/n")).rate(5000, 501, reset))
		c := newClient(t, wire, func(o *Options) { o.Reserve = 500 })
		start := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _, _, _ = ask(t, c) })
		}
		wg.Go(func() { c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository}) })
		wg.Wait()
		if d := time.Since(start); d != 5*time.Second+4*200*time.Millisecond || wire.most.Load() != 2 {
			t.Errorf("took %v, %d in flight at most", d, wire.most.Load())
		}
		if got := c.Credentials()[0].Requests; got.Remaining != 501 {
			t.Errorf("the budget of requests is %+v", got)
		}
	})
}
