package config

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/certtest"
	"pkgmetad/internal/strict/stricttest"
)

// authority signs certificates, and has its own in a file.
type authority struct {
	*certtest.Authority
	file string
}

func newAuthority(t *testing.T) *authority {
	return newAuthorityUntil(t, time.Now().Add(certtest.ValidFor))
}

func newAuthorityUntil(t *testing.T, end time.Time) *authority {
	t.Helper()
	a := certtest.New(t, end)
	return &authority{a, stricttest.WriteFile(t, "ca.crt", string(a.PEM()))}
}

// issue makes a certificate, as certtest does, and returns the files.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) TLS {
	t.Helper()
	cert, key := a.Issue(t, change)
	return TLS{Cert: stricttest.WriteFile(t, "host.crt", string(cert)), Key: stricttest.WriteFile(t, "host.key", string(key)), CA: a.file}
}

func TestClusterCertificates(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	now := time.Now()
	good := a.issue(t, nil)
	lives := func(begins, ends time.Duration) TLS {
		return a.issue(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(begins), now.Add(ends) })
	}
	usage := func(u ...x509.ExtKeyUsage) TLS { return a.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = u }) }
	const day = 24 * time.Hour
	readable := a.issue(t, nil)
	for _, path := range []string{readable.Cert, readable.Key, readable.CA} {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		files            TLS
		problem, warning string
	}{
		"good":                     {files: good},
		"another key":              {files: TLS{good.Cert, a.issue(t, nil).Key, good.CA}, problem: "cluster.tls.key: KEY is not the private key of cluster.tls.cert"},
		"no key":                   {files: TLS{good.Cert, good.Cert, good.CA}, problem: "cluster.tls.key: CERT is not the private key"},
		"another authority":        {files: TLS{good.Cert, good.Key, stranger.file}, problem: "cluster.tls.cert: CERT is not signed by an authority in cluster.tls.ca"},
		"no authority":             {files: TLS{good.Cert, good.Key, good.Key}, problem: "cluster.tls.ca: KEY holds no certificate"},
		"no certificate":           {files: TLS{good.Key, good.Key, good.CA}, problem: "cluster.tls.cert: CERT holds no certificate"},
		"a damaged certificate":    {files: TLS{stricttest.WriteFile(t, "x", "-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n"), good.Key, good.CA}, problem: "cluster.tls.cert: CERT holds a damaged certificate"},
		"a folder":                 {files: TLS{t.TempDir(), good.Key, good.CA}, problem: "cluster.tls.cert: CERT is a folder"},
		"of another host":          {files: a.issue(t, func(c *x509.Certificate) { c.IPAddresses = nil }), problem: `cluster.tls.cert: CERT is not for "127.0.0.1"`},
		"for servers alone":        {files: usage(x509.ExtKeyUsageServerAuth), problem: "cluster.tls.cert: CERT may not be used by both sides"},
		"for clients alone":        {files: usage(x509.ExtKeyUsageClientAuth), problem: "cluster.tls.cert: CERT may not be used by both sides"},
		"for anything":             {files: usage()},
		"expired":                  {files: lives(-20*day, -time.Hour), warning: "cluster.tls.cert: CERT or the authority that signed it expired at " + now.Add(-time.Hour).UTC().Format("2006-01-02")},
		"expires soon":             {files: lives(-20*day, 29*day), warning: "cluster.tls.cert: CERT or the authority that signed it expires at "},
		"expires later":            {files: lives(-20*day, 31*day)},
		"not yet":                  {files: lives(time.Hour, 80*day), warning: "cluster.tls.cert: CERT is not valid before "},
		"its authority expires":    {files: newAuthorityUntil(t, now.Add(29*day)).issue(t, nil), warning: "expires at " + now.Add(29*day).UTC().Format("2006-01-02")},
		"its authority is expired": {files: newAuthorityUntil(t, now.Add(-time.Minute)).issue(t, nil), warning: "expired at "},
		"everybody reads the key":  {files: readable, warning: "cluster.tls.key: KEY can be read by everybody"},
		"a credential":             {files: TLS{good.Cert, "$CREDENTIALS_DIRECTORY/cluster-key", good.CA}, warning: "cluster.tls.key: there is no $CREDENTIALS_DIRECTORY here"},
	} {
		t.Run(name, func(t *testing.T) {
			f := tt.files
			cfg, err := loadCluster(t, "{name: a, servers: {a: 127.0.0.1:6222}, secret_file: SECRET, tls: {cert: "+f.Cert+", key: "+f.Key+", ca: "+f.CA+"}}", nil)
			says := strings.NewReplacer(`"`+f.Cert+`"`, "CERT", `"`+f.Key+`"`, "KEY", `"`+f.CA+`"`, "CA")
			if tt.problem != "" {
				if err == nil || !strings.Contains(says.Replace(err.Error()), tt.problem) || strings.Contains(err.Error(), "\n") {
					t.Error(err)
				}
				return
			}
			warnings := says.Replace(strings.Join(cfg.Warnings, "\n"))
			if err != nil || !strings.Contains(warnings, tt.warning) || (tt.warning == "") != (warnings == "") || strings.Contains(warnings, "\n") {
				t.Errorf("%v, %s", err, warnings)
			}
			if err := cfg.Cluster.Ready(); (err == nil) == strings.HasPrefix(f.Key, "$") {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// TestCertificateThroughAnIntermediate: what is between a certificate and its authority is
// in the same file, after it.
func TestCertificateThroughAnIntermediate(t *testing.T) {
	root := newAuthority(t)
	middle := root.Below(t)
	files := (&authority{middle, root.file}).issue(t, nil)
	load := func() (*Config, error) {
		return loadCluster(t, "{name: a, servers: {a: localhost:6222}, secret_file: SECRET, tls: {cert: "+files.Cert+", key: "+files.Key+", ca: "+files.CA+"}}", nil)
	}
	if _, err := load(); err == nil || !strings.Contains(err.Error(), "is not signed by") {
		t.Errorf("without what is between: %v", err)
	}
	own, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	files.Cert = stricttest.WriteFile(t, "chain.crt", string(own)+string(middle.PEM()))
	if cfg, err := load(); err != nil || cfg.Warnings != nil {
		t.Errorf("%v, %q", err, cfg.Warnings)
	}
}

// TestTLSConfig: two hosts of one authority talk to each other, and to no other.
func TestTLSConfig(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	configOf := func(files TLS) *tls.Config {
		t.Helper()
		made, err := (&Cluster{Servers: map[string]string{"a": "127.0.0.1:1"}, TLS: files}).TLSConfig()
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	server := configOf(a.issue(t, nil))
	impostor := stranger.issue(t, nil)
	impostor.CA = a.file // it knows whom to trust, but is not trusted
	anonymous := configOf(a.issue(t, nil))
	anonymous.Certificates = nil
	for name, tt := range map[string]struct {
		client *tls.Config
		want   bool
	}{
		"a host":                       {configOf(a.issue(t, nil)), true},
		"a stranger":                   {configOf(impostor), false},
		"one of another authority":     {configOf(stranger.issue(t, nil)), false},
		"one without a certificate":    {anonymous, false},
		"one that speaks an older TLS": {&tls.Config{Certificates: server.Certificates, RootCAs: server.RootCAs, MaxVersion: tls.VersionTLS12}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := handshake(t, server, tt.client); (got == nil) != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// handshake connects the two and returns the server's error.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			err = tls.Server(conn, server).Handshake()
			_ = conn.Close()
		}
		accepted <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client = client.Clone()
	client.ServerName = "127.0.0.1"
	if tls.Client(conn, client).Handshake() != nil {
		_ = conn.Close()
	}
	return <-accepted
}

// TestTLSOfAnotherCluster: what somebody else's cluster asks for is theirs to say.
func TestTLSOfAnotherCluster(t *testing.T) {
	files := newAuthority(t).issue(t, nil)
	for section, want := range map[string]struct {
		made, roots bool
		own         int
	}{
		"url: [tls://nats.example.org]":                                                                          {},
		"url: [nats://nats.example.org], tls: {ca: " + files.CA + "}":                                            {made: true, roots: true},
		"url: [tls://nats.example.org], tls: {cert: " + files.Cert + ", key: " + files.Key + "}":                 {made: true, own: 1},
		"url: [nats://127.0.0.1], tls: {cert: " + files.Cert + ", key: " + files.Key + ", ca: " + files.CA + "}": {made: true, roots: true, own: 1},
	} {
		cfg, err := loadCluster(t, "{name: a, "+section+"}", nil)
		if err != nil || cfg.Warnings != nil {
			t.Errorf("%s: %v, %q", section, err, cfg.Warnings)
			continue
		}
		made, err := cfg.Cluster.TLSConfig()
		if err != nil || (made != nil) != want.made {
			t.Errorf("%s: %v, %v", section, made, err)
		} else if made != nil && ((made.RootCAs != nil) != want.roots || len(made.Certificates) != want.own) {
			t.Errorf("%s: %+v", section, made)
		}
	}
}

func TestTLSFilesThatAreGone(t *testing.T) {
	files := newAuthority(t).issue(t, nil)
	for _, tt := range []struct {
		files TLS
		want  string
	}{
		{TLS{"/nonexistent/a", files.Key, files.CA}, `cluster.tls: the certificate "/nonexistent/a" with the key`},
		{TLS{files.Cert, files.Key, "/nonexistent/ca"}, `cluster.tls.ca: the authorities in "/nonexistent/ca" cannot be used: no such file or directory`},
		{TLS{files.Cert, files.Key, files.Key}, "it holds no certificate in PEM form"},
	} {
		if _, err := (&Cluster{TLS: tt.files}).TLSConfig(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v", err)
		}
	}
}

// TestCertificateEnds: what expires first counts, on the way to the authority that holds
// longest.
func TestCertificateEnds(t *testing.T) {
	soon := time.Now().Add(10 * 24 * time.Hour)
	a, ending := newAuthority(t), newAuthorityUntil(t, soon)
	expired := a.issue(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = soon.Add(-certtest.ValidFor), soon.Add(-20*24*time.Hour)
	})
	stranger := newAuthority(t)
	for name, test := range map[string]struct {
		files TLS
		want  time.Time
	}{
		"its own end":           {a.issue(t, func(c *x509.Certificate) { c.NotAfter = soon }), soon},
		"that of the authority": {ending.issue(t, nil), soon},
		"past":                  {expired, soon.Add(-20 * 24 * time.Hour)},
		"nobody vouches for it": {TLS{expired.Cert, expired.Key, stranger.file}, soon.Add(-20 * 24 * time.Hour)},
		"an authority alone":    {TLS{CA: a.file}, time.Time{}},
		"no TLS":                {TLS{}, time.Time{}},
	} {
		made, err := (&Cluster{TLS: test.files, Servers: map[string]string{"a": "127.0.0.1:6222"}}).TLSConfig()
		if err != nil {
			t.Fatal(name, err)
		}
		if got := CertificateEnds(made); !got.Equal(test.want.Truncate(time.Second)) && got != test.want {
			t.Errorf("%s: %s, not %s", name, got, test.want)
		}
	}
}
