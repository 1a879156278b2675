package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

func newStatusCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status --config FILE [--json]",
		Short: "Print what the daemon is doing, and how fresh its records are",
		Long: `Print what the daemon is doing and when its next pass is due, its last pass, how old
its records are, what GitHub and PyPI still allow, what fails, and the state of its
store; of one of several hosts, also how all of them stand, as far as this one knows.

Exit codes: 0 all is well, 1 something is wrong, or no daemon is running.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			running, err := dialDaemon(cmd.Context(), path)
			if err != nil {
				return failed(exitFailed, err)
			}
			report, err := running.Status(cmd.Context())
			if err != nil {
				return failed(exitFailed, err)
			}
			if asJSON {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				err = out.Encode(report)
			} else {
				err = printReport(cmd.OutOrStdout(), &report, time.Now())
			}
			if err == nil && len(wrong(&report)) > 0 {
				err = errReported
			}
			return failed(exitFailed, err)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// wrong lists what needs an operator.
func wrong(r *daemon.Report) (all []string) {
	for _, p := range r.Status.Problems {
		all = append(all, p.Kind+": "+p.Detail)
	}
	all = append(all, r.Status.Cluster.Wrong(r.Status.Now)...)
	if r.Store.Ready != "" && len(all) == 0 {
		all = append(all, "not ready: "+r.Store.Ready)
	}
	for _, b := range r.Status.Budgets {
		if b.Fault != "" && !slices.Contains(all, b.Fault) { // it may be the same for all credentials
			all = append(all, b.Fault)
		}
	}
	if reload := r.Status.Reload; reload != nil && reload.Error != "" {
		all = append(all, "configuration and catalogue are not those of the files: "+reload.Error)
	}
	return all
}

const failingShown = 5 // failing sources that a report lists

func printReport(w io.Writer, r *daemon.Report, now time.Time) error {
	s := &r.Status
	for _, problem := range wrong(r) {
		fmt.Fprintf(w, "! %s\n", problem)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("daemon", "%s, process %d, on http://%s, started %s, log level %s", r.Version, r.PID, r.Listen, moment(r.Started, now, ""), r.LogLevel)
	line("now", "%s", doing(s, now))
	if len(s.Passes) > 0 {
		p := s.Passes[0]
		line("last pass", "%s, %s: %d asked, %d fresh, %d unchanged, %d pending, %d failed, %d gone, %d deferred",
			moment(p.Started, now, ""), p.Duration().Round(100*time.Millisecond), p.Asked, p.Fresh, p.Unchanged, p.Pending, p.Failed, p.Gone, p.Deferred)
	}
	line("packages", "%d; fetched within a day: %s from GitHub, %s from PyPI; %s", s.Packages, fresh(s.GitHub), fresh(s.PyPI), record.Count(s.FailingTotal, "source fails", "sources fail"))
	for i, f := range s.Failing {
		if i == failingShown {
			line("", "and %d more: see http://%s/status/", s.FailingTotal-i, r.Listen)
			break
		}
		line("", "%s, %s: %s since %s: %s", f.Slug, f.Source, f.State, moment(f.Since, now, "an unknown time"), f.LastError)
	}
	for _, b := range s.Budgets {
		name := b.Name
		if b.Credential != "" {
			name += " " + b.Credential
		}
		line(name, "%s", allowance(b, s.Cluster, now))
	}
	if s.Cluster != nil {
		clusterLines(s.Cluster, now, line)
	}
	line("store", "%s, %s, change %d", r.Store.Path, mebibytes(r.Store.Bytes), r.Store.Sequence)
	if d := s.Database; d != nil {
		line("", "%s of it is free for new data", mebibytes(d.Free))
	}
	if s.Snapshot != nil {
		line("snapshot", "of change %d, %s, made %s", s.Snapshot.Sequence, mebibytes(s.Snapshot.Bytes), moment(s.Snapshot.Made, now, "at an unknown time"))
	}
	if s.Search != nil {
		line("search", "%s, of change %d", s.Search.State, s.Search.Sequence)
	}
	if s.Reload != nil {
		line("reload", "%s, %s", moment(s.Reload.At, now, ""), cmp.Or(s.Reload.Error, "in force"))
	}
	return t.Flush()
}

// doing says what the daemon is doing and when its next pass is due.
func doing(s *status.Catalogue, now time.Time) string {
	text := "idle"
	if !s.RunningSince.IsZero() {
		text = "a pass has been running since " + moment(s.RunningSince, now, "")
	}
	if !s.PausedSince.IsZero() {
		return text + "; paused since " + moment(s.PausedSince, now, "") + ", so no further one begins on schedule"
	}
	return text + "; the next pass is due " + moment(s.NextTick, now, "at an unknown time")
}

// fresh says how many of the packages that can be fetched were fetched within a day.
func fresh(t status.Totals) string {
	young, all := 0, t.Never
	for _, a := range t.Ages {
		all += a.Packages
		if a.UnderSeconds > 0 && a.UnderSeconds <= int64(24*time.Hour/time.Second) {
			young += a.Packages
		}
	}
	return fmt.Sprintf("%d of %d", young, all)
}

// allowance says what an upstream still allows, for one credential.
func allowance(b status.Budget, c *status.Cluster, now time.Time) string {
	text := "no limit is known"
	if b.Known {
		text = fmt.Sprintf("%d of %d requests left until %s", b.Remaining, b.Limit, moment(b.Reset, now, "an unknown time"))
	}
	if p := b.Points; p != nil {
		text += fmt.Sprintf("; %d of %d GraphQL points until %s", p.Remaining, p.Limit, moment(p.Reset, now, "an unknown time"))
	}
	if b.Kind != "" {
		text = b.Kind + ", " + text
	}
	if !b.Expires.IsZero() {
		text += "; it expires " + moment(b.Expires, now, "")
	}
	if b.Elsewhere {
		text += "; " + c.Unused()
	}
	if !b.HeldUntil.IsZero() {
		text += fmt.Sprintf("; not asked until %s: %s", moment(b.HeldUntil, now, ""), b.Reason)
	}
	return text
}
