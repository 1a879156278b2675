package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestBase(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")}
	const proxy, stranger = "10.1.2.3:999", "192.0.2.1:999"
	forwarded := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"pkg.example.org"}}
	tests := []struct {
		name   string
		public string
		host   string
		tls    bool
		peer   string
		header http.Header
		want   string
	}{
		{"plain", "", "example.com", false, stranger, nil, "http://example.com"},
		{"port", "", "Example.com:8080", false, stranger, nil, "http://Example.com:8080"},
		{"underscore", "", "pkg_meta:80", false, stranger, nil, "http://pkg_meta:80"},
		{"TLS", "", "example.com", true, stranger, nil, "https://example.com"},
		{"IPv4", "", "127.0.0.1:1", false, stranger, nil, "http://127.0.0.1:1"},
		{"IPv6", "", "[::1]", false, stranger, nil, "http://[::1]"},
		{"IPv6 and port", "", "[2001:db8::1]:8080", false, stranger, nil, "http://[2001:db8::1]:8080"},

		{"trusted", "", "inner", false, proxy, forwarded, "https://pkg.example.org"},
		{"trusted IPv6", "", "inner", false, "[fd00::1]:9", forwarded, "https://pkg.example.org"},
		{"trusted with a zone", "", "inner", false, "[fe80::1%eth0]:9", forwarded, "https://pkg.example.org"},
		{"trusted mapped", "", "inner", false, "[::ffff:10.0.0.1]:9", forwarded, "https://pkg.example.org"},
		{"untrusted", "", "inner", true, stranger, forwarded, "https://inner"},
		{"untrusted is http", "", "inner", false, stranger, forwarded, "http://inner"},
		{"no address", "", "inner", false, "@", forwarded, "http://inner"},
		{"http in front of TLS", "", "inner", true, proxy, http.Header{"X-Forwarded-Proto": {"HTTP"}}, "http://inner"},
		{"the proxy's own word", "", "inner", false, proxy, http.Header{
			"X-Forwarded-Proto": {"http, https"}, "X-Forwarded-Host": {"evil.example", "a.example, b.example"}}, "https://b.example"},
		{"forwarded nonsense", "", "inner", false, proxy, http.Header{
			"X-Forwarded-Proto": {"javascript"}, "X-Forwarded-Host": {`"><script>`}}, "http://inner"},

		{"public", "https://pkg.example.org", "inner", false, proxy, forwarded, "https://pkg.example.org"},
		{"public with a prefix", "http://h:80/meta/data", "inner", true, stranger, nil, "http://h:80/meta/data"},
		{"public with slashes", "https://h/meta//", "inner", false, stranger, nil, "https://h/meta"},
		{"public with odd characters", `https://h/"ü\`, "inner", false, stranger, nil, "https://h/%22%C3%BC%5C"},

		{"quote", "", `a"b`, false, stranger, nil, "http://192.0.2.9:80"},
		{"slash", "", "evil.example/x", false, stranger, nil, "http://192.0.2.9:80"},
		{"userinfo", "", "a@evil.example", false, stranger, nil, "http://192.0.2.9:80"},
		{"markup", "", "<b>", false, stranger, nil, "http://192.0.2.9:80"},
		{"empty", "", "", false, stranger, nil, "http://192.0.2.9:80"},
		{"only a port", "", ":80", false, stranger, nil, "http://192.0.2.9:80"},
		{"no port", "", "h:", false, stranger, nil, "http://192.0.2.9:80"},
		{"port of letters", "", "h:x", false, stranger, nil, "http://192.0.2.9:80"},
		{"bare IPv6", "", "::1", false, stranger, nil, "http://192.0.2.9:80"},
		{"IPv6 with a zone", "", "[fe80::1%25eth0]", false, stranger, nil, "http://192.0.2.9:80"},
		{"brackets", "", "[]", false, stranger, nil, "http://192.0.2.9:80"},
		{"brackets around IPv4", "", "[127.0.0.1]", false, stranger, nil, "http://192.0.2.9:80"},
		{"beyond ASCII", "", "exämple.org", false, stranger, nil, "http://192.0.2.9:80"},
	}
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 80}
	for _, test := range tests {
		b, err := newBase(test.public, proxies)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
		r.Host, r.RemoteAddr = test.host, test.peer
		if test.header != nil {
			r.Header = test.header
		}
		if test.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if got := b.of(r); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Host = `"`
	if got := (base{}).of(r); got != "http://localhost" {
		t.Errorf("without an address the base is %s", got)
	}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/pkgmetad.sock"}))
	if got := (base{}).of(r); got != "http://localhost" {
		t.Errorf("over a Unix socket the base is %s", got)
	}
}

func TestPublicURL(t *testing.T) {
	for _, public := range []string{
		"example.com", "//example.com", "ftp://example.com", "https://", "https:///x", "https://h?x=1", "https://h?",
		"https://h#x", "https://user:secret@h", "https://user:secret@h:port", "https://h:port", "https://[::1", "https://a b", "javascript:alert(1)",
	} {
		_, err := newBase(public, nil)
		if err == nil {
			t.Errorf("%q is taken for a public URL", public)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", public, err)
		}
	}
}

// TestPrefix: a public URL with a path stands before every link and redirect,
// while the requests come without it.
func TestPrefix(t *testing.T) {
	h := newHandler(t, Options{Store: few(), PublicURL: "https://example.org/meta/"})
	for target, want := range map[string]string{
		"/":                         "https://example.org/meta/api/v4/\n",
		"/api/v4/":                  `"grids":"https://example.org/meta/api/v4/grids/"`,
		"/api/v4/packages/1/":       `"grids":["https://example.org/meta/api/v4/grids/7/"]`,
		"/api/v4/packages/?limit=1": `"next":"https://example.org/meta/api/v4/packages/?limit=1&offset=1"`,
	} {
		if w := do(h, "GET", target); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s lacks %s: %s", target, want, w.Body)
		}
	}
	for target, want := range map[string]string{
		"/api/v4":              "/meta/api/v4/",
		"/api/v4/packages/1?x": "/meta/api/v4/packages/1/?x",
	} {
		if got := do(h, "GET", target).Header().Get("Location"); got != want {
			t.Errorf("%s redirects to %q, want %q", target, got, want)
		}
	}
}
