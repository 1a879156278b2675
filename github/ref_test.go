package github

import (
	"errors"
	"strings"
	"testing"

	"pkgmetad/internal/record"
)

func TestParseURL(t *testing.T) {
	for _, raw := range []string{
		"https://github.com/o/n",
		"http://github.com/o/n",
		"git://github.com/o/n.git",
		"ssh://git@github.com/o/n.git",
		"ssh://git@github.com:22/o/n.git",
		"ssh://git@ssh.github.com:443/o/n.git",
		"ssh://git@github.com:o/n.git",
		"git+https://github.com/o/n.git",
		"git+https://github.com/o/n.git@v1.0#egg=n",
		"git+https://github.com/o/n@feature/x",
		"git+ssh://git@github.com/o/n",
		"git@github.com:o/n.git",
		"git@github.com:o/n",
		"git@github.com:/o/n.git",
		"git@github.com:o/n?from=https://elsewhere.test",
		"github.com:o/n",
		"github.com/o/n",
		"github.com:443/o/n",
		"www.github.com/o/n/",
		"//github.com/o/n",
		"https://www.github.com/o/n",
		"HTTPS://GitHub.COM/o/n",
		"https://github.com./o/n",
		"https://github.com:443/o/n",
		"https://user:secret@github.com/o/n.git",
		"https://github.com/o/n/",
		"https://github.com/o/n///",
		"https://github.com//o//n",
		"https://github.com/o/n.git/",
		"https://github.com/o/n/tree/master/x",
		"https://github.com/o/n/issues",
		"https://github.com/o/n?tab=readme",
		"https://github.com/o/n/?tab=readme#top",
		"https://github.com/o/n#readme",
		"https://github.com/o/n%20",
		" \t\u00a0https://github.com/o/n\r\n",
		"\ufeffhttps://github.com/o/n\u200b",
		"https://api.github.com/repos/o/n/commits",
		"https://raw.githubusercontent.com/o/n/main/README.md?token=secret",
		"https://codeload.github.com/o/n/zip/refs/heads/main",
		"https://raw.github.com/o/n/main/README.md",
		"https://redirect.github.com/o/n",
		"https://redirect.github.com/o/n/pull/7",
	} {
		if got, err := ParseURL(raw, GitHubHost); err != nil || got != (Ref{"o", "n"}) {
			t.Errorf("ParseURL(%q) = %v, %v", raw, got, err)
		}
	}
	for raw, want := range map[string]Ref{
		"https://github.com/Foo-Bar/django_x.y-z": {"Foo-Bar", "django_x.y-z"},
		"https://github.com/o/n.js":               {"o", "n.js"},
		"https://github.com/o/n.GIT":              {"o", "n"},
		"https://github.com/o_corp/.github":       {"o_corp", ".github"},
		"git@github.com:443/n":                    {"443", "n"},
		"https://github.com/123/456":              {"123", "456"},
	} {
		if got, err := ParseURL(raw, GitHubHost); err != nil || got != want {
			t.Errorf("ParseURL(%q) = %v, %v; want %v", raw, got, err, want)
		}
	}
}

