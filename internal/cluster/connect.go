package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	attempt       = 2 * time.Second       // for one question; an election may swallow it
	election      = 6 * time.Second       // for what takes the choice of a leader
	ackWait       = 10 * time.Second      // for one write, after which its acknowledgement is not looked for any more
	silence       = 2 * time.Second       // for all writes of one call; then they are sent again
	pause         = 50 * time.Millisecond // before something is tried again, at first
	longPause     = time.Second           // and at most
	inFlight      = 1024                  // writes of one call that are sent and not acknowledged yet
	inFlightBytes = 32 << 20              // and their size
)

// connect connects to the own server, or in the background to another.
func (n *Node) connect() error {
	var failures once
	options := []nats.Option{
		nats.Name(n.options.Name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // what can't be sent now fails now, and is decided anew
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.Timeout(attempt),
		nats.IgnoreDiscoveredServers(),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { n.complain(&failures, err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { n.complain(&failures, err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				n.complain(&failures, err)
			}
		}),
	}
	conn, err := nats.Connect("", append(options, n.target()...)...)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	n.conn = conn
	async := []jetstream.JetStreamOpt{jetstream.WithPublishAsyncMaxPending(8 * inFlight), jetstream.WithPublishAsyncTimeout(ackWait)}
	var errs [3]error
	n.js, errs[0] = jetstream.New(conn, jetstream.WithDefaultTimeout(attempt))
	n.records, errs[1] = jetstream.New(conn, async...)
	n.work, errs[2] = jetstream.New(conn, async...)
	return errors.Join(errs[:]...)
}

// target returns where to connect, and as whom.
func (n *Node) target() (options []nats.Option) {
	o := n.options
	if len(o.Servers) > 0 {
		options = append(options, nats.UserInfo(clientUser, password(o.Secret, clientUser)))
	}
	if n.server != nil {
		return append(options, nats.InProcessServer(n.server))
	}
	urls := o.URLs
	for _, address := range o.Servers {
		host, port, _ := splitAddress(address) // checked by Start
		urls = append(urls, "nats://"+net.JoinHostPort(host, strconv.Itoa(clientPort(port))))
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(mutual(o.TLS)))
		if len(o.Servers) > 0 {
			options = append(options, nats.TLSHandshakeFirst())
		}
	}
	return append(options, func(all *nats.Options) error { all.Servers = urls; return nil })
}

// What a host says that is refused: by the servers of other hosts, and by a cluster that somebody else runs.
const (
	otherSecret = "the cluster refuses this host: cluster.secret_file is not the same on all hosts"
	otherUser   = "the cluster refuses this host: the user and password in cluster.url are not those that it asks for; servers that pkgmetad runs belong into cluster.servers, not into cluster.url"
)

// refused says why the cluster does not let this host in.
func (o *Options) refused() string {
	if len(o.Servers) > 0 {
		return otherSecret
	}
	return otherUser
}

// complain logs what is wrong with the connection, once.
func (n *Node) complain(said *once, err error) {
	message := "connection to the cluster: " + err.Error()
	if errors.Is(err, nats.ErrAuthorization) {
		message = n.options.refused()
	}
	level := zerolog.WarnLevel
	if !said.first(message, time.Now()) {
		level = zerolog.DebugLevel
	}
	n.log.WithLevel(level).Msg(message)
}

// temporary reports whether it is worth to try again what failed with err: for want
// of a leader or of a connection, or because an answer did not come.
func temporary(err error) bool {
	for _, passing := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded,
		jetstream.ErrNoStreamResponse, jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs, jetstream.ErrJetStreamNotEnabled,
		errNoLeader, errSilence, errNotSent,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code >= 500
}

// ask runs a question until it is answered, for as long as ctx allows. Each attempt
// has a context of its own.
func (n *Node) ask(ctx context.Context, doing string, question func(context.Context) error) error {
	if err := n.Wait(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for delay := pause; ; delay = min(2*delay, longPause) {
		err := within(ctx, question)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return n.outage(doing, ctx.Err())
		case !temporary(err):
			return fmt.Errorf("%s: %w", doing, err)
		}
		if wait(ctx, delay) != nil {
			return n.outage(doing, fmt.Errorf("%w, and before that: %w", ctx.Err(), err))
		}
	}
}

// within gives a question the time of one attempt.
func within(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return question(ctx)
}

// wait waits, or returns why ctx ended before.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outage says of an error, which is for want of an answer, what is known of the
// other hosts.
func (n *Node) outage(doing string, err error) error {
	r := n.Reach()
	if r.Quorum {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %s: %w", doing, r.reason(), err)
}
