package github

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/upstream"
)

// accounts is a GitHub that knows several credentials. Each has a budget of its own, and
// ETags of its own, whose 304 is free.
type accounts struct {
	latency time.Duration

	mu   sync.Mutex
	of   map[string]*account // by the Authorization header
	sent []time.Time
}

type account struct {
	limit, remaining int // 0: without limit headers
	reset            time.Time
	expires          string // header
	refuse           *reply // to every request
	asked            int
	inFlight, most   int
	left             []time.Time // when requests arrived, of those that were charged
}

func (a *accounts) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	who := a.of[req.Header.Get("Authorization")]
	if who == nil {
		a.mu.Unlock()
		return answerTo(req, refuse(401, `{"message":"Bad credentials"}`)), nil
	}
	who.asked++
	who.inFlight++
	who.most = max(who.most, who.inFlight)
	a.sent = append(a.sent, time.Now())
	a.mu.Unlock()
	time.Sleep(a.latency)
	a.mu.Lock()
	defer a.mu.Unlock()
	who.inFlight--
	return answerTo(req, a.reply(req, who)), nil
}

func (a *accounts) reply(req *http.Request, who *account) reply {
	if who.refuse != nil {
		return *who.refuse
	}
	tag := fmt.Sprintf(`"%x"`, req.Header.Get("Authorization"))
	r := ok(a.body(req)).with("ETag", tag)
	resource := "core"
	if strings.HasSuffix(req.URL.Path, "/graphql") {
		resource = "graphql"
	}
	if req.Header.Get("If-None-Match") == tag {
		r.status, r.body = 304, ""
	}
	if who.expires != "" {
		r = r.with("GitHub-Authentication-Token-Expiration", who.expires)
	}
	if who.limit == 0 {
		return r
	}
	if !time.Now().Before(who.reset) {
		who.remaining, who.reset = who.limit, time.Now().Truncate(time.Second).Add(time.Hour)
	}
	if r.status == 200 {
		if who.remaining == 0 {
			return refuse(403, `{"message":"API rate limit exceeded"}`).rate(who.limit, 0, who.reset)
		}
		who.remaining--
		who.left = append(who.left, time.Now())
	}
	return r.rate(who.limit, who.remaining, who.reset).with("X-RateLimit-Resource", resource)
}

func (a *accounts) body(req *http.Request) string {
	switch path := req.URL.Path; {
	case strings.HasSuffix(path, "/graphql"):
		return `{"data":{"nodes":[]}}`
	case strings.HasSuffix(path, "/contributors"):
		return `[{"login":"ann"}]`
	case strings.HasSuffix(path, "/commits"):
		return commitJSON("2024-05-06T07:08:09Z")
	case strings.HasSuffix(path, "/participation"):
		return weeksJSON(52, 1)
	}
	return repoJSON("o/n")
}

// busiestMinute returns how many requests were sent in the minute that had most of them.
func (a *accounts) busiestMinute() (most int) {
	first := 0
	for i, t := range a.sent {
		for t.Sub(a.sent[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func bearer(token string) string { return "Bearer " + token }

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// several is a client with a token for each name, whose accounts it adds to wire where they
// are missing, and its log.
func several(t *testing.T, wire *accounts, names ...string) (c *Client, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	o := Options{BaseURL: "https://api.test", UserAgent: "test", Transport: wire, Log: zerolog.New(log)}
	if wire.of == nil {
		wire.of = map[string]*account{}
	}
	for _, name := range names {
		token := tokenOf(name)
		o.Credentials = append(o.Credentials, Credential{Name: name, Token: token, Source: "file " + name})
		if wire.of[bearer(token)] == nil {
			wire.of[bearer(token)] = &account{limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour)}
		}
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, log
}

// tokenOf returns the token of that name: one that looks like GitHub's.
func tokenOf(name string) string { return "ghp_" + strings.Repeat(name, 20) }

func (a *accounts) account(name string) *account { return a.of[bearer(tokenOf(name))] }

// askAll has workers put questions, n each, about parts, and returns how many were Fresh.
func askAll(t *testing.T, c *Client, workers, n int, parts Parts) (done int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range workers {
		wg.Go(func() {
			for range n {
				if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: parts}); a.Repository.Outcome == upstream.Fresh {
					mu.Lock()
					done++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return done
}
