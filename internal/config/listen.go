package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"

	"pkgmetad/internal/strict"
)

// CheckListen returns an error, which says what to write, unless address, which is
// host:port or :port, is one to listen on.
func CheckListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	problem := ""
	switch {
	case isPort(address):
		return fmt.Errorf("%[1]q is a port without an address; write \"127.0.0.1:%[1]s\" for this machine alone, or \":%[1]s\" for all its addresses", address)
	case address == "localhost" || net.ParseIP(address) != nil:
		return fmt.Errorf("%q has no port; write %q", address, net.JoinHostPort(address, "8080"))
	case err != nil:
		problem = strict.Quote(address) + " is not an address to listen on"
	case !isPort(port):
		problem = strict.Quote(port) + " is not a port from 0 to 65535"
	case host != "" && !isHost(host):
		problem = strict.Quote(host) + " is not a host"
	default:
		return nil
	}
	return errors.New(problem + "; write host:port, such as 127.0.0.1:8080 or [::1]:8080, or :8080 for all addresses")
}

// insteadOfPort answers a port alone in the place of an address, which is a number to YAML.
func (c *Config) insteadOfPort(dst any, s strict.Scalar) string {
	if s.Kind == strict.IntegerKind && (dst == &c.HTTP.Listen || dst == &c.HTTP.AdminListen) {
		return CheckListen(s.Text).Error()
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$`)

// isHost reports whether s is the name of a host or an IP address.
func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostName.MatchString(s)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
