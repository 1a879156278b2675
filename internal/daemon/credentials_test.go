package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/config"
	"pkgmetad/internal/sim"
)

// TestSeveralCredentials: each is told by its name, one that is refused does no harm, and a
// reload puts another one in.
func TestSeveralCredentials(t *testing.T) {
	x := newTrial(t)
	const revoked, expiring, next = "ghp_canaryRevoked0123456789", "ghp_canaryExpiring0123456789", "ghp_canaryNext0123456789"
	expires := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	x.world.SetCredential(revoked, sim.Credential{Revoked: true})
	x.world.SetCredential(expiring, sim.Credential{Kind: sim.Actions, Expires: expires})
	credential := func(name, token string) config.Credential {
		return config.Credential{Name: name, TokenFile: "file-of-" + name, Secret: config.NewSecret(token)}
	}
	x.cfg.GitHub.Token = config.Secret{}
	x.cfg.GitHub.Credentials = []config.Credential{credential("old", revoked), credential("bot", expiring), {Name: "left-out", TokenFile: "x"}}
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	changed := *x.cfg
	changed.GitHub.Credentials = []config.Credential{credential("old", next), credential("bot", expiring)}
	o := x.options()
	o.Load = func() (*config.Config, error) { read := changed; return &read, nil }
	d, ended := x.startWith(o)
	x.until(d, "/api/v4/packages/one/", stars(5))

	budgets := func() map[string]map[string]any {
		_, body := x.get(d, "/status/")
		all := map[string]map[string]any{}
		for _, b := range body["budgets"].([]any) {
			if b := b.(map[string]any); b["name"] == "GitHub" {
				all[b["credential"].(string)] = b
			}
		}
		return all
	}
	x.until(d, "/status/", func(map[string]any) bool { return budgets()["old"]["fault"] != nil })
	all := budgets()
	if len(all) != 2 || !strings.Contains(all["old"]["fault"].(string), "check github.credentials[old].token_file") || all["old"]["held_until"] == nil {
		t.Errorf("%v", all)
	}
	if b := all["bot"]; b["kind"] != "token" || b["limit_requests"] != 1000.0 || b["fault"] != nil || b["expires"] == nil {
		t.Errorf("%v", b)
	}
	text := x.scrape(d)
	for series, want := range map[string]float64{
		`pkgmetad_credential_fault{credential="old",upstream="github"}`:                    1,
		`pkgmetad_credential_fault{credential="bot",upstream="github"}`:                    0,
		`pkgmetad_credential_hold{credential="old",upstream="github"}`:                     1,
		`pkgmetad_budget_limit_requests{credential="bot",upstream="github"}`:               1000,
		`pkgmetad_budget_limit_requests{credential="old",upstream="github"}`:               -1, // unknown
		`pkgmetad_credential_expiry_timestamp_seconds{credential="bot",upstream="github"}`: float64(expires.Unix()),
		`pkgmetad_credential_expiry_timestamp_seconds{credential="old",upstream="github"}`: -1,
		`pkgmetad_upstream_fault{upstream="github"}`:                                       0,
		`pkgmetad_budget_reserve_requests{credential="old",upstream="github"}`:             100,
		`pkgmetad_budget_limit_points{credential="bot",upstream="github"}`:                 1000,
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %v, not %v", series, got, want)
		}
	}

	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	x.until(d, "/status/", func(map[string]any) bool { return budgets()["old"]["fault"] == nil })
	x.stop(d, ended)
	log := x.log.String()
	if strings.Contains(log, "canary") || strings.Count(log, `"credential":"old"`) != 1 || !strings.Contains(log, "GitHub is asked with old (github.credentials[old].token_file), bot (github.credentials[bot].token_file)") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestAnonymousRound: the log tells how long it takes to get round all repositories.
func TestAnonymousRound(t *testing.T) {
	x := newTrial(t)
	x.cfg.GitHub.Token = config.Secret{}
	var text strings.Builder
	text.WriteString("packages:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "- {slug: p%d, repo_url: https://github.com/acme/r%d}\n", i, i)
	}
	x.catalogue(text.String())
	x.startAndStop()
	if log := x.log.String(); !strings.Contains(log, `"level":"warn"`) || !strings.Contains(log, "60 requests an hour") || !strings.Contains(log, "a full round over all repositories takes about 5h") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestReadHostNeedsNoToken: who fetches nothing is not warned that it fetches slowly.
func TestReadHostNeedsNoToken(t *testing.T) {
	x := newTrial(t)
	x.cfg.GitHub.Token = config.Secret{}
	x.cfg.PyPI.Contact = ""
	x.cfg.Refresh.Workers = 0
	x.catalogue("packages: []\n")
	x.startAndStop()
	if log := x.log.String(); strings.Contains(log, "no GitHub token") || strings.Contains(log, "pypi.contact") || !strings.Contains(log, "this host fetches nothing, and serves what other hosts fetch") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "10m", 6*time.Hour + 4*time.Minute: "6h0m", 6*time.Hour + 6*time.Minute: "6h10m", 47 * time.Hour: "47h0m", 60 * time.Hour: "3 days", 700 * time.Hour: "29 days",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
