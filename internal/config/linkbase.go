package config

import "net"

// LinkBase returns what stands before the links of what is no answer to one request,
// such as the snapshot: the public URL or, without one, the address that the API
// listens on, as this machine reaches it.
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
