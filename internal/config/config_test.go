package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/robfig/cron/v3"

	"pkgmetad/internal/strict"
	"pkgmetad/internal/strict/stricttest"
)

const exampleConfig = "../../config.example.yaml"

var sameConfig = cmp.Options{
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.IgnoreInterfaces(struct{ cron.Schedule }{}),
}

const badFiles = "testdata/bad"

func TestBadFiles(t *testing.T) {
	stricttest.Golden(t, badFiles, func(path string) error {
		_, err := Load(path, nil)
		return err
	})
}

const leastConfig = "store:\n  path: p.db\ncatalogue:\n  path: c.yaml\n"

func TestExampleConfigHasTheDefaults(t *testing.T) {
	got, err := Load(exampleConfig, nil)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Store.Path = filepath.Join(root, "pkgmetad.db")
	want.Catalogue.Path = filepath.Join(root, "packaging", "catalogue.example.yaml")
	if diff := cmp.Diff(want, got, sameConfig, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-defaults +example\n%s", diff)
	}
	if got.Schedule.Cron == nil {
		t.Error("no schedule")
	}
}

func TestExampleConfigShowsEveryKey(t *testing.T) {
	text, err := os.ReadFile(exampleConfig)
	if err != nil {
		t.Fatal(err)
	}
	var shown, within []string
	for _, m := range regexp.MustCompile(`(?m)^( *)([a-z_]+):(.*)`).FindAllStringSubmatch(string(text), -1) {
		within = append(within[:len(m[1])/2], m[2])
		if m[3] != "" {
			shown = append(shown, strings.Join(within, "."))
		}
	}
	if diff := cmp.Diff(strict.KeyNames(reflect.TypeFor[Config]()), shown); diff != "" {
		t.Errorf("-known +shown\n%s", diff)
	}
}

