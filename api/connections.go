package api

import (
	queue "container/list"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Connections counts the connections of a server, and what became of connections
// and requests beyond its limits.
type Connections struct {
	Open int // now
	Idle int // of these: not answering a request

	Evicted         uint64 // idle connections that were closed for a new one
	Waited          uint64 // new connections that had to wait, because all others were busy
	Refused         uint64 // new connections answered with 429, because their address had its share and none was idle
	RefusedRequests uint64 // requests through a proxy answered with 429, because their client had its share
}

const (
	tellEvery   = time.Minute            // at most one log line a minute about connections beyond the limits
	refuseWrite = 100 * time.Millisecond // to write a refusal, which fits into an empty send buffer
)

// connections are the open connections of a server. When the limit is reached, the
// one that has been idle for longest is closed for a new one: its client only has to
// connect again. A connection is idle until the header of a request is complete, and
// again after the answer.
type connections struct {
	most       int     // open at once
	perAddress int     // of them, of one address; 0 for no bound
	proxies    proxies // to which perAddress does not apply
	refusal    string  // to a connection beyond perAddress
	log        zerolog.Logger

	mu        sync.Mutex
	changed   *sync.Cond              // broadcast when a connection closes or becomes idle, and when a listener closes
	open      map[*conn]struct{}      // guarded by mu, as all below
	idle      queue.List              // of *conn, the longest idle first
	addresses map[netip.Addr]*address // clients with open connections, except proxies
	counts    Connections             // without Open and Idle
	toldAt    time.Time               // when the last line was logged
	told      Connections             // counts at that time
}

// address is what one client address has open.
type address struct {
	open int
	idle queue.List // of *conn, the longest idle first
}

// conn is one connection.
type conn struct {
	net.Conn
	all     *connections
	client  netip.Addr
	address *address                     // nil if perAddress does not apply
	request atomic.Pointer[http.Request] // the one that is being answered; nil while idle

	// Guarded by all.mu; nil while busy.
	inIdle, inAddress *queue.Element
}

func newConnections(o *ServerOptions) *connections {
	c := &connections{
		most: max(o.MaxConnections, 1), perAddress: o.MaxPerAddress, proxies: o.TrustedProxies, refusal: refusal(o.CrossOrigin), log: o.Log,
		open: map[*conn]struct{}{}, addresses: map[netip.Addr]*address{},
	}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Counts returns the present counts.
func (cs *connections) Counts() Connections {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	n := cs.counts
	n.Open, n.Idle = len(cs.open), cs.idle.Len()
	return n
}

// The verdicts on a new connection.
type verdict int

const (
	admitted verdict = iota
	refused
	ended // the listener was closed before there was room
)

// admit makes room for a new connection and registers it, or else closes it.
func (cs *connections) admit(raw net.Conn, closed *atomic.Bool) (*conn, verdict) {
	c := &conn{Conn: raw, all: cs}
	client, known := parseAddr(raw.RemoteAddr().String())
	if known && !cs.proxies.has(client) {
		c.client = network(client)
	}
	v := cs.makeRoom(c, closed)
	cs.tell()
	switch v {
	case refused:
		_ = raw.SetWriteDeadline(time.Now().Add(refuseWrite))
		_, _ = io.WriteString(raw, cs.refusal)
		_ = raw.Close()
	case ended:
		_ = raw.Close()
	}
	return c, v
}

// makeRoom is the part of admit that holds the lock.
func (cs *connections) makeRoom(c *conn, closed *atomic.Bool) verdict {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for waited := false; ; waited = true {
		if closed.Load() {
			return ended
		}
		a := cs.addresses[c.client]
		if a != nil && cs.perAddress > 0 && a.open >= cs.perAddress && !cs.evict(&a.idle) {
			cs.counts.Refused++
			return refused
		}
		if len(cs.open) < cs.most || cs.evict(&cs.idle) {
			cs.add(c)
			return admitted
		}
		if waited {
			cs.changed.Wait()
			continue
		}
		cs.counts.Waited++ // logged before the wait, which may be long
		cs.mu.Unlock()
		cs.tell()
		cs.mu.Lock()
	}
}

// add registers c as idle. The caller holds mu.
func (cs *connections) add(c *conn) {
	cs.open[c] = struct{}{}
	if c.client.IsValid() {
		if c.address = cs.addresses[c.client]; c.address == nil {
			c.address = new(address)
			cs.addresses[c.client] = c.address
		}
		c.address.open++
	}
	cs.becomesIdle(c)
}

// evict closes the first connection of a queue and reports whether there was one.
// The caller holds mu.
func (cs *connections) evict(from *queue.List) bool {
	first := from.Front()
	if first == nil {
		return false
	}
	c := first.Value.(*conn)
	cs.forget(c)
	_ = c.Conn.Close()
	cs.counts.Evicted++
	return true
}

// evictAny closes the connection that has been idle for longest, if one is.
func (cs *connections) evictAny() bool {
	cs.mu.Lock()
	evicted := cs.evict(&cs.idle)
	cs.mu.Unlock()
	cs.tell()
	return evicted
}

// forget removes c, if it is registered. The caller holds mu.
func (cs *connections) forget(c *conn) {
	if _, open := cs.open[c]; !open {
		return
	}
	cs.becomesBusy(c)
	delete(cs.open, c)
	if c.address != nil {
		if c.address.open--; c.address.open == 0 {
			delete(cs.addresses, c.client)
		}
	}
	cs.changed.Broadcast()
}

// becomesIdle appends c to the idle queues. The caller holds mu.
func (cs *connections) becomesIdle(c *conn) {
	if _, open := cs.open[c]; !open || c.inIdle != nil {
		return
	}
	c.inIdle = cs.idle.PushBack(c)
	if c.address != nil {
		c.inAddress = c.address.idle.PushBack(c)
	}
	cs.changed.Broadcast()
}

// becomesBusy removes c from the idle queues. The caller holds mu.
func (cs *connections) becomesBusy(c *conn) {
	if c.inIdle == nil {
		return
	}
	cs.idle.Remove(c.inIdle)
	if c.address != nil {
		c.address.idle.Remove(c.inAddress)
	}
	c.inIdle, c.inAddress = nil, nil
}

// follow is the ConnState hook of the http.Server.
func (cs *connections) follow(raw net.Conn, state http.ConnState) {
	c, ok := raw.(*conn)
	if !ok {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch state {
	case http.StateActive:
		cs.becomesBusy(c)
	case http.StateIdle:
		c.request.Store(nil) // not earlier: the last bytes of the answer are written after the handler returns
		cs.becomesIdle(c)
	}
}

// refusedRequest counts a request that was refused.
func (cs *connections) refusedRequest() {
	cs.mu.Lock()
	cs.counts.RefusedRequests++
	cs.mu.Unlock()
	cs.tell()
}

// tell logs, at most once a minute, that clients want more than the limits allow.
func (cs *connections) tell() {
	if line := cs.news(); line != nil { // logged without holding mu: writing the log may block
		line.Msg("clients want more connections than http.max_connections or http.max_connections_per_address allow: the longest idle ones are closed for new ones, and new ones of an address that has its share, none of it idle, are refused; counts since the last such line, at most one a minute")
	}
}

// news returns the log line that is due, or nil.
func (cs *connections) news() *zerolog.Event {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	n, before, now := cs.counts, cs.told, time.Now()
	if n == before || now.Sub(cs.toldAt) < tellEvery {
		return nil
	}
	cs.told, cs.toldAt = n, now
	line := cs.log.Warn().Int("open", len(cs.open)).Int("idle", cs.idle.Len()).
		Uint64("evicted", n.Evicted-before.Evicted).Uint64("waited", n.Waited-before.Waited).
		Uint64("refused", n.Refused-before.Refused).Uint64("refused_requests", n.RefusedRequests-before.RefusedRequests)
	var largest netip.Addr
	most := 0
	for client, a := range cs.addresses {
		if a.open > most {
			largest, most = client, a.open
		}
	}
	if most > 0 {
		line = line.Stringer("largest_address", largest).Int("largest_open", most)
	}
	return line
}

// closeIdle closes all idle connections.
func (cs *connections) closeIdle() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for first := cs.idle.Front(); first != nil; first = cs.idle.Front() {
		c := first.Value.(*conn)
		cs.forget(c)
		_ = c.Conn.Close()
	}
}

// busy returns the requests that are being answered.
func (cs *connections) busy() (requests []*http.Request) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		if r := c.request.Load(); r != nil {
			requests = append(requests, r)
		}
	}
	return requests
}

