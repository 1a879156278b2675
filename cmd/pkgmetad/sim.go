package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/durable"
	"pkgmetad/internal/sim"
)

func newSimCommand() *cobra.Command {
	var listen, catalogue string
	var packages int
	var seed uint64
	var latency time.Duration
	cmd := &cobra.Command{
		Use:   "sim --listen ADDR",
		Short: "Run only the simulated GitHub and PyPI",
		Long: `Serve a simulated GitHub and PyPI over an invented world, on one address: set
github.base_url and pypi.base_url to it. The same seed gives the same world.

  /_sim/stats                                    requests, charged requests, violations
  /_sim/advance?days=7                           pushes, stars and releases happen
  /_sim/fault?repo=OWNER/NAME&fault=502&times=3  a repository misbehaves (/_sim/faults lists how)`,
		Example: "  pkgmetad sim --listen 127.0.0.1:9000 --packages 5500 --catalogue catalogue.ndjson",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.CheckListen(listen); err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			if packages < 1 || packages > 1_000_000 {
				return errors.New("--packages takes a number from 1 to 1000000")
			}
			world := sim.Generate(seed, packages, sim.Options{Latency: latency})
			defer world.Close()
			sim.Documented(world)
			if catalogue != "" {
				if err := writeCatalogue(catalogue, world.Catalogue()); err != nil {
					return failed(exitFailed, err)
				}
			}
			s, err := startSim(listen, world)
			if err != nil {
				return failed(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "A simulated GitHub and PyPI with %d packages: %s\n", packages+1, s.url)
			<-cmd.Context().Done()
			return failed(exitFailed, s.stop())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9000", "`address` to serve on")
	cmd.Flags().IntVar(&packages, "packages", 200, "how many packages the world has")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the world")
	cmd.Flags().DurationVar(&latency, "latency", 0, "time that each answer takes")
	cmd.Flags().StringVar(&catalogue, "catalogue", "", "write the world's catalogue to this `file` (.yaml or .ndjson)")
	return cmd
}

// simServer is a simulated world on a real port.
type simServer struct {
	url    string
	server *http.Server
	ended  chan error
}

func startSim(listen string, world *sim.World) (*simServer, error) {
	l, err := daemon.Listen(listen)
	if err != nil {
		return nil, err
	}
	s := &simServer{
		url:    "http://" + l.Addr().String() + "/",
		server: &http.Server{Handler: world.Handler(), ReadHeaderTimeout: 5 * time.Second},
		ended:  make(chan error, 1),
	}
	go func() { s.ended <- s.server.Serve(l) }()
	return s, nil
}

// stop ends the server and waits for it.
func (s *simServer) stop() error {
	err := s.server.Close()
	if e := <-s.ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// writeCatalogue writes the world's catalogue in the format that the name asks for.
func writeCatalogue(path string, c sim.Catalogue) error {
	var write func(io.Writer) error
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		write = c.WriteYAML
	case ".ndjson", ".jsonl":
		write = c.WriteNDJSON
	default:
		return fmt.Errorf("write the catalogue %s: name it .yaml or .ndjson", path)
	}
	if err := durable.WriteFile(path, 0o644, write); err != nil {
		return fmt.Errorf("write the catalogue: %w", err)
	}
	return nil
}
