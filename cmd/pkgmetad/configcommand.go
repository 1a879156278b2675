package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
)

func newConfigCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return cmd.Help()
		},
	}
	var path string
	check := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Name every mistake in the configuration and in its catalogue at once",
		Long: `Read the configuration and the catalogue that it names, and print every mistake
with its file, line and column, and a warning for whatever works but may not be
meant: what serve logs a warning of. Nothing is changed, and no request is made.

Exit codes: 0 no mistakes, although there may be warnings, 1 there are mistakes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed(exitFailed, checkConfig(path, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	addConfigFlag(check, &path)
	group.AddCommand(check)
	return group
}

// shownWarnings is how many warnings are printed; a catalogue may be the cause of thousands.
const shownWarnings = 50

func checkConfig(path string, stdout, stderr io.Writer) error {
	cfg, err := config.Load(path, os.Getenv)
	var c record.Catalogue
	if cfg != nil && filepath.IsAbs(cfg.Catalogue.Path) { // it is known, whatever else is wrong
		var catalogueErr error
		c, catalogueErr = catalogue.Load(cfg.Catalogue.Path)
		err = errors.Join(err, catalogueErr)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		if cfg != nil {
			printWarnings(stderr, cfg.Warnings) // others may be due to the mistakes
		}
		return errReported
	}
	warnings := daemon.Warnings(cfg, c)
	printWarnings(stderr, warnings)
	and := ""
	if len(warnings) > 0 {
		and = "; " + record.Count(len(warnings), "warning", "warnings")
	}
	fmt.Fprintf(stdout, "%s: no mistakes, and none in the catalogue %s (%s)%s\n", path, cfg.Catalogue.Path, record.Count(len(c.Packages), "package", "packages"), and)
	if cfg.Cluster.Enabled() {
		fmt.Fprintf(stdout, "%s: %s%s\n", path, cfg.Cluster.Role(), readsOnly(cfg))
	}
	return nil
}

// readsOnly says it where a host leaves the fetching to others; "" elsewhere.
func readsOnly(cfg *config.Config) string {
	if cfg.Refresh.Workers == 0 {
		return "; it fetches nothing, and serves what other hosts fetch"
	}
	return ""
}

func printWarnings(w io.Writer, warnings []string) {
	for i, warning := range warnings {
		if i == shownWarnings {
			fmt.Fprintf(w, "and %d more like these\n", len(warnings)-i)
			return
		}
		fmt.Fprintln(w, "warning:", warning)
	}
}
