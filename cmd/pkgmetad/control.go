package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
	"pkgmetad/store"
)

// The daemon holds the store's lock, so the other commands ask it through a
// socket beside the store, which only the daemon's user (and root) may open.
//
//	POST /refresh {"all": bool, "slugs": [...]} -> a line of JSON for each event
//	GET  /show/{slug}                           -> record.Package
//
// It speaks HTTP, and is no part of the API: both ends are this program.
func controlPath(cfg *config.Config) string { return cfg.Store.Path + ".sock" }

// refreshRequest asks for one pass: over all packages, the named ones, or those due.
type refreshRequest struct {
	All   bool     `json:"all"`
	Slugs []string `json:"slugs"`
}

// refreshEvent is one line of the answer: nothing, which says that the daemon
// has taken the request up; progress; or in the last line the report and an
// error.
type refreshEvent struct {
	Progress *fetcher.Progress `json:"progress,omitempty"`
	Report   *record.Pass      `json:"report,omitempty"`
	Error    string            `json:"error,omitempty"`
}

type control struct {
	path     string
	listener net.Listener
	server   *http.Server
	handlers sync.WaitGroup // requests that are being answered
}

// progressBuffer is how many packages the other end may lag behind a pass
// before it misses some of its progress; sendTimeout is what it gets to take a
// line. Neither a slow nor a stopped terminal may hold a pass up.
const (
	progressBuffer = 1024
	sendTimeout    = 10 * time.Second
)

// close ends the socket and waits for the requests, whose context has ended.
func (c *control) close(grace context.Context) error {
	err := shutdown(grace, c.server)
	c.handlers.Wait()
	if e := os.Remove(c.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// listenControl opens the daemon's socket. Requests end when ctx does.
func listenControl(ctx context.Context, p *parts) (*control, error) {
	path := controlPath(p.cfg)
	// Whoever holds the store's lock owns the socket; one that is there was
	// left behind by a process that was killed.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old control socket %s: %w", path, strict.Cause(err))
	}
	address, done, err := socketAddress(path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket %s: %w", path, err)
	}
	defer done()
	old := syscall.Umask(0o177) // the socket is private from its first moment on
	l, err := net.Listen("unix", address)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("open the control socket %s: %w", path, strict.Cause(err))
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it may have a short-lived name, see socketAddress

	mux := http.NewServeMux()
	mux.HandleFunc("POST /refresh", p.handleRefresh)
	mux.HandleFunc("GET /show/{slug}", p.handleShow)
	c := &control{path: path, listener: l}
	c.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.handlers.Add(1) // net/http waits for no handler that it cuts off
			defer c.handlers.Done()
			mux.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	return c, nil
}

// socketAddress returns a name for the socket at path that is short enough:
// the kernel takes no more than 107 bytes. A longer one is reached through the
// descriptor of its folder. Call done when the name has been used.
func socketAddress(path string) (address string, done func(), err error) {
	if len(path) <= 107 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path), func() { _ = dir.Close() }, nil
}

func (p *parts) handleRefresh(w http.ResponseWriter, r *http.Request) {
	var request refreshRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "not a refresh request: "+err.Error(), http.StatusBadRequest)
		return
	}
	lines := json.NewEncoder(w)
	wire := http.NewResponseController(w)
	send := func(e refreshEvent) {
		// Whoever went away has cancelled the request's context.
		_ = wire.SetWriteDeadline(time.Now().Add(sendTimeout))
		_ = lines.Encode(e)
		_ = wire.Flush()
	}
	send(refreshEvent{})
	events := make(chan fetcher.Progress, progressBuffer)
	var sender sync.WaitGroup
	sender.Go(func() {
		for progress := range events {
			send(refreshEvent{Progress: &progress})
		}
	})
	report, err := p.refresh(r.Context(), request, func(progress fetcher.Progress) {
		select {
		case events <- progress:
		default:
		}
	})
	close(events)
	sender.Wait()
	last := refreshEvent{Report: &report}
	if err != nil {
		last.Error = err.Error()
	}
	send(last)
}

func (p *parts) handleShow(w http.ResponseWriter, r *http.Request) {
	rec, err := p.store.PackageBySlug(r.PathValue("slug"))
	if errors.Is(err, store.ErrNotFound) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(rec) // the other end is this program and says what it misses
}

// refresh runs the pass that was asked for.
func (p *parts) refresh(ctx context.Context, r refreshRequest, progress func(fetcher.Progress)) (record.Pass, error) {
	var report record.Pass
	var err error
	switch {
	case r.All:
		report, err = p.fetcher.RefreshAll(ctx, progress)
	case len(r.Slugs) > 0:
		report, err = p.fetcher.Refresh(ctx, r.Slugs, progress)
	default:
		report, err = p.fetcher.RefreshDue(ctx, progress)
	}
	p.afterPass(report, err)
	return report, err
}

// dialDaemon returns a client of the daemon that serves cfg's store, or nil
// where none does.
func dialDaemon(ctx context.Context, cfg *config.Config) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		address, done, err := socketAddress(controlPath(cfg))
		if err != nil {
			return nil, err
		}
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", address)
	}
	conn, err := dial(ctx, "", "")
	if err != nil {
		return nil
	}
	_ = conn.Close()
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}
