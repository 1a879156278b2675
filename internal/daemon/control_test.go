package daemon

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

// stopped is the connection of a terminal that was stopped: nothing written to
// it goes anywhere.
type stopped struct {
	header   http.Header
	deadline time.Time
	broken   bool
}

func (s *stopped) Header() http.Header                 { return s.header }
func (s *stopped) WriteHeader(int)                     {}
func (s *stopped) FlushError() error                   { return nil }
func (s *stopped) SetWriteDeadline(at time.Time) error { s.deadline = at; return nil }

func (s *stopped) Write(p []byte) (int, error) {
	switch {
	case s.broken:
	case s.deadline.IsZero():
		select {} // for ever
	default:
		time.Sleep(time.Until(s.deadline))
	}
	s.broken = true
	return 0, os.ErrDeadlineExceeded
}

func TestStoppedTerminalHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{})
		defer world.Close()
		for _, name := range []string{"one", "two", "three"} {
			world.AddRepo(&sim.Repo{FullName: "acme/" + name, Stars: 5, Commits: []sim.Commit{{At: time.Now().Add(-time.Hour), Author: "ada"}}})
		}
		transport := world.Transport()
		gh, err := github.New(github.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: "pkgmetad/test", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		st, err := store.Open(filepath.Join(t.TempDir(), "test.db"), store.Options{Refer: fetcher.Refer("github.com")})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		defer transport.CloseIdleConnections()
		var c record.Catalogue
		for _, p := range world.Catalogue().Packages {
			c.Packages = append(c.Packages, record.Entry{ID: p.ID, Slug: p.Slug, RepoURL: p.RepoURL})
		}
		if _, err := st.SyncCatalogue(c, time.Now()); err != nil {
			t.Fatal(err)
		}
		r := &refresher{store: st, fetcher: fetcher.New(fetcher.Options{Store: st, GitHub: gh, PyPI: py, Log: zerolog.Nop(), Policy: fetcher.Policy{StaleAfter: time.Hour, RetryMin: time.Minute, RetryMax: time.Hour}})}
		r.health = newHealth(st, zerolog.Nop())

		r.settings.Store(&settings{cfg: config.Default()})
		start := time.Now()
		(&control{refresher: r}).handleRefresh(&stopped{header: http.Header{}}, httptest.NewRequest("POST", "/refresh", strings.NewReader(`{"all":true}`)))
		if took := time.Since(start); took > 2*sendTimeout {
			t.Errorf("it took %s", took)
		}
		recs, _, err := st.Packages(0, 10)
		if err != nil || len(recs) != 3 {
			t.Fatalf("%d records, %v", len(recs), err)
		}
		for _, rec := range recs {
			if rec.Repo.Stars != 5 {
				t.Errorf("%s was not refreshed: %+v", rec.Slug, rec.GitHub)
			}
		}
	})
}

// TestLongSocketPath: the kernel takes 107 bytes; store.path may be longer.
func TestLongSocketPath(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("a", 60), strings.Repeat("b", 60))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Store.Path = filepath.Join(folder, "test.db")
	r := new(refresher)
	r.settings.Store(&settings{cfg: cfg})
	c, err := listenControl(t.Context(), r, func(*http.ServeMux) {})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- c.server.Serve(c.listener) }()
	if info, err := os.Stat(controlPath(cfg)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	client := Dial(t.Context(), cfg)
	if client == nil {
		t.Fatal("no answer from the socket")
	}
	if _, err := client.do(t.Context(), http.MethodGet, "nothing", nil); !errors.Is(err, record.ErrNotFound) {
		t.Error(err)
	}
	if err := c.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.remove(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := os.Stat(controlPath(cfg)); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestUnanswered: a daemon of another user is not taken for one that does not run.
func TestUnanswered(t *testing.T) {
	cfg := &config.Config{Store: config.Store{Path: filepath.Join(t.TempDir(), "a.db")}}
	if _, err := Reach(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no daemon serves "+cfg.Store.Path) {
		t.Errorf("none: %v", err)
	}
	err := unanswered(cfg, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	if !strings.Contains(err.Error(), "this user may not open the daemon's socket "+controlPath(cfg)) {
		t.Errorf("another user's: %v", err)
	}
}
