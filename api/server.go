package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// ServerOptions say what a server serves, and its limits. Only Handler is required.
type ServerOptions struct {
	Handler http.Handler
	Log     zerolog.Logger
	Context context.Context // parent of the requests' contexts; nil for the background

	// MaxConnections is how many connections may be open at once; below 1 counts as 1.
	// Beyond that, the longest idle one is closed for a new one; if none is idle, the
	// new one waits.
	MaxConnections int

	// MaxPerAddress is how many of them one address may have (in IPv6, one /64); 0 for
	// no limit. Beyond that, the longest idle one of the address is closed for a new
	// one; if none is idle, the new one is refused with 429. For the connections of
	// TrustedProxies there is no such limit. Instead, it limits how many requests of
	// each address that they forward for are answered at once; others get a 429.
	MaxPerAddress  int
	TrustedProxies []netip.Prefix

	WriteTimeout time.Duration // for a request and its answer; 0 for 30 s

	CrossOrigin bool // scripts of web pages of any origin may read the answers
	LogRequests bool // a line in Log, at level info, for each request
}

// A Server serves HTTP so that slow, silent or greedy clients cannot tie it up: each
// phase of a connection has a deadline, and idle connections give way to new ones.
type Server struct {
	http        http.Server
	log         zerolog.Logger
	proxies     proxies
	connections *connections
	forwarded   tickets // for the requests that proxies forward
	crossOrigin bool
	logRequests bool
}

// NewServer returns a server. What net/http reports is logged as warnings.
func NewServer(o ServerOptions) *Server {
	s := &Server{
		log: o.Log, proxies: o.TrustedProxies, connections: newConnections(&o),
		forwarded: tickets{most: o.MaxPerAddress}, crossOrigin: o.CrossOrigin, logRequests: o.LogRequests,
	}
	s.http = http.Server{
		Handler:           s.admitting(o.Handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      cmp.Or(o.WriteTimeout, 30*time.Second),
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(&warnings{log: o.Log}, "", 0),
		ConnState:         s.connections.follow,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	if o.Context != nil {
		s.http.BaseContext = func(net.Listener) context.Context { return o.Context }
	}
	return s
}

// connKey is the key of a request's context that leads to its *conn.
type connKey struct{}

// warnings writes lines of a standard logger as warnings: a few a minute, as clients can
// bring some of them about at will.
type warnings struct {
	log  zerolog.Logger
	told moderation
}

func (w *warnings) Write(line []byte) (int, error) {
	w.told.of(w.log.Warn()).Msg(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// Serve serves the connections that l accepts until Shutdown, and then returns
// http.ErrServerClosed; or else the error of l. It may be called with several
// listeners, which share the limits.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(s.connections.listen(l)) }

// Connections returns the counts of connections. It is safe for concurrent use.
func (s *Server) Connections() Connections { return s.connections.Counts() }

const (
	silentGrace = time.Second // at a shutdown, for a new connection to send its request
	mostNamed   = 10          // requests that a shutdown logs at most
)

// Shutdown stops accepting, and lets the requests that are being answered finish
// until grace ends. Then it cuts them off and logs them; that is no error.
func (s *Server) Shutdown(grace context.Context) error {
	defer time.AfterFunc(silentGrace, s.connections.closeIdle).Stop()
	err := s.http.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.nameBusy()
		err = nil
	}
	if closeErr := s.http.Close(); err == nil && !errors.Is(closeErr, net.ErrClosed) {
		err = closeErr
	}
	return err
}

// nameBusy logs the requests that are being answered.
func (s *Server) nameBusy() {
	busy := s.connections.busy()
	for _, r := range busy[:min(len(busy), mostNamed)] {
		s.log.Warn().Str("remote", s.remote(r)).Str("method", r.Method).Str("path", r.URL.Path).
			Msg("the stop cuts off a client that has not taken its answer")
	}
	if more := len(busy) - mostNamed; more > 0 {
		s.log.Warn().Int("more", more).Msg("the stop cuts off further clients that have not taken their answers")
	}
}

// remote returns the address of r's client: the one that a proxy forwarded for, or
// else the peer's with its port.
func (s *Server) remote(r *http.Request) string {
	if client, ok := s.proxies.forwarded(r); ok {
		return client.String()
	}
	return r.RemoteAddr
}

// admitting keeps track of the requests, applies the limit of forwarded ones, and
// passes the others to next.
func (s *Server) admitting(next http.Handler) http.Handler {
	if s.crossOrigin {
		next = crossOrigin(next)
	}
	if s.logRequests {
		next = s.logged(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.request.Store(r)
		}
		if client, ok := s.proxies.forwarded(r); ok {
			if client = network(client); !s.forwarded.take(client) {
				s.connections.refusedRequest()
				s.refuse(w)
				return
			}
			defer s.forwarded.give(client)
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers a request of a client that has its share of them.
func (s *Server) refuse(w http.ResponseWriter) {
	h := w.Header()
	if s.crossOrigin {
		allowOrigins(h)
	}
	h["Content-Type"] = typeJSON
	h.Set("Content-Length", strconv.Itoa(len(tooMany)))
	h.Set("Retry-After", tooManyAfter)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTooManyRequests)
	io.WriteString(w, tooMany)
}
