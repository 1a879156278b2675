package github

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
)

// simulated is a client of a simulated GitHub with so many repositories, r0 and so on,
// which enforces all limits. What it sends must break none.
func simulated(t *testing.T, o sim.Options, repos int, credentials ...Credential) (*Client, *sim.World, *bytes.Buffer) {
	t.Helper()
	o.TakeTime = true
	world := sim.New(o)
	for i := range repos {
		world.AddRepo(&sim.Repo{FullName: fmt.Sprintf("o/r%d", i), Stars: i, Commits: []sim.Commit{{At: time.Now().Add(-time.Hour), Author: "ada"}}})
	}
	wire, log := world.Transport(), new(bytes.Buffer)
	c, err := New(Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test (+test@example.org)", Transport: wire, Reserve: 50, Credentials: credentials, Log: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := world.Stats(); v.Violations > 0 {
			t.Errorf("%d violations: %v", v.Violations, v.ViolationKinds)
		}
		wire.CloseIdleConnections()
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, world, log
}

func named(name string) Credential { return Credential{Name: name, Token: tokenOf(name)} }

// fill has workers ask once about each repository, and returns how many answers were
// complete.
func fill(t *testing.T, c *Client, workers, repos int) (done int) {
	next, mu := make(chan int), sync.Mutex{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				a := c.Fetch(t.Context(), Question{Ref: Ref{"o", fmt.Sprint("r", i)}, Parts: PartRepository | PartContributors | PartCommits, Beside: func(f func()) bool { go f(); return true }})
				mu.Lock()
				if a.Repository.Outcome == fresh && a.Contributors.Outcome == fresh && a.Commits.Outcome == fresh {
					done++
				} else {
					t.Errorf("r%d: %v, %v", i, outcomes(a), a.Repository.Err)
				}
				mu.Unlock()
			}
		})
	}
	for i := range repos {
		next <- i
	}
	close(next)
	wg.Wait()
	return done
}

// TestColdFill: whatever the number of workers, no limit is met, and nothing is left for
// later.
func TestColdFill(t *testing.T) {
	for _, workers := range []int{1, 8, 128} {
		synctest.Test(t, func(t *testing.T) {
			c, world, _ := simulated(t, sim.Options{Latency: 50 * time.Millisecond}, 600, named("a"))
			c.Plan(600)
			start := time.Now()
			done := fill(t, c, workers, 600)
			if took := time.Since(start); done != 600 || workers > 1 && took > 140*time.Second {
				t.Errorf("%d workers: %d of 600 in %v", workers, done, took)
			}
			if n := world.Stats().GitHub.Charged; n != 1800 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestSharedByKinds: a token, an app and an Actions token do what neither can alone, one
// of them being revoked on the way.
func TestSharedByKinds(t *testing.T) {
	appKey()
	synctest.Test(t, func(t *testing.T) {
		app := Credential{Name: "app", Source: "app.pem", App: &AppKey{ID: 7, Installation: 42, Key: appKey()}}
		c, world, log := simulated(t, sim.Options{Latency: 50 * time.Millisecond, Limit: 600}, 700, named("a"), app, named("b"))
		world.SetInstallation(42, sim.Credential{Limit: 800})
		world.SetCredential(tokenOf("b"), sim.Credential{Kind: sim.Actions})
		time.AfterFunc(20*time.Second, func() { world.SetCredential(tokenOf("a"), sim.Credential{Revoked: true}) })
		if done := fill(t, c, 16, 700*5/6); done != 700*5/6 {
			t.Errorf("%d answers", done)
		}
		states := c.Credentials()
		if states[0].Fault == "" || states[1].Fault+states[2].Fault != "" || states[1].Requests.Limit != 800 || states[2].Requests.Limit != 1000 {
			t.Errorf("%+v", states)
		}
		if n := strings.Count(log.String(), `"level":"error"`); n == 0 || strings.Contains(log.String(), tokenOf("a")) {
			t.Errorf("%d errors: %s", n, log)
		}
	})
}

// TestQuerySimulated: batches of all repositories, as one would sweep them.
func TestQuerySimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, world, _ := simulated(t, sim.Options{PointLimit: 200}, 100, named("a"))
		ids := make([]string, 100)
		type repo struct {
			ID    string `json:"id"`
			Stars int    `json:"stargazerCount"`
		}
		var q strings.Builder
		q.WriteString("query { rateLimit { cost }")
		for i := range ids {
			fmt.Fprintf(&q, " r%d: repository(owner: \"o\", name: \"r%d\") { id stargazerCount }", i, i)
		}
		q.WriteString(" missing: repository(owner: \"o\", name: \"none\") { id } }")
		byName := map[string]*repo{}
		a, e := c.query(t.Context(), q.String(), nil, &byName)
		if e != nil || len(a.Errors) != 1 || a.Errors[0].Type != graphNotFound || a.Errors[0].Path != "missing" || byName["r7"] == nil || byName["r7"].Stars != 7 {
			t.Fatalf("%+v, %v, %v", a, e, byName["r7"])
		}
		for i := range ids {
			ids[i] = byName[fmt.Sprint("r", i)].ID
		}
		sweep := func(ctx context.Context, n int) (got int, a graphAnswer, e *upstream.Error) {
			var data struct {
				Nodes []*repo `json:"nodes"`
			}
			a, e = c.query(ctx, "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Repository { id stargazerCount } } rateLimit { cost } }", map[string]any{"ids": ids[:n]}, &data)
			for _, r := range data.Nodes {
				if r != nil {
					got++
				}
			}
			return got, a, e
		}
		if got, a, e := sweep(t.Context(), 100); got != 100 || a.Cost != 1 || e != nil {
			t.Errorf("%d, %+v, %v", got, a, e)
		}
		world.SetBatchLimits(50, 20)
		if _, _, e := sweep(t.Context(), 60); e == nil || e.Outcome != upstream.TooLarge {
			t.Errorf("a heavy one: %v", e)
		}
		if got, a, e := sweep(t.Context(), 30); got != 20 || e != nil || len(a.Errors) != 10 || a.Errors[0].Type != graphTooMuch {
			t.Errorf("%d, %+v, %v", got, a, e)
		}
		world.SetBatchLimits(0, 0)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, _, e := sweep(t.Context(), 100); e != nil {
						if e.Outcome != limited || time.Until(e.RetryAt) > time.Hour || time.Until(e.RetryAt) <= 0 {
							t.Errorf("used up: %v", e)
						}
						return
					}
				}
			})
		}
		wg.Wait()
		if got := c.Credentials()[0].Points; got.Remaining != 20 || got.Limit != 200 {
			t.Errorf("%+v: a tenth is kept in reserve", got)
		}
		if a := one(t, c, nil); a.Repository.Outcome != gone {
			t.Errorf("REST goes on: %v", a.Repository.Err)
		}
	})
}
