// Command bench compares the speed of serving: pkgmetad against a bare net/http
// handler that writes the same bytes, and against nginx with the same bytes in
// files, in one run on one machine.
//
//	go run ./internal/bench -packages 5500
//	go run ./internal/bench -packages 1000000 -dir /var/tmp/bench-1m
//
// It measures the program itself, built and started as in production: with a
// store of so many packages (world.go, record.go), the daemon's start and
// memory (daemon.go), the same requests to each server in turn (cases.go,
// bare.go, nginx.go, load.go), and the latency while a pass writes (pass.go).
// The load comes from wrk or, if that is not installed, from a generator in this
// program; nginx is left out if it is not installed. The results go to stdout as
// tables, the last of which compares them with targets; progress goes to stderr. A
// missed target is not a failure.
//
// Figures are ratios of medians over rounds in which the servers take turns, so that
// other work on the machine affects all of them; the spread shows how much it did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// bareCommand is the first argument that runs this program as the bare server.
const bareCommand = "bare"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == bareCommand:
		err = serveBare(ctx, os.Args[2], os.Args[3])
	case len(os.Args) > 1 && os.Args[1] == economyCommand:
		err = economy(ctx, os.Args[2:])
	default:
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the values of the flags.
type options struct {
	packages    int
	dir         string
	rounds      int
	length      time.Duration // of one measurement
	connections int
	latency     time.Duration // of the simulated upstreams
	pass        bool
}

// bench is one run.
type bench struct {
	options
	program   string // path of the pkgmetad to measure
	progress  io.Writer
	processes []*process
	report    report
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	b := &bench{progress: stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&b.packages, "packages", 5500, "packages in the store")
	flags.StringVar(&b.dir, "dir", "", "`folder` for the store, which is kept and reused; default: one in the temporary folder")
	flags.IntVar(&b.rounds, "rounds", 5, "measurements of each figure; the median counts")
	seconds := flags.Int("seconds", 4, "length of one measurement")
	flags.IntVar(&b.connections, "connections", 16, "connections of the load")
	flags.DurationVar(&b.latency, "latency", 0, "time that each answer of the simulated upstreams takes; 0 makes passes as fast as they go")
	flags.BoolVar(&b.pass, "pass", true, "also measure the latency while a pass writes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b.length = time.Duration(*seconds) * time.Second
	if flags.NArg() > 0 || b.packages < pageSize*2 || b.rounds < 1 || b.length < time.Second || b.connections < 1 {
		return fmt.Errorf("wrong usage: at least %d packages, 1 round, 1 second and 1 connection, and no further argument", pageSize*2)
	}
	if b.dir == "" {
		b.dir = filepath.Join(os.TempDir(), fmt.Sprintf("pkgmetad-bench-%d", b.packages))
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	return b.run(ctx, stdout)
}

func (b *bench) run(ctx context.Context, stdout io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { err = errors.Join(err, b.stopAll()) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	sim, err := b.startSimulator(ctx)
	if err != nil {
		return err
	}
	if err := b.makeSite(ctx, b.site(sim), b.packages); err != nil {
		return err
	}
	daemon, err := b.startMeasured(ctx, b.site(sim))
	if err != nil {
		return err
	}
	if err := b.compare(ctx, daemon); err != nil {
		return err
	}
	b.report.memory("under that load", daemon)
	if b.pass {
		if err := b.measurePass(ctx, sim, daemon); err != nil {
			return err
		}
		b.report.memory("with passes", daemon)
	}
	return b.report.write(stdout, b)
}

// build builds pkgmetad as a release is built.
func (b *bench) build(ctx context.Context) error {
	b.program = filepath.Join(b.dir, "pkgmetad")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.program, "pkgmetad/cmd/pkgmetad")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build pkgmetad: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.progress, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
