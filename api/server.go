package api

import (
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// NewServer returns a server for h that slow or silent clients cannot tie up: each
// phase of a connection has a deadline. What net/http reports is logged as warnings.
func NewServer(h http.Handler, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(warnings{log}, "", 0),
	}
}

// warnings writes each line of a standard logger as a warning.
type warnings struct{ log zerolog.Logger }

func (w warnings) Write(line []byte) (int, error) {
	w.log.Warn().Msg(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// LimitListener returns a listener that accepts from l while fewer than n of
// its connections are open, and leaves further ones in the kernel's queue. An n
// below 1 counts as 1.
func LimitListener(l net.Listener, n int) net.Listener {
	return &limitListener{Listener: l, slots: make(chan struct{}, max(n, 1)), closed: make(chan struct{})}
}

type limitListener struct {
	net.Listener
	slots  chan struct{} // semaphore: one element for each open connection
	closed chan struct{}
	once   sync.Once
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close also ends an Accept that is waiting for a slot.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitConn struct {
	net.Conn
	release func()
}

// ReadFrom keeps sendfile working, which the embedded interface alone would hide.
func (c *limitConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

func (c *limitConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
