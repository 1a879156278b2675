package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// from is a connection that says it comes from an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

// dialFrom is dial, from an address.
func (l *pipeListener) dialFrom(address string) net.Conn {
	client, server := net.Pipe()
	conn := from{server, &net.TCPAddr{IP: net.ParseIP(address), Port: 1234}}
	go func() {
		select {
		case l.conns <- conn:
		case <-l.done:
			server.Close()
		}
	}()
	return client
}

// A crowd is a server in a synctest bubble, and its clients.
type crowd struct {
	t   *testing.T
	l   *pipeListener
	s   *Server
	log *strings.Builder // what has been logged, once all is quiet
}

// inCrowd runs f with a server that serves /livez, and holds a request for /held
// until release is closed.
func inCrowd(t *testing.T, o ServerOptions, f func(t *testing.T, c crowd, release chan struct{})) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		mux := http.NewServeMux()
		mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) { <-release })
		mux.Handle("/", handler(t))
		c := crowd{t: t, l: newPipeListener(), log: new(strings.Builder)}
		o.Handler, o.Log = mux, zerolog.New(zerolog.SyncWriter(c.log))
		c.s = NewServer(o)
		served := make(chan error)
		go func() { served <- c.s.Serve(c.l) }()
		f(t, c, release)
		if err := c.s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		synctest.Wait()
		if cs := c.s.connections; len(cs.open)+cs.idle.Len()+len(cs.addresses)+len(c.s.forwarded.out) > 0 {
			t.Errorf("what has gone is kept: %d connections, %d idle, %d addresses, %d clients", len(cs.open), cs.idle.Len(), len(cs.addresses), len(c.s.forwarded.out))
		}
	})
}

// ask sends a request on a connection and returns the status of its answer; 0 where
// the connection was closed, and -1 where there was no answer within a second.
func (c crowd) ask(conn net.Conn, path string, headers ...string) int {
	c.t.Helper()
	conn.SetDeadline(time.Now().Add(time.Second))
	defer conn.SetDeadline(time.Time{})
	go fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, strings.Join(append(headers, ""), "\r\n")) // which is not read if it is refused
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout):
		return -1
	case err != nil:
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	synctest.Wait() // until the server sees that the answer is out
	return resp.StatusCode
}

// hold makes a connection busy.
func (c crowd) hold(conn net.Conn, headers ...string) net.Conn {
	fmt.Fprintf(conn, "GET /held HTTP/1.1\r\nHost: x\r\n%s\r\n", strings.Join(append(headers, ""), "\r\n"))
	synctest.Wait()
	return conn
}

// wantAnswer reads the answer to what a connection asked before.
func (c crowd) wantAnswer(conn net.Conn) {
	c.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		c.t.Errorf("a busy connection: %v, %v", resp, err)
	}
	synctest.Wait()
}

func (c crowd) wantCounts(want Connections) {
	c.t.Helper()
	synctest.Wait()
	if got := c.s.Connections(); got != want {
		c.t.Errorf("counts %+v, want %+v", got, want)
	}
}

// TestIdleConnectionsLockNobodyOut: when a thousand idle connections of any kind fill
// the server, a new one is answered at once, and one log line says what happens.
func TestIdleConnectionsLockNobodyOut(t *testing.T) {
	const most = 1000
	for name, fall := range map[string]func(c crowd, conn net.Conn){
		"idle after an answer": func(c crowd, conn net.Conn) {
			if got := c.ask(conn, "/livez"); got != 200 {
				c.t.Errorf("a connection that there is room for: %d", got)
			}
		},
		"silent from the beginning": func(c crowd, conn net.Conn) { synctest.Wait() },
		"with half a request":       func(c crowd, conn net.Conn) { io.WriteString(conn, "GET /livez HT") },
	} {
		for _, address := range []string{"192.0.2.1", "not an address"} {
			t.Run(name+" from "+address, func(t *testing.T) {
				inCrowd(t, ServerOptions{MaxConnections: most}, func(t *testing.T, c crowd, _ chan struct{}) {
					var first net.Conn
					for i := range most {
						conn := c.l.dialFrom(address)
						fall(c, conn)
						if i == 0 {
							first = conn
						}
					}
					c.wantCounts(Connections{Open: most, Idle: most})
					start := time.Now()
					for range 3 {
						if got := c.ask(c.l.dialFrom("198.51.100.7"), "/livez"); got != 200 {
							t.Errorf("somebody else: %d", got)
						}
					}
					if took := time.Since(start); took >= time.Second {
						t.Errorf("it took %s", took)
					}
					c.wantCounts(Connections{Open: most, Idle: most, Evicted: 3})
					if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						t.Errorf("the longest idle one is open: %v", err)
					}
					if n := strings.Count(c.log.String(), "\n"); n != 1 || !strings.Contains(c.log.String(), `"level":"warn","open":1000,"idle":1000,"evicted":1,`) {
						t.Errorf("the log has %d lines:\n%s", n, c.log)
					}
				})
			})
		}
	}
}

