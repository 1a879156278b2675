package daemon

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// A member is this host's part among several, where the configuration has the section
// cluster. It has the store follow the records that all of them share, publishes what is
// changed here, and has this host do its share of the work:
//
//	follow     the store becomes a replica, and stays one: replica.go
//	offers     the host with the lease "scheduler" says what is due
//	work       a host that may ask takes some of it, and runs a pass over that: work.go
//	answers    does what a refresh by hand on another host asks for: byhand.go
//	leases     who may ask with which credential, and PyPI: leases.go
//	compare    whether the store has what the stream has: replica.go
//	takeovers  of the catalogue file, one host at a time: takeover.go
//	announce   what this host says of itself
//	learn      what status and metrics tell of the others: standing.go
//
// The store, the fetcher and the API know nothing of all that.
type member struct {
	node      *cluster.Node
	refresher *refresher
	store     *store.Store
	log       zerolog.Logger
	version   string
	start     string // a name of this start of the daemon
	began     time.Time
	workers   int
	running   context.Context // of the daemon
	rebuilt   func()          // is called when the store was built anew, after it was a replica already
	writing   context.Context // ends lastWrites after running
	following context.Context // ends when nobody writes any more
	unfollow  context.CancelFunc
	follower  sync.WaitGroup // of following

	scheduler *cluster.Lease
	leases    *leases
	caughtUp  atomic.Bool            // the store has been where its stream was
	offer     chan struct{}          // holds a token when what is due is to be offered now
	rebuild   chan struct{}          // holds a token when the store is to be built anew
	looked    atomic.Int64           // when the store was last compared with the stream, or that was tried, in Unix nanoseconds; 0 to have it compared soon
	lag       atomic.Uint64          // messages that the stream has and the store had not, when it last looked
	takeover  chan struct{}          // holds a token when the catalogue file is to be looked at
	trouble   atomic.Pointer[string] // what keeps the store from following; nil for nothing

	certificateEnds time.Time // zero if this host shows none
	learnt          atomic.Pointer[learnt]
	told            map[string]bool           // kinds of faults that were logged and are not over; learn's own
	compared        atomic.Pointer[time.Time] // when the store was last compared with the stream; nil for not yet
	rebuilding      atomic.Pointer[time.Time] // since when the store is built anew; nil if it is not
	rebuilds        atomic.Uint64
	conflicts       atomic.Uint64 // writes that came after another host's

	lines []*line // one for each class of work

	group sync.WaitGroup
}

const (
	leaseTime   = 30 * time.Second // an election takes up to 12 s
	publishWait = 45 * time.Second // that a write waits for a majority
	lastWrites  = 15 * time.Second // that writes wait for one once the daemon stops: an election's time
)

// newMember starts this host's server, if it runs one, and connects. It does not wait for the
// other hosts.
func newMember(running context.Context, o Options, r *refresher) (*member, error) {
	cl := &o.Config.Cluster
	tls, err := cl.TLSConfig()
	if err != nil {
		return nil, err
	}
	urls := make([]string, len(cl.URL))
	for i, u := range cl.URL {
		urls[i] = u.Reveal()
	}
	o.Log.Info().Msg(cl.Role())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	node, err := cluster.Start(ctx, cluster.Options{
		Name: cl.Name, Servers: cl.Servers, URLs: urls, Secret: []byte(cl.Secret.Reveal()), TLS: tls,
		Folder: o.Config.Store.Path + clusterSuffix, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	m := &member{
		running: running, rebuilt: func() {}, node: node, refresher: r, store: r.store, log: o.Log, version: o.Version, start: rand.Text(), began: time.Now(), workers: o.Config.Refresh.Workers,
		scheduler: node.Lease(schedulerLease, leaseTime), leases: r.leases, certificateEnds: config.CertificateEnds(tls),
		offer: make(chan struct{}, 1), rebuild: make(chan struct{}, 1), takeover: make(chan struct{}, 1),
	}
	m.following, m.unfollow = context.WithCancel(context.Background())
	var stopWriting context.CancelFunc
	m.writing, stopWriting = context.WithCancel(m.following)
	context.AfterFunc(running, func() { time.AfterFunc(lastWrites, stopWriting) })
	for _, class := range cluster.Classes {
		m.lines = append(m.lines, m.newLine(class))
	}
	m.leases.node = node
	r.member = m
	return m, nil
}

// run has the host take part until ctx ends. Its store goes on to follow until close: what a
// pass or a takeover has yet to write then comes back to it.
func (m *member) run(ctx context.Context) {
	m.follower.Go(func() { m.follow(m.following) })
	m.group.Go(func() { m.announce(ctx) })
	m.group.Go(func() { m.learn(ctx) })
	m.group.Go(func() { m.compare(ctx) })
	m.group.Go(func() { m.takeovers(ctx) })
	if stop, err := m.node.Listen(offerSubject, func(sequence []byte) { m.offerWith(ctx, sequence) }); err == nil {
		defer stop()
	}
	if m.workers > 0 {
		m.group.Go(func() {
			m.while(ctx, func() bool { return m.fit() && m.refresher.paused.Load() == nil }, func(ctx context.Context) {
				m.scheduler.Run(ctx, func() []byte { return nil }, func(held bool, _ []byte) {
					if held {
						m.offerSoon()
					}
				})
			})
		})
		m.group.Go(func() { m.offers(ctx) })
		holding, letGo := context.WithCancel(context.WithoutCancel(ctx))
		m.group.Go(func() { m.while(holding, m.fit, m.leases.run) })
		m.group.Go(func() {
			defer letGo() // not before the last request has ended
			var lines sync.WaitGroup
			for _, l := range m.lines {
				lines.Go(func() { l.work(ctx) })
			}
			lines.Go(func() { m.answers(ctx) })
			lines.Wait()
		})
	}
	m.group.Wait()
}

// while runs f whenever holds does, until ctx ends. The context of f ends when it does not any
// more.
func (m *member) while(ctx context.Context, holds func() bool, f func(context.Context)) {
	for ctx.Err() == nil {
		if !holds() {
			sleep(ctx, idle)
			continue
		}
		held, end := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() {
			for held.Err() == nil && holds() {
				sleep(held, idle)
			}
			end()
		})
		f(held)
		end()
		watch.Wait()
	}
}

// close takes the host out of the cluster. Nobody writes any more.
func (m *member) close() error {
	m.unfollow()
	m.follower.Wait()
	if err := m.node.Close(); err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}

// Publish implements [store.Publisher].
func (m *member) Publish(writes []record.Write) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(m.writing, publishWait)
	defer cancel()
	last, err = m.node.Publish(ctx, writes)
	var conflict *record.Conflict
	if errors.As(err, &conflict) {
		m.conflicts.Add(1)
	}
	return last, err
}

