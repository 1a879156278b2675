package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/sim"
)

// demoPackages is how many packages the demo has beside the documented one.
const demoPackages = 60

func newDemoCommand() *cobra.Command {
	var listen, admin string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole daemon over a simulated GitHub and PyPI: no network, no token",
		Long: `Run the real daemon over a simulated GitHub and PyPI, on a store that is removed
at the end. A pass starts every 10 seconds, and records fall due after 30, so
that there is something to see. Ctrl-C stops it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.CheckListen(listen); err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			if err := config.CheckListen(admin); admin != "" && err != nil {
				return fmt.Errorf("--admin-listen %w", err)
			}
			return failed(exitFailed, demo(cmd.Context(), listen, admin, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "`address` to serve the API on; port 0 picks a free one")
	cmd.Flags().StringVar(&admin, "admin-listen", "", "`address` to serve metrics and profiles on, such as 127.0.0.1:8081; the log tells it (default none)")
	return cmd
}

// demoWorld returns what the demo is run over.
func demoWorld(o sim.Options) *sim.World {
	world := sim.Generate(3, demoPackages, o)
	sim.Documented(world)
	return world
}

func demo(ctx context.Context, listen, admin string, stdout, stderr io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "pkgmetad-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	// Nobody wants to watch the pace that GitHub asks for.
	world := demoWorld(sim.Options{Latency: 50 * time.Millisecond, NoSecondary: true})
	defer world.Close()
	upstreams, err := startSim("127.0.0.1:0", world)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upstreams.stop()) }()

	cfg := config.Default()
	cfg.Store.Path = filepath.Join(folder, "pkgmetad.db")
	cfg.Catalogue.Path = filepath.Join(folder, "catalogue.yaml")
	cfg.HTTP.Listen, cfg.HTTP.AdminListen = listen, admin
	cfg.GitHub.BaseURL, cfg.PyPI.BaseURL = upstreams.url, upstreams.url
	cfg.GitHub.Token, cfg.GitHub.TokenSource = config.NewSecret("demo"), "the demo"
	cfg.PyPI.Contact, cfg.PyPI.Concurrency, cfg.PyPI.Rate = "demo@localhost", 8, 0 // nobody has to be spared
	cfg.Refresh.StaleAfter, cfg.Refresh.RetryMin, cfg.Refresh.RetryMax = 30*time.Second, 10*time.Second, time.Minute
	if cfg.Schedule.Cron, err = config.ParseSchedule("@every 10s", time.UTC); err != nil {
		return err
	}
	if err := writeCatalogue(cfg.Catalogue.Path, world); err != nil {
		return err
	}
	file := filepath.Join(folder, "config.yaml") // by which the other commands find the daemon
	if err := os.WriteFile(file, fmt.Appendf(nil, `store: {path: pkgmetad.db}
catalogue: {path: catalogue.yaml}
github: {base_url: %q}
pypi: {base_url: %[1]q}
`, upstreams.url), 0o600); err != nil {
		return err
	}
	cfg.Log = config.Log{Level: "info", Format: "console"}
	return serve(ctx, cfg, nil, stderr, func(address net.Addr) {
		fmt.Fprintf(stdout, `
pkgmetad demo: the real daemon over a simulated GitHub and PyPI. Ctrl-C stops it.

  in a browser        %[1]s/
  the API             %[1]s/api/v4/
  the documented one  %[1]s/api/v4/packages/1609/
  search              %[1]s/api/v4/search/?q=forms
  how fresh it is     %[1]s/status/
  all of it, a line each, and what changed since
                      %[1]s/snapshot/packages.ndjson
                      %[1]s/changes/?since=0
  as its operator     pkgmetad status --config %[3]s

  let a week pass     curl -X POST '%[2]s_sim/advance?days=7'
  what was asked      curl %[2]s_sim/stats
  break something     curl '%[2]s_sim/fault?repo=*&fault=502&times=20'

`, cfg.HTTP.LinkBase(address.String()), upstreams.url, file)
	})
}