func TestParseURLOfEnterpriseServer(t *testing.T) {
	const host, other = "ghe.example", "the host is not ghe.example"
	const port, otherPort = "ghe.example:8443", "the host is not ghe.example:8443"
	for _, tt := range []struct {
		raw, host string
		reason    string // "" if it names o/n
	}{
		{"https://ghe.example/o/n", host, ""},
		{"https://GHE.example/o/n.git", "GHE.Example", ""},
		{"https://www.ghe.example/o/n", host, ""},
		{"https://ghe.example:443/o/n", host, ""},
		{"ghe.example/o/n", host, ""},
		{"ssh://git@ghe.example/o/n.git", host, ""},
		{"ssh://git@ghe.example:22/o/n.git", host, ""},
		{"git@ghe.example:o/n.git", host, ""},
		{"git+https://ghe.example/o/n@main", host, ""},
		{"https://ghe.example/api/v3/repos/o/n/commits", host, ""},
		{"https://api.ghe.example/repos/o/n", host, ""},
		{"https://ghe.example/raw/o/n/main/README.md", host, ""},
		{"https://raw.ghe.example/o/n/main/README.md", host, ""},
		{"https://codeload.ghe.example/o/n/zip/main", host, ""},
		{"https://ghe.example/api/v3/users/o", host, "the API address"},
		{"https://ghe.example/api", host, "the API address"},
		{"https://ghe.example/gist/o/0123", host, "gist"},
		{"https://gist.ghe.example/o/0123", host, "gist"},
		{"https://ghe.example/o", host, "no repository"},
		{"https://github.com/o/n", host, other},
		{"git@github.com:o/n.git", host, other},
		{"https://api.github.com/repos/o/n", host, other},
		{"https://raw.githubusercontent.com/o/n/main/x", host, other},
		{"https://redirect.github.com/o/n", host, other},
		{"https://x.ghe.example/o/n", host, other},
		{"https://notghe.example/o/n", host, other},
		{"https://ghe.example.test/o/n", host, other},

		{"https://ghe.example:8443/o/n", port, ""},
		{"ghe.example:8443/o/n", port, ""},
		{"ssh://git@ghe.example:122/o/n", port, ""},
		{"git://ghe.example/o/n", port, ""},
		{"git@ghe.example:o/n.git", port, ""},
		{"https://ghe.example/o/n", port, otherPort},
		{"https://ghe.example:9443/o/n", port, otherPort},

		{"http://[::1]:9000/o/n", "[::1]:9000", ""},
		{"[::1]:9000/o/n", "[::1]:9000", ""},
		{"ssh://git@[::1]:22/o/n.git", "[::1]:9000", ""},
		{"git@[::1]:o/n.git", "[::1]:9000", ""},
		{"http://[::1]:9000/api/v3/repos/o/n", "[::1]:9000", ""},
		{"https://[2001:DB8::1]/o/n", "[2001:db8::1]", ""},
		{"https://[2001:db8::1]/o/n", "2001:db8::1", ""},
		{"https://[2001:db8::1]:443/o/n", "[2001:db8::1]", ""},
		{"http://[::1]/o/n", "[::1]:9000", "the host is not [::1]:9000"},
		{"http://[::2]:9000/o/n", "[::1]:9000", "the host is not [::1]:9000"},
		{"http://[::1:9000/o/n", "[::1]:9000", "the host is not [::1]:9000"},
		{"https://ghe.example/o/n", GitHubHost, "the host is not github.com"},
		{"git@ghe.example:o/n.git", GitHubHost, "the host is not github.com"},
		{"https://ghe.example/api/v3/repos/o/n", GitHubHost, "the host is not github.com"},
	} {
		got, err := ParseURL(tt.raw, tt.host)
		var u *UnsupportedError
		switch {
		case tt.reason == "" && (err != nil || got != ref):
			t.Errorf("ParseURL(%q, %q) = %v, %v", tt.raw, tt.host, got, err)
		case tt.reason != "" && (!errors.As(err, &u) || !strings.Contains(u.Reason, tt.reason)):
			t.Errorf("ParseURL(%q, %q) = %v, %v; want a reason with %q", tt.raw, tt.host, got, err, tt.reason)
		}
	}
}

func TestRefKey(t *testing.T) {
	for host, want := range map[string]record.Key{GitHubHost: "github.com/o/n.x", "GHE.example:8443": "ghe.example:8443/o/n.x"} {
		if got := (Ref{"O", "n.X"}).Key(host); got != want {
			t.Errorf("on %s: %s, want %s", host, got, want)
		}
	}
}

func TestParseURLUnsupported(t *testing.T) {
	for _, raw := range []string{"", " ", "\n\t", "\ufeff"} {
		if _, err := ParseURL(raw, GitHubHost); !errors.Is(err, ErrNoURL) {
			t.Errorf("ParseURL(%q) = %v, want ErrNoURL", raw, err)
		}
	}
	for raw, reason := range map[string]string{
		"https://gitlab.com/o/n":                           "host",
		"https://bitbucket.org/o/n":                        "host",
		"https://github.com.evil.test/o/n":                 "host",
		"https://notgithub.com/o/n":                        "host",
		"https://github.com@evil.test/o/n":                 "host",
		"https://o.github.io/n":                            "host",
		"o/n":                                              "host",
		"https:///o/n":                                     "host",
		"just words":                                       "host",
		"https://gist.github.com/o/0123":                   "gist",
		"https://api.github.com/users/o":                   "API",
		"https://api.github.com/repositories/1":            "API",
		"ftp://github.com/o/n":                             "scheme",
		"svn+ssh://github.com/o/n":                         "scheme",
		"https://github.com":                               "names no repository",
		"https://github.com/":                              "names no repository",
		"https://github.com/?o/n":                          "names no repository",
		"https://github.com/o":                             "no repository",
		"https://github.com:443/o":                         "no repository",
		"https://github.com/o/":                            "no repository",
		"https://github.com/orgs/o/repositories":           "own pages",
		"https://github.com/Topics/django":                 "own pages",
		"https://github.com/features":                      "own pages",
		"https://github.com/settings/profile":              "own pages",
		"https://github.com/o/..":                          "characters",
		"https://github.com/o/.":                           "characters",
		"https://github.com/o/.git":                        "characters",
		"https://github.com/o.p/n":                         "characters",
		"https://github.com/o/n m":                         "characters",
		"https://github.com/o/n%2fm":                       "characters",
		"https://github.com/o/n%zz":                        "characters",
		"https://github.com/o/ñ":                           "characters",
		"https://github.com/o/n\x00":                       "characters",
		"https://github.com/o/" + strings.Repeat("n", 101): "characters",
	} {
		_, err := ParseURL(raw, GitHubHost)
		var u *UnsupportedError
		if !errors.As(err, &u) {
			t.Errorf("ParseURL(%q) = %v, want an *UnsupportedError", raw, err)
		} else if !strings.Contains(u.Reason, reason) {
			t.Errorf("ParseURL(%q): reason %q, want it to mention %q", raw, u.Reason, reason)
		}
	}
}

