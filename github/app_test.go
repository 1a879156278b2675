package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

var appKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

// tokenOffice gives an installation its tokens, one an hour, and takes only the newest.
type tokenOffice struct {
	*accounts
	latency time.Duration

	mu    sync.Mutex
	given int
	reply *reply // instead of a token
}

const installed = "/app/installations/42/access_tokens"

func (o *tokenOffice) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != installed {
		return o.accounts.RoundTrip(req)
	}
	if err := upstream.Sleep(req.Context(), o.latency); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	jwt := req.Header.Get("Authorization")
	if req.Method != "POST" || !strings.HasPrefix(jwt, "Bearer eyJ") || req.Header.Get("User-Agent") != "test" {
		return answerTo(req, refuse(400, "")), nil
	}
	if o.reply != nil {
		return answerTo(req, o.reply.but(strings.ReplaceAll(o.reply.body, "$JWT", strings.TrimPrefix(jwt, "Bearer ")))), nil
	}
	o.given++
	token := fmt.Sprintf("ghs_1234_%d.%s", o.given, strings.Repeat("x", 500))
	o.accounts.mu.Lock()
	defer o.accounts.mu.Unlock()
	for old := range o.of {
		if strings.HasPrefix(old, "Bearer ghs_") {
			delete(o.of, old)
		}
	}
	o.of[bearer(token)] = &account{limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour)}
	return answerTo(req, refuse(201, fmt.Sprintf(`{"token":%q,"expires_at":%q,"permissions":7}`, token, time.Now().Add(time.Hour).Format(time.RFC3339)))), nil
}

func newApp(t *testing.T, o *tokenOffice, others ...Credential) *Client {
	t.Helper()
	if o.accounts == nil {
		o.accounts = &accounts{of: map[string]*account{}}
	}
	app := Credential{Name: "app", Source: "key.pem", App: &AppKey{ID: 7, Installation: 42, Key: appKey()}}
	c, err := New(Options{BaseURL: "https://api.test", UserAgent: "test", Transport: o, Credentials: append([]Credential{app}, others...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestApp: a token serves all requests of its hour, and is renewed before that ends.
func TestApp(t *testing.T) {
	appKey()
	synctest.Test(t, func(t *testing.T) {
		o := &tokenOffice{latency: time.Second}
		c := newApp(t, o)
		if n := askAll(t, c, 4, 5, PartRepository); n != 20 || o.given != 1 {
			t.Fatalf("%d answers with %d tokens", n, o.given)
		}
		for range 30 {
			time.Sleep(10 * time.Minute)
			if a := one(t, c, nil); a.Repository.Outcome != fresh || a.Requests != 1 {
				t.Fatal(a.Repository.Err)
			}
		}
		if s := c.Credentials()[0]; o.given != 6 || s.Kind != KindApp || !s.Expires.IsZero() {
			t.Errorf("%d tokens in five hours; %+v", o.given, s)
		}
		if _, _, e := ask(t, c); e != nil {
			t.Errorf("GraphQL: %v", e)
		}
	})
}

// TestSlowTokenHoldsUpNobodyElse: neither another credential, nor who gives up.
func TestSlowTokenHoldsUpNobodyElse(t *testing.T) {
	appKey()
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		_, _ = several(t, wire, "b")
		c := newApp(t, &tokenOffice{accounts: wire, latency: 20 * time.Second}, Credential{Name: "b", Token: tokenOf("b")})
		one(t, c, Validators{"credential": "app"})
		time.Sleep(59*time.Minute + 30*time.Second) // the budget is still known, and the token about to expire
		start := time.Now()
		var wg sync.WaitGroup
		for range 2 { // one asks for the token, one waits for it
			wg.Go(func() {
				if a := one(t, c, Validators{"credential": "app"}); a.Repository.Outcome != fresh || time.Since(start) != 20*time.Second {
					t.Errorf("%+v after %v", a.Repository, time.Since(start))
				}
			})
		}
		synctest.Wait()
		if a := one(t, c, Validators{"credential": "b"}); a.Repository.Outcome != fresh || time.Since(start) != 0 {
			t.Errorf("%+v after %v", a.Repository, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := c.Fetch(ctx, Question{Ref: ref, Parts: PartRepository, Known: Validators{"credential": "app"}})
		if a.Repository.Outcome != upstream.Canceled || time.Since(start) != time.Second {
			t.Errorf("given up: %+v after %v", a.Repository, time.Since(start))
		}
		wg.Wait()
	})
}

// TestNoToken: whatever GitHub says instead of giving a token, the question fails or waits,
// and says why, without the secret.
func TestNoToken(t *testing.T) {
	appKey()
	for _, tt := range []struct {
		name  string
		reply reply
		want  upstream.Outcome
		text  string
		hold  time.Duration
		fault bool
	}{
		{"bad key", refuse(401, `{"message":"A JSON web token could not be decoded: $JWT"}`), limited, "could not be decoded: ***; check key.pem", 5 * time.Minute, true},
		{"no installation", refuse(404, `{"message":"Not Found"}`), limited, "refused the app's installation: Not Found", 5 * time.Minute, true},
		{"suspended", refuse(403, `{"message":"This installation has been suspended"}`), limited, "has been suspended", 5 * time.Minute, true},
		{"limit", refuse(403, `{"message":"You have exceeded a secondary rate limit"}`).with("Retry-After", "60"), limited, "for a limit", time.Minute, false},
		{"down", refuse(502, "<html>"), failed, "gave the app no token: a web page", 0, false},
		{"moved", moved(301, "https://elsewhere.test/"), failed, "gave the app no token", 0, false},
		{"null", refuse(201, "null"), failed, "broken answer", 0, false},
		{"no member", refuse(201, "{}"), failed, "broken answer", 0, false},
		{"no time", refuse(201, `{"token":"x"}`), failed, "broken answer", 0, false},
		{"wrong type", refuse(201, `{"token":7,"expires_at":[]}`), failed, "broken answer", 0, false},
		{"cut", reply{status: 201, body: `{"token":`, cut: errors.New("cut")}, failed, "cut", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &tokenOffice{reply: &tt.reply}
				c := newApp(t, o)
				a := one(t, c, nil)
				e := a.Repository.Err
				if e == nil || e.Outcome != tt.want || !strings.Contains(e.Error(), tt.text) || strings.Contains(e.Error(), "eyJ") || a.Charged != 0 {
					t.Fatalf("%v, %d charged; want %s, %s", e, a.Charged, tt.want, tt.text)
				}
				hold := c.Hold().Until
				if tt.hold == 0 != hold.IsZero() || tt.hold > 0 && time.Until(hold) != tt.hold || (c.Fault() != "") != tt.fault {
					t.Errorf("hold %+v, fault %q", c.Hold(), c.Fault())
				}
				o.reply = nil
				time.Sleep(tt.hold)
				if a := one(t, c, nil); a.Repository.Outcome != fresh || c.Fault() != "" {
					t.Errorf("afterwards: %v, fault %q", a.Repository.Err, c.Fault())
				}
			})
		})
	}
}
