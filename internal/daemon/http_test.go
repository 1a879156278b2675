package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/config"
)

// connect opens a connection to the daemon, from an address of this machine.
func (x *trial) connect(d *Daemon, from string) net.Conn {
	x.t.Helper()
	dialer := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", d.Address().String())
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		x.t.Skip("this machine has no address " + from)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { conn.Close() })
	return conn
}

// livez asks a connection for /livez and returns the status, 0 where it was closed.
// Within a second.
func (x *trial) livez(conn net.Conn, header string) int {
	x.t.Helper()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n%s\r\n", header)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return 0
	}
	if err != nil {
		x.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestThousandIdleConnections: what one client leaves open takes nothing from
// others, with and without a limit per address, and not from itself either.
func TestThousandIdleConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 3000 {
		t.Skipf("needs 3000 open files, the limit is %d", limit.Cur)
	}
	for _, perAddress := range []int{0, config.Default().HTTP.MaxConnectionsPerAddress} {
		t.Run(fmt.Sprint(perAddress, " per address"), func(t *testing.T) {
			x := newTrial(t)
			x.cfg.HTTP.MaxConnectionsPerAddress = perAddress
			d, ended := x.start()
			for range x.cfg.HTTP.MaxConnections {
				if got := x.livez(x.connect(d, "127.0.0.1"), ""); got != 200 {
					t.Fatalf("an idle one: %d", got)
				}
			}
			for _, from := range []string{"127.0.0.2", "127.0.0.1"} {
				if got := x.livez(x.connect(d, from), ""); got != 200 {
					t.Errorf("a new one from %s: %d", from, got)
				}
			}
			counts := d.server.Connections()
			want := uint64(2)
			if perAddress > 0 {
				want = uint64(x.cfg.HTTP.MaxConnections - perAddress + 1) // its own, each but those that had room
			}
			if counts.Evicted != want || counts.Refused+counts.Waited != 0 {
				t.Errorf("counts %+v, want %d evicted", counts, want)
			}
			if n := strings.Count(x.log.String(), "clients want more connections"); n != 1 {
				t.Errorf("%d lines tell of it:\n%s", n, x.log)
			}
			x.stop(d, ended)
		})
	}
}

// TestShares: the settings reach the server: an address gets its share, and behind a
// proxy so does each client.
func TestShares(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.MaxConnectionsPerAddress = 1
	x.cfg.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}
	d, ended := x.start()
	busy := func() int { n := d.server.Connections(); return n.Open - n.Idle }
	wait := func(from, header string) {
		before := busy()
		_, _ = fmt.Fprintf(x.connect(d, from), "GET /changes/?since=%d&wait=60 HTTP/1.1\r\nHost: x\r\n%s\r\n", d.refresher.store.Sequence(), header)
		x.waitFor("a client to be served", func() bool { return busy() > before })
	}
	x.passed(d, 1) // after that nothing changes
	http.DefaultClient.CloseIdleConnections()
	wait("127.0.0.2", "")
	wait("127.0.0.3", "X-Forwarded-For: 203.0.113.5\r\n")
	for _, tt := range []struct {
		from, header string
		want         int
	}{
		{"127.0.0.2", "", 429},
		{"127.0.0.4", "", 200},
		{"127.0.0.3", "X-Forwarded-For: 203.0.113.5\r\n", 429},
		{"127.0.0.3", "X-Forwarded-For: 203.0.113.6\r\n", 200},
	} {
		conn := x.connect(d, tt.from)
		got := x.livez(conn, tt.header)
		conn.Close()
		if got != tt.want {
			t.Errorf("from %s, %q: %d, want %d", tt.from, tt.header, got, tt.want)
		}
	}
	x.stop(d, ended)
}

// TestReaderThatTakesNothing: a reader that takes nothing delays a stop by the grace, and the log
// names it.
func TestReaderThatTakesNothing(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.LogRequests = true
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	if d.grace != 5*time.Second {
		t.Errorf("the grace is %s", d.grace)
	}
	d.grace = 100 * time.Millisecond
	ended := x.run(d)
	deaf := x.connect(d, "127.0.0.1")
	ask := strings.Repeat("GET /openapi.json?token=CANARY HTTP/1.1\r\nHost: x\r\n\r\n", 300) // much more than the buffers of two sockets take
	_ = deaf.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := io.WriteString(deaf, ask); err != nil {
		t.Fatal(err)
	}
	answered := func() int { return strings.Count(x.log.String(), `"message":"request"`) }
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); { // until nothing gets out any more
		before := answered()
		time.Sleep(100 * time.Millisecond)
		if before > 0 && answered() == before {
			break
		}
	}
	x.stop(d, ended)
	want := `"level":"warn","remote":"` + deaf.LocalAddr().String() + `","method":"GET","path":"/openapi.json"`
	if log := x.log.String(); !strings.Contains(log, want) || strings.Contains(log, "CANARY") {
		t.Errorf("the log does not name it:\n%s", log)
	}
}

