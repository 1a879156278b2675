package github

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
)

var clusterKey = []byte("a key that hosts share")

// leases says which credentials a host holds, by fingerprint.
type leases struct {
	mu    sync.Mutex
	held  map[string]bool
	asked int
	onAsk func(asked int) // called before each answer; nil for nothing
	said  bool            // the latest answer
}

func (l *leases) usable(fingerprint string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked++; l.onAsk != nil {
		l.onAsk(l.asked)
	}
	l.said = l.held[fingerprint]
	return l.said
}

// checked is a wire to which a request comes only if a lease was asked for just before, and
// was there.
type checked struct {
	t    *testing.T
	wire http.RoundTripper
	of   **leases
}

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	if l := *c.of; !l.said {
		c.t.Errorf("%s was sent with a credential that another host uses", req.URL)
	}
	return c.wire.RoundTrip(req)
}

func (l *leases) set(c Credential, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[c.Fingerprint(clusterKey)] = held
}

// host is a client on one of several hosts, which holds a lease of each credential. It adds
// the accounts of tokens to wire where they are missing.
func host(t *testing.T, wire http.RoundTripper, credentials ...Credential) (*Client, *leases, *bytes.Buffer) {
	t.Helper()
	l, log := &leases{held: map[string]bool{}}, new(bytes.Buffer)
	for _, c := range credentials {
		l.set(c, true)
		if a, ok := wire.(*accounts); ok {
			if a.of == nil {
				a.of = map[string]*account{}
			}
			header := bearer(c.Token)
			if c.OAuth != nil {
				header = basic(c.OAuth.ID, c.OAuth.Secret)
			}
			if a.of[header] == nil {
				a.of[header] = &account{limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour)}
			}
		}
	}
	c, err := New(Options{
		BaseURL: "https://api.test", UserAgent: "test", Transport: wire, Credentials: credentials, GraphQL: true,
		FingerprintKey: clusterKey, Usable: l.usable, Log: zerolog.New(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, l, log
}

// isElsewhere checks that a question was put off for some seconds, and says why.
func isElsewhere(t *testing.T, outcome upstream.Outcome, e *upstream.Error) {
	t.Helper()
	if outcome != limited || e == nil || !strings.Contains(e.Message, "another host uses this credential") || time.Until(e.RetryAt) <= 0 || time.Until(e.RetryAt) > 15*time.Second {
		t.Errorf("%s: %v", outcome, e)
	}
}

// TestElsewhereGoesToOthers: what another host uses is set aside, silently, and neither a
// fault nor a limit.
func TestElsewhereGoesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, l, log := host(t, wire, named("a"), named("b"))
		if n := askAll(t, c, 1, 10, AllParts); n != 10 || wire.account("a").asked == 0 {
			t.Fatalf("%d answers, a was asked %d times while this host has both", n, wire.account("a").asked)
		}
		l.set(named("a"), false)
		before := wire.account("a").asked
		if n := askAll(t, c, 4, 10, AllParts); n != 40 || wire.account("a").asked != before {
			t.Errorf("%d answers, a was asked %d times more", n, wire.account("a").asked-before)
		}
		if _, _, e := ask(t, c); e != nil || !c.Sweeps() {
			t.Errorf("GraphQL: %v", e)
		}
		if hold := c.Hold(); hold != (upstream.Hold{}) || c.Fault() != "" {
			t.Errorf("%+v, fault %q", hold, c.Fault())
		}
		if s := c.Credentials(); !s[0].Hold.Elsewhere || s[0].Requests.Known || s[0].Points.Known || !s[1].Requests.Known || s[0].Hold.Fault || s[0].Fault != "" || s[1].Hold.Elsewhere || s[0].Fingerprint != named("a").Fingerprint(clusterKey) {
			t.Errorf("%+v", s)
		}
		if o := c.outlook((*credential).rest); o.perHour != 5000 {
			t.Errorf("the plan counts on %v an hour", o.perHour)
		}

		l.set(named("a"), true)
		askAll(t, c, 1, 20, PartRepository)
		if wire.account("a").asked == before || log.Len() > 0 {
			t.Errorf("it is back: asked %d times; the log: %s", wire.account("a").asked-before, log)
		}
	})
}

