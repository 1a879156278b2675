package api

import (
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

// ServerOptions say what a server serves, and what a client may take of it. Only
// Handler is needed.
type ServerOptions struct {
	Handler http.Handler
	Log     zerolog.Logger
	Context context.Context // what every request's context comes from; nil for the background

	// MaxConnections may be open at once; a value below 1 counts as 1. When they
	// are, the longest idle one is closed for a new one, and where none is idle,
	// new ones wait.
	MaxConnections int

	// MaxPerAddress of them may be one address's, of IPv6 one /64's; 0 for no
	// bound. Beyond that, its own longest idle one is closed for a new one, and
	// where none is idle, the new one is refused with 429. The connections of
	// TrustedProxies have no such bound; instead, of each address that they forward
	// for, as many requests are answered at once, and further ones refused with 429.
	MaxPerAddress  int
	TrustedProxies []netip.Prefix

	LogRequests bool // a line in Log, at level info, for each request
}

// A Server serves HTTP such that no slow, silent or greedy client can hold it: each
// phase of a connection has a deadline, and an idle connection gives way to a new
// one.
type Server struct {
	http        http.Server
	log         zerolog.Logger
	proxies     proxies
	connections *connections
	forwarded   tickets // for the requests that proxies forward
	logRequests bool
}

// NewServer returns a server. What net/http has to say goes to o.Log as warnings.
func NewServer(o ServerOptions) *Server {
	s := &Server{
		log: o.Log, proxies: o.TrustedProxies, connections: newConnections(&o),
		forwarded: tickets{most: o.MaxPerAddress}, logRequests: o.LogRequests,
	}
	s.http = http.Server{
		Handler:           s.admitting(o.Handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(warnings{o.Log}, "", 0),
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

// warnings writes each line of a standard logger as a warning.
type warnings struct{ log zerolog.Logger }

func (w warnings) Write(line []byte) (int, error) {
	w.log.Warn().Msg(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// Serve serves what l accepts, until Shutdown; it returns http.ErrServerClosed
// then, and earlier what broke l. It may be called for several listeners, which
// share the connections that may be open.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(s.connections.listen(l)) }

// Connections returns how many connections there are and were. It may be called at
// any time.
func (s *Server) Connections() Connections { return s.connections.Counts() }

const (
	silentGrace = time.Second // that a connection without a request has left at a shutdown, to send one
	mostNamed   = 10          // requests that a shutdown names
)

// Shutdown stops accepting, and lets what is being answered finish until grace
// ends. It names in the log what it cuts off then, which is no error.
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

// nameBusy writes a line for each request that is being answered.
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

// remote returns where r is from: the address that a proxy forwards for or else that
// of the connection, with its port.
func (s *Server) remote(r *http.Request) string {
	if client, ok := s.proxies.forwarded(r); ok {
		return client.String()
	}
	return r.RemoteAddr
}

// admitting stands before all that is served.
func (s *Server) admitting(next http.Handler) http.Handler {
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
				refuse(w)
				return
			}
			defer s.forwarded.give(client)
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers a request of a client that has its share.
func refuse(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	h.Set("Content-Length", strconv.Itoa(len(tooMany)))
	h.Set("Retry-After", tooManyAfter)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTooManyRequests)
	io.WriteString(w, tooMany)
}