// TestHostWarning: a daemon that others can reach says that its links need an address.
func TestHostWarning(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		x := newTrial(t)
		x.cfg.HTTP.Listen = listen
		x.stop(x.start())
		if got := strings.Contains(x.log.String(), "http.public_url is empty"); got != want {
			t.Errorf("%s:\n%s", listen, x.log)
		}
	}
}

// TestLogRequests: the setting reaches the server.
func TestLogRequests(t *testing.T) {
	for _, want := range []bool{false, true} {
		x := newTrial(t)
		x.cfg.HTTP.LogRequests = want
		d, ended := x.start()
		x.get(d, "/status/?token=CANARY")
		x.stop(d, ended)
		log := x.log.String()
		if got := strings.Contains(log, `"method":"GET","path":"/status/","status":200`); got != want || strings.Contains(log, "CANARY") {
			t.Errorf("log_requests %t:\n%s", want, log)
		}
	}
}

// TestCrossOrigin: the setting reaches the server, and is on by default.
func TestCrossOrigin(t *testing.T) {
	if !config.Default().HTTP.CrossOrigin {
		t.Error("off by default")
	}
	for _, want := range []bool{false, true} {
		x := newTrial(t)
		x.cfg.HTTP.CrossOrigin = want
		d, ended := x.start()
		resp, err := http.Get("http://" + d.Address().String() + "/api/v4/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		x.stop(d, ended)
		if got := resp.Header.Get("Access-Control-Allow-Origin") == "*"; got != want {
			t.Errorf("cross_origin %t: %v", want, resp.Header)
		}
	}
}

// TestSearchTellsItsState: the status and the answers of the search say whether it
// finds all there is.
func TestSearchTellsItsState(t *testing.T) {
	search := func(d *Daemon) (int, string) {
		resp, err := http.Get("http://" + d.Address().String() + "/api/v4/search/?q=one")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Pkgmetad-Search")
	}
	state := func(want string) func(map[string]any) bool {
		return func(body map[string]any) bool { return body["search"].(map[string]any)["state"] == want }
	}
	x := newTrial(t)
	folder := x.cfg.Store.Path + ".search"
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, ended := x.start()
	x.until(d, "/status/", state("unavailable"))
	if status, told := search(d); status != 503 || told != "" {
		t.Errorf("without an index: %d, %q", status, told)
	}
	x.stop(d, ended)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	d, ended = x.start()
	x.until(d, "/status/", state("current"))
	if status, told := search(d); status != 200 || told != "current" {
		t.Errorf("with one: %d, %q", status, told)
	}
	x.stop(d, ended)
}

// TestShutdownOfBoth: what holds the control socket takes no time from the API, which
// accepts nobody from the beginning of a stop.
func TestShutdownOfBoth(t *testing.T) {
	cfg := config.Default()
	cfg.Store.Path = filepath.Join(t.TempDir(), "test.db")
	r := new(refresher)
	r.settings.Store(&settings{cfg: cfg})
	control, err := listenControl(t.Context(), r, func(*http.ServeMux) {})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{cfg: cfg, control: control, grace: time.Second, running: t.Context()}
	d.server = d.newServer(http.NotFoundHandler())
	var serving sync.WaitGroup
	serving.Go(func() { _ = control.server.Serve(control.listener) })
	serving.Go(func() { _ = d.server.Serve(listener) })
	silent, err := net.Dial("unix", controlPath(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	start := time.Now()
	ended := make(chan error)
	go func() { ended <- d.shutdown() }()
	for err == nil {
		var conn net.Conn
		if conn, err = net.Dial("tcp", listener.Addr().String()); err == nil {
			conn.Close()
		}
	}
	if took := time.Since(start); took > d.grace/2 {
		t.Errorf("somebody could still connect after %s", took)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	serving.Wait()
}