// ReadFrom keeps sendfile working, which the embedded interface alone would hide.
func (c *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

func (c *conn) Close() error {
	c.all.mu.Lock()
	c.all.forget(c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// listen returns a listener whose connections come from l and are among cs.
func (cs *connections) listen(l net.Listener) net.Listener {
	return &listener{Listener: l, all: cs}
}

type listener struct {
	net.Listener
	all    *connections
	closed atomic.Bool
}

// Accept accepts a connection first and makes room for it then, so that nothing is
// evicted without need. It may have to wait for room.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && l.all.evictAny() {
			continue // file descriptors ran out before the limit was reached
		}
		if err != nil {
			return nil, err
		}
		switch c, v := l.all.admit(raw, &l.closed); v {
		case admitted:
			return c, nil
		case ended:
			return nil, net.ErrClosed
		}
	}
}

// Close also ends an Accept that is waiting for room.
func (l *listener) Close() error {
	l.all.mu.Lock()
	l.closed.Store(true)
	l.all.changed.Broadcast()
	l.all.mu.Unlock()
	return l.Listener.Close()
}

// The answer to a client that has its share. A refused connection gets it without
// waiting for its request.
const (
	tooMany      = `{"detail":"Your address has as many requests under way as one address may. Try again later."}`
	tooManyAfter = "5" // seconds
)

// refusal returns the answer to a connection, for scripts of any origin if they may read it.
func refusal(crossOrigin bool) string {
	allow := ""
	if crossOrigin {
		allow = "Access-Control-Allow-Origin: *\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s"+
		"Retry-After: %s\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s", len(tooMany), allow, tooManyAfter, tooMany)
}