// TestAllElsewhere: nothing is sent, with a credential or without, whoever asks.
func TestAllElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, l, log := host(t, wire, named("a"), named("b"))
		l.set(named("a"), false)
		l.set(named("b"), false)
		start := time.Now()
		for i := range 100 { // for more than the turns that there are at once
			ctx := t.Context()
			if i%2 == 0 {
				ctx = upstream.Insist(ctx)
			}
			a := c.Fetch(ctx, Question{Ref: ref, Parts: AllParts})
			isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
			if outcomes(a) != [4]upstream.Outcome{limited, limited, limited, limited} || a.Requests != 0 {
				t.Errorf("%v after %d requests", outcomes(a), a.Requests)
			}
			swept, _ := c.Sweep(t.Context(), []SweepItem{{Ref: ref}})
			isElsewhere(t, swept[0].Outcome, swept[0].Err)
			logs, _ := c.Log(t.Context(), []LogQuestion{{NodeID: "R_1", Head: "0"}})
			isElsewhere(t, logs[0].Outcome, logs[0].Err)
		}
		if hold := c.Hold(); !hold.Elsewhere || hold.Fault || time.Until(hold.Until) <= 0 || c.Fault() != "" || c.Takes(1000) != 0 {
			t.Errorf("%+v, fault %q", hold, c.Fault())
		}
		if len(wire.sent) > 0 || log.Len() > 0 || time.Since(start) > 0 {
			t.Errorf("%d requests after %s; the log: %s", len(wire.sent), time.Since(start), log)
		}
	})
}

// TestElsewhereWithoutGraphQL: where those credentials are elsewhere that GraphQL takes,
// REST is asked with the others.
func TestElsewhereWithoutGraphQL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		app := Credential{Name: "oauth", OAuth: &OAuthApp{ID: "Iv1", Secret: "secret"}}
		c, l, _ := host(t, wire, named("a"), app)
		l.set(named("a"), false)
		swept, _ := c.Sweep(t.Context(), []SweepItem{{Ref: ref}})
		if c.Sweeps() || swept[0].Outcome != failed {
			t.Errorf("%+v", swept)
		}
		if a := one(t, c, nil); a.Repository.Outcome != fresh || wire.account("a").asked != 0 {
			t.Errorf("%+v", a)
		}
	})
}

// TestTakenAwayWhileWaiting: a credential is not used any more that changes hands while a
// request waits for its turn.
func TestTakenAwayWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: 10 * time.Second}
		c, l, _ := host(t, wire, named("a"))
		one(t, c, nil)
		var waiting sync.WaitGroup
		for range 200 { // 80 of which are in flight at once
			waiting.Go(func() {
				if a := one(t, c, nil); a.Repository.Outcome != fresh {
					isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
				}
			})
		}
		time.Sleep(8 * time.Second)
		l.set(named("a"), false)
		taken := time.Now()
		waiting.Wait()
		for _, sent := range wire.sent {
			if sent.After(taken) {
				t.Fatalf("a request was sent %s after another host took the credential", sent.Sub(taken))
			}
		}
		cr := c.credentials[0]
		if l := cr.requests; l.inFlight != 0 || l.queued != 0 || l.promised != 0 || !cr.inFlight.TryAcquire(maxInFlight) {
			t.Errorf("in flight %d, queued %d, promised %d", l.inFlight, l.queued, l.promised)
		}
	})
}