// TestLongestIdleGoes: what is busy stays, and of the idle ones the longest goes.
func TestLongestIdleGoes(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 3}, func(t *testing.T, c crowd, release chan struct{}) {
		a, b, busy := c.l.dial(), c.l.dial(), c.hold(c.l.dial())
		for _, conn := range []net.Conn{b, a} { // so that b has been idle for longer
			if got := c.ask(conn, "/livez"); got != 200 {
				t.Errorf("an idle one: %d", got)
			}
		}
		if got := c.ask(c.l.dial(), "/livez"); got != 200 {
			t.Errorf("a new one: %d", got)
		}
		if got := c.s.connections.busy(); len(got) != 1 || got[0].URL.Path != "/held" {
			t.Errorf("%d requests are under way: %v", len(got), got)
		}
		if got := c.ask(b, "/livez"); got != 0 {
			t.Errorf("the longest idle one: %d", got)
		}
		if got := c.ask(a, "/livez"); got != 200 {
			t.Errorf("the other idle one: %d", got)
		}
		close(release)
		c.wantAnswer(busy)
	})
}

// TestAllBusy: where none is idle a new one waits, until one is or is closed.
func TestAllBusy(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 2}, func(t *testing.T, c crowd, release chan struct{}) {
		gone, busy := c.hold(c.l.dial()), c.hold(c.l.dial())
		waits := c.l.dial()
		if got := c.ask(waits, "/livez"); got != -1 {
			t.Errorf("beyond the bound: %d", got)
		}
		c.wantCounts(Connections{Open: 2, Waited: 1})
		if !strings.Contains(c.log.String(), `"waited":1`) {
			t.Errorf("the log does not say that a client waits:\n%s", c.log)
		}
		waits.Close()
		gone.Close()
		close(release)
		c.wantAnswer(busy)
		if got := c.ask(c.l.dial(), "/livez"); got != 200 {
			t.Errorf("when there is room again: %d", got)
		}
	})
}

// TestShareOfAnAddress: one address gets no more than its share, its idle ones give
// way to its own new ones, and others are not touched.
func TestShareOfAnAddress(t *testing.T) {
	for _, tt := range []struct {
		name, greedy, same, other string
	}{
		{"IPv4", "192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{"mapped", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"},
		{"IPv6", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inCrowd(t, ServerOptions{MaxConnections: 10, MaxPerAddress: 3}, func(t *testing.T, c crowd, release chan struct{}) {
				other := c.l.dialFrom(tt.other)
				if got := c.ask(other, "/livez"); got != 200 {
					t.Errorf("another address: %d", got)
				}
				idle := c.l.dialFrom(tt.greedy)
				held := []net.Conn{c.hold(c.l.dialFrom(tt.greedy)), c.hold(c.l.dialFrom(tt.same))}
				c.wantCounts(Connections{Open: 4, Idle: 2})
				held = append(held, c.hold(c.l.dialFrom(tt.same)))
				c.wantCounts(Connections{Open: 4, Idle: 1, Evicted: 1})
				if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("its idle one: %v", err)
				}
				if got := c.ask(c.l.dialFrom(tt.greedy), "/livez"); got != 429 {
					t.Errorf("beyond its share: %d", got)
				}
				if got := c.ask(other, "/livez"); got != 200 {
					t.Errorf("another address: %d", got)
				}
				c.wantCounts(Connections{Open: 4, Idle: 1, Evicted: 1, Refused: 1})
				close(release)
				for _, conn := range held {
					c.wantAnswer(conn)
				}
				if got := c.ask(c.l.dialFrom(tt.greedy), "/livez"); got != 200 {
					t.Errorf("when its others are idle: %d", got)
				}
			})
		})
	}
}

