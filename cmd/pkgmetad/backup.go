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
		Long: `Write a copy of the database, of one moment, to the file COPY, in place of any
that is there. Where a daemon serves the store it goes on meanwhile; otherwise the
copy is made of the file. The copy is read back and checked before it takes its
place, so one that is there stays until a good one is.

To restore, stop the daemon, put the copy in the place of store.path, and start the
daemon again. It may also make copies by itself: see store.backup.

Exit codes: 0 there is a good copy, 1 there is none.`,
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
