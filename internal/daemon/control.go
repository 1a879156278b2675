package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
)

// The daemon holds the store's lock, so other processes ask it through a socket
// beside the store, which only the daemon's user (and root) may open.
//
//	POST /refresh Selection -> a line of JSON, a refreshEvent, for each event
//	GET  /show/{slug or id} -> record.Package
//	GET  /backup            -> the database file, of one state
//	POST /compact           -> compacted
//
// and what operate.go lists.
//
// It speaks HTTP, and is no part of the API: [Client] is the other end.
func controlPath(cfg *config.Config) string { return cfg.Store.Path + ".sock" }

// refreshEvent is one line of the answer to a refresh. The first is empty: the
// daemon has taken the request up. The last has the report, and the error if there
// is one. Those between have progress.
type refreshEvent struct {
	Progress *fetcher.Progress `json:"progress,omitempty"`
	Report   *record.Pass      `json:"report,omitempty"`
	Error    string            `json:"error,omitempty"`
	Applied  uint64            `json:"applied,omitempty"` // between hosts, with the report: what holds all of it
}

// control is the daemon's end of the socket.
type control struct {
	refresher *refresher
	path      string
	listener  net.Listener
	server    *http.Server
	handlers  sync.WaitGroup // requests that are being answered
}

// Neither a slow nor a stopped terminal may hold a pass up.
const (
	progressBuffer = 1024             // sources that the other end may lag behind a pass before it misses some of its progress
	sendTimeout    = 10 * time.Second // for the other end to take a line
)

// listenControl opens the socket. Requests end when ctx does. more adds routes to those
// that are answered here.
func listenControl(ctx context.Context, r *refresher, more func(*http.ServeMux)) (*control, error) {
	path := controlPath(r.cfg())
	listener, err := listenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket %s: %w", path, strict.Cause(err))
	}
	c := &control{refresher: r, path: path, listener: listener}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /refresh", c.handleRefresh)
	mux.HandleFunc("GET /show/{key}", c.handleShow)
	mux.HandleFunc("GET /backup", c.handleBackup)
	mux.HandleFunc("POST /compact", c.handleCompact)
	more(mux)
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

// listenUnix listens on a socket that only this user may open. One that is there
// was left behind by a daemon that was killed: whoever holds the store's lock owns
// the socket.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	address, done, err := socketAddress(path)
	if err != nil {
		return nil, err
	}
	defer done()
	old := syscall.Umask(0o177) // private from its first moment on
	l, err := net.Listen("unix", address)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its address may be short-lived, see socketAddress
	return l, nil
}

// socketAddress returns an address for the socket at path that is short enough:
// the kernel takes no more than 107 bytes. A longer path is reached through the
// descriptor of its folder. Call done when the address has been used.
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

// shutdown ends the server and waits for the requests, whose context has ended.
func (c *control) shutdown(grace context.Context) error {
	err := shutdown(grace, c.server)
	c.handlers.Wait()
	return err
}

// remove closes the socket and removes it.
func (c *control) remove() error {
	_ = c.listener.Close() // the server has closed it, unless it never ran
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (c *control) handleRefresh(w http.ResponseWriter, r *http.Request) {
	var which Selection
	if err := json.NewDecoder(r.Body).Decode(&which); err != nil {
		http.Error(w, "not a refresh request: "+err.Error(), http.StatusBadRequest)
		return
	}
	lines := json.NewEncoder(w)
	connection := http.NewResponseController(w)
	send := func(e refreshEvent) {
		// Whoever went away has cancelled the request's context.
		_ = connection.SetWriteDeadline(time.Now().Add(sendTimeout))
		_ = lines.Encode(e)
		_ = connection.Flush()
	}
	send(refreshEvent{})
	events := make(chan fetcher.Progress, progressBuffer)
	var sender sync.WaitGroup
	sender.Go(func() {
		for progress := range events {
			send(refreshEvent{Progress: &progress})
		}
	})
	report, err := c.refresher.refresh(r.Context(), which, func(progress fetcher.Progress) {
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

func (c *control) handleShow(w http.ResponseWriter, r *http.Request) {
	rec, err := find(c.refresher.store, r.PathValue("key"))
	if errors.Is(err, record.ErrNotFound) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(renderingHeader, c.refresher.store.Rendering())
	_ = json.NewEncoder(w).Encode(rec) // the other end notices what is missing
}

// renderingHeader names the rendering that the record is served in.
const renderingHeader = "Pkgmetad-Rendering"

// handleBackup answers with a copy of the store, which whoever asks writes with their
// own permissions. The copy is made before the first byte is sent: a terminal that
// stopped must not keep the store from reusing its pages.
func (c *control) handleBackup(w http.ResponseWriter, r *http.Request) {
	copied, err := os.CreateTemp(filepath.Dir(c.path), filepath.Base(c.refresher.store.Path())+".copy-*")
	if err != nil {
		http.Error(w, "copy the store: "+err.Error(), http.StatusInternalServerError)
		return
	}
	defer copied.Close()
	_ = os.Remove(copied.Name()) // it lives for as long as it is open
	buffered := bufio.NewWriterSize(copied, 1<<20)
	if err := errors.Join(c.refresher.store.Backup(buffered), buffered.Flush()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	size, err := copied.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = copied.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(w, "copy the store: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10)) // by which the other end notices what is missing
	connection := http.NewResponseController(w)
	for sent := int64(0); sent < size && r.Context().Err() == nil; {
		_ = connection.SetWriteDeadline(time.Now().Add(sendTimeout))
		n, err := io.CopyN(w, copied, min(1<<20, size-sent))
		if sent += n; err != nil {
			return
		}
	}
}

// compacted is the answer to a request to compact the store.
type compacted struct {
	Before int64 `json:"before_bytes"`
	After  int64 `json:"after_bytes"`
}

func (c *control) handleCompact(w http.ResponseWriter, _ *http.Request) {
	before, after, err := c.refresher.store.Compact()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(compacted{before, after})
}
