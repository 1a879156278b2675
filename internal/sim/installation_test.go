package sim

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// jwt is a JSON Web Token of an app, valid from one moment to another.
func jwt(issued, expires time.Time) string {
	claims := fmt.Sprintf(`{"iss":"4711","iat":%d,"exp":%d}`, issued.Unix(), expires.Unix())
	return "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl"
}

func TestInstallationTokens(t *testing.T) {
	clock := noon()
	w, r, _ := small(t, Options{Now: func() time.Time { return clock }})
	w.SetInstallation(7, Credential{Limit: 6000})
	mint := func(id int, auth string) (status int, token string, expires time.Time) {
		req := httptest.NewRequest("POST", fmt.Sprintf("http://sim/app/installations/%d/access_tokens", id), strings.NewReader("{}"))
		req.Header.Set("Authorization", auth)
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, req)
		a := reply{200, rec.Header(), rec.Body.String()}
		got := decode[struct {
			Token   string
			Expires time.Time `json:"expires_at"`
		}](t, a)
		return rec.Code, got.Token, got.Expires
	}
	good := jwt(clock, clock.Add(10*time.Minute))
	for _, tt := range []struct {
		id   int
		auth string
		want int
	}{
		{8, good, 404}, {7, "", 401}, {7, "Bearer x", 401}, {7, "Bearer a.b.c", 401}, {7, jwt(clock.Add(-time.Hour), clock), 401},
		{7, jwt(clock, clock.Add(time.Hour)), 401}, {7, jwt(clock.Add(5*time.Minute), clock.Add(10*time.Minute)), 401},
	} {
		if got, _, _ := mint(tt.id, tt.auth); got != tt.want {
			t.Errorf("%d, %q: %d, want %d", tt.id, tt.auth, got, tt.want)
		}
	}
	status, first, expires := mint(7, good)
	if status != 201 || !expires.Equal(clock.Add(time.Hour)) || !strings.HasPrefix(first, "ghs_4711_") || len(first) < 500 || strings.Count(first, ".") != 2 {
		t.Fatalf("%d %q until %v", status, first, expires)
	}
	_, second, _ := mint(7, good)
	if a := ask(t, w, "/repos/otter/kettle", "Authorization", "token "+first); a.status != 200 || a.header.Get("X-RateLimit-Limit") != "6000" {
		t.Error(a.status, a.header)
	}
	if a := ask(t, w, "/repos/otter/kettle", "Authorization", "token "+second); first == second || a.header.Get("X-RateLimit-Used") != "2" {
		t.Error("two tokens of one installation:", a.header)
	}
	graphql(t, w, sweep, map[string]any{"ids": []string{r.NodeID}}, "Authorization", "Bearer "+first).fine(t)
	clock = clock.Add(time.Hour)
	if a := ask(t, w, "/repos/otter/kettle", "Authorization", "token "+first); a.status != 401 {
		t.Error("expired:", a.status)
	}
	w.SetInstallation(7, Credential{Blocked: true})
	if got, _, _ := mint(7, jwt(clock, clock.Add(time.Minute))); got != 403 {
		t.Error("suspended:", got)
	}
}

func TestRateLimitIsFree(t *testing.T) {
	w, _, _ := small(t, Options{Limit: 1})
	asGitHub(t, w, "/repos/otter/kettle")
	type state struct{ Limit, Remaining, Used int }
	for range 3 {
		got := decode[struct {
			Resources struct{ Core, GraphQL state }
		}](t, asGitHub(t, w, "/rate_limit"))
		if got.Resources.Core != (state{1, 0, 1}) || got.Resources.GraphQL != (state{5000, 5000, 0}) {
			t.Errorf("%+v", got)
		}
	}
	if c := w.Credential("one"); c.OverBudget != 0 || c.Charged != 1 {
		t.Errorf("%+v", c)
	}
}