// TestTakenAwayAtTheLastMoment: the first request, which finds out the budget, is withdrawn
// as if there had been none.
func TestTakenAwayAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l *leases
		wire := &accounts{of: map[string]*account{bearer(tokenOf("a")): {limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour)}}}
		c, l, log := host(t, checked{t, wire, &l}, named("a"))
		cr, before := c.credentials[0], 0
		for ours := 1; ours < 100; ours++ { // as often as a question asks for it
			l.asked, l.onAsk = 0, func(asked int) { l.held[named("a").Fingerprint(clusterKey)] = asked <= ours }
			a := one(t, c, nil)
			if a.Requests > 0 {
				break
			}
			isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
			if _, _, e := ask(t, c); e == nil || e.Outcome != limited {
				t.Errorf("GraphQL: %v", e)
			}
			if cr.requests.unlimited(time.Now()) || cr.points.unlimited(time.Now()) {
				t.Fatal("GitHub is believed to have no limits")
			}
			before = ours
		}
		if n := wire.account("a").asked; before < 3 || n != 1 || c.Fault() != "" || log.Len() > 0 {
			t.Errorf("taken away %d times before %d requests were sent; fault %q, the log: %s", before, n, c.Fault(), log)
		}

		c.Plan(1e6) // what is left is spread over the hour
		l.onAsk = nil
		l.set(named("a"), true)
		one(t, c, nil)
		even := cr.requests.pace.even
		l.asked, l.onAsk = 0, func(asked int) { l.held[named("a").Fingerprint(clusterKey)] = asked <= before }
		if a := one(t, c, nil); a.Requests > 0 || !even.After(time.Now().Add(-time.Second)) || !cr.requests.pace.even.Equal(even) {
			t.Errorf("its turn is lost: the next one comes %s later", cr.requests.pace.even.Sub(even))
		}
	})
}

// TestRedirectIsNotFollowed with a credential that changed hands meanwhile.
func TestRedirectIsNotFollowed(t *testing.T) {
	wire := newFake().set("/repos/o/n", refuse(301, "").with("Location", "https://api.test/repositories/7"))
	wire.set("/repositories/7", ok(repoJSON("o/n")))
	c, l, _ := host(t, wire, Credential{Token: canary})
	l.onAsk = func(int) {
		wire.mu.Lock()
		defer wire.mu.Unlock()
		l.held[Credential{Token: canary}.Fingerprint(clusterKey)] = len(wire.asked) == 0
	}
	a := one(t, c, nil)
	isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
	if a.Requests != 1 || len(wire.asked) != 1 {
		t.Errorf("%d requests: %v", a.Requests, wire.asked)
	}
}

// TestAppElsewhere: no token is asked for with an installation that another host uses, and
// none is used that came when it was one already.
func TestAppElsewhere(t *testing.T) {
	appKey()
	app := Credential{Name: "app", Source: "key.pem", App: &AppKey{ID: 7, Installation: 42, Key: appKey()}}
	synctest.Test(t, func(t *testing.T) {
		o := &tokenOffice{accounts: &accounts{of: map[string]*account{}}, latency: time.Second}
		var l *leases
		c, l, log := host(t, checked{t, o, &l}, app)
		asked := func() (n int) {
			for _, a := range o.of {
				n += a.asked
			}
			return n
		}
		start, fingerprint := time.Now(), app.Fingerprint(clusterKey)
		l.onAsk = func(int) { l.held[fingerprint] = time.Since(start) < time.Second }
		a := one(t, c, nil)
		isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
		if o.given != 1 || asked() != 0 {
			t.Errorf("%d tokens, %d requests", o.given, asked())
		}

		time.Sleep(59*time.Minute + 30*time.Second) // the token is about to expire
		for ours := 1; ours < 100; ours++ {
			l.asked, l.onAsk = 0, func(asked int) { l.held[fingerprint] = asked <= ours }
			a := one(t, c, nil)
			if o.given > 1 {
				break
			}
			isElsewhere(t, a.Repository.Outcome, a.Repository.Err)
		}
		if asked() != 0 || c.credentials[0].gate.Fault() != "" || !c.credentials[0].gate.Hold().Until.IsZero() || log.Len() > 0 {
			t.Errorf("%d requests, hold %+v; the log: %s", asked(), c.credentials[0].gate.Hold(), log)
		}
		l.onAsk = nil
		l.set(app, true)
		if a := one(t, c, nil); a.Repository.Outcome != fresh {
			t.Error(a.Repository.Err)
		}
	})
}

