package daemon

import (
	"testing"
	"time"

	"pkgmetad/github"
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