func TestLeastConfigHasTheDefaults(t *testing.T) {
	path := stricttest.WriteFile(t, "config.yaml", "\ufeff"+strings.ReplaceAll(leastConfig, "\n", "\r\n"))
	got, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Store.Path = filepath.Join(filepath.Dir(path), "p.db")
	want.Catalogue.Path = filepath.Join(filepath.Dir(path), "c.yaml")
	if diff := cmp.Diff(want, got, sameConfig); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestConfigWithEveryKeySet(t *testing.T) {
	token := stricttest.WriteFile(t, "token", "  sesame\n")
	pemKey := privateKey(t)
	key := stricttest.WriteFile(t, "key.pem", pemKey)
	secret := stricttest.WriteFile(t, "secret", "0123456789abcdef\n")
	authority := newAuthority(t)
	cert := authority.issue(t, nil)
	ping := stricttest.WriteFile(t, "ping", "https://hc.example.org/uuid?x=1\n")
	got, err := Load(stricttest.WriteFile(t, "config.yaml", `
store: {path: /var/lib/p.db, lock_wait: 1s, max_size: 2GiB, keep_deletions: 48h, backup: {folder: /var/backups/pkgmetad, cron: "@weekly", keep: 3}}
http:
  listen: "[::1]:0"
  public_url: https://packages.example.org/sub/
  time_zone: Europe/Berlin
  trusted_proxies: [10.0.0.1, "fd00::/8"]
  max_limit: 0
  max_connections: 5
  max_connections_per_address: 0
  cross_origin: false
  log_requests: true
  admin_listen: 127.0.0.1:0
site: {name: " Example Packages ", description: "Apps & tools: “all” of them."}
catalogue: {path: ../c.ndjson, max_removed: 100}
schedule:
  refresh: '@every 90s'
  time_zone: America/Chicago
refresh: {stale_after: 0s, active_after: 6h, workers: 256, max_packages: 1, retry_min: 1s, retry_max: 2s, pending_wait: 0}
github:
  base_url: http://127.0.0.1:9/api/v3
  url_host: GitHub.example.org:8443
  token_file: `+token+`
  reserve: 0
  timeout: 2s
  strategy: rest
  api_version: 2026-03-10
  credentials:
  - {name: bot, token_file: `+token+`}
  - {name: app, app: {id: 7, installation: 42, key_file: `+key+`}}
  - {name: public, oauth: {id: Iv1.abc, secret_file: `+token+`}}
pypi: {base_url: http://127.0.0.1:9, contact: ops@example.org, timeout: 3s, concurrency: 2, rate: 7, index_above: 9}
notify: {ping_url_file: `+ping+`}
cluster:
  name: x
  servers: {a: 127.0.0.1:6222, b-1: "[::1]:1", C_: 10.0.0.3:64535}
  secret_file: `+secret+`
  tls: {cert: `+cert.Cert+`, key: `+cert.Key+`, ca: `+cert.CA+`}
log: {level: trace, format: json}
`), func(string) string { return "ignored" })
	if err != nil {
		t.Fatal(err)
	}
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return loc
	}
	want := &Config{
		Store: Store{Path: "/var/lib/p.db", LockWait: time.Second, MaxSize: 2 << 30, KeepDeletions: 48 * time.Hour, Backup: Backup{Folder: "/var/backups/pkgmetad", Cron: "@weekly", Keep: 3}},
		Site:  Site{Name: "Example Packages", Description: "Apps & tools: “all” of them."},
		HTTP: HTTP{
			Listen: "[::1]:0", PublicURL: "https://packages.example.org/sub", TimeZone: zone("Europe/Berlin"),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("fd00::/8")},
			MaxConnections: 5, AdminListen: "127.0.0.1:0", LogRequests: true,
		},
		Catalogue: Catalogue{MaxRemoved: 100},
		Schedule:  Schedule{Refresh: "@every 90s", TimeZone: zone("America/Chicago")},
		Refresh:   Refresh{ActiveAfter: 6 * time.Hour, Workers: 256, MaxPackages: 1, RetryMin: time.Second, RetryMax: 2 * time.Second},
		GitHub: GitHub{
			BaseURL: "http://127.0.0.1:9/api/v3/", URLHost: "github.example.org:8443", TokenFile: token, Timeout: 2 * time.Second, Strategy: "rest",
			APIVersion: "2026-03-10", Token: NewSecret("sesame"), TokenSource: "github.token_file",
			Credentials: []Credential{
				{Name: "bot", TokenFile: token, Secret: NewSecret("sesame")},
				{Name: "app", App: App{7, 42, key}, Secret: NewSecret(pemKey)},
				{Name: "public", OAuth: OAuth{"Iv1.abc", token}, Secret: NewSecret("sesame")},
			},
		},
		PyPI:   PyPI{BaseURL: "http://127.0.0.1:9/", Contact: "ops@example.org", Timeout: 3 * time.Second, Concurrency: 2, Rate: 7, IndexAbove: 9},
		Notify: Notify{PingURLFile: ping, PingURL: NewSecret("https://hc.example.org/uuid?x=1")},
		Cluster: Cluster{
			Name: "x", Servers: map[string]string{"a": "127.0.0.1:6222", "b-1": "[::1]:1", "C_": "10.0.0.3:64535"},
			SecretFile: secret, Secret: NewSecret("0123456789abcdef"), TLS: cert,
		},
		Log:      Log{Level: "trace", Format: "json"},
		Warnings: []string{"store.keep_deletions: has no effect in a cluster, which lists every package that left the catalogue"},
	}
	ignoreTemporary := cmpopts.IgnoreFields(Config{}, "Catalogue.Path")
	if diff := cmp.Diff(want, got, sameConfig, ignoreTemporary); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if p := got.Catalogue.Path; !filepath.IsAbs(p) || filepath.Base(p) != "c.ndjson" || strings.Contains(p, "..") {
		t.Errorf("catalogue.path = %s", p)
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if next := got.Schedule.Cron.Next(start); next.Sub(start) != 90*time.Second {
		t.Errorf("next = %s", next)
	}
}

// privateKey returns a key as GitHub makes them for an app.
func privateKey(t *testing.T) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestCredentialSource(t *testing.T) {
	for want, c := range map[string]Credential{
		"github.credentials[a].token_file":        {Name: "a", TokenFile: "x"},
		"github.credentials[a].app.key_file":      {Name: "a", App: App{ID: 1}},
		"github.credentials[a].oauth.secret_file": {Name: "a", OAuth: OAuth{ID: "x"}},
	} {
		if got := c.Source(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestCredentialFromSystemd: the folder is the service's alone, so that commands beside it
// go without.
func TestCredentialFromSystemd(t *testing.T) {
	path := stricttest.WriteFile(t, "c.yaml", leastConfig+"github:\n  credentials: [{name: bot, token_file: $CREDENTIALS_DIRECTORY/bot}]\n")
	cfg, err := Load(path, nil)
	if err != nil || !cfg.GitHub.Credentials[0].Secret.Empty() || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "github.credentials[#1].token_file: there is no $CREDENTIALS_DIRECTORY") {
		t.Errorf("%v, %+v", err, cfg)
	}
	folder := filepath.Dir(stricttest.WriteFile(t, "bot", "sesame"))
	env := func(name string) string { return map[string]string{"CREDENTIALS_DIRECTORY": folder}[name] }
	if cfg, err = Load(path, env); err != nil || cfg.GitHub.Credentials[0].Secret.Reveal() != "sesame" {
		t.Errorf("%v, %+v", err, cfg)
	}
	if _, err = Load(path, func(string) string { return t.TempDir() }); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a credential that is not there: %v", err)
	}
}

func TestConfigThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	huge := filepath.Join(folder, "huge.yaml")
	if err := os.WriteFile(huge, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none.yaml"): ": cannot be opened: no such file or directory; check the path and its permissions",
		folder:                             ": is a folder; name the file in it",
		huge:                               ":1:1: is larger than 1 MiB, too large for a configuration; name the right file",
	} {
		_, err := Load(path, nil)
		if err == nil || err.Error() != path+want {
			t.Errorf("got  %v\nwant %s", err, path+want)
		}
	}
}

