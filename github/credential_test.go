package github

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

// one asks about the repository alone.
func one(t *testing.T, c *Client, known Validators) Answer {
	t.Helper()
	return c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository, Known: known})
}

// TestMostLeftPerSecondComesFirst: not the largest budget, but the one of which most
// would be lost.
func TestMostLeftPerSecondComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{of: map[string]*account{
			bearer(tokenOf("a")): {limit: 5000, remaining: 4000, reset: time.Now().Add(time.Hour)},
			bearer(tokenOf("b")): {limit: 1000, remaining: 900, reset: time.Now().Add(5 * time.Minute)},
		}}
		c, _ := several(t, wire, "a", "b")
		for range 2 { // each is unknown at first, and then a full one is better than this
			one(t, c, nil)
		}
		if wire.account("a").asked != 1 || wire.account("b").asked != 1 {
			t.Fatalf("a was asked %d times, b %d", wire.account("a").asked, wire.account("b").asked)
		}
		for range 25 {
			one(t, c, nil)
		}
		if n := wire.account("a").asked; n != 1 {
			t.Errorf("a was asked %d times, with less to lose", n)
		}
		time.Sleep(5 * time.Minute) // 1,000 an hour are less than 4,000 in the rest of it
		for range 25 {
			one(t, c, nil)
		}
		if n := wire.account("a").asked; n < 20 {
			t.Errorf("a was asked %d times, and it had more left", n)
		}
	})
}

// TestValidatorsStayWithTheirCredential as long as that may be asked.
func TestValidatorsStayWithTheirCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, _ := several(t, wire, "a", "b")
		first := one(t, c, nil)
		known := first.Validators
		if known["credential"] != "a" || known["repository"] == "" || first.Charged != 1 {
			t.Fatalf("%+v", first)
		}
		wire.account("a").remaining = 10
		for range 20 {
			if a := one(t, c, known); a.Repository.Outcome != unchanged || a.Charged != 0 || !maps.Equal(a.Validators, known) {
				t.Fatalf("%+v", a)
			}
		}
		wire.account("a").remaining = 0
		one(t, c, known)
		a := one(t, c, known)
		if a.Repository.Outcome != fresh || a.Validators["credential"] != "b" || a.Validators["repository"] == known["repository"] {
			t.Errorf("with nothing left: %+v", a)
		}
		if a := one(t, c, a.Validators); a.Repository.Outcome != unchanged {
			t.Errorf("the other one's: %+v", a)
		}
	})
	c := newClient(t, newFake())
	if a := one(t, c, Validators{"credential": "gone", "repository": `"old"`}); a.Validators["credential"] != "" || a.Repository.Outcome != fresh {
		t.Errorf("a single one signs its validators: %v", a.Validators)
	}
}

// TestRefusedCredentialIsSetAside: the others go on in the middle of a question, the log
// tells of it once, and it is tried again.
func TestRefusedCredentialIsSetAside(t *testing.T) {
	for name, refusal := range map[string]reply{
		"revoked":          refuse(401, `{"message":"Bad credentials `+tokenOf("a")+`"}`),
		"suspended":        refuse(403, `{"message":"Sorry. Your account was suspended."}`),
		"app is suspended": refuse(403, `{"message":"This installation has been suspended"}`).with("X-RateLimit-Remaining", "0"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &accounts{}
				c, log := several(t, wire, "a", "b")
				wire.account("a").refuse = &refusal
				for range 7 {
					if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts}); outcomes(a) != [4]upstream.Outcome{fresh, fresh, fresh, fresh} {
						t.Fatalf("%v: %v", outcomes(a), a.Repository.Err)
					}
				}
				if n := wire.account("a").asked; n != 1 || c.Fault() != "" || !c.Hold().Until.IsZero() {
					t.Errorf("asked %d times; fault %q, hold %+v", n, c.Fault(), c.Hold())
				}
				if s := c.Credentials(); !strings.Contains(s[0].Fault, "check file a") || time.Until(s[0].Hold.Until) != 5*time.Minute || s[1].Fault != "" {
					t.Errorf("%+v", s)
				}
				time.Sleep(5 * time.Minute)
				askAll(t, c, 1, 20, PartRepository)
				if n := wire.account("a").asked; n != 2 {
					t.Errorf("asked %d times after five minutes", n)
				}
				if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"error","credential":"a"`) || strings.Contains(text, tokenOf("a")) {
					t.Errorf("the log: %s", text)
				}
				wire.account("a").refuse = nil
				time.Sleep(5 * time.Minute)
				askAll(t, c, 1, 20, PartRepository)
				if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"level":"info","credential":"a"`) || c.Credentials()[0].Fault != "" {
					t.Errorf("it is taken again: %s, %+v", text, c.Credentials()[0])
				}
			})
		})
	}
}

// TestOnlyCredentialIsRefused: the log of that is the caller's, who sees it in the outcome.
func TestOnlyCredentialIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, log := several(t, wire, "a")
		no := refuse(401, "")
		wire.account("a").refuse = &no
		if a := one(t, c, nil); a.Repository.Outcome != limited || c.Fault() == "" {
			t.Errorf("%+v, fault %q", a, c.Fault())
		}
		wire.account("a").refuse = nil
		time.Sleep(5 * time.Minute)
		if a := one(t, c, nil); a.Repository.Outcome != fresh || c.Fault() != "" || log.Len() > 0 {
			t.Errorf("%+v, fault %q, the log: %s", a, c.Fault(), log)
		}
	})
}

