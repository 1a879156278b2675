package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"

	"github.com/spf13/cobra"
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
with its file, line and column. Nothing is changed, and no request is made.

Exit codes: 0 no mistakes, 1 there are some.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			packages := 0
			if cfg != nil && filepath.IsAbs(cfg.Catalogue.Path) { // it is known, whatever else is wrong
				c, catalogueErr := catalogue.Load(cfg.Catalogue.Path)
				err = errors.Join(err, catalogueErr)
				packages = len(c.Packages)
			}
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), err)
				return failed(exitFailed, errReported)
			}
			warnings := cfg.Warnings
			if w := cfg.HTTP.HostWarning(cfg.HTTP.Listen); w != "" {
				warnings = append(warnings, w)
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: no mistakes, and none in the catalogue %s (%d packages)\n", path, cfg.Catalogue.Path, packages)
			return nil
		},
	}
	addConfigFlag(check, &path)
	group.AddCommand(check)
	return group
}
