// Package cluster connects the hosts that share one catalogue, by NATS JetStream,
// which it embeds; it is the only package that knows of NATS.
//
// Three streams hold all that hosts share:
//
//   - PKGMETAD_RECORDS_…, the records: the last message of each name, in one order
//     that every host sees. A write names the message that it replaces, and is
//     refused if another came first ([Node.Publish]). [Node.Follow] gives every host
//     all of it.
//   - PKGMETAD_WORK, what is to be done: each key at most once ([Node.Offer]), taken
//     by one host at a time ([Node.Pull]).
//   - PKGMETAD_STATE, who is who: leases ([Node.Lease]) and what each host says of
//     itself ([Node.Announce], [Node.Hosts]).
//
// A write is acknowledged when a majority of the servers has it on disk. Without a
// majority nothing is written: calls wait for one as long as their context allows,
// so give each a deadline, and then say how many servers are reached. A host never
// needs a majority to start, or to stop.
package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/rs/zerolog"
)

// Options is what a [Node] is made from.
type Options struct {
	Name string // of this host; letters, digits, "-", "_" and "." alone
	// Servers are the hosts that run a server: host name -> host:port on which it
	// listens for the other servers. Hosts that run none connect to the port 1000
	// above. All hosts must name the same servers. A port 0, for one server alone,
	// is any free one. nil with URLs.
	Servers map[string]string
	URLs    []string // of a cluster that somebody else runs, nats:// or tls://, with user and password or a token if it asks for one
	Secret  []byte   // which all hosts share; what is sent is derived from it. Not used with URLs
	// TLS has this host's certificate, and the CA of all in RootCAs: every side shows
	// a certificate. nil is no encryption, for loopback alone; with URLs, tls://
	// then trusts the system's CAs.
	TLS      *tls.Config
	Folder   string // of the embedded server's files and of this host's mark; it is made, readable by its owner alone. One process at a time may use it
	Replicas int    // of each stream; 0 is one for each of Servers, at most 5; with URLs 3, or 1 where there are not so many
	Log      zerolog.Logger

	retry time.Duration // after which a server that can't write to its folder is started anew; 0 is a minute
}

// A Node is this host's part in the cluster. Its methods may be called by many
// goroutines at once.
type Node struct {
	options Options
	log     zerolog.Logger
	id      string    // of this start of this host
	home    string    // of all starts of this host; "" without a folder
	server  *embedded // nil if another host's is used
	conn    *nats.Conn

	js      jetstream.JetStream // for all that is asked and answered
	records jetstream.JetStream // for Publish
	work    jetstream.JetStream // for Offer

	stop  context.CancelFunc // ends what runs in the background
	group sync.WaitGroup     // what runs in the background
	ready chan struct{}      // closed when the streams are there

	found atomic.Pointer[found] // not nil once ready is closed

	reach reach
	doubt time.Duration // for how long an answer that tells of a loss is not believed

	// Of watch alone.
	moved  time.Time // when it left a server for another
	broken time.Time // since when the embedded server stores nothing; zero if it does
}

// Start starts the embedded server, if Name is one of Servers, and connects to it,
// or else to one of the others. It waits for no other host: Ready tells when the
// streams are there. An error is of this host alone: an option, its folder, its
// port. ctx bounds the start, not the Node, which lives until [Node.Close].
//
// A host without a server tries each server once before Start returns, which takes up
// to two seconds for each that does not answer. A server keeps its name when another
// machine takes its place: it then gets all it lacks from the others.
func Start(ctx context.Context, o Options) (*Node, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.retry == 0 {
		o.retry = restartEvery
	}
	n := &Node{options: o, log: o.Log, id: nuid.Next(), ready: make(chan struct{}), doubt: 20 * time.Second}
	n.reach.init(len(o.Servers))
	var err error
	if n.home, err = readHome(o.Folder); err != nil {
		return nil, err
	}
	if _, own := o.Servers[o.Name]; own {
		s, err := startServer(ctx, o)
		if err != nil {
			return nil, err
		}
		n.server = s
	}
	if err := n.connect(); err != nil {
		if n.server != nil {
			n.server.stop()
		}
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	n.group.Go(func() { n.establish(background) })
	n.group.Go(func() { n.watch(background) })
	return n, nil
}

// Close takes this host out of the cluster: what runs in the background ends, the
// connection closes after what was sent on it, then the embedded server stops.
// End whatever uses the Node before, so that leases are released. It is called once.
func (n *Node) Close() error {
	n.stop()
	n.group.Wait()
	var err error
	if n.conn.IsConnected() {
		if err = n.conn.FlushTimeout(2 * time.Second); err != nil {
			err = fmt.Errorf("close the connection to the cluster: %w", err)
		}
	}
	n.conn.Close()
	if n.server != nil {
		n.server.stop()
	}
	return err
}

// Name returns the name of this host.
func (n *Node) Name() string { return n.options.Name }

// Ready returns a channel that is closed when all streams were found, or made. That
// takes a majority of the servers; the first time ever, as many as hold replicas.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Wait waits until the Node is ready. Its error says how many servers are reached.
func (n *Node) Wait(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	case <-ctx.Done():
		return n.outage("wait for the cluster", ctx.Err())
	}
}

// Warnings returns sentences about what this host can't know or have of the
// cluster, such as whether another's server syncs to disk. Call it once ready.
func (n *Node) Warnings() []string {
	select {
	case <-n.ready:
		return n.found.Load().warnings
	default:
		return nil
	}
}

func (o *Options) check() error {
	var errs []error
	if o.Name == "" || strings.ContainsFunc(o.Name, func(r rune) bool { return !plain(r) && r != '.' }) {
		errs = append(errs, fmt.Errorf("the name of a host is made of letters, digits, '-', '_' and '.', not %q", o.Name))
	}
	switch {
	case len(o.Servers) == 0 && len(o.URLs) == 0:
		errs = append(errs, errors.New("neither servers nor the URL of a cluster is given"))
	case len(o.Servers) > 0 && len(o.URLs) > 0:
		errs = append(errs, errors.New("both servers and the URL of another cluster are given"))
	case len(o.Servers) > 0 && len(o.Secret) == 0:
		errs = append(errs, errors.New("servers need a secret, the same on all hosts"))
	}
	for name, address := range o.Servers {
		if _, _, err := splitAddress(address); err != nil {
			errs = append(errs, fmt.Errorf("address of server %s: %w", name, err))
		}
	}
	for i, text := range o.URLs {
		// Which one is said by its number: it may have a password.
		if u, err := url.Parse(text); err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Host == "" {
			errs = append(errs, fmt.Errorf("URL %d of the cluster is not like nats://host:4222 or tls://host:4222", i+1))
		}
	}
	return errors.Join(errs...)
}
