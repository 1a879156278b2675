package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/sim"
)

// demoPackages is how many packages the demo has beside the documented one.
const demoPackages = 60

// demoOptions are the flags of the demo.
type demoOptions struct {
	listen, admin string
	hosts         int
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole daemon over a simulated GitHub and PyPI: no network, no token",
		Long: `Run the real daemon over a simulated GitHub and PyPI, on a store that is removed
at the end. A pass starts every 10 seconds, and records fall due after 30, so
that there is something to see. Ctrl-C stops it.

With --hosts 3 there are three daemons, which share the work and the records as
three hosts of a cluster do: each has a store and a token of its own, and serves on
a port of its own, the first on that of --listen and the others on those after it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.CheckListen(o.listen); err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			if err := config.CheckListen(o.admin); o.admin != "" && err != nil {
				return fmt.Errorf("--admin-listen %w", err)
			}
			if o.hosts < 1 || o.hosts > maxDemoHosts {
				return fmt.Errorf("--hosts %d: it takes 1 to %d", o.hosts, maxDemoHosts)
			}
			return failed(exitFailed, demo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to serve the API on; port 0 picks a free one")
	cmd.Flags().StringVar(&o.admin, "admin-listen", "", "`address` to serve metrics and profiles of the first host on, such as 127.0.0.1:9090; the log tells it (default none)")
	cmd.Flags().IntVar(&o.hosts, "hosts", 1, fmt.Sprintf("`number` of hosts that share the work and the records, 1 to %d", maxDemoHosts))
	return cmd
}

// demoWorld returns what the demo is run over.
func demoWorld(o sim.Options) *sim.World {
	world := sim.Generate(3, demoPackages, o)
	sim.Documented(world)
	return world
}

func demo(ctx context.Context, o demoOptions, stdout, stderr io.Writer) (err error) {
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
	catalogue := filepath.Join(folder, demoCatalogue)
	if err := writeCatalogue(catalogue, world); err != nil {
		return err
	}
	if o.hosts > 1 {
		return demoCluster(ctx, o, folder, upstreams.url, stdout, stderr)
	}
	host := demoHost{folder: folder, catalogue: catalogue, listen: o.listen, admin: o.admin, upstreams: upstreams.url}
	return host.serve(ctx, stderr, func(url string) {
		fmt.Fprintf(stdout, "\npkgmetad demo: the real daemon over a simulated GitHub and PyPI. Ctrl-C stops it.\n\n%s  as its operator     pkgmetad status --config %s\n\n%s",
			demoAddresses(url), host.file(), demoUpstreams(upstreams.url))
	})
}

const demoCatalogue = "catalogue.yaml"

// A demoHost is where one of the demo's daemons keeps what is its own.
type demoHost struct {
	folder        string
	catalogue     string // the path of its file
	listen, admin string
	upstreams     string // URL of the simulated GitHub and PyPI
	public        string // http.public_url; "" for none
	cluster       config.Cluster
}

// file is the configuration by which other commands find the daemon.
func (h *demoHost) file() string { return filepath.Join(h.folder, "config.yaml") }

// serve runs the daemon until ctx is cancelled, and tells ready the URL at which it serves.
func (h *demoHost) serve(ctx context.Context, stderr io.Writer, ready func(url string)) error {
	cfg, err := h.config()
	if err != nil {
		return err
	}
	return serve(ctx, cfg, nil, stderr, func(address net.Addr) { ready(cfg.HTTP.LinkBase(address.String())) })
}

// config returns the configuration of the daemon, and writes what other commands need to know
// of it.
func (h *demoHost) config() (cfg *config.Config, err error) {
	cfg = config.Default()
	cfg.Store.Path = filepath.Join(h.folder, "pkgmetad.db")
	cfg.Catalogue.Path = h.catalogue
	cfg.HTTP.Listen, cfg.HTTP.AdminListen, cfg.HTTP.PublicURL = h.listen, h.admin, h.public
	cfg.GitHub.BaseURL, cfg.PyPI.BaseURL = h.upstreams, h.upstreams
	cfg.GitHub.Token, cfg.GitHub.TokenSource = config.NewSecret("demo"+h.cluster.Name), "the demo"
	cfg.PyPI.Contact, cfg.PyPI.Concurrency, cfg.PyPI.Rate = "demo@localhost", 8, 0 // nobody has to be spared
	cfg.Refresh.StaleAfter, cfg.Refresh.RetryMin, cfg.Refresh.RetryMax = 30*time.Second, 10*time.Second, time.Minute
	if cfg.Schedule.Cron, err = config.ParseSchedule("@every 10s", time.UTC); err != nil {
		return nil, err
	}
	cfg.Cluster = h.cluster
	cfg.Log = config.Log{Level: "info", Format: "console"}
	text := fmt.Appendf(nil, "store: {path: pkgmetad.db}\ncatalogue: {path: %q}\ngithub: {base_url: %q}\npypi: {base_url: %[2]q}\n", h.catalogue, h.upstreams)
	if h.cluster.Enabled() {
		text = fmt.Appendf(text, "http: {public_url: %q}\ncluster:\n  name: %s\n  secret_file: %q\n  servers:\n", h.public, h.cluster.Name, h.cluster.SecretFile)
		for name, address := range h.cluster.Servers {
			text = fmt.Appendf(text, "    %s: %q\n", name, address)
		}
	}
	return cfg, os.WriteFile(h.file(), text, 0o600)
}

// demoAddresses says where to look at a daemon that serves at a URL without a slash at its end.
func demoAddresses(url string) string {
	return strings.ReplaceAll(`  in a browser        URL/
  the API             URL/api/v4/
  the documented one  URL/api/v4/packages/1609/
  search              URL/api/v4/search/?q=forms
  how fresh it is     URL/status/
  all of it, a line each, and what changed since
                      URL/snapshot/packages.ndjson
                      URL/changes/?since=0
`, "URL", url)
}

// demoUpstreams says what can be done with the simulated GitHub and PyPI.
func demoUpstreams(url string) string {
	return strings.ReplaceAll(`  let a week pass     curl -X POST 'URL_sim/advance?days=7'
  what was asked      curl URL_sim/stats
  break something     curl 'URL_sim/fault?repo=*&fault=502&times=20'

`, "URL", url)
}
