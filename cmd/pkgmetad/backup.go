package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
)

func newBackupCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "backup --config FILE COPY",
		Short: "Write a copy of the database to a file, and check it",
		Long: `Write a copy of the database, as of one moment, to the file COPY, replacing an earlier
one; a file that is no database is not replaced. It does not matter whether a daemon
serves the store, which keeps running. The copy is read back and checked before it
takes its place, so an earlier one is only ever replaced by a good one.

To restore, stop the daemon, copy the backup to store.path, and start the daemon. The
daemon can also make backups by itself: see store.backup.

Of several hosts, each gets what it lacks from the others: a backup that is restored
on one of them is set aside at its start, and the store built anew from theirs. To go
back to a backup on all, see the section on several hosts in README.md.

Exit codes: 0 a good copy was made, 1 none was.`,
		Example: "  pkgmetad backup -c /etc/pkgmetad/config.yaml /var/backups/pkgmetad.db",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("backup takes one file to write to")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			report, err := daemon.Backup(cmd.Context(), cfg, args[0])
			if err != nil {
				return failed(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], contents(report))
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}
