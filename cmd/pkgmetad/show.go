package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/status"
	"pkgmetad/internal/strict"
)

func newShowCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show --config FILE [--json] SLUG",
		Short: "Print where each source of a package stands, and its record as served",
		Long: `Print where the repository and the project of one package stand, and its record as
the API serves it. SLUG may be an id. Nothing is changed, and no request is made; a
daemon need not be running.

With --json, print the record as one JSON object, as GET /api/v4/packages/SLUG/
answers it, with one more key: "status" is what GET /status/packages/SLUG/ answers.`,
		Example: `  pkgmetad show -c config.yaml django-crispy-forms
  pkgmetad show -c config.yaml --json 1609 | jq .status.github.state`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("show takes the slug of one package, or its id")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			p, rendering, err := daemon.Show(cmd.Context(), cfg, args[0])
			if err != nil {
				return failed(exitFailed, err)
			}
			if asJSON {
				return failed(exitFailed, showJSON(cmd.OutOrStdout(), rendering, &p))
			}
			return failed(exitFailed, show(cmd.OutOrStdout(), rendering, p, time.Now()))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// showJSON writes the record with what is known of its sources.
func showJSON(w io.Writer, rendering render.Rendering, p *record.Package) error {
	state := status.New(status.Options{Zone: rendering.Zone}).Package(p)
	data, err := json.MarshalIndent(state, "    ", "    ")
	if err != nil {
		return err
	}
	rec := bytes.TrimSuffix(weeksOnOneLine(rendering.Record(p, 4)), []byte("\n}"))
	_, err = fmt.Fprintf(w, "%s,\n    \"status\": %s\n}\n", rec, data)
	return err
}

// weeks matches the commits of 52 weeks in a record. In text the quotes would be escaped.
var weeks = regexp.MustCompile(`"commits_over_52": \[[\s\d,]*\]`)

// weeksOnOneLine returns an indented record with the commits of its weeks on one line.
func weeksOnOneLine(rec []byte) []byte {
	return weeks.ReplaceAllFunc(rec, func(list []byte) []byte {
		list = bytes.Join(bytes.Fields(list), []byte(" "))
		return bytes.ReplaceAll(bytes.ReplaceAll(list, []byte("[ "), []byte("[")), []byte(" ]"), []byte("]"))
	})
}

func show(w io.Writer, rendering render.Rendering, rec record.Package, now time.Time) error {
	fmt.Fprintf(w, "%s (id %d): %s\n\n", rec.Slug, rec.ID, rec.Title)
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
		words, _ := status.Words(s.Status)
		fmt.Fprintf(t, "%s\t%s (%s)\t%s\t%s\t%s\t%d\n", s.name, s.State, words, moment(s.LastAttempt, now, "never"), moment(s.LastSuccess, now, "never"), due, s.Failures)
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
	showStanding(w, rec.Project.Standing, now)
	_, err := fmt.Fprintf(w, "\n%s\n", weeksOnOneLine(rendering.Record(&rec, 4)))
	return err
}

// showStanding writes what PyPI says of the project as a whole.
func showStanding(w io.Writer, s record.Standing, now time.Time) {
	if s.Status == "" {
		return
	}
	reason := ""
	if s.Reason != "" {
		reason = ": " + s.Reason
	}
	fmt.Fprintf(w, "pypi: the project is %s%s; as of %s\n", s.Status, reason, moment(s.Asked, now, "an unknown time"))
}
