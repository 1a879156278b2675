package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
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
	root(t, "make network namespaces", "ip")
	n := &network{prefix: fmt.Sprintf("pk%d", os.Getpid()%100000), outside: "198.18.1.254"}
	for _, bridge := range []string{n.front(), n.back()} {
		if _, err := run("ip", "link", "add", bridge, "type", "bridge"); err != nil {
			t.Skipf("skipped: this machine has no bridges: %v", err)
		}
		t.Cleanup(func() { _, _ = run("ip", "link", "del", bridge) })
		n.ip(t, "link", "set", bridge, "up")
	}
	n.ip(t, "addr", "add", n.outside+"/24", "dev", n.front())
	return n
}

func (n *network) ip(t *testing.T, args ...string) {
	t.Helper()
	_, err := run("ip", args...)
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
	t.Cleanup(func() { _, _ = run("ip", "netns", "del", n.space(h)) })
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

// An authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{certificate, key}
}

// write writes a certificate for all addresses that tests use, its key, and that of the
// authority, as NAME.pem, NAME-key.pem and NAME-ca.pem.
func (a *authority) write(t *testing.T, folder, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "hosts of a test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(60 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
	}
	for i := range 8 {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(fmt.Sprintf("198.18.2.%d", i+1)))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for suffix, block := range map[string]*pem.Block{
		"":     {Type: "CERTIFICATE", Bytes: der},
		"-key": {Type: "PRIVATE KEY", Bytes: private},
		"-ca":  {Type: "CERTIFICATE", Bytes: a.certificate.Raw},
	} {
		must(t, os.WriteFile(filepath.Join(folder, name+suffix+".pem"), pem.EncodeToMemory(block), 0o600))
	}
}
