package sim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A minute's requests are those of any 60 seconds, whichever it begins with, and a refused one
// is a violation, for its credential alone.
func TestPointsPerMinute(t *testing.T) {
	clock := noon()
	w, _, _ := small(t, Options{Now: func() time.Time { return clock }})
	for i := range restPerMinute {
		if i == 300 {
			clock = clock.Add(40 * time.Second)
		}
		if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
			t.Fatalf("request %d: %d", i, a.status)
		}
	}
	a := asGitHub(t, w, "/repos/otter/kettle")
	if a.status != 403 || a.header.Get("Retry-After") != "60" || a.header.Get("X-RateLimit-Remaining") != "4100" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if b := ask(t, w, "/repos/otter/kettle", "Authorization", "Bearer two"); b.status != 200 {
		t.Error("another credential:", b.status)
	}
	clock = clock.Add(20 * time.Second) // the first 300 are a minute ago
	for i := range 300 {
		if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
			t.Fatalf("request %d of the next minute: %d", i, a.status)
		}
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 403 {
		t.Error("the other 600 are forgotten:", a.status)
	}
	if one, two := w.Credential("one"), w.Credential("two"); one.Violations != 2 || one.ViolationKinds[TooManyPoints] != 2 || two.Violations != 0 || one.Charged != 1200 {
		t.Errorf("%+v, %+v", one, two)
	}
	if s := w.Stats(); s.ViolationKinds[TooManyPoints] != 2 || s.GitHub.ByStatus["403"] != 2 || len(s.Credentials) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestGraphQLPointsPerMinute(t *testing.T) {
	w, _, _ := small(t, Options{TooManyStatus: 429, NoRetryAfter: true})
	for range graphQLPerMinute {
		graphql(t, w, `{ rateLimit { cost } }`, nil).fine(t)
	}
	if got := graphql(t, w, `{ rateLimit { cost } }`, nil); got.status != 429 || got.header.Get("Retry-After") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
		t.Error("REST:", a.status)
	}
}

// GitHub's processors are not to work longer for a credential than a minute allows.
func TestCPUPerMinute(t *testing.T) {
	clock := noon()
	w := New(Options{Now: func() time.Time { return clock }, PointLimit: 1 << 30})
	var ids []string
	for i := range 100 {
		r := &Repo{FullName: fmt.Sprintf("o/n%d", i)}
		for k := range 60 {
			r.Commits = append(r.Commits, Commit{At: at(float64(k))})
		}
		ids = append(ids, w.AddRepo(r).NodeID)
	}
	vars, n := map[string]any{"ids": ids, "first": 60}, 0
	for ; ; n++ {
		if got := graphql(t, w, counting, vars); got.status != 200 {
			break
		}
	}
	// A query takes 20 + 100 × (6 + 12 + 60 × 0.5) ms.
	if want := 13; n != want {
		t.Errorf("%d queries, want %d", n, want)
	}
	if a := asGitHub(t, w, "/repos/o/n1"); a.status != 200 {
		t.Error("REST may have the other 30 seconds:", a.status)
	}
	if c := w.Credential("one"); c.ViolationKinds[TooMuchCPU] != 1 {
		t.Errorf("%+v", c)
	}
	clock = clock.Add(time.Minute)
	graphql(t, w, counting, vars).fine(t)
}