// active reports whether this host may take part in the work now.
func (m *member) active() bool {
	return m.fit() && m.node.Reach().Quorum && m.refresher.paused.Load() == nil
}

// fit reports whether this host has what the others have, and follows them. One that does not
// leaves to them what only one host has at a time.
func (m *member) fit() bool { return m.caughtUp.Load() && m.trouble.Load() == nil }

// offerSoon has what is due offered, if this host is the one to do so.
func (m *member) offerSoon() { wake(m.offer) }

// offersSoon has the host that offers do so, whichever it is.
func (m *member) offersSoon() {
	m.offerSoon()
	sequence := strconv.AppendUint(nil, m.store.Applied(), 10)
	_ = m.node.Broadcast(offerSubject, sequence) // else what is due waits for the schedule
}

// offerSubject is where it is told that something is due, apart from the schedule, with the
// sequence of the records at which it is.
const offerSubject = "offer"

// offerWith has what is due offered once this host's store has come to a sequence: before that,
// it may know nothing of what is due.
func (m *member) offerWith(ctx context.Context, sequence []byte) {
	ctx, cancel := context.WithTimeout(ctx, applyWait)
	defer cancel()
	if at, err := strconv.ParseUint(string(sequence), 10, 64); err == nil {
		_ = m.store.WaitApplied(ctx, at) // else it offers what it knows of
	}
	m.offerSoon()
}

// wake puts a token into c, if it holds none.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// said is what a host tells the others of itself, every few seconds.
type said struct {
	Start    string `json:"start"` // of this host, by which two of one name are told apart
	Version  string `json:"version"`
	Workers  int    `json:"workers"`
	Stream   string `json:"stream"`
	Applied  uint64 `json:"applied"`
	Packages int    `json:"packages"`
	Count    uint64 `json:"count"`
	Digest   uint64 `json:"digest"`
	Lag      uint64 `json:"lag"`
	Servers  string `json:"servers,omitempty"` // as its configuration has them
	Served   string `json:"rendering"`         // how it renders what it serves, which should be the same everywhere
	Trouble  string `json:"trouble,omitempty"`
	Stopped  bool   `json:"stopped,omitempty"` // it has left in order
}

func (m *member) announce(ctx context.Context) {
	m.node.Announce(ctx, func() []byte {
		s := said{Start: m.start, Servers: serverList(m.refresher.cfg().Cluster.Servers), Version: m.version, Workers: m.workers, Lag: m.lag.Load(), Served: m.store.Rendering(), Stopped: ctx.Err() != nil}
		if _, packages, err := m.store.Packages(0, 0); err == nil {
			s.Packages = packages
		}
		if state, err := m.store.Replica(); err == nil {
			s.Stream, s.Applied, s.Count, s.Digest = state.Stream, state.Applied, state.Count, state.Digest
		}
		if t := m.trouble.Load(); t != nil {
			s.Trouble = *t
		}
		data, _ := json.Marshal(s) // no value in it can fail
		return data
	})
}
