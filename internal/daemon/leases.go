package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/github"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/upstream"
)

// leases are the rights of this host to ask: one for each credential, and one for PyPI.
type leases struct {
	node   *cluster.Node
	secret []byte // names of credentials are made with it
	log    zerolog.Logger

	mu      sync.Mutex
	held    map[string]*cluster.Lease // by fingerprint, and pypiLease
	wanted  map[string]bool
	changed chan struct{} // holds a token when wanted has changed
	clients func() *settings

	present context.Context // ends when a lease is lost, and with it the requests in flight
	lapse   context.CancelFunc
}

const pypiLease = "pypi"

func newLeases(cfg *config.Config, log zerolog.Logger, clients func() *settings) *leases {
	secret := cfg.Cluster.Secret.Reveal()
	if secret == "" { // of a cluster that somebody else runs
		secret = cfg.HTTP.PublicURL // which is the same on all hosts
	}
	l := &leases{
		secret: []byte("credentials of " + secret), log: log, clients: clients,
		held: map[string]*cluster.Lease{}, wanted: map[string]bool{}, changed: make(chan struct{}, 1),
	}
	l.present, l.lapse = context.WithCancel(context.Background())
	return l
}

// usable reports whether this host may ask with a credential now.
func (l *leases) usable(fingerprint string) bool {
	l.mu.Lock()
	lease := l.held[fingerprint]
	l.mu.Unlock()
	return lease != nil && lease.Held()
}

// want sets the credentials that this host asks with, if no other one does: those of client.
func (l *leases) want(client *github.Client) {
	wanted := map[string]bool{pypiLease: true}
	for _, c := range client.Credentials() { // which asks usable
		if c.Fingerprint != "" { // an anonymous one is each host's own
			wanted[c.Fingerprint] = true
		}
	}
	l.mu.Lock()
	l.wanted = wanted
	l.mu.Unlock()
	wake(l.changed)
}

// run holds what is wanted, as far as other hosts leave it, until ctx ends.
func (l *leases) run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	running := map[string]context.CancelFunc{}
	for {
		l.mu.Lock()
		wanted := maps.Clone(l.wanted)
		l.mu.Unlock()
		for name, stop := range running {
			if !wanted[name] {
				stop()
				delete(running, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			if running[name] != nil {
				continue
			}
			one, stop := context.WithCancel(ctx)
			running[name] = stop
			group.Go(func() { l.hold(one, name) })
		}
		select {
		case <-l.changed:
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return
		}
	}
}

// hold holds one lease. With that of a credential travels what is left of its budgets.
func (l *leases) hold(ctx context.Context, name string) {
	prefix := credentialLease
	if name == pypiLease {
		prefix = ""
	}
	lease := l.node.Lease(prefix+name, leaseTime)
	l.mu.Lock()
	l.held[name] = lease
	l.mu.Unlock()
	lease.Run(ctx, func() []byte {
		if name == pypiLease {
			return nil
		}
		now := l.clients()
		if now == nil {
			return nil
		}
		value, _ := json.Marshal(now.github.Allowance(name)) // no value in it can fail
		return value
	}, func(held bool, previous []byte) {
		l.log.Debug().Str("lease", prefix+name).Bool("held", held).Msg("a lease has changed hands")
		switch {
		case !held:
			l.lost()
		case name != pypiLease:
			l.inherit(name, previous, lease.Age())
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] == lease {
		delete(l.held, name)
	}
}

// inherit takes over what the host that had the credential before knew of its budgets, that
// long ago.
func (l *leases) inherit(fingerprint string, previous []byte, age time.Duration) {
	var left github.Allowance
	if now := l.clients(); now != nil && json.Unmarshal(previous, &left) == nil {
		now.github.Learn(fingerprint, left, age)
	}
}

// lost ends the requests that are in flight: another host may be about to send its own.
func (l *leases) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lapse()
	l.present, l.lapse = context.WithCancel(context.Background())
}

// A leased transport ends requests when a lease is lost.
type leased struct {
	http.RoundTripper
	leases *leases
}

var errLost = errors.New("this host was cut off from the others, one of which may ask in its place")

// RoundTrip implements [http.RoundTripper].
func (t leased) RoundTrip(req *http.Request) (*http.Response, error) {
	t.leases.mu.Lock()
	present := t.leases.present
	t.leases.mu.Unlock()
	ctx, end := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(present, func() { end(errLost) })
	done := func() {
		stop()
		end(nil)
	}
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if errors.Is(context.Cause(ctx), errLost) {
			err = &upstream.Error{ // no failure of who was asked
				Outcome: upstream.Limited, Method: req.Method, URL: upstream.Redact(req.URL), Message: errLost.Error(), RetryAt: time.Now().Add(leaseTime),
			}
		}
		done()
		return nil, err
	}
	resp.Body = closing{resp.Body, done}
	return resp, nil
}

// CloseIdleConnections closes those of the transport beneath.
func (t leased) CloseIdleConnections() { upstream.CloseIdle(t.RoundTripper) }

// closing calls done when a body is closed.
type closing struct {
	io.ReadCloser
	done func()
}

func (c closing) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}
