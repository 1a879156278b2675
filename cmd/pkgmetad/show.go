package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/strict"
	"pkgmetad/store"
)

func newShowCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:     "show --config FILE SLUG",
		Short:   "Print one record as served, and where each of its sources stands",
		Example: "  pkgmetad show -c config.yaml django-crispy-forms",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("show takes the slug of one package")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			rec, rendering, err := lookUp(cmd.Context(), cfg, args[0])
			if errors.Is(err, record.ErrNotFound) {
				err = fmt.Errorf("no package has the slug %q; slugs are those of the catalogue %s", args[0], cfg.Catalogue.Path)
			}
			if err != nil {
				return failed(exitFailed, err)
			}
			return failed(exitFailed, show(cmd.OutOrStdout(), rendering, rec, time.Now()))
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// lookUp gets a record and how it is rendered from the daemon or, where none runs,
// from the store, which it only reads.
func lookUp(ctx context.Context, cfg *config.Config, slug string) (p record.Package, rendering render.Rendering, err error) {
	if running := daemon.Dial(ctx, cfg); running != nil {
		return running.Show(ctx, slug)
	}
	if _, err := os.Stat(cfg.Store.Path); err != nil {
		return p, rendering, fmt.Errorf("there is no store yet: %w; serve or refresh make it", err)
	}
	st, err := store.Open(cfg.Store.Path, store.Options{
		ReadOnly: true, LockWait: cfg.Store.LockWait, Render: render.New, Rendering: daemon.Rendering(cfg).Name(),
	})
	if err != nil {
		return p, rendering, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if rendering, err = render.Parse(st.Rendering()); err != nil {
		return p, rendering, err
	}
	p, err = st.PackageBySlug(slug)
	return p, rendering, err
}

func show(w io.Writer, rendering render.Rendering, rec record.Package, now time.Time) error {
	fmt.Fprintf(w, "%s\n\n", rendering.Record(&rec, 4))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "source\tstate\tlast attempt\tlast success\tnext due\tfailures")
	sources := []struct {
		name string
		record.Status
	}{{"github", rec.GitHub}, {"pypi", rec.PyPI}}
	for _, s := range sources {
		due := moment(s.NextDue, now, "at once")
		if !s.State.Fetchable() {
			due = "never"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", s.name, s.State, moment(s.LastAttempt, now, "never"), moment(s.LastSuccess, now, "never"), due, s.Failures)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if rec.StaleAfter != 0 {
		fmt.Fprintf(w, "catalogue: fetched again at an age of %s\n", strict.FormatDuration(rec.StaleAfter))
	}
	if counts := rec.Repo.CountsText(); counts != "" {
		fmt.Fprintf(w, "github: %s\n", counts)
	}
	for _, s := range sources {
		for _, text := range []string{s.LastError, s.Note} {
			if text != "" {
				fmt.Fprintf(w, "%s: %s\n", s.name, text)
			}
		}
	}
	return showStanding(w, rec.Project.Standing, now)
}

// showStanding writes what PyPI says of the project as a whole.
func showStanding(w io.Writer, s record.Standing, now time.Time) error {
	if s.Status == "" {
		return nil
	}
	reason := ""
	if s.Reason != "" {
		reason = ": " + s.Reason
	}
	_, err := fmt.Fprintf(w, "pypi: the project is %s%s; as of %s\n", s.Status, reason, moment(s.Asked, now, "an unknown time"))
	return err
}