func TestParseURLKeepsSecrets(t *testing.T) {
	for _, raw := range []string{
		"https://user:CANARY@gitlab.com/o/n",
		"https://CANARY@gitlab.com/o/n",
		"https://CANARY:x-oauth-basic@github.com/o",
		"CANARY@gitlab.com:o/n.git",
		"user:CANARY@gitlab.com:o/n.git",
		"https://user:CAN/CANARY@gitlab.com/o/n",
		"https://user:x?CANARY@gitlab.com/o/n",
		"https://user:CANARY#x@gitlab.com/o/n",
		"https://user:CANARY@x@gitlab.com/o/n",
		"https://user:CANARY%40gitlab.com/o/n",
		"https://gitlab.com/o/n?token=CANARY",
		"https://gitlab.com/o/n#CANARY",
		"ftp://user:CANARY@github.com/o/n",
		"https://user:CANARY@github.com/o/n/../%zz/..%00",
		"https://user:CANARY@github.com/o/n m",
	} {
		_, err := ParseURL(raw, GitHubHost)
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("ParseURL(%q) repeats the secret: %v", raw, err)
		}
	}
	_, err := ParseURL("https://user:pw@gitlab.com/o/n.git?x#y", GitHubHost)
	if want := `repository URL "https://gitlab.com/o/n.git": the host is not github.com`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestParseRef(t *testing.T) {
	if r, err := ParseRef("o/n.x"); err != nil || r.String() != "o/n.x" || r.IsZero() {
		t.Errorf("ParseRef = %v, %v", r, err)
	}
	for _, s := range []string{"", "/", "o", "o/", "/n", "o/n/x", "o/..", "o /n", "../n", "o/n\n", "o/?"} {
		if r, err := ParseRef(s); err == nil || !r.IsZero() {
			t.Errorf("ParseRef(%q) = %v, %v", s, r, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"https://github.com/o/n", "git@github.com:o/n.git", "github.com:443/o/n", "ssh://git@github.com:o/n.git@x#y",
		"https://u:p@github.com/o/n/tree/x?y=z", "//www.GitHub.com//o//n.git.git/", "https://api.github.com/repos/o/n", "%", "@:/?#", "",
		"https://ghe.example:8443/o/n", "https://ghe.example:8443/api/v3/repos/o/n", "ghe.example:8443/api", "git@ghe.example:o/n.git", "raw.ghe.example:8443/o/n",
	} {
		f.Add(s)
	}
	hosts := []string{GitHubHost, "ghe.example:8443"}
	f.Fuzz(func(t *testing.T, s string) {
		found := 0
		for _, host := range hosts {
			r, err := ParseURL(s, host)
			if err != nil {
				var u *UnsupportedError
				if !r.IsZero() || !errors.Is(err, ErrNoURL) && !errors.As(err, &u) {
					t.Fatalf("ParseURL(%q, %q) = %v, %v", s, host, r, err)
				}
				continue
			}
			found++
			if again, err := ParseRef(r.String()); err != nil || again != r {
				t.Fatalf("ParseURL(%q, %q) = %v, which ParseRef refuses: %v", s, host, r, err)
			}
			if again, err := ParseURL("https://"+host+"/"+r.String(), host); err != nil || again != r {
				t.Fatalf("ParseURL(%q, %q) = %v, whose own URL gives %v, %v", s, host, r, again, err)
			}
			if name, _, _ := strings.Cut(host, "."); !strings.Contains(strings.ToLower(s), name) {
				t.Fatalf("ParseURL(%q, %q) = %v from a URL of another host", s, host, r)
			}
		}
		if found > 1 {
			t.Fatalf("ParseURL(%q) finds a repository on two hosts", s)
		}
	})
}