// TestFaultElsewhere: a fault that this host has seen is not shown while another host uses
// the credential, and is not handed on.
func TestFaultElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, l, _ := host(t, wire, named("a"))
		refusal := refuse(401, `{"message":"Bad credentials"}`)
		wire.account("a").refuse = &refusal
		one(t, c, nil)
		if s := c.Credentials()[0]; s.Fault == "" || !s.Hold.Fault {
			t.Fatalf("%+v", s)
		}
		if a := c.Allowance(named("a").Fingerprint(clusterKey)); a != (Allowance{}) {
			t.Errorf("handed on: %+v", a)
		}
		l.set(named("a"), false)
		if s := c.Credentials()[0]; s.Fault != "" || s.Hold.Fault || !s.Hold.Elsewhere || !c.Hold().Elsewhere {
			t.Errorf("%+v", s)
		}
	})
}

// TestSignaturesOfSeveralHosts: what a host stores of its credential says nothing wrong to
// another one, where a name may stand for another credential.
func TestSignaturesOfSeveralHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		first, _, _ := host(t, wire, Credential{Name: "x", Token: tokenOf("a")})
		second, _, _ := host(t, wire, Credential{Name: "x", Token: tokenOf("b")}, Credential{Name: "y", Token: tokenOf("a")})
		known := one(t, first, nil).Validators
		if known["credential"] != named("a").Fingerprint(clusterKey) {
			t.Fatalf("%v", known)
		}
		for range 5 {
			if a := one(t, second, known); a.Repository.Outcome != unchanged || a.Charged != 0 {
				t.Fatalf("%+v", a)
			}
		}
	})
}

// TestAnonymousNeedsNoLease: its limits are those of the host's address.
func TestAnonymousNeedsNoLease(t *testing.T) {
	c, l, _ := host(t, newFake())
	if a := one(t, c, nil); a.Repository.Outcome != fresh || l.asked > 0 {
		t.Errorf("%+v, asked for %d leases", a, l.asked)
	}
	c.Learn("", Allowance{Requests: Left{60, 0, time.Now().Unix() + 60, 60}}, 0)
	if a := one(t, c, nil); a.Repository.Outcome != fresh || c.Allowance("") != (Allowance{}) {
		t.Errorf("%+v", a)
	}
}

func TestFingerprint(t *testing.T) {
	key := func(id, installation int64) Credential {
		return Credential{App: &AppKey{ID: id, Installation: installation, Key: []byte("PEM")}}
	}
	oauth := func(id, secret string) Credential { return Credential{OAuth: &OAuthApp{id, secret}} }
	all := []Credential{named("a"), named("b"), key(1, 23), key(12, 3), oauth("Iv1", "s"), oauth("Iv2", "s"), {Token: "1/23"}, {Token: "Iv1"}}
	seen := map[string]int{}
	for i, c := range all {
		f := c.Fingerprint(clusterKey)
		if other, twice := seen[f]; twice || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(f) || f == c.Fingerprint([]byte("another key")) {
			t.Errorf("#%d: %q, like #%d", i, f, other)
		}
		seen[f] = i
	}
	for name, same := range map[string][2]Credential{
		"a token under another name":  {named("a"), {Name: "other", Source: "elsewhere", Token: tokenOf("a")}},
		"an app with another key":     {key(1, 23), {App: &AppKey{ID: 1, Installation: 23, Key: []byte("other")}}},
		"an OAuth app's other secret": {oauth("Iv1", "s"), oauth("Iv1", "other")},
	} {
		if same[0].Fingerprint(clusterKey) != same[1].Fingerprint(clusterKey) {
			t.Errorf("%s has another fingerprint", name)
		}
	}
	if f := (Credential{}).Fingerprint(clusterKey); f != "" {
		t.Errorf("an anonymous one has %q", f)
	}
	if _, err := New(Options{BaseURL: "https://api.test", Token: canary, Usable: func(string) bool { return true }}); err == nil {
		t.Error("fingerprints without a key")
	}
}

