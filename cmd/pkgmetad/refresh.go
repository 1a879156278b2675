package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
)

func newRefreshCommand() *cobra.Command {
	var path string
	var all bool
	cmd := &cobra.Command{
		Use:   "refresh --config FILE [--all | SLUG…]",
		Short: "Refresh packages now: those due, all, or the named ones",
		Long: `Run one pass now: over what is due, over every package with --all, or over the
named packages whether due or not. Where a daemon serves the store, the daemon
does it, beside what else it does; otherwise this command does, on the store
itself.

Exit codes: 0 all done, 1 a package failed or had to be deferred for a limit.`,
		Example: `  pkgmetad refresh -c config.yaml
  pkgmetad refresh -c config.yaml django-crispy-forms wagtail
  pkgmetad refresh -c config.yaml --all`,
		RunE: func(cmd *cobra.Command, slugs []string) error {
			if all && len(slugs) > 0 {
				return errors.New("--all and named packages exclude each other")
			}
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			return failed(exitFailed, refresh(cmd.Context(), cfg, daemon.Selection{All: all, Slugs: slugs}, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&all, "all", false, "every package, due or not")
	return cmd
}

// refresh has the pass run by whoever can, shows how it goes, and sums it up.
func refresh(ctx context.Context, cfg *config.Config, which daemon.Selection, stdout, stderr io.Writer) error {
	watch := newWatcher(stderr)
	var report record.Pass
	var err error
	if running := daemon.Dial(ctx, cfg); running != nil {
		report, err = running.Refresh(ctx, which, watch.progress)
	} else {
		log, _ := newLogger(cfg.Log, stderr)
		report, err = daemon.Refresh(ctx, daemon.Options{Config: cfg, Version: version, Log: log.Level(logLevel(cfg.Log))}, which, watch.progress)
	}
	watch.done()
	if err != nil {
		return err
	}
	for _, p := range watch.failed {
		fmt.Fprintf(stderr, "%s %s: %s\n", p.Key, p.Outcome, p.Error)
	}
	fmt.Fprintln(stdout, summary(report))
	switch {
	case report.Cancelled:
		return errors.New("stopped before the end; what had arrived is stored")
	case report.Failed > 0 && report.Deferred > 0:
		return fmt.Errorf("%d repositories or projects failed and %d were deferred", report.Failed, report.Deferred)
	case report.Failed > 0:
		return fmt.Errorf("%d of %d repositories and projects failed; the data of their last success stays", report.Failed, report.Asked)
	case report.Deferred > 0:
		return fmt.Errorf("%d of %d repositories and projects were deferred for a limit; run it again later, or leave it to the daemon", report.Deferred, report.Asked)
	}
	return nil
}

// summary tells a person what a pass did.
func summary(r record.Pass) string {
	if r.Asked == 0 {
		return "Nothing to do: no package is due (--all asks for every one)."
	}
	s := fmt.Sprintf("%s and %s in %s: %d fresh, %d unchanged, %d pending, %d failed, %d gone, %d deferred.\nGitHub: %s, %d charged. PyPI: %s.",
		counted(r.GitHub.Asked, "repository", "repositories"), counted(r.PyPI.Asked, "project", "projects"),
		r.Duration().Round(100*time.Millisecond), r.Fresh, r.Unchanged, r.Pending, r.Failed, r.Gone, r.Deferred,
		counted(r.GitHub.Requests, "request", "requests"), r.GitHub.Charged, counted(r.PyPI.Requests, "request", "requests"))
	for _, use := range []record.Use{r.GitHub, r.PyPI} {
		if !use.HeldUntil.IsZero() {
			s += fmt.Sprintf("\nOn hold until %s: %s", use.HeldUntil.Local().Format(time.DateTime), use.Reason)
		}
	}
	if r.More {
		s += "\nMore is due than one pass takes on (refresh.max_packages); run it again."
	}
	return s
}

// counted writes a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// watcher shows the progress of a pass on a terminal.
type watcher struct {
	w       io.Writer
	visible bool
	bar     *progressbar.ProgressBar
	failed  []fetcher.Progress // sources that failed, are gone or were deferred: the first few
}

const maxFailed = 20

func newWatcher(w io.Writer) *watcher {
	return &watcher{w: w, visible: isTerminal(w)}
}

func (w *watcher) progress(p fetcher.Progress) {
	if p.Error != "" && len(w.failed) < maxFailed {
		w.failed = append(w.failed, p)
	}
	if !w.visible {
		return
	}
	if w.bar == nil {
		w.bar = progressbar.NewOptions(p.Total,
			progressbar.OptionSetWriter(w.w), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("sources"), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	w.bar.ChangeMax(p.Total)
	w.bar.Describe(fmt.Sprintf("%-24.24s", string(p.Key)))
	_ = w.bar.Set(p.Done) // a terminal that went away is no reason to stop
}

func (w *watcher) done() {
	if w.bar != nil {
		_ = w.bar.Finish()
	}
}
