package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"pkgmetad/internal/render"
)

// base determines what links begin with, up to their path.
type base struct {
	public  string // scheme://host[/prefix]; "" to take scheme and host of the request
	prefix  string // the path of public, without a slash at the end
	trusted []netip.Prefix
}

func newBase(public string, trusted []netip.Prefix) (base, error) {
	public, err := render.ParseBase(public)
	if err != nil {
		return base{}, fmt.Errorf("api: %w", err)
	}
	b := base{public: public, trusted: trusted}
	if _, rest, ok := strings.Cut(public, "://"); ok {
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			b.prefix = rest[slash:]
		}
	}
	return b, nil
}

// of returns what the links in the answer to r begin with. It never needs
// escaping in JSON, whatever the headers of r hold.
func (b base) of(r *http.Request) string {
	if b.public != "" {
		return b.public
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if b.trusts(r.RemoteAddr) {
		if s := strings.ToLower(lastValue(r.Header["X-Forwarded-Proto"])); s == "http" || s == "https" {
			scheme = s
		}
		if h := lastValue(r.Header["X-Forwarded-Host"]); render.ValidHost(h) {
			host = h
		}
	}
	if !render.ValidHost(host) {
		host = localHost(r)
	}
	return scheme + "://" + host
}

func (b base) trusts(remoteAddr string) bool {
	if len(b.trusted) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap().WithZone("")
	for _, p := range b.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// lastValue returns the last value of a list header: the one that the peer itself
// wrote. Anybody may have written those before it.
func lastValue(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

// localHost returns the local address that r arrived at, in place of a missing or
// invalid Host header.
func localHost(r *http.Request) string {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && render.ValidHost(addr.String()) {
		return addr.String()
	}
	return "localhost"
}