// TestAllowance: a host goes on where another one left off, by whatever clock.
func TestAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		first, _, _ := host(t, wire, named("a"), named("b"))
		fingerprint := named("a").Fingerprint(clusterKey)
		if a := first.Allowance(fingerprint); a != (Allowance{}) {
			t.Fatalf("known before the first answer: %+v", a)
		}
		wire.account("a").remaining = 1000
		askAll(t, first, 1, 10, PartRepository)
		if _, _, e := ask(t, first); e != nil {
			t.Fatal(e)
		}
		first.credentials[0].gate.Inform(time.Now().Add(90*time.Second), "GitHub's secondary rate limit was exceeded")

		stored, err := json.Marshal(first.Allowance(fingerprint))
		if err != nil || strings.Contains(string(stored), "ghp_") || len(stored) > 400 {
			t.Fatalf("%s, %v", stored, err)
		}
		var told Allowance
		if err := json.Unmarshal(stored, &told); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		second, _, _ := host(t, wire, named("a"))
		second.Learn(fingerprint, told, 30*time.Second)
		mine, other := first.Credentials()[0], second.Credentials()[0]
		if other.Requests != mine.Requests || other.Points != mine.Points || !mine.Requests.Known || !mine.Points.Known {
			t.Errorf("one knows %+v, the other %+v", mine, other)
		}
		if hold := second.Hold(); time.Until(hold.Until) != time.Minute || !strings.Contains(hold.Reason, "secondary") || hold.Fault || hold.Elsewhere {
			t.Errorf("%+v", hold)
		}
		if a := second.Allowance(fingerprint); a.Requests.Reset != told.Requests.Reset || a.Requests.ResetSeconds != told.Requests.ResetSeconds-30 || a.HeldSeconds != 60 {
			t.Errorf("told on: %+v after %+v", a, told)
		}
		if first.Allowance("another") != (Allowance{}) {
			t.Error("of a credential that is not there")
		}
		first.Learn("another", told, 0)
	})
}

// TestLearn: the later window counts, and within one the lower number.
func TestLearn(t *testing.T) {
	const reset = 2_000_000_000 // by GitHub's clock, which is not ours
	left := func(remaining int, reset int64, in int) Left { return Left{5000, remaining, reset, in} }
	for name, test := range map[string]struct {
		known, told   Left
		age           time.Duration
		remaining, in int
	}{
		"nothing is known":         {told: left(7, reset, 600), remaining: 7, in: 600},
		"a moment ago":             {told: left(7, reset, 600), age: time.Minute, remaining: 7, in: 540},
		"in the future":            {told: left(7, reset, 600), age: -time.Minute, remaining: 7, in: 600},
		"too long ago":             {told: left(7, reset, 600), age: 10 * time.Minute},
		"absurdly far off":         {told: left(7, reset, 1e6), remaining: 7, in: 3600},
		"less in the same window":  {known: left(9, reset, 600), told: left(7, reset+1, 600), remaining: 7, in: 600},
		"more in the same window":  {known: left(7, reset, 600), told: left(9, reset, 600), remaining: 7, in: 600},
		"a later window":           {known: left(7, reset, 60), told: left(4900, reset+3600, 3600), remaining: 4900, in: 3600},
		"a later one, long ago":    {known: left(7, reset, 60), told: left(4900, reset+3600, 60), age: time.Hour, remaining: 7, in: 60},
		"an earlier window":        {known: left(4900, reset+3600, 3600), told: left(7, reset, 60), remaining: 4900, in: 3600},
		"nothing":                  {known: left(7, reset, 60), remaining: 7, in: 60},
		"nonsense":                 {known: left(7, reset, 60), told: Left{-1, -1, reset + 3600, 3600}, remaining: 7, in: 60},
		"more than any number":     {known: left(7, reset, 60), told: left(1, 1<<62, 3600), remaining: 7, in: 60},
		"without the window's end": {told: Left{Limit: 5000, Remaining: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, _ := host(t, &accounts{}, named("a"))
				fingerprint := named("a").Fingerprint(clusterKey)
				c.Learn(fingerprint, Allowance{Requests: test.known, Points: test.known}, 0)
				c.Learn(fingerprint, Allowance{Requests: test.told, Points: test.told}, test.age)
				s := c.Credentials()[0]
				want := Budget{}
				if test.in > 0 {
					want = Budget{Limit: 5000, Remaining: test.remaining, Reset: time.Now().Add(time.Duration(test.in) * time.Second), Known: true}
				}
				if s.Requests != want || s.Points != want || !c.credentials[0].gate.Hold().Until.IsZero() {
					t.Errorf("%+v, %+v; want %+v", s.Requests, s.Points, want)
				}
			})
		})
	}
}

