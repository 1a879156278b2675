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
		Short: "Return the database's free space to the disk",
		Long: `Write the database to a new file without its free pages, and replace the old file
with it, which stays as it is until then. If a daemon serves the store, the daemon
does this: it keeps serving, and writes wait. The disk needs room for both files.

The daemon also does this by itself after a pass, at most once a day, if the file has
16 MiB or more and more than half of it is free.

Exit codes: 0 done, 1 it failed and the old file is still there.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			before, after, err := daemon.Compact(cmd.Context(), cfg, func(sentence string) { fmt.Fprintln(cmd.ErrOrStderr(), sentence) })
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
