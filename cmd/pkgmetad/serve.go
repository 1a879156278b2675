package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
)

func newServeCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the daemon: refresh on schedule, serve the records",
		Long: `Run the daemon. It loads the catalogue, serves the records, and starts a first pass
at once and further ones on schedule. Only what is due is fetched, so a restart costs
nothing.

SIGHUP has it read the configuration and the catalogue again. SIGTERM or SIGINT stops
it in order: what has arrived is stored, and answers being sent are finished. A second
signal kills it.

Exit codes: 0 stopped in order, 1 it failed, 78 the configuration is bad.`,
		Example: "  pkgmetad serve --config /etc/pkgmetad/config.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err == nil {
				err = cfg.Cluster.Ready()
			}
			if err != nil {
				return failed(exitConfig, err)
			}
			err = serve(cmd.Context(), cfg, func() (*config.Config, error) { return config.Load(path, os.Getenv) }, cmd.ErrOrStderr(), func(net.Addr) {})
			if errors.Is(err, daemon.ErrNoCatalogue) {
				return failed(exitConfig, err)
			}
			return failed(exitFailed, err)
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// serve runs the daemon until ctx is cancelled. load reads its configuration again;
// nil where that stays as it is. It calls ready with the address it listens on before
// the first pass starts.
func serve(ctx context.Context, cfg *config.Config, load func() (*config.Config, error), stderr io.Writer, ready func(net.Addr)) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anything else: it would kill
	var reloads sync.WaitGroup
	defer func() {
		signal.Stop(hangup)
		close(hangup)
		reloads.Wait()
	}()

	log, setLevel := newLogger(cfg.Log, stderr)
	commit, date := revision()
	log.Info().Str("version", version).Str("commit", commit).Str("committed", date).Msg("pkgmetad starts")
	d, err := daemon.New(daemon.Options{Config: cfg, Version: version, Log: log, Load: load, SetLogLevel: setLevel})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, d.Stop)()
	reloads.Go(func() { reloadOn(hangup, d) })
	ready(d.Address())
	if err := d.Run(); err != nil {
		return err
	}
	log.Info().Msg("pkgmetad stopped")
	return nil
}

// reloadOn reloads on every hangup, until the channel is closed. The daemon logs what comes of it.
func reloadOn(hangup <-chan os.Signal, d *daemon.Daemon) {
	for range hangup {
		_ = d.Reload(false)
	}
}