// A 304 is free, but not of the limit per minute, nor without a credential.
func TestNotModifiedIsFreeOnlyOfThePrimaryLimit(t *testing.T) {
	w, _, _ := small(t, Options{})
	tag := asGitHub(t, w, "/repos/otter/kettle").header.Get("ETag")
	for range restPerMinute - 1 {
		if a := asGitHub(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 304 {
			t.Fatal(a.status)
		}
	}
	if a := asGitHub(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 403 {
		t.Error(a.status)
	}
	if c := w.Credential("one"); c.Charged != 1 || c.Free != restPerMinute-1 {
		t.Errorf("%+v", c)
	}
	tag = ask(t, w, "/repos/otter/kettle").header.Get("ETag")
	if a := ask(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 304 || a.header.Get("X-RateLimit-Used") != "2" {
		t.Error(a.status, a.header)
	}
	s := w.Stats()
	if s.GitHub.Charged != 3 || s.GitHub.Free != restPerMinute-1 {
		t.Errorf("%+v", s.GitHub)
	}
}

func TestDearerEndpoint(t *testing.T) {
	w, _, _ := small(t, Options{Costs: map[Endpoint]int{Contributors: 5}})
	a := asGitHub(t, w, "/repos/otter/kettle/contributors")
	b := asGitHub(t, w, "/repos/otter/kettle/contributors", "If-None-Match", a.header.Get("ETag"))
	if a.header.Get("X-RateLimit-Used") != "5" || b.header.Get("X-RateLimit-Used") != "5" || w.Credential("one").Charged != 5 {
		t.Errorf("%v, %v", a.header, b.header)
	}
}

// Where limits are off, no header tells of any.
func TestServerWithoutLimits(t *testing.T) {
	w, _, _ := small(t, Options{Limit: 1, PointLimit: 1, NoLimits: true})
	for range restPerMinute + 10 {
		a := asGitHub(t, w, "/repos/otter/kettle")
		for name := range a.header {
			if len(name) > 11 && name[:11] == "X-Ratelimit" {
				t.Fatal(name)
			}
		}
		if a.status != 200 {
			t.Fatal(a.status)
		}
	}
	got := graphql(t, w, `{ rateLimit { cost } }`, nil).fine(t)
	if got.header.Get("X-RateLimit-Limit") != "" || got.body != `{"data":{"rateLimit":null}}` {
		t.Error(got.body)
	}
	if s := w.Stats(); s.Violations != 0 || s.GitHub.Charged != restPerMinute+10 {
		t.Errorf("%+v", s)
	}
}

func TestKindsOfCredentials(t *testing.T) {
	w, _, _ := small(t, Options{})
	expires := noon().Add(time.Hour)
	w.SetCredential("actions", Credential{Kind: Actions})
	w.SetCredential("rich", Credential{Kind: Installation, Limit: 12_500, Points: 10_000, Expires: expires})
	w.SetCredential("old", Credential{Expires: noon()})
	w.SetCredential("a", Credential{Account: "ada"})
	w.SetCredential("b", Credential{Account: "ada"})
	for auth, want := range map[string]string{
		"Bearer any": "5000 4999", "Bearer actions": "1000 999", "Bearer rich": "12500 12499", "Basic aWQ6c2VjcmV0": "5000 4999",
		"Bearer ghs_x.y.z": "5000 4999", "": "60 59", "token old": " ",
	} {
		a := ask(t, w, "/repos/otter/kettle", "Authorization", auth)
		if got := a.header.Get("X-RateLimit-Limit") + " " + a.header.Get("X-RateLimit-Remaining"); got != want {
			t.Errorf("%q: %q, want %q", auth, got, want)
		}
		if want := map[string]string{"Bearer rich": "2026-03-18 13:00:00 UTC"}[auth]; a.header.Get("GitHub-Authentication-Token-Expiration") != want {
			t.Errorf("%q: %v", auth, a.header)
		}
	}
	kinds := map[Kind]int{}
	for _, c := range w.Stats().Credentials {
		kinds[c.Kind]++
	}
	if want := map[Kind]int{Token: 2, Actions: 1, Installation: 2, OAuthApp: 1, Anonymous: 1}; !cmp.Equal(kinds, want) {
		t.Error(kinds)
	}
	ask(t, w, "/repos/otter/kettle", "Authorization", "Bearer a")
	if a := ask(t, w, "/repos/otter/kettle", "Authorization", "Bearer b"); a.header.Get("X-RateLimit-Used") != "2" || w.Credential("a").Charged != 2 {
		t.Error("two tokens of one account:", a.header)
	}
	w.SetCredential("b", Credential{Account: "ada", Revoked: true})
	if a := ask(t, w, "/repos/otter/kettle", "Authorization", "Bearer b"); a.status != 401 {
		t.Error("revoked:", a.status)
	}
}

// An hour of a world passes in a second of its clients.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Options{Speed: 3600, Limit: 2})
		defer w.Close()
		r := w.AddRepo(&Repo{FullName: "o/n", Commits: []Commit{{At: time.Now().Add(36 * time.Hour)}, {At: time.Now().Add(-time.Hour)}}})
		c := client(w)
		began := time.Now()
		status := func() int {
			req, _ := http.NewRequest("GET", "http://sim/repos/o/n", nil)
			req.Header.Set("Authorization", "Bearer one")
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			date, err := http.ParseTime(resp.Header.Get("Date"))
			if reset := resp.Header.Get("X-RateLimit-Reset"); err != nil || reset != fmt.Sprint(date.Add(time.Second).Unix()) {
				t.Errorf("reset %s at %d, %v", reset, date.Unix(), err)
			}
			return resp.StatusCode
		}
		if got := []int{status(), status(), status()}; !cmp.Equal(got, []int{200, 200, 403}) {
			t.Error(got)
		}
		time.Sleep(time.Second)
		if got := status(); got != 200 {
			t.Error("an hour later:", got)
		}
		if n := len(w.Commits(r)); n != 1 {
			t.Errorf("%d commits after an hour", n)
		}
		time.Sleep(36 * time.Second)
		if n := len(w.Commits(r)); n != 2 || w.Now().Sub(began) != 37*time.Hour {
			t.Errorf("%d commits at %v", n, w.Now())
		}
	})
}

func TestSlowQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, _ := small(t, Options{TakeTime: true})
		vars := map[string]any{"ids": []string{r.NodeID}}
		took := func() (time.Duration, said) {
			began := time.Now()
			got := graphql(t, w, sweep, vars)
			return time.Since(began), got
		}
		if d, got := took(); d != timeBase+timeRepository || got.status != 200 {
			t.Error(d, got.status)
		}
		w.SetFault(nil, GraphQL, Slow(3*time.Second), 1)
		if d, got := took(); d != timeBase+timeRepository+3*time.Second || got.status != 200 {
			t.Error(d, got.status)
		}
		w.SetFault(nil, GraphQL, Slow(12*time.Second), 1)
		if d, got := took(); d != queryLimit || got.status != 502 {
			t.Error(d, got.status)
		}
		w.SetFault(r, GraphQL, Slow(12*time.Second), 1)
		if d, got := took(); d != queryLimit || got.status != 502 {
			t.Error(d, got.status)
		}
		if c := w.Credential("one"); c.Points != 4+2+2 {
			t.Errorf("%d points: each second beyond the limit costs one more", c.Points)
		}
	})
}

func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, _ := small(t, Options{Latency: time.Second})
		c := &http.Client{Transport: w.Direct()}
		w.Rename("otter/kettle", "otter/pot")
		began := time.Now()
		a, err := get(c, "http://sim/repos/otter/kettle") // follows the redirect
		if err != nil || a.status != 200 || decode[map[string]any](t, a)["full_name"] != "otter/pot" || time.Since(began) != 2*time.Second {
			t.Errorf("%v, %d after %v", err, a.status, time.Since(began))
		}
		for _, f := range []Fault{Reset, ResetAfterHeaders, Truncated, EndlessHeaders} {
			w.SetFault(r, All, f, 1)
			if a, err := get(c, "http://sim/repos/otter/pot"); err == nil {
				t.Errorf("%s: %d, no error", f, a.status)
			}
		}
		c.Timeout = 5 * time.Second
		w.SetFault(r, All, Stall, 1)
		if _, err := get(c, "http://sim/repos/otter/pot"); err == nil {
			t.Error("an answer that never ended")
		}
	})
}

func TestOthersShareACredential(t *testing.T) {
	w, r, _ := small(t, Options{})
	w.SpendElsewhere("one", 4990, 4998)
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.header.Get("X-RateLimit-Remaining") != "9" {
		t.Error(a.header)
	}
	if got := graphql(t, w, sweep, map[string]any{"ids": []string{r.NodeID}}).fine(t); got.Data.RateLimit.Remaining != 1 {
		t.Errorf("%+v", got.Data.RateLimit)
	}
	if c := w.Credential("one"); c.Charged != 1 || c.Points != 1 {
		t.Errorf("%+v", c)
	}
}

// GitHub Enterprise Server has the same below /api.
func TestEnterprise(t *testing.T) {
	w, r, _ := small(t, Options{})
	w.Rename("otter/kettle", "otter/pot")
	a := asGitHub(t, w, "/api/v3/repos/otter/kettle/commits?per_page=1")
	if want := fmt.Sprintf("http://sim/api/v3/repositories/%d/commits?per_page=1", r.ID); a.status != 301 || a.header.Get("Location") != want {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
	a = asGitHub(t, w, fmt.Sprintf("/api/v3/repositories/%d/commits?per_page=1", r.ID))
	if want := fmt.Sprintf("<http://sim/api/v3/repositories/%d/commits?per_page=1&page=2>", r.ID); a.status != 200 || !strings.HasPrefix(a.header.Get("Link"), want) {
		t.Errorf("%d, %s", a.status, a.header.Get("Link"))
	}
	req := httptest.NewRequest("POST", "/api/graphql", strings.NewReader(`{"query": "{ rateLimit { cost } }"}`))
	req.Header.Set("Authorization", "Bearer one")
	rec := httptest.NewRecorder()
	if w.Handler().ServeHTTP(rec, req); rec.Code != 200 {
		t.Error(rec.Code, rec.Body)
	}
}
