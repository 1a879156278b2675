package config

import "net"

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