// TestRefusal: a refusal has the form of the API's other errors, and is for scripts of any
// origin where they are let in.
func TestRefusal(t *testing.T) {
	for _, crossOrigin := range []bool{false, true} {
		s := NewServer(ServerOptions{CrossOrigin: crossOrigin})
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(s.connections.refusal)), nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.refuse(w)
		for name, answer := range map[string]*http.Response{"connection": resp, "request": w.Result()} {
			var said struct{ Detail string }
			if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || said.Detail == "" {
				t.Errorf("%s: %+v, %v", name, said, err)
			}
			if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "5" || answer.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d, %v", name, answer.StatusCode, answer.Header)
			}
			if got := answer.Header.Get("Access-Control-Allow-Origin"); (got == "*") != crossOrigin {
				t.Errorf("%s, open to other origins %t: Access-Control-Allow-Origin is %q", name, crossOrigin, got)
			}
		}
		if !resp.Close {
			t.Error("the connection is to be used again")
		}
	}
}

// TestShareBehindProxies: a proxy has as many connections as it needs, and each
// client behind it its share of requests.
func TestShareBehindProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	inCrowd(t, ServerOptions{MaxConnections: 100, MaxPerAddress: 2, TrustedProxies: proxies}, func(t *testing.T, c crowd, release chan struct{}) {
		const proxy = "10.1.2.3"
		by := func(client string) string { return "X-Forwarded-For: 192.0.2.99, " + client }
		for range 2 {
			c.hold(c.l.dialFrom(proxy), by("203.0.113.5"))
			c.hold(c.l.dialFrom(proxy), by("2001:db8:1:2::5"))
		}
		for _, tt := range []struct {
			header string
			want   int
		}{
			{by("203.0.113.5"), 429},
			{by("203.0.113.5:4711"), 429},
			{by("203.0.113.5, 10.9.9.9"), 429}, // through two of ours
			{by("2001:db8:1:2::77"), 429},      // of the same /64
			{by("[2001:db8:1:2::77]:80"), 429},
			{by("203.0.113.6"), 200},
			{"X-Forwarded-For: 203.0.113.5, 192.0.2.1", 200}, // earlier ones may be forged
			{"X-Forwarded-For: 10.9.9.9", 200},               // the proxy itself
			{"X-Forwarded-For: unknown", 200},
			{"X-Other: none", 200},
		} {
			if got := c.ask(c.l.dialFrom(proxy), "/livez", tt.header); got != tt.want {
				t.Errorf("%s: %d, want %d", tt.header, got, tt.want)
			}
		}
		// The header of a client that is no proxy does not count.
		c.hold(c.l.dialFrom("192.0.2.1"), by("203.0.113.6"))
		c.hold(c.l.dialFrom("192.0.2.1"), by("203.0.113.7"))
		if got := c.ask(c.l.dialFrom("192.0.2.1"), "/livez", by("203.0.113.8")); got != 429 {
			t.Errorf("a client that poses as a proxy: %d", got)
		}
		if got := c.s.Connections(); got.RefusedRequests != 5 || got.Refused != 1 {
			t.Errorf("%+v", got)
		}
		close(release)
		synctest.Wait()
		if got := c.ask(c.l.dialFrom(proxy), "/livez", by("203.0.113.5")); got != 200 {
			t.Errorf("when its others are answered: %d", got)
		}
	})
}

// TestOneLineAMinute: as long as it goes on there is a log line a minute, with the
// counts since the last one and the address with most connections.
func TestOneLineAMinute(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 5, MaxPerAddress: 3}, func(t *testing.T, c crowd, release chan struct{}) {
		for range 3 {
			c.hold(c.l.dialFrom("192.0.2.1"))
		}
		for range 100 { // 300 s
			if got := c.ask(c.l.dialFrom("192.0.2.1"), "/livez"); got != 429 {
				t.Errorf("beyond its share: %d", got)
			}
			time.Sleep(3 * time.Second)
		}
		lines := strings.Split(strings.TrimSpace(c.log.String()), "\n")
		if len(lines) != 5 {
			t.Fatalf("%d lines:\n%s", len(lines), c.log)
		}
		for i, refused := range []float64{1, 20, 20, 20, 20} {
			var said map[string]any
			if err := json.Unmarshal([]byte(lines[i]), &said); err != nil || said["refused"] != refused || said["largest_address"] != "192.0.2.1" || said["largest_open"] != 3.0 {
				t.Errorf("line %d: %s", i, lines[i])
			}
		}
		close(release)
	})
}

