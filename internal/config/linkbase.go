package config

import (
	"net"
	"net/netip"
	"strings"
)

// LinkBase returns the base URL of the links in what does not answer a particular
// request, such as the snapshot: the public URL or, without one, the URL of the
// address that the API listens on, as seen from this machine.
func (h HTTP) LinkBase(listen string) string {
	if h.PublicURL != "" {
		return h.PublicURL
	}
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) { // all addresses
		return "http://" + net.JoinHostPort("localhost", port)
	}
	return "http://" + listen
}

// HostWarning returns a warning if a daemon that listens on an address, host:port, can
// be reached from other machines without a public URL, or else "".
func (h HTTP) HostWarning(listen string) string {
	if h.PublicURL != "" || !reachable(listen) {
		return ""
	}
	return "http.public_url is empty, and " + listen + " can be reached from other machines: the links in an answer then have the host that its request names, which any client can choose and a shared cache may pass on to others; set http.public_url to the address that clients use"
}

// reachable reports whether other machines can reach a listener on address.
func reachable(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false // a socket in the file system
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.Unmap().IsLoopback()
	}
	return !strings.EqualFold(host, "localhost")
}
