package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"pkgmetad/internal/strict"
)

// TLS names the files, in PEM form, by which the hosts of a cluster know each other and
// encrypt what they say. They are read at the start.
type TLS struct {
	Cert string `yaml:"cert"` // of this host, and what is between it and an authority of CA; absolute once loaded
	Key  string `yaml:"key"`  // of Cert; absolute once loaded
	CA   string `yaml:"ca"`   // the authorities whose certificates are accepted, and no others; absolute once loaded
}

// TLSConfig reads the files of the section tls, and returns what both sides of a
// connection between two hosts go by: each shows its certificate, and accepts only one of
// an authority of CA. It is nil if there is no such section, as on one machine. For a
// cluster that somebody else runs, Cert and Key are optional, and so is CA, without
// which the system's authorities count.
func (c *Cluster) TLSConfig() (*tls.Config, error) {
	if c.TLS == (TLS{}) {
		return nil, nil
	}
	made := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}
	if len(c.Servers) > 0 { // both sides are this program
		made.MinVersion = tls.VersionTLS13
	}
	if c.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("cluster.tls: the certificate %q with the key %q cannot be used: %w; `pkgmetad config check` says more", c.TLS.Cert, c.TLS.Key, strict.Cause(err))
		}
		made.Certificates = []tls.Certificate{pair}
	}
	if c.TLS.CA != "" {
		text, err := os.ReadFile(c.TLS.CA)
		pool := x509.NewCertPool()
		if err == nil && !pool.AppendCertsFromPEM(text) {
			err = errors.New("it holds no certificate in PEM form")
		}
		if err != nil {
			return nil, fmt.Errorf("cluster.tls.ca: the authorities in %q cannot be used: %w", c.TLS.CA, strict.Cause(err))
		}
		made.RootCAs, made.ClientCAs = pool, pool
	}
	return made, nil
}

// CertificateEnds returns until when the certificate that this host shows is good: its own
// end, or that of an authority which vouches for it, if that is earlier. It is zero if the
// host shows none.
func CertificateEnds(made *tls.Config) time.Time {
	if made == nil || len(made.Certificates) == 0 {
		return time.Time{}
	}
	var chain []*x509.Certificate
	for _, der := range made.Certificates[0].Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			break // its way to an authority ends here
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return time.Time{}
	}
	if made.RootCAs != nil {
		if ways := verify(chain, made.RootCAs, x509.ExtKeyUsageAny); ways != nil {
			return earliestEnd(ways)
		}
	}
	return chain[0].NotAfter
}

// expiresSoon is how long before its end a certificate is told of.
const expiresSoon = 30 * 24 * time.Hour

// clusterTLS checks that the section tls is there if it is needed, and that its files are
// good and fit together.
func (c *check) clusterTLS() {
	cl := &c.cfg.Cluster
	t := &cl.TLS
	if *t == (TLS{}) {
		if beyond := firstReachable(cl.Servers); beyond != "" {
			c.problem(t, cl, "cluster.tls", "is required, because %s is not on this machine; write cert, key and ca, the paths of a certificate of this host, of its key, and of the authority that all hosts accept", strict.Quote(beyond))
		}
		return
	}
	cert, hasCert := c.tlsFile(&t.Cert, "cluster.tls.cert", "certificate")
	key, hasKey := c.tlsFile(&t.Key, "cluster.tls.key", "private key")
	ca, hasCA := c.tlsFile(&t.CA, "cluster.tls.ca", "certificate of the authority")
	var roots *x509.CertPool
	if hasCA {
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM([]byte(ca)) {
			c.problem(&t.CA, t, "cluster.tls.ca", "%s holds no certificate in PEM form", strict.Quote(t.CA))
			roots = nil
		}
	}
	if !hasCert {
		return
	}
	chain, message := parseChain(cert)
	if message != "" {
		c.problem(&t.Cert, t, "cluster.tls.cert", "%s %s", strict.Quote(t.Cert), message)
		return
	}
	if hasKey {
		if _, err := tls.X509KeyPair([]byte(cert), []byte(key)); err != nil {
			c.problem(&t.Key, t, "cluster.tls.key", "%s is not the private key of cluster.tls.cert, in PEM form and without a password", strict.Quote(t.Key))
		}
	}
	c.certificate(chain, roots)
}

// firstReachable returns the first of the addresses that other machines can reach, or "".
func firstReachable(servers map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if _, _, err := splitServer(servers[name]); err == nil && reachable(servers[name]) {
			return servers[name]
		}
	}
	return ""
}

