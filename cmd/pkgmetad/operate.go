package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
)

// The commands that tell a running daemon what to do.

func newReloadCommand() *cobra.Command {
	var allowRemovals bool
	cmd := operatorCommand(&cobra.Command{
		Use:   "reload --config FILE",
		Short: "Have the daemon read the configuration and the catalogue again",
		Long: `Have the daemon read the configuration and the catalogue again, as SIGHUP does, and
report the result. Both are checked completely and then take effect together; if
either is bad, nothing changes.

Exit codes: 0 they took effect, 1 they were refused, or no daemon is running.`,
		Args: noArgs,
	}, func(ctx context.Context, c *daemon.Client, _ []string) (string, error) {
		return "reloaded", c.Reload(ctx, allowRemovals)
	})
	cmd.Flags().BoolVar(&allowRemovals, "allow-removals", false, "accept a catalogue that lacks more packages than catalogue.max_removed allows")
	return cmd
}

func newPauseCommand() *cobra.Command {
	return operatorCommand(&cobra.Command{
		Use:   "pause --config FILE",
		Short: "Stop the daemon from starting passes on schedule",
		Long: `Stop the daemon from starting passes on schedule, until resume or a restart. A pass
that is running continues. Records are still served, and refresh still works.`,
		Args: noArgs,
	}, func(ctx context.Context, c *daemon.Client, _ []string) (string, error) {
		return "paused; pkgmetad resume, or a restart, ends it", c.Pause(ctx)
	})
}

func newResumeCommand() *cobra.Command {
	return operatorCommand(&cobra.Command{
		Use:   "resume --config FILE",
		Short: "Let a paused daemon start passes again",
		Args:  noArgs,
	}, func(ctx context.Context, c *daemon.Client, _ []string) (string, error) {
		return "resumed; what is due is fetched within a minute", c.Resume(ctx)
	})
}

func newLogLevelCommand() *cobra.Command {
	return operatorCommand(&cobra.Command{
		Use:     "log-level --config FILE LEVEL",
		Short:   "Change what the daemon logs, until it reloads or restarts",
		Example: "  pkgmetad log-level -c config.yaml debug",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("log-level takes one of trace, debug, info, warn and error")
			}
			return nil
		},
	}, func(ctx context.Context, c *daemon.Client, args []string) (string, error) {
		return "the daemon now logs what is of level " + args[0] + " or above", c.SetLogLevel(ctx, args[0])
	})
}

func newHoldCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "hold",
		Short: "End the waits that the daemon keeps to before it asks GitHub or PyPI again",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return cmd.Help()
		},
	}
	group.AddCommand(operatorCommand(&cobra.Command{
		Use:   "lift --config FILE",
		Short: "Have the daemon ask GitHub and PyPI again at once",
		Long: `Have the daemon ask GitHub and PyPI again at once, even if one of them asked it to
wait, refused the token or did not answer. If that has not changed, the daemon waits
again. An hourly budget that is used up stays used up.`,
		Args: noArgs,
	}, func(ctx context.Context, c *daemon.Client, _ []string) (string, error) {
		return "holds lifted; what is due is fetched within a minute", c.Lift(ctx)
	}))
	return group
}

// operatorCommand completes a command that asks the daemon for something, and prints
// what do says was done.
func operatorCommand(cmd *cobra.Command, do func(context.Context, *daemon.Client, []string) (done string, err error)) *cobra.Command {
	var path string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		running, err := dialDaemon(cmd.Context(), path)
		if err != nil {
			return failed(exitFailed, err)
		}
		done, err := do(cmd.Context(), running, args)
		if err != nil {
			return failed(exitFailed, err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), done)
		return nil
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// dialDaemon returns a client of the daemon whose configuration is at path. That none
// runs is an error.
func dialDaemon(ctx context.Context, path string) (*daemon.Client, error) {
	cfg, err := config.Load(path, os.Getenv)
	if err != nil {
		return nil, err
	}
	return daemon.Reach(ctx, cfg)
}
