package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func newCheckCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE [COPY]",
		Short: "Read the entire database, or a copy, and list what is damaged",
		Long: `Read the entire database, or the file COPY that backup made, and list what is wrong:
pages that do not fit together, values whose checksums do not match, and indexes that
disagree with the records. Nothing is changed. If a daemon serves the store, a copy
that it makes is checked. Of a database that has to be migrated first, only the pages
are checked.

Damaged values are written again when the daemon next reads its catalogue (SIGHUP)
and when they are next fetched. If pages are damaged, put a backup in the file's
place, or move the file away and import a snapshot.

Exit codes: 0 nothing is wrong, 1 something is, or the file cannot be read.`,
		Example: `  pkgmetad check -c /etc/pkgmetad/config.yaml
  pkgmetad check -c /etc/pkgmetad/config.yaml /var/backups/pkgmetad.db`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("check takes at most one copy")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			file := ""
			if len(args) == 1 {
				file = args[0]
			}
			report, name, err := daemon.Check(cmd.Context(), cfg, file)
			if err != nil {
				return failed(exitFailed, err)
			}
			for _, finding := range report.Findings {
				fmt.Fprintln(cmd.OutOrStdout(), finding)
			}
			if n := len(report.Findings) + report.More; n > 0 {
				return failed(exitFailed, fmt.Errorf("%s is damaged: %s (see pkgmetad check --help for what to do)", name, record.Count(n, "finding", "findings")))
			}
			verdict := "nothing is wrong"
			if report.Unread != "" {
				verdict = "nothing is wrong with its pages; its records were not checked: " + report.Unread
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s; %s\n", name, contents(report), verdict)
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// contents describes to a person what a database holds.
func contents(r store.Report) string {
	if r.Packages == 0 && r.Sources == 0 {
		return fmt.Sprintf("schema %d, %s", r.Schema, mebibytes(r.Bytes))
	}
	return fmt.Sprintf("%s, %s, schema %d, %s of which %s is free", record.Count(r.Packages, "package", "packages"),
		record.Count(r.Sources, "repository or project", "repositories and projects"), r.Schema, mebibytes(r.Bytes), mebibytes(r.Free))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
