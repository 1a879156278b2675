package daemon

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/github"
	"pkgmetad/internal/config"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// TestAnotherHostAsks: status and metrics say of what another host uses that it does, and
// nothing else: neither a hold nor a fault, nor budgets that have changed since.
func TestAnotherHostAsks(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	x.passed(d, 1)

	never := func() bool { return false }
	o := d.refresher.pypiOptions(x.cfg)
	o.Usable = never
	py, err := pypi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	gh, err := github.New(github.Options{
		BaseURL: x.cfg.GitHub.BaseURL, Credentials: credentials(x.cfg.GitHub), FingerprintKey: []byte("key"), Usable: func(string) bool { return never() },
	})
	if err != nil {
		t.Fatal(err)
	}
	all := gh.Credentials()
	gh.Learn(all[0].Fingerprint, github.Allowance{Requests: github.Left{Limit: 5000, Remaining: 7, Reset: time.Now().Unix() + 60, ResetSeconds: 60}}, 0)
	next := *d.refresher.settings.Load()
	next.github, next.pypi = gh, py
	d.refresher.settings.Store(&next)

	x.until(d, "/status/", func(body map[string]any) bool {
		told := 0
		for _, b := range body["budgets"].([]any) {
			b := b.(map[string]any)
			if b["elsewhere"] == true && b["held_until"] == nil && b["reason"] == nil && b["fault"] == nil && b["known"] == false {
				told++
			}
		}
		return told == 2
	})
	text := x.scrape(d)
	for series, want := range map[string]float64{
		`pkgmetad_credential_hold{credential="default",upstream="github"}`:           0,
		`pkgmetad_credential_fault{credential="default",upstream="github"}`:          0,
		`pkgmetad_budget_remaining_requests{credential="default",upstream="github"}`: -1,
		`pkgmetad_upstream_hold{upstream="github"}`:                                  0,
		`pkgmetad_upstream_hold{upstream="pypi"}`:                                    0,
		`pkgmetad_upstream_hold_until_timestamp_seconds{upstream="pypi"}`:            0,
		`pkgmetad_upstream_fault{upstream="pypi"}`:                                   0,
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %v, not %v", series, got, want)
		}
	}
	x.stop(d, ended)
}

// TestInheritedBudgetAges: what a host left of a credential's budget holds until the budget's
// reset, which may be over when the next host begins to use it.
func TestInheritedBudgetAges(t *testing.T) {
	left, err := json.Marshal(github.Allowance{Requests: github.Left{Limit: 5000, Remaining: 0, Reset: time.Now().Unix() + 60, ResetSeconds: 60}})
	if err != nil {
		t.Fatal(err)
	}
	for age, known := range map[time.Duration]bool{time.Second: true, 2 * time.Minute: false} {
		gh, err := github.New(github.Options{
			BaseURL: "https://api.github.com/", Credentials: []github.Credential{{Name: "default", Token: "canary"}}, FingerprintKey: []byte("key"), Usable: func(string) bool { return true },
		})
		if err != nil {
			t.Fatal(err)
		}
		l := leases{clients: func() *settings { return &settings{github: gh} }}
		l.inherit(gh.Credentials()[0].Fingerprint, left, age)
		if c := gh.Credentials()[0]; c.Requests.Known != known || known == c.Hold.Until.IsZero() {
			t.Errorf("after %s: %+v", age, c)
		}
	}
}

// TestRequestsEndWithTheLease: what is in flight when a right is lost ends, as no failure of who
// was asked.
func TestRequestsEndWithTheLease(t *testing.T) {
	l := newLeases(config.Default(), zerolog.Nop(), nil)
	asked := make(chan struct{})
	stalls := leased{roundTripper(func(r *http.Request) (*http.Response, error) {
		close(asked)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}), l}
	go func() { <-asked; l.lost() }()
	_, err := stalls.RoundTrip(httptest.NewRequest(http.MethodGet, "http://upstream.example/", nil))
	var limited *upstream.Error
	if !errors.As(err, &limited) || limited.Outcome != upstream.Limited || limited.RetryAt.Before(time.Now()) {
		t.Errorf("it ended with %v", err)
	}
	next := leased{roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, r.Context().Err()
	}), l}
	resp, err := next.RoundTrip(httptest.NewRequest(http.MethodGet, "http://upstream.example/", nil))
	if err != nil {
		t.Fatalf("with the right again: %v", err)
	}
	_ = resp.Body.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
