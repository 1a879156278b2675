package cluster

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pkgmetad/internal/certtest"
	"pkgmetad/test/program"
)

// A network has each host of a site in a network namespace of its own. At the front are the
// world and the readers; at the back are the hosts among themselves, who can be kept from each
// other there without a word, as by a switch that fails.
type network struct {
	prefix  string // of the names of what is made
	outside string // address of the world
}

// newNetwork makes a network without hosts, for as long as the test runs.
func newNetwork(t *testing.T) *network {
	t.Helper()
	program.NeedRoot(t, "make network namespaces")
	program.NeedCommands(t, "ip")
	n := &network{prefix: fmt.Sprintf("pk%d", os.Getpid()%100000), outside: "198.18.1.254"}
	for _, bridge := range []string{n.front(), n.back()} {
		if _, err := program.Run("ip", "link", "add", bridge, "type", "bridge"); err != nil {
			t.Skipf("skipped: this machine has no bridges: %v", err)
		}
		t.Cleanup(func() { _, _ = program.Run("ip", "link", "del", bridge) })
		n.ip(t, "link", "set", bridge, "up")
	}
	n.ip(t, "addr", "add", n.outside+"/24", "dev", n.front())
	return n
}

func (n *network) ip(t *testing.T, args ...string) {
	t.Helper()
	_, err := program.Run("ip", args...)
	must(t, err)
}

func (n *network) front() string            { return n.prefix + "f" }
func (n *network) back() string             { return n.prefix + "b" }
func (n *network) space(h *host) string     { return n.prefix + h.name }
func (n *network) backPort(h *host) string  { return n.prefix + "b" + h.name }
func (n *network) address(index int) string { return fmt.Sprintf("198.18.2.%d", index+1) }
func (n *network) inside(h *host) []string  { return []string{"ip", "netns", "exec", n.space(h)} }
func (n *network) run(t *testing.T, h *host, args ...string) {
	t.Helper()
	n.ip(t, append([]string{"-n", n.space(h)}, args...)...)
}

// host makes the namespace of a host, and returns its address at the front.
func (n *network) host(t *testing.T, h *host, index int) string {
	t.Helper()
	n.ip(t, "netns", "add", n.space(h))
	t.Cleanup(func() { _, _ = program.Run("ip", "netns", "del", n.space(h)) })
	n.run(t, h, "link", "set", "lo", "up")
	address := fmt.Sprintf("198.18.1.%d", index+1)
	for _, x := range []struct{ bridge, port, inside, address string }{
		{n.front(), n.prefix + "f" + h.name, "front", address},
		{n.back(), n.backPort(h), "back", n.address(index)},
	} {
		n.ip(t, "link", "add", x.port, "type", "veth", "peer", "name", x.inside, "netns", n.space(h))
		n.ip(t, "link", "set", x.port, "master", x.bridge, "up")
		n.run(t, h, "addr", "add", x.address+"/24", "dev", x.inside)
		n.run(t, h, "link", "set", x.inside, "up")
	}
	return address
}

// isolate keeps a host from all others, until the function that it returns is called.
func (n *network) isolate(t *testing.T, h *host) (heal func()) {
	t.Helper()
	n.ip(t, "link", "set", n.backPort(h), "nomaster")
	return func() { n.ip(t, "link", "set", n.backPort(h), "master", n.back()) }
}

// cut keeps two hosts from each other, both of which reach the third.
func (n *network) cut(t *testing.T, a, b *host, indexA, indexB int) (heal func()) {
	t.Helper()
	n.run(t, a, "route", "add", "blackhole", n.address(indexB)+"/32")
	n.run(t, b, "route", "add", "blackhole", n.address(indexA)+"/32")
	return func() {
		n.run(t, a, "route", "del", "blackhole", n.address(indexB)+"/32")
		n.run(t, b, "route", "del", "blackhole", n.address(indexA)+"/32")
	}
}

// writeCertificate writes a certificate of a new authority for all addresses that tests use, its
// key, and that of the authority, as NAME.pem, NAME-key.pem and NAME-ca.pem.
func writeCertificate(t *testing.T, folder, name string) {
	t.Helper()
	ca := certtest.New(t, time.Now().Add(certtest.ValidFor))
	certificate, key := ca.Issue(t, func(c *x509.Certificate) {
		c.NotBefore = time.Now().Add(-24 * time.Hour) // for clocks that are wrong
		for i := range 8 {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(fmt.Sprintf("198.18.2.%d", i+1)))
		}
	})
	for suffix, text := range map[string][]byte{"": certificate, "-key": key, "-ca": ca.PEM()} {
		must(t, os.WriteFile(filepath.Join(folder, name+suffix+".pem"), text, 0o600))
	}
}
