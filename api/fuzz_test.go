package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequest: whatever is asked, the answer is no failure, and where it is
// JSON it is valid JSON; HEAD answers with the same headers.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/api/v4/packages/", "limit=2&offset=3&format=json", "application/json; indent=4", "example.com")
	f.Add("GET", "/api/v4/packages/1609/", "", "*/*", "[::1]:80")
	f.Add("GET", "/api/v4/grids/grid-58.json", "format=%FF", "text/html, */*; indent=\"2\"", "a\"b")
	f.Add("OPTIONS", "/api/v4/categories/+1/", "offset=99999999999999999999&limit=-1", "", "")
	f.Add("POST", "/api/v4/packages/a b", "\"<>", "application/xml", "x")
	f.Add("GET", "/api/v4//../%2e/", "%zz;=&", ";,;=\",\\", ":")
	f.Add("PATCH", "*", "", "", "")
	f.Add("GET", "/api/v3/packages/", "limit=-5&offset=99999999999999999999&category=apps", "text/html", "")
	f.Add("GET", "/api/v3/grids/grid-58/packages/", "limit=0", "", "")
	f.Add("HEAD", "/api/v3/users", "%zz", "", "")
	records, zone := documented(f)
	f.Fuzz(func(t *testing.T, method, path, query, accept, host string) {
		h := newHandler(t, Options{Store: records, Location: zone})
		ask := func(method string) *httptest.ResponseRecorder {
			r := &http.Request{
				Method: method, URL: &url.URL{Path: path, RawQuery: query}, Host: host,
				Header: http.Header{"Accept": {accept}}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		w := ask(method)
		if w.Code >= 500 || w.Code == http.StatusTemporaryRedirect {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") == "application/json" && method != "HEAD" && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("invalid JSON: %s", w.Body)
		}
		if location := w.Header().Get("Location"); location != "" {
			if u, err := url.Parse(location); err != nil || u.Host != "" || !strings.HasPrefix(location, "/") {
				t.Fatalf("redirect to %q: %v", location, err)
			}
		}
		get, head := ask("GET"), ask("HEAD")
		if head.Code != get.Code || head.Body.Len() != 0 ||
			head.Header().Get("Content-Length") != get.Header().Get("Content-Length") {
			t.Fatalf("HEAD is %d %v, GET is %d %v", head.Code, head.Header(), get.Code, get.Header())
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	f.Add("application/json; indent=4, text/html;q=0.9, */*", "")
	f.Add(`a/b; c="d;\"e"; INDENT=9`, "json")
	f.Fuzz(func(t *testing.T, accept, format string) {
		got, err := negotiate([]string{accept}, format)
		if got.indent < 0 || got.indent > 8 || got.html && got.indent != 0 {
			t.Fatalf("%q is answered in %+v", accept, got)
		}
		if err != nil && !errors.Is(err, errNotFound) && !errors.Is(err, errNotAcceptable) {
			t.Fatal(err)
		}
	})
}

// FuzzForwarded: whatever the headers of a proxy say, links lead to a host that needs
// no escaping, and a client that requests are counted by is no proxy.
func FuzzForwarded(f *testing.F) {
	f.Add("10.0.0.1:7", "203.0.113.9, 10.0.0.2", "https", "packages.example.org:8443", "x")
	f.Add("[::ffff:10.0.0.1]:7", "fe80::1%eth0,,", "javascript", "a\"b", "[::1]:80")
	f.Add("", ",", ",https", "evil.test, \\", "")
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	f.Fuzz(func(t *testing.T, peer, client, scheme, forwarded, host string) {
		r := &http.Request{RemoteAddr: peer, Host: host, URL: &url.URL{Path: "/"}, Header: http.Header{
			"X-Forwarded-For": {client}, "X-Forwarded-Proto": {scheme}, "X-Forwarded-Host": {forwarded},
		}}
		link := base{trusted: trusted}.of(r)
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || strings.ContainsAny(link, "\"<>\\ \r\n") {
			t.Fatalf("links begin with %q: %v", link, err)
		}
		if addr, ok := trusted.forwarded(r); ok && (!trusted.sent(r) || trusted.has(addr) || !network(addr).IsValid()) {
			t.Fatalf("from %s for %q: counted as %s", peer, client, addr)
		}
	})
}