// TestInFlightIsNotHandedOn: who is told may not spend it once more.
func TestInFlightIsNotHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: time.Second}
		c, _, _ := host(t, wire, named("a"))
		one(t, c, nil)
		done := make(chan int)
		go func() { done <- askAll(t, c, 10, 1, PartRepository) }()
		synctest.Wait()
		if a := c.Allowance(named("a").Fingerprint(clusterKey)); a.Requests.Remaining != 4989 {
			t.Errorf("%+v", a)
		}
		<-done
	})
}

// TestHandOver: three hosts with one credential, which changes hands. No request of one
// comes beside those of another, and none is sent to find out that nothing is left.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, world, _ := simulated(t, sim.Options{Latency: 100 * time.Millisecond}, 1) // which checks for violations
		world.SetCredential(tokenOf("a"), sim.Credential{Limit: 500})
		fingerprint := named("a").Fingerprint(clusterKey)
		names := []string{"a", "b", "c"}
		clients, held := map[string]*Client{}, map[string]*leases{}
		over := time.Now().Add(2 * time.Minute)
		var workers sync.WaitGroup
		for _, name := range names {
			l := &leases{held: map[string]bool{}}
			client, err := New(Options{
				BaseURL: "http://sim/", UserAgent: upstream.UserAgent("test", "test@example.org", name), Transport: world.Transport(), Reserve: 50,
				Credentials: []Credential{named("a")}, FingerprintKey: clusterKey, Usable: l.usable,
			})
			if err != nil {
				t.Fatal(err)
			}
			clients[name], held[name] = client, l
			for range 4 {
				workers.Go(func() {
					for time.Now().Before(over) {
						a := client.Fetch(t.Context(), Question{Ref: Ref{"o", "r0"}, Parts: AllParts})
						if e := a.Repository.Err; e != nil && e.Outcome != limited {
							t.Error(e)
							return
						}
						time.Sleep(100 * time.Millisecond)
					}
				})
			}
		}
		var told Allowance
		for _, name := range []string{"a", "b", "a", "b", "c"} {
			clients[name].Learn(fingerprint, told, 6*time.Second)
			held[name].set(named("a"), true)
			time.Sleep(14 * time.Second)
			held[name].set(named("a"), false)
			told = clients[name].Allowance(fingerprint)
			time.Sleep(6 * time.Second) // as long as a lease that is not renewed goes on
		}
		workers.Wait()
		s := world.Credential(tokenOf("a"))
		if s.Charged != 450 || s.OverBudget > 0 || s.Hosts["a"] < 100 || s.Hosts["b"] < 100 || s.Hosts["c"] > 0 || told.Requests.Remaining != 50 {
			t.Errorf("%+v; the last one knows %+v", s, told)
		}
	})
}
