package api

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// pipeListener accepts the server's ends of pipes, whose deadlines follow the
// clock of a synctest bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the client's end of a connection, which waits to be accepted.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	go func() {
		select {
		case l.conns <- server:
		case <-l.done:
			server.Close()
		}
	}()
	return client
}

// serving runs f beside a server for h.
func serving(t *testing.T, h http.Handler, f func(l *pipeListener)) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := NewServer(ServerOptions{Handler: h, Log: zerolog.New(zerolog.NewTestWriter(t)), MaxConnections: 10})
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		f(l)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// untilClosed reads c to its end and returns what came and how long it took.
func untilClosed(c net.Conn) (string, time.Duration) {
	start := time.Now()
	b, _ := io.ReadAll(c)
	return string(b), time.Since(start)
}

// TestFilesGoByTheKernel: a connection of the listener takes a file as the
// connection below does, without a buffer of ours.
func TestFilesGoByTheKernel(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newConnections(&ServerOptions{}).listen(below)
	defer l.Close()
	client, err := net.Dial("tcp", below.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	to, ok := conn.(io.ReaderFrom)
	if !ok {
		t.Fatal("the connection is not an io.ReaderFrom, so files are not sent by the kernel")
	}
	if n, err := to.ReadFrom(strings.NewReader("abc")); n != 3 || err != nil {
		t.Error(n, err)
	}
	conn.Close()
	if got, _ := untilClosed(client); got != "abc" {
		t.Errorf("%q arrived", got)
	}
}

// TestSlowHeader: a client that never finishes its header is let go after 5 s,
// however often it sends a little.
func TestSlowHeader(t *testing.T) {
	serving(t, handler(t), func(l *pipeListener) {
		c := l.dial()
		io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n")
		var drip sync.WaitGroup
		drip.Go(func() {
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "X-More: 1\r\n"); err != nil {
					return
				}
			}
		})
		if _, took := untilClosed(c); took != 5*time.Second {
			t.Errorf("closed after %s", took)
		}
		drip.Wait()
	})
}

// TestSlowBody: a body that never comes holds a handler that waits for it for 10 s.
func TestSlowBody(t *testing.T) {
	reading := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	serving(t, reading, func(l *pipeListener) {
		c := l.dial()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
		if _, took := untilClosed(c); took != 10*time.Second {
			t.Errorf("closed after %s", took)
		}
	})
}

// TestIdle: a connection is kept for 120 s after an answer.
func TestIdle(t *testing.T) {
	serving(t, handler(t), func(l *pipeListener) {
		c := l.dial()
		io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
		if got, took := untilClosed(c); took != 120*time.Second || !strings.HasSuffix(got, "\r\n\r\nok") {
			t.Errorf("closed after %s: %s", took, got)
		}
	})
}

// TestSlowReader: a client that does not read is let go 30 s after its request.
func TestSlowReader(t *testing.T) {
	type outcome struct {
		took time.Duration
		err  error
	}
	// The channel is made where its users are: a bubble's clock stands still
	// while one waits for a channel from outside.
	var wrote chan outcome
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		_, err := w.Write(make([]byte, 1<<20))
		wrote <- outcome{time.Since(start), err}
	})
	serving(t, h, func(l *pipeListener) {
		wrote = make(chan outcome)
		c := l.dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := <-wrote; got.err == nil || got.took != 30*time.Second {
			t.Errorf("after %s: %v", got.took, got.err)
		}
	})
}

func TestLongHeader(t *testing.T) {
	serving(t, handler(t), func(l *pipeListener) {
		c := l.dial()
		go io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
		if got, _ := untilClosed(c); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
			t.Errorf("a header of 64 KiB is answered with %.100q", got)
		}
	})
}

func TestServerLogs(t *testing.T) {
	var log strings.Builder
	errors := NewServer(ServerOptions{Log: zerolog.New(&log)}).http.ErrorLog
	errors.Print("http: something odd")
	if got, want := log.String(), `{"level":"warn","message":"http: something odd"}`+"\n"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	for range 100 { // as many as a client likes
		errors.Print("http: URL query contains semicolon")
	}
	if n := strings.Count(log.String(), "\n"); n != toldAMinute {
		t.Errorf("%d lines", n)
	}
}
