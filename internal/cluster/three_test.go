package cluster

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pkgmetad/internal/certtest"
	"pkgmetad/internal/record"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"
)

// authority returns a maker of certificates of one new CA, for loopback.
func authority(t testing.TB) func(name string) *tls.Config {
	t.Helper()
	ca := certtest.New(t, time.Now().Add(certtest.ValidFor))
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return func(name string) *tls.Config {
		certificate, err := tls.X509KeyPair(ca.Issue(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} }))
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool}
	}
}

// together starts hosts at once and waits until they are ready. Each is closed with
// the test, unless it was before.
func together(t testing.TB, all []Options) []*Node {
	t.Helper()
	nodes := make([]*Node, len(all))
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			n, err := Start(patient(t), all[i])
			if err != nil {
				t.Error(err)
				return
			}
			nodes[i] = n
			if err := n.Wait(patient(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	t.Cleanup(func() {
		for _, n := range nodes {
			if n != nil {
				group.Go(func() { _ = n.Close() }) // without a majority, it may have something to say
			}
		}
		group.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
	return nodes
}

// leader returns which host's server leads the records.
func leader(t testing.TB, n *Node) string {
	t.Helper()
	info, err := n.found.Load().records.Info(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	return info.Cluster.Leader
}

func TestThree(t *testing.T) {
	t.Parallel()
	ctx := patient(t)
	var log logged
	certificate := authority(t)
	all := servers(t, 3)
	for i := range all {
		all[i].TLS = certificate(all[i].Name)
		all[i].Log = zerolog.New(&log)
	}
	nodes := together(t, all)
	first := published(t, nodes[0], numbered(300)...)
	for _, n := range nodes {
		following(t, n, "", 0).until(first)
		if r := n.Reach(); !r.Quorum || r.Servers != 3 || r.All != 3 {
			t.Errorf("%+v", r)
		}
	}
	var names []string
	for name := range nodes[0].js.StreamNames(ctx).Name() {
		names = append(names, name)
	}
	if len(names) != 3 {
		t.Errorf("the three have made the streams %q", names)
	}
	t.Run("strangers", func(t *testing.T) { strangers(t, all[0], certificate, &log) })

	// The leader goes: what it has acknowledged stays, and the others go on.
	led := leader(t, nodes[0])
	var rest []*Node
	for i, n := range nodes {
		if n.Name() == led {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			nodes[i] = nil
		} else {
			rest = append(rest, n)
		}
	}
	states := [2]State{}
	for i, n := range rest {
		var err error
		if states[i], err = n.State(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(states[0], states[1]); diff != "" || states[0].Count != 300 || states[0].Last != first {
		t.Errorf("%+v, and on the other -one +other\n%s", states[0], diff)
	}
	second, err := rest[0].Publish(ctx, []record.Write{{Name: "entry/1", Data: []byte("without " + led), Expect: first - 299}})
	if err != nil {
		t.Fatal(err)
	}

	// It comes back, has what it missed, and the others take what it writes.
	for i, o := range all {
		if nodes[i] == nil {
			nodes[i] = together(t, []Options{o})[0]
			f := following(t, nodes[i], states[0].ID, first)
			f.until(second)
			want := []record.Message{{Name: "entry/1", Data: []byte("without " + led), Sequence: second}}
			if diff := cmp.Diff(want, f.messages, cmpopts.IgnoreFields(record.Message{}, "Time")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			following(t, rest[1], states[0].ID, second).until(published(t, nodes[i], record.Write{Name: "entry/1", Expect: second}))
			nodes[i] = nil // closed by its own cleanup
		}
	}
	if secret := log.String(); strings.Contains(secret, string(all[0].Secret)) || strings.Contains(secret, password(all[0].Secret, routeUser)) || strings.Contains(secret, password(all[0].Secret, clientUser)) {
		t.Errorf("a secret is in the log:\n%s", secret)
	}
}

// strangers tries to get in without what it takes.
func strangers(t *testing.T, o Options, certificate func(string) *tls.Config, log *logged) {
	const (
		secret    = `"level":"warn","part":"embedded server","message":"127.0.0.1 was refused, because it has another secret than this host: it is a stranger, or cluster.secret_file is not the same on all hosts"`
		encrypted = `"level":"warn","part":"embedded server","message":"no encrypted connection with 127.0.0.1, which is refused: `
	)
	names := map[string]string{"x": servers(t, 1)[0].Servers["a"], "a": o.Servers["a"], "b": o.Servers["b"]}
	for _, test := range []struct {
		name, logged string
		stranger     Options
	}{
		{"another secret", secret, Options{Name: "x", Servers: o.Servers, Secret: []byte("guess"), TLS: certificate("x")}},
		{"a server with another secret", secret, Options{Name: "x", Servers: names, Secret: []byte("guess"), TLS: certificate("x"), Folder: t.TempDir()}},
		{"a certificate of another CA", encrypted, Options{Name: "x", Servers: o.Servers, Secret: o.Secret, TLS: authority(t)("x")}},
		{"no certificate", encrypted + "TLS handshake error: tls: client didn't provide a certificate", Options{Name: "x", Servers: o.Servers, Secret: o.Secret, TLS: &tls.Config{RootCAs: o.TLS.RootCAs}}},
		{"a server without a certificate", encrypted + "TLS route handshake error: tls: client didn't provide a certificate", Options{Name: "x", Servers: names, Secret: o.Secret, TLS: &tls.Config{RootCAs: o.TLS.RootCAs}, Folder: t.TempDir()}},
		{"no encryption", encrypted, Options{Name: "x", Servers: map[string]string{"a": o.Servers["a"]}, Secret: o.Secret}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := started(t, test.stranger)
			eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), test.logged) })
			select {
			case <-n.Ready():
				t.Error("it was let in")
			case <-time.After(100 * time.Millisecond): // enough for another try
			}
			if r := n.Reach(); r.Quorum {
				t.Errorf("%+v", r)
			}
			if test.name == "a server with another secret" {
				eventually(t, "it knows why", func() bool { return strings.Contains(n.Reach().Err, "cluster.secret_file is not the same") })
			}
		})
	}
	if said := strings.Count(log.String(), secret); said > len(o.Servers) {
		t.Errorf("said %d times, on %d servers, that there is another secret", said, len(o.Servers))
	}

	// Whoever just connects reads nothing but what a server is called.
	host, port, err := splitAddress(o.Servers["a"])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []int{port, clientPort(port)} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, "CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPING\r\n"); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(conn)
		_ = conn.Close()
		if bytes.Contains(got, []byte("MSG")) || bytes.Contains(got, []byte("PONG")) || p != port && len(got) > 0 {
			t.Errorf("port %d tells %q", p, got)
		}
	}
}
