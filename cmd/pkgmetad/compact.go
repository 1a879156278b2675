package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
)

func newCompactCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "compact --config FILE",
		Short: "Give the database's free space back to the disk",
		Long: `Write the database into a new file without its free pages, and put that in the
place of the old one, which until then stays as it is. Where a daemon serves the
store, the daemon does it: readers go on, and what is to be written waits. The disk
has to have room for both.

A daemon does so by itself after a pass, at most once a day, if more than half of a
file of at least 16 MiB is free.

Exit codes: 0 done, 1 it failed and the old file is still there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			before, after, err := daemon.Compact(cmd.Context(), cfg)
			if err != nil {
				return failed(exitFailed, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s before, %s now\n", cfg.Store.Path, mebibytes(before), mebibytes(after))
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}
