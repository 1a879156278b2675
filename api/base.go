package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// base knows what stands before the path of a link.
type base struct {
	public  string // scheme://host[/prefix]; "" for that of the request
	prefix  string // the path of public, without a slash at the end
	trusted []netip.Prefix
}

func newBase(public string, trusted []netip.Prefix) (base, error) {
	if public == "" {
		return base{trusted: trusted}, nil
	}
	u, err := url.Parse(public)
	if err != nil {
		return base{}, fmt.Errorf("api: the public URL cannot be read: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || !validHost(u.Host) ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return base{}, fmt.Errorf("api: the public URL %q does not read http(s)://host[/prefix]", u.Redacted())
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	return base{public: u.Scheme + "://" + u.Host + prefix, prefix: prefix, trusted: trusted}, nil
}

// of returns what stands before the path of the links in the answer to r. It
// needs no escapes in JSON, whatever r says.
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
		if h := lastValue(r.Header["X-Forwarded-Host"]); validHost(h) {
			host = h
		}
	}
	if !validHost(host) {
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

// lastValue returns the last of the values that a list header holds: the one
// that the peer itself wrote. Those before it may be anybody's.
func lastValue(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

// localHost returns the address that r came in on, which stands in for a Host
// that is missing or none.
func localHost(r *http.Request) string {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && validHost(addr.String()) {
		return addr.String()
	}
	return "localhost"
}

// validHost reports whether h is a host name, an IPv4 address, or an IPv6
// address in brackets, each with or without a port.
func validHost(h string) bool {
	name, port := h, ""
	if i := strings.LastIndexByte(h, ':'); i > strings.LastIndexByte(h, ']') {
		name, port = h[:i], h[i+1:]
		if port == "" {
			return false
		}
	}
	for i := range len(port) {
		if port[i] < '0' || '9' < port[i] {
			return false
		}
	}
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		addr, err := netip.ParseAddr(name[1 : len(name)-1])
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	for i := range len(name) {
		c := name[i] | 0x20 // lower case, for a letter
		if !('a' <= c && c <= 'z' || '0' <= name[i] && name[i] <= '9' || strings.IndexByte(".-_", name[i]) >= 0) {
			return false
		}
	}
	return name != ""
}
