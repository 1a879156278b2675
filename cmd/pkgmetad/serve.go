package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"pkgmetad/api"
	"pkgmetad/internal/config"
	"pkgmetad/internal/render"
	"pkgmetad/internal/search"
	"pkgmetad/internal/snapshot"
	"pkgmetad/internal/status"
)

// shutdownGrace is what requests that are being answered get to end, at a stop.
const shutdownGrace = 10 * time.Second

func newServeCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the daemon: refresh on schedule, serve the records",
		Long: `Run the daemon. It takes the catalogue over, serves the records, starts a first
pass at once and further ones on schedule. What is not due is not fetched, so a
restart costs nothing.

SIGHUP reads the catalogue again. SIGTERM or SIGINT stops in order: what has
arrived is stored, answers being sent are finished; a second one kills.

Exit codes: 0 stopped in order, 1 it failed, 78 the configuration is bad.`,
		Example: "  pkgmetad serve --config /etc/pkgmetad/config.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitConfig, err)
			}
			err = serve(cmd.Context(), cfg, newLogger(cfg.Log, cmd.ErrOrStderr()), nil)
			if errors.Is(err, errNoCatalogue) {
				return failed(exitConfig, err)
			}
			return failed(exitFailed, err)
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// serve runs the daemon until ctx is cancelled. It calls ready, unless nil,
// with the address it listens on before the first pass starts.
//
// Start: store, catalogue, HTTP, first pass, schedule. Stop: the pass stores
// what arrived, HTTP answers what it began, the store closes last.
func serve(ctx context.Context, cfg *config.Config, log zerolog.Logger, ready func(net.Addr)) (err error) {
	defer setGC(gcPercent)()
	hangup := make(chan os.Signal, 1) // from now on it kills no more
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log.Info().Str("version", version).Str("commit", commit()).Msg("pkgmetad starts")
	p, err := openParts(cfg, log, true)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.store.Close())
		if err == nil {
			log.Info().Msg("pkgmetad stopped")
		}
	}()
	p.warn()
	if err := p.startCatalogue(); errors.Is(err, errNoCatalogue) {
		return err
	} else if err != nil && p.store.Ready() == nil {
		log.Error().Msg(err.Error())
	} else if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", cfg.HTTP.Listen)
	if err != nil {
		return explainListen(cfg.HTTP.Listen, err)
	}
	defer listener.Close() // again, where all goes well
	snapshots, err := snapshot.New(cfg.Store.Path+".snapshot", p.store, render.Rendering{Zone: cfg.HTTP.TimeZone, Base: linkBase(cfg, listener.Addr().String())}, log)
	if err != nil {
		return err
	}
	index, err := search.Open(cfg.Store.Path+".search", p.store, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	s := &scheduler{schedule: cfg.Schedule.Cron, location: cfg.Schedule.TimeZone, log: log, job: p.pass}
	pagesChanged, err := p.store.Dated("pages", fmt.Sprintf("max_limit=%d", cfg.HTTP.MaxLimit))
	if err != nil {
		return err
	}
	handler, err := api.New(api.Options{
		Store: p.store, Snapshots: snapshots, Searcher: searcher{index}, Activity: func() status.Activity { return p.activity(s) },
		PublicURL: cfg.HTTP.PublicURL, TrustedProxies: cfg.HTTP.TrustedProxies,
		Location: cfg.HTTP.TimeZone, MaxLimit: cfg.HTTP.MaxLimit, PagesChanged: pagesChanged, MaxWaits: (cfg.HTTP.MaxConnections + 1) / 2, Log: log,
	})
	if err != nil {
		return err
	}
	order := ctx // to stop
	ctx, stop := context.WithCancelCause(order)
	defer stop(nil)
	server := api.NewServer(handler, log)
	server.BaseContext = func(net.Listener) context.Context { return ctx } // who waits for a change is let go at a stop
	control, err := listenControl(ctx, p)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	var running sync.WaitGroup
	for l, s := range map[net.Listener]*http.Server{
		api.LimitListener(listener, cfg.HTTP.MaxConnections): server,
		control.listener: control.server,
	} {
		running.Go(func() {
			if err := s.Serve(l); err != http.ErrServerClosed {
				stop(fmt.Errorf("serve %s: %w", l.Addr(), err))
			}
		})
	}
	log.Info().Str("listen", listener.Addr().String()).Msg("serving http://" + listener.Addr().String() + "/api/v4/")
	if ready != nil {
		ready(listener.Addr())
	}

	running.Go(func() { snapshots.Run(ctx) })
	running.Go(func() {
		if err := index.Run(ctx); err != nil {
			log.Error().Err(err).Msg("the search finds what it found so far, and nothing newer")
		}
	})
	running.Go(func() { p.reload(ctx, hangup, s.runSoon) })
	s.run(ctx) // until ctx is cancelled and the pass has stored what arrived

	if order.Err() == nil {
		err = context.Cause(ctx) // nobody asked for it: a server broke
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	err = errors.Join(err, control.close(grace), shutdown(grace, server))
	running.Wait()
	return err
}

// gcPercent is how much garbage may pile up, in per cent of what lives. Little
// does: to collect as eagerly as Go does by default costs more than it saves.
const gcPercent = 400

// setGC sets how much garbage may pile up, unless the environment says it, and
// returns what takes it back.
func setGC(percent int) (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}

// searcher lets the API search the index.
type searcher struct{ index *search.Index }

func (s searcher) Search(ctx context.Context, query string, limit int) ([]api.Hit, error) {
	found, err := s.index.Search(ctx, query, limit)
	if errors.Is(err, search.ErrNotReady) || errors.Is(err, search.ErrClosed) {
		err = fmt.Errorf("%w: %w", api.ErrNotReady, err)
	}
	hits := make([]api.Hit, len(found))
	for i, hit := range found {
		hits[i] = api.Hit(hit)
	}
	return hits, err
}

// explainListen says why an address cannot be listened on, and what helps.
func explainListen(address string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "; another program uses this port: stop it, or choose another one"
	case errors.Is(err, syscall.EACCES):
		advice = "; ports below 1024 are for root alone"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "; this machine has no such address"
	}
	return fmt.Errorf("listen on %s: %w%s", address, err, advice)
}

// shutdown lets a server finish what it answers; what takes longer than the
// grace allows is cut off, which is no failure of ours.
func shutdown(grace context.Context, s *http.Server) error {
	if err := s.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// pass runs passes until no more is due, and returns when to resume what a
// limit deferred.
func (p *parts) pass(ctx context.Context) (resume time.Time) {
	for {
		report, err := p.onePass(ctx)
		resume = report.Resume()
		if err != nil || ctx.Err() != nil || resume.IsZero() || resume.After(time.Now()) {
			return resume
		}
	}
}

// reload reads the catalogue again on each hangup, and then calls reloaded:
// what is new in it is due.
func (p *parts) reload(ctx context.Context, hangup <-chan os.Signal, reloaded func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := p.syncCatalogue(); err != nil {
				p.log.Error().Msg(err.Error())
				continue
			}
			reloaded()
		}
	}
}