// TestAllSetAside: then nothing is asked, until the first may be tried again.
func TestAllSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, _ := several(t, wire, "a", "b")
		no := refuse(401, "")
		wire.account("a").refuse = &no
		one(t, c, nil)
		time.Sleep(time.Minute)
		wire.account("b").refuse = &no
		if a := one(t, c, nil); a.Repository.Outcome != limited || a.Requests != 1 {
			t.Fatalf("%+v", a)
		}
		hold := c.Hold()
		if time.Until(hold.Until) != 4*time.Minute || !strings.Contains(hold.Reason, "credential a: ") || c.Fault() == "" {
			t.Errorf("%+v, fault %q", hold, c.Fault())
		}
		if a := one(t, c, nil); a.Repository.Outcome != limited || a.Requests != 0 || !a.Repository.Err.RetryAt.Equal(hold.Until) {
			t.Errorf("%+v", a)
		}
		c.Lift()
		wire.account("a").refuse, wire.account("b").refuse = nil, nil
		if a := one(t, c, nil); a.Repository.Outcome != fresh || c.Fault() != "" {
			t.Errorf("lifted: %+v", a)
		}
	})
}

func TestKindsOfCredentials(t *testing.T) {
	wire := &accounts{of: map[string]*account{
		basic("Iv1.abc", "hush"): {limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour), expires: "2030-01-01 00:00:00 UTC"},
		bearer("ghs_actions"):    {limit: 1000, remaining: 900, reset: time.Now().Add(time.Hour), expires: "2030-01-02 03:04:05 +0200"},
	}}
	ask := func(cr Credential, want CredentialState) {
		t.Helper()
		c, err := New(Options{BaseURL: "https://api.test", Transport: wire, Credentials: []Credential{cr}})
		if err != nil {
			t.Fatal(err)
		}
		if a := one(t, c, nil); a.Repository.Outcome != fresh {
			t.Fatal(a.Repository.Err)
		}
		got := c.Credentials()[0]
		got.Requests.Reset = time.Time{}
		if d := cmp.Diff(want, got); d != "" {
			t.Error("-want +got\n", d)
		}
	}
	ask(Credential{Name: "public", OAuth: &OAuthApp{"Iv1.abc", "hush"}}, CredentialState{Name: "public", Kind: KindOAuth, Requests: Budget{Limit: 5000, Remaining: 4999, Known: true}})
	ask(Credential{Token: "ghs_actions"}, CredentialState{
		Name: "default", Kind: KindToken, Requests: Budget{Limit: 1000, Remaining: 899, Known: true}, Expires: time.Date(2030, 1, 2, 1, 4, 5, 0, time.UTC),
	})

	for want, o := range map[string]Options{
		"two GitHub credentials are named a":                      {Credentials: []Credential{{Name: "a", Token: "x"}, {Name: "a", Token: "y"}}},
		"credential b has no token":                               {Token: "x", Credentials: []Credential{{Name: "b"}}},
		"token c holds white space":                               {Credentials: []Credential{{Name: "c", Token: "x y"}}},
		"the private key of the GitHub App cannot be used":        {Credentials: []Credential{{Name: "d", App: &AppKey{1, 2, []byte("no key")}}}},
		"reserve of GitHub requests must not be negative":         {Reserve: -1},
		"a base URL must not carry user information; give the to": {BaseURL: "https://a:b@api.test"},
	} {
		if o.BaseURL == "" {
			o.BaseURL = "https://api.test"
		}
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// TestQueriesGoOn with another credential, and each has one of its own under way.
func TestQueriesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: time.Second, of: map[string]*account{basic("id", "s"): {}}}
		_, _ = several(t, wire, "a", "b", "c")
		c, err := New(Options{BaseURL: "https://api.test", Transport: wire, Credentials: []Credential{
			{Name: "public", OAuth: &OAuthApp{"id", "s"}}, {Name: "a", Token: tokenOf("a")}, {Name: "b", Token: tokenOf("b")}, {Name: "c", Token: tokenOf("c")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		no := refuse(403, `{"message":"Resource not accessible by personal access token"}`)
		wire.account("b").refuse = &no
		failures := make(chan *upstream.Error, 12)
		start := time.Now()
		for range cap(failures) {
			go func() {
				_, _, e := ask(t, c)
				failures <- e
			}()
			synctest.Wait() // so that each sees who waits already
		}
		for range cap(failures) {
			if e := <-failures; e != nil {
				t.Error(e)
			}
		}
		a, b := wire.account("a"), wire.account("c")
		if a.most != 1 || b.most != 1 || a.asked+b.asked != 12 || wire.of[basic("id", "s")].asked != 0 || time.Since(start) > 9*time.Second {
			t.Errorf("a %+v, c %+v, took %v", a, b, time.Since(start))
		}
		if wire.account("b").asked > 4 {
			t.Errorf("what GraphQL is not for was asked %d times", wire.account("b").asked)
		}
	})
}

// TestExpiryIsLogged once, when it is near.
func TestExpiryIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, log := several(t, wire, "a")
		wire.account("a").expires = time.Now().Add(8 * 24 * time.Hour).UTC().Format("2006-01-02 15:04:05 MST")
		for range 4 {
			one(t, c, nil)
			if soon := strings.Count(log.String(), "expires soon"); soon != 0 && time.Until(c.Credentials()[0].Expires) > 7*24*time.Hour {
				t.Errorf("too early: %s", log)
			}
			time.Sleep(20 * time.Hour)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"warn","credential":"a"`) || !strings.Contains(text, "file a") {
			t.Errorf("the log: %s", text)
		}
	})
}
