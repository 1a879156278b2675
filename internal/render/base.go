package render

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// ParseBase returns a public URL, http(s)://host[/prefix], in the form that links
// begin with: without a slash at the end, and with everything escaped that a URL or
// JSON requires. "" stays "".
func ParseBase(public string) (string, error) {
	if public == "" {
		return "", nil
	}
	u, err := url.Parse(public)
	if parse := (*url.Error)(nil); errors.As(err, &parse) {
		err = parse.Err // without the URL, which may contain a password
	}
	if err != nil {
		return "", fmt.Errorf("the public URL cannot be read: %w; write http(s)://host[/prefix]", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || !ValidHost(u.Host) ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", fmt.Errorf("the public URL %q does not have the form http(s)://host[/prefix]", u.Redacted())
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// NormalBase is like ParseBase, but of a string that ParseBase refuses it only
// removes the slashes at the end.
func NormalBase(public string) string {
	if base, err := ParseBase(public); err == nil {
		return base
	}
	return strings.TrimRight(public, "/")
}

// ValidHost reports whether h is a host name, an IPv4 address, or an IPv6
// address in brackets, each with or without a port.
func ValidHost(h string) bool {
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
