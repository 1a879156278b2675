package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
itself. Where several hosts share the work, what another host alone may ask is
asked by that one.

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

// refresh has the pass run by whoever can, shows how it goes, and sums it up. Each cause is
// told in one line: sources that failed or are gone by themselves, and each upstream that
// had to be left alone.
func refresh(ctx context.Context, cfg *config.Config, which daemon.Selection, stdout, stderr io.Writer) error {
	watch := newWatcher(stderr)
	var report record.Pass
	var err error
	running := daemon.Dial(ctx, cfg)
	if running != nil {
		report, err = running.Refresh(ctx, which, watch.progress)
	} else {
		log, _ := newLogger(cfg.Log, stderr)
		report, err = daemon.Refresh(ctx, daemon.Options{Config: cfg, Version: version, Log: log.Level(logLevel(cfg.Log))}, which, watch.progress)
	}
	watch.done()
	if err != nil {
		return err
	}
	watch.tellFailed(&report)
	if report.Asked > 0 || !report.Cancelled {
		fmt.Fprintln(stdout, summary(&report))
	}
	hint := ""
	if running == nil && !cfg.GitHub.HasCredentials() { // a daemon may have some that are not known here
		hint = "; with a token (github.token_file or GITHUB_TOKEN) GitHub answers 5000 an hour"
	}
	holds(stdout, &report, running == nil, hint)
	return verdict(&report)
}

// verdict is the error of a pass that did not get everything.
func verdict(r *record.Pass) error {
	left := record.Count(r.Deferred, "was", "were") + " deferred"
	switch {
	case r.Cancelled:
		return errors.New("stopped before the end; what had arrived is stored")
	case r.Failed > 0 && r.Deferred > 0:
		return fmt.Errorf("of %s, %d failed and %s", asked(r), r.Failed, left)
	case r.Failed > 0:
		return fmt.Errorf("%d of %s failed; the data of their last success stays", r.Failed, asked(r))
	case r.Deferred > 0:
		return fmt.Errorf("of %s, %s; run it again later, or leave it to the daemon", asked(r), left)
	}
	return nil
}

// asked counts what a pass was about.
func asked(r *record.Pass) string {
	return record.Count(r.Asked, "repository or project", "repositories and projects")
}

// summary tells a person what a pass did.
func summary(r *record.Pass) string {
	if r.Asked == 0 {
		return "Nothing to do: no package is due (--all asks for every one)."
	}
	charged := fmt.Sprintf("%d charged", r.GitHub.Charged)
	if r.GitHub.Points > 0 {
		charged += ", and " + record.Count(r.GitHub.Points, "point", "points") + " for GraphQL"
	}
	s := fmt.Sprintf("%s and %s in %s: %d fresh, %d unchanged, %d pending, %d failed, %d gone, %d deferred.\nGitHub: %s, %s. PyPI: %s.",
		record.Count(r.GitHub.Asked, "repository", "repositories"), record.Count(r.PyPI.Asked, "project", "projects"),
		r.Duration().Round(100*time.Millisecond), r.Fresh, r.Unchanged, r.Pending, r.Failed, r.Gone, r.Deferred,
		record.Count(r.GitHub.Requests, "request", "requests"), charged, record.Count(r.PyPI.Requests, "request", "requests"))
	if r.More {
		s += "\nMore is due than one pass takes on (refresh.max_packages); run it again."
	}
	return s
}

// holds tells which upstreams are left alone, until when and why, unless the log has told
// what is wrong with them. hint goes with that of GitHub's limit.
func holds(w io.Writer, r *record.Pass, logged bool, hint string) {
	for _, use := range []*record.Use{&r.GitHub, &r.PyPI} {
		if use.HeldUntil.IsZero() || use.Fault != "" && logged {
			continue
		}
		help := ""
		if use == &r.GitHub && use.Fault == "" {
			help = hint
		}
		fmt.Fprintf(w, "On hold until %s: %s%s\n", use.HeldUntil.Local().Format(time.DateTime), use.Reason, help)
	}
}

// watcher shows the progress of a pass on a terminal.
type watcher struct {
	w       io.Writer
	visible bool
	bar     *progressbar.ProgressBar
	failed  []fetcher.Progress // sources that failed or are gone
}

// maxFailed is how many sources that failed or are gone are listed.
const maxFailed = 20

// tellFailed lists the sources that failed or are gone, but for those that failed because
// their upstream does as a whole, which is told once.
func (w *watcher) tellFailed(r *record.Pass) {
	told := slices.DeleteFunc(w.failed, func(p fetcher.Progress) bool {
		use := &r.GitHub
		if _, project := p.Key.Project(); project {
			use = &r.PyPI
		}
		return p.Outcome == "failed" && use.Fault != ""
	})
	for i, p := range told {
		if i == maxFailed {
			fmt.Fprintf(w.w, "and %d more; pkgmetad show tells of each\n", len(told)-i)
			return
		}
		fmt.Fprintf(w.w, "%s %s: %s\n", p.Key, p.Outcome, p.Error)
	}
}

func newWatcher(w io.Writer) *watcher {
	return &watcher{w: w, visible: isTerminal(w)}
}

func (w *watcher) progress(p fetcher.Progress) {
	if p.Error != "" && p.Outcome != "deferred" { // the upstream's hold is told once
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
