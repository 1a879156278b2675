package sim

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// A Listener is a net.Listener in memory, which is reached only by DialContext.
// Its connections are those of net.Pipe, so it works in a testing/synctest bubble.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen returns a new listener in memory. Closing the world closes it.
func (w *World) Listen() *Listener {
	l := &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
	context.AfterFunc(w.ctx, func() { _ = l.Close() })
	return l
}

// Accept waits for a call of DialContext.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close makes Accept and DialContext fail with net.ErrClosed. It always returns nil.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is a stand-in: the listener has no address.
func (l *Listener) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "sim:80" }

// DialContext connects to the listener, whatever address is named.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, client.Close(), server.Close())
}

// memory is the world's own server, on a Listener.
type memory struct {
	mu        sync.Mutex
	server    *http.Server
	transport *http.Transport
	running   sync.WaitGroup // Serve, and the connections
}

// Transport returns a transport that connects to a server of this world, whatever host
// a URL names, without a network. Every call returns the same one. It works until Close.
func (w *World) Transport() *http.Transport {
	m := &w.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.transport != nil {
		return m.transport
	}
	l := w.Listen()
	m.transport = &http.Transport{DialContext: l.DialContext, MaxIdleConnsPerHost: 128, MaxResponseHeaderBytes: 64 << 10}
	m.server = &http.Server{
		Handler:  w.handler,
		ErrorLog: log.New(io.Discard, "", 0), // faults abort answers on purpose
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				m.running.Add(1)
			case http.StateClosed, http.StateHijacked:
				m.running.Done()
			}
		},
	}
	m.running.Go(func() { _ = m.server.Serve(l) }) // ends only with Close
	return m.transport
}

// Close aborts the answers that are waiting, closes the listeners and stops the server
// behind Transport, and returns when all that has ended. The world itself can still be
// read.
func (w *World) Close() error {
	w.cancel()
	m := &w.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil
	}
	err := m.server.Close()
	m.transport.CloseIdleConnections()
	m.running.Wait()
	return err
}
