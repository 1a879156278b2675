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
	var counting []string
	var packages int
	var seed uint64
	var lively bool
	var o sim.Options
	cmd := &cobra.Command{
		Use:   "sim --listen ADDR",
		Short: "Run only the simulated GitHub and PyPI",
		Long: `Serve a simulated GitHub and PyPI over an invented world, on one address: set
github.base_url and pypi.base_url to it. The same seed gives the same world, whose
packages are computed when they are asked for: a million take 3 MiB of memory at
first, and about 50 MiB once all have been asked for.

It enforces what the services do, for each credential: GitHub's hourly limits of
5,000 requests and 5,000 GraphQL points (60 requests and none without one), 900
requests and 2,000 queries a minute, 100 in flight, 90 seconds of its processors a
minute. /graphql answers on GitHub's field names. A request that breaks a limit per
minute, or goes on after an hourly one, counts as a violation, and so does one with
a credential that another host, by the User-Agent, had in use within 5 seconds. Any
token will do.

  /_sim/stats                                    requests, charged ones, points, violations, by credential too
  /_sim/advance?days=7                           pushes, stars and releases happen
  /_sim/fault?repo=OWNER/NAME&fault=502&times=3  a repository misbehaves (/_sim/faults lists how)
  /_sim/batches?heavy=50&limit=80                queries of more than 50 repositories time out, the rest lacks those after 80
  /_sim/credential?secret=TOKEN&revoked=true     a token is no longer good; kind=actions, limit=N, points=N, account=A`,
		Example: "  pkgmetad sim --listen 127.0.0.1:9000 --packages 5500 --catalogue catalogue.ndjson",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.CheckListen(listen); err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			if packages < 1 || packages > sim.MaxPackages {
				return fmt.Errorf("--packages takes a number from 1 to %d", sim.MaxPackages)
			}
			if o.Speed <= 0 || o.Speed > maxSpeed {
				return fmt.Errorf("--speed takes a number greater than 0 and at most %d", maxSpeed)
			}
			for _, how := range counting {
				switch how {
				case "without-merges":
					o.Counting.WithoutMerges = true
				case "by-commit-date":
					o.Counting.ByCommitDate = true
				default:
					return fmt.Errorf("--counting %s: it takes without-merges, by-commit-date, or both", how)
				}
			}
			if lively {
				o.Rates = sim.LivelyRates()
			}
			world := sim.Generate(seed, packages, o)
			defer world.Close()
			sim.Documented(world)
			if catalogue != "" {
				if err := writeCatalogue(catalogue, world); err != nil {
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
	cmd.Flags().DurationVar(&o.Latency, "latency", 0, "time that each answer takes")
	cmd.Flags().Float64Var(&o.Speed, "speed", 1, "how many times faster the world's time, and the hours and minutes of limits, pass: with 3600 an hour's limit lasts a second")
	cmd.Flags().BoolVar(&lively, "lively", false, "repositories and projects are also renamed, deleted, archived and quarantined, and names taken by others")
	cmd.Flags().BoolVar(&o.NoLimits, "no-limits", false, "enforce no limit and tell of none, as GitHub Enterprise Server does by default")
	cmd.Flags().StringSliceVar(&counting, "counting", nil, "`how` GitHub counts commits per week: without-merges, by-commit-date, or both; by default with merges, by author date")
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

// maxSpeed is how much faster time may pass: a day in less than a tenth of a second.
const maxSpeed = 1_000_000

// writeCatalogue writes the world's catalogue in the format that the name asks for.
func writeCatalogue(path string, world *sim.World) error {
	var write func(io.Writer) error
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		write = world.Catalogue().WriteYAML
	case ".ndjson", ".jsonl":
		write = world.WriteNDJSON
	default:
		return fmt.Errorf("write the catalogue %s: name it .yaml or .ndjson", path)
	}
	if err := durable.WriteFile(path, 0o644, write); err != nil {
		return fmt.Errorf("write the catalogue: %w", err)
	}
	return nil
}
