package config

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"pkgmetad/internal/strict"
)

// publicGitHub is the host of the repository URLs that api.github.com serves.
const publicGitHub = "github.com"

// urlHost returns the host of the repository URLs of an API: the API's own for
// GitHub Enterprise Server, which serves it under /api/v3/, and github.com for
// every other API root, and for nil. It is in lower case, without the default
// port.
func urlHost(base *url.URL) string {
	if base == nil || base.Path != "/api/v3/" {
		return publicGitHub
	}
	host := strings.ToLower(base.Host)
	switch base.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return strings.TrimSuffix(host, ":")
}

// parseHost returns a host, or host:port, in lower case.
func parseHost(s string) (string, error) {
	if strings.ContainsAny(s, "/@") {
		return "", errors.New("is a URL, not a host") // and may hold a password
	}
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if host = h; !isPort(port) {
			return "", errors.New(strict.Quote(port) + " is not a port from 0 to 65535")
		}
	} else if inner, ok := strings.CutPrefix(s, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if !isHost(host) {
		return "", errors.New(strict.Quote(s) + " is not a host")
	}
	return strings.ToLower(s), nil
}