func TestToken(t *testing.T) {
	folder := t.TempDir()
	credentials := filepath.Join(folder, "credentials")
	empty := filepath.Join(folder, "none")
	for name, text := range map[string]string{
		"good": "from-file\n", "empty": " \n", "lines": "a\nCANARY\n", "blank": "a CANARY", "binary": "CANARY\x01", "credentials/github-token": "from-credential\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		file, env, credentials string
		token, source, problem string
	}{
		{},
		{file: "good", env: "from-env", credentials: credentials, token: "from-file", source: "github.token_file"},
		{env: " from-env ", credentials: credentials, token: "from-env", source: "GITHUB_TOKEN"},
		{credentials: credentials, token: "from-credential", source: "$CREDENTIALS_DIRECTORY/github-token"},
		{credentials: empty},
		{file: "empty", env: "from-env", problem: "is empty"},
		{file: "lines", problem: "has more than one line"},
		{file: "blank", problem: "has blanks"},
		{file: "binary", problem: "has blanks or characters"},
		{file: "missing", problem: "cannot be opened"},
		{file: "credentials", problem: "is a folder"},
		{env: "CANARY x", problem: "GITHUB_TOKEN: the environment variable has blanks"},
		{credentials: filepath.Join(folder, "good"), problem: "$CREDENTIALS_DIRECTORY/github-token: "},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %s", tt.file, tt.env, filepath.Base(tt.credentials)), func(t *testing.T) {
			text := leastConfig + "github:\n  token_file: \"" + tt.file + "\"\n"
			path := filepath.Join(folder, "config.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := Load(path, func(name string) string {
				return map[string]string{"GITHUB_TOKEN": tt.env, "CREDENTIALS_DIRECTORY": tt.credentials}[name]
			})
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "CANARY") {
					t.Fatalf("error %v, want one with %q", err, tt.problem)
				}
				if tt.file != "" && !strings.Contains(err.Error(), ":6:15: github.token_file: ") {
					t.Errorf("no position in %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if g := cfg.GitHub; g.Token.Reveal() != tt.token || g.TokenSource != tt.source || g.Token.Empty() != (tt.token == "") {
				t.Errorf("token %q from %q, want %q from %q", g.Token.Reveal(), g.TokenSource, tt.token, tt.source)
			}
			if cfg.Warnings != nil {
				t.Errorf("warnings %q", cfg.Warnings)
			}
		})
	}
}

func TestWorldReadableTokenIsAWarning(t *testing.T) {
	token := stricttest.WriteFile(t, "token", "sesame")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(stricttest.WriteFile(t, "c.yaml", leastConfig+"github:\n  token_file: "+token+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], token) || strings.Contains(cfg.Warnings[0], "sesame") {
		t.Errorf("warnings %q", cfg.Warnings)
	}
}

func TestURLHost(t *testing.T) {
	for _, tt := range []struct{ github, want string }{
		{``, "github.com"},
		{`{url_host: ""}`, "github.com"},
		{`{base_url: "https://api.github.com"}`, "github.com"},
		{`{base_url: "http://127.0.0.1:8081/"}`, "github.com"},
		{`{base_url: "http://127.0.0.1:8081/api/v3x/"}`, "github.com"},
		{`{base_url: "https://GitHub.Example.org/api/v3"}`, "github.example.org"},
		{`{base_url: "https://github.example.org:443/api/v3/"}`, "github.example.org"},
		{`{base_url: "http://github.example.org:80/api/v3/"}`, "github.example.org"},
		{`{base_url: "http://github.example.org:443/api/v3/"}`, "github.example.org:443"},
		{`{base_url: "https://[::1]:8443/api/v3/"}`, "[::1]:8443"},
		{`{base_url: "https://github.example.org/api/v3/", url_host: ""}`, "github.example.org"},
		{`{base_url: "https://proxy.example.org/github/", url_host: GitHub.example.org}`, "github.example.org"},
		{`{base_url: "https://github.example.org/api/v3/", url_host: "git.example.org:8443"}`, "git.example.org:8443"},
		{`{url_host: "[::1]"}`, "[::1]"},
	} {
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", leastConfig+"github: "+tt.github+"\n"), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.github, err)
		} else if cfg.GitHub.URLHost != tt.want {
			t.Errorf("%s: %s, want %s", tt.github, cfg.GitHub.URLHost, tt.want)
		}
	}
}