// tlsFile returns what is in one of the files of the section tls. That it is not given is
// a mistake, unless a cluster that somebody else runs can do without it.
func (c *check) tlsFile(file *string, key, noun string) (text string, ok bool) {
	t := &c.cfg.Cluster.TLS
	report := func(format string, args ...any) { c.problem(file, t, key, format, args...) }
	switch {
	case *file == "":
		if len(c.cfg.Cluster.Servers) > 0 || file != &t.CA && (t.Cert != "" || t.Key != "") {
			report("is required; write the path of the %s, in PEM form", noun)
		}
		return "", false
	case strings.Contains(*file, "-----BEGIN"):
		*file = ""
		report("is a %s itself, not the name of its file", noun)
		return "", false
	case !c.locate(file, key, "the certificate is not checked"):
		return "", false
	}
	text, mode, message := readSmallFile(*file, noun)
	if message != "" {
		report("%s %s", strict.Quote(*file), message)
		return "", false
	}
	if file == &t.Key {
		c.warnOfReaders(*file, key, mode)
	}
	return text, true
}

// parseChain returns the certificates in a file, the host's own first, or what is wrong.
func parseChain(text string) (chain []*x509.Certificate, message string) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, "holds a damaged certificate; make it anew"
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, "holds no certificate in PEM form"
	}
	return chain, ""
}

// certificate checks the certificate of this host: whose it is, who signed it, what it is
// for, and until when. One that has expired is told and no mistake: a host that is cut
// off serves on.
func (c *check) certificate(chain []*x509.Certificate, roots *x509.CertPool) {
	cl := &c.cfg.Cluster
	report := func(format string, args ...any) {
		c.problem(&cl.TLS.Cert, &cl.TLS, "cluster.tls.cert", strict.Quote(cl.TLS.Cert)+" "+format, args...)
	}
	if cl.Member() {
		if host, _, err := net.SplitHostPort(cl.Servers[cl.Name]); err == nil && chain[0].VerifyHostname(host) != nil {
			report("is not for %s, the address of this host in cluster.servers; make one that has it as a subject alternative name", strict.Quote(host))
		}
	}
	ends := chain[0].NotAfter
	if len(cl.Servers) > 0 && roots != nil { // elsewhere the other side judges it, by authorities of its own
		verified := verify(chain, roots, x509.ExtKeyUsageAny)
		switch {
		case verified == nil:
			report("is not signed by an authority in cluster.tls.ca")
			return
		case verify(chain, roots, x509.ExtKeyUsageServerAuth) == nil, verify(chain, roots, x509.ExtKeyUsageClientAuth) == nil:
			report("may not be used by both sides of a connection; make one with the extended key usages serverAuth and clientAuth")
		}
		ends = earliestEnd(verified)
	}
	c.validity(chain[0].NotBefore, ends)
}

// validity warns of a certificate that is not valid now, or not for much longer.
func (c *check) validity(begins, ends time.Time) {
	now := time.Now()
	warn := func(format string, at time.Time) {
		c.warn("cluster.tls.cert", "%s "+format, strict.Quote(c.cfg.Cluster.TLS.Cert), at.UTC().Format(time.RFC3339))
	}
	switch {
	case now.Before(begins):
		warn("is not valid before %s, and other hosts refuse this one until then; check the clock", begins)
	case !now.Before(ends):
		warn("or the authority that signed it expired at %s, and other hosts refuse this one; renew it, and restart", ends)
	case ends.Sub(now) < expiresSoon:
		warn("or the authority that signed it expires at %s; renew it, and restart", ends)
	}
}

// verify returns the ways by which authorities vouch for a certificate for a purpose, or
// nil if there is none. Whether anything has expired does not matter: it is enough that
// all was valid at one time.
func verify(chain []*x509.Certificate, roots *x509.CertPool, purpose x509.ExtKeyUsage) [][]*x509.Certificate {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	for _, at := range []time.Time{time.Now(), chain[0].NotBefore, chain[0].NotAfter} {
		verified, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{purpose}})
		if err == nil {
			return verified
		}
	}
	return nil
}

// earliestEnd returns until when the best of some ways is valid.
func earliestEnd(ways [][]*x509.Certificate) (best time.Time) {
	for _, way := range ways {
		ends := way[0].NotAfter
		for _, cert := range way[1:] {
			if cert.NotAfter.Before(ends) {
				ends = cert.NotAfter
			}
		}
		if ends.After(best) {
			best = ends
		}
	}
	return best
}