// shortListener has no descriptor left until a connection is closed.
type shortListener struct {
	*pipeListener
	open atomic.Int64
}

type shortConn struct {
	net.Conn
	l *shortListener
}

func (c shortConn) Close() error { c.l.open.Add(-1); return c.Conn.Close() }

func (l *shortListener) Accept() (net.Conn, error) {
	if l.open.Load() == 2 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	c, err := l.pipeListener.Accept()
	if err == nil {
		l.open.Add(1)
	}
	return shortConn{c, l}, err
}

// TestFewDescriptors: where the descriptors run out first, idle connections give way too.
func TestFewDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := &shortListener{pipeListener: newPipeListener()}
		l := newConnections(&ServerOptions{MaxConnections: 10, Log: zerolog.Nop()}).listen(short)
		defer l.Close()
		for range 5 {
			short.dial()
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// failingListener fails to accept.
type failingListener struct{ pipeListener }

func (*failingListener) Accept() (net.Conn, error) { return nil, errors.New("the network is down") }

// TestFailingListener: an Accept that failed takes no place.
func TestFailingListener(t *testing.T) {
	l := newConnections(&ServerOptions{MaxConnections: 1}).listen(&failingListener{})
	for range 3 {
		if _, err := l.Accept(); err == nil {
			t.Fatal("no error")
		}
	}
}

// TestCloseEndsAWait: an Accept that waits for room ends with its listener.
func TestCloseEndsAWait(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 1}, func(t *testing.T, c crowd, release chan struct{}) {
		c.hold(c.l.dial())
		waits, start := c.l.dial(), time.Now()
		synctest.Wait()
		closed := make(chan time.Duration, 1)
		go func() {
			waits.Read(make([]byte, 1))
			closed <- time.Since(start)
		}()
		time.AfterFunc(time.Second, func() { close(release) })
		if err := c.s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := <-closed; took != 0 {
			t.Errorf("who had waited was let go after %s", took)
		}
	})
}

// TestShutdownNamesWhoHoldsIt: clients that do not read their answers are cut off when
// the grace ends, and logged without their queries.
func TestShutdownNamesWhoHoldsIt(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, held := range []int{0, 20} {
		inCrowd(t, ServerOptions{MaxConnections: 100, TrustedProxies: proxies}, func(t *testing.T, c crowd, release chan struct{}) {
			for _, address := range []string{"192.0.2.1", "10.0.0.1"} { // who reads nothing: even a short answer fills a pipe
				io.WriteString(c.l.dialFrom(address), "GET /livez?token=CANARY HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n")
			}
			for range held {
				c.hold(c.l.dialFrom("192.0.2.2"))
			}
			synctest.Wait()
			grace, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			start := time.Now()
			if err := c.s.Shutdown(grace); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("it took %s", took)
			}
			close(release)
			log := c.log.String()
			if strings.Contains(log, "CANARY") {
				t.Errorf("the log tells a query:\n%s", log)
			}
			if held > 0 {
				if n := strings.Count(log, `"path":"`); n != mostNamed || !strings.Contains(log, `"more":12,`) {
					t.Errorf("%d are named:\n%s", n, log)
				}
				return
			}
			for _, want := range []string{`"remote":"192.0.2.1:1234","method":"GET","path":"/livez"`, `"remote":"203.0.113.5","method":"GET","path":"/livez"`} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %s:\n%s", want, log)
				}
			}
		})
	}
}

// TestSilentClientsDelayNoStop: connections without a request delay a stop by a second
// only, in which a request that is on its way may arrive.
func TestSilentClientsDelayNoStop(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 100}, func(t *testing.T, c crowd, release chan struct{}) {
		if got := c.ask(c.l.dial(), "/livez"); got != 200 {
			t.Error(got)
		}
		c.l.dial()
		io.WriteString(c.l.dial(), "GET /livez HT")
		synctest.Wait()
		start := time.Now()
		if err := c.s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 2*silentGrace {
			t.Errorf("it took %s", took)
		}
		if c.log.Len() != 0 {
			t.Errorf("logged:\n%s", c.log)
		}
		close(release)
	})
}