func TestContact(t *testing.T) {
	for contact, want := range map[string]bool{
		"": true, "ops@example.org": true, "https://example.org/about": true, "http://[::1]/": true,
		"Ops <ops@example.org>": false, "ops": false, "ftp://example.org": false, "https://u:p@example.org": false,
		"a@b\r\nX: y": false, "https://example.org/(x)": false, "https://": false,
	} {
		if got := isContact(contact); got != want {
			t.Errorf("isContact(%q) = %t", contact, got)
		}
	}
}

// TestHostWarning: whoever can reach the daemon from elsewhere may choose the host in
// its links, unless public_url says it.
func TestHostWarning(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8080": false, "127.8.8.8:80": false, "[::1]:8080": false, "[::ffff:127.0.0.1]:80": false, "localhost:8080": false, "LocalHost:0": false,
		"/run/pkgmetad.sock": false, "@abstract": false, // which only this machine reaches
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, "192.0.2.1:80": true, "[2001:db8::1]:80": true, "[fe80::1%eth0]:80": true, "packages.example.org:80": true,
	} {
		warning := HTTP{}.HostWarning(listen)
		if got := warning != ""; got != want {
			t.Errorf("%s: %q", listen, warning)
		}
		if want && (!strings.Contains(warning, listen) || !strings.Contains(warning, "http.public_url")) {
			t.Errorf("%s: the warning does not say what to do: %s", listen, warning)
		}
		if warning := (HTTP{PublicURL: "https://packages.example.org"}).HostWarning(listen); warning != "" {
			t.Errorf("%s with a public URL: %s", listen, warning)
		}
	}
}

func FuzzConfig(f *testing.F) {
	stricttest.Seed(f, badFiles)
	if text, err := os.ReadFile(exampleConfig); err == nil {
		f.Add(text)
	}
	folder := f.TempDir() // that of a store has to be there
	f.Fuzz(func(t *testing.T, data []byte) {
		var ps strict.Problems
		cfg := parse(data, folder, nil, &ps)
		if err := ps.Err("c.yaml", strict.MaxProblems); err != nil {
			stricttest.OneLineEach(t, err)
		} else if cfg.Store.Path == "" || cfg.GitHub.URLHost == "" || cfg.Schedule.Cron == nil || cfg.Schedule.Cron.Next(time.Now()).IsZero() {
			t.Errorf("accepted: %+v", cfg)
		} else if cl := cfg.Cluster; cl.Enabled() && (len(cl.Servers) > 0 == (len(cl.URL) > 0) || !hostLabel.MatchString(cl.Name) || cfg.HTTP.PublicURL == "") || !cl.Enabled() && cfg.Refresh.Workers == 0 {
			t.Errorf("accepted: %+v", cfg)
		}
	})
}

func TestPingURL(t *testing.T) {
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "ping-url"), []byte("https://hc.example.org/credential"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ env, credentials, url, problem string }{
		{},
		{env: "https://hc.example.org/CANARY", credentials: credentials, url: "https://hc.example.org/CANARY"},
		{credentials: credentials, url: "https://hc.example.org/credential"},
		{env: "ftp://hc.example.org/CANARY", problem: "PKGMETAD_PING_URL: what it holds is not an http or https URL"},
		{env: "http://hc.example.org/%ZZCANARY", problem: "PKGMETAD_PING_URL: what it holds is not an http or https URL"},
		{env: "hc.example.org CANARY", problem: "PKGMETAD_PING_URL: the environment variable has blanks or characters that no URL has"},
	} {
		env := map[string]string{"PKGMETAD_PING_URL": tt.env, "CREDENTIALS_DIRECTORY": tt.credentials}
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", leastConfig), func(name string) string { return env[name] })
		if cfg.Notify.PingURL.Reveal() != tt.url {
			t.Errorf("%+v: the URL is %q", tt, cfg.Notify.PingURL.Reveal())
		}
		if (err != nil) != (tt.problem != "") || err != nil && (!strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "CANARY")) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestAdminListenBeyondThisMachine: profiles and metrics ask nobody who they are.
func TestAdminListenBeyondThisMachine(t *testing.T) {
	for address, warned := range map[string]bool{
		"127.0.0.1:1": false, "[::1]:1": false, "localhost:1": false, ":1": true, "0.0.0.0:1": true, "10.0.0.1:1": true, "host.example.org:1": true,
	} {
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", leastConfig+"http: {admin_listen: \""+address+"\"}\n"), nil)
		if err != nil || (len(cfg.Warnings) > 0) != warned {
			t.Errorf("%s: %v, %v", address, cfg.Warnings, err)
		}
	}
}
