// Command pkgmetad keeps package records fresh and serves them: it pulls facts
// from GitHub and PyPI on a schedule, keeps them in one database file, and
// answers in the JSON shape that Django Packages documents.
//
// Each command has its file: it reads its flags and the configuration, and hands
// over to the daemon or does its one job.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes are part of the interface.
const (
	exitFailed = 1  // it was tried and failed
	exitUsage  = 2  // the command line is wrong
	exitConfig = 78 // serve: the configuration is wrong, and a restart won't mend it (EX_CONFIG)
)

func main() {
	// The first signal asks for an orderly stop. The next one finds the default
	// action restored, and kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// failure is an error that a command ended with, as against one in how it was called.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// errReported stands for an error that the user has been told of already.
var errReported = errors.New("")

// failed wraps the error of a command that was called rightly.
func failed(code int, err error) error {
	if err == nil {
		return nil
	}
	return &failure{code, err}
}

// run is the whole program: it returns the exit code. Cancelling ctx is an
// order to stop.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var f *failure
	if errors.As(err, &f) {
		if !errors.Is(err, errReported) {
			fmt.Fprintf(stderr, "pkgmetad: %v\n", err)
		}
		return f.code
	}
	fmt.Fprintf(stderr, "pkgmetad: %s\nRun '%s --help' to see how it is used.\n", misuse(err), cmd.CommandPath())
	return exitUsage
}

// misuse says what is wrong with a command line: of a number that is none, in other words than Go's.
func misuse(err error) string {
	var number *strconv.NumError
	if !errors.As(err, &number) || !errors.Is(err, strconv.ErrSyntax) {
		return err.Error()
	}
	kind := "a whole number"
	if number.Func == "ParseFloat" {
		kind = "a number"
	}
	return strings.Replace(err.Error(), number.Error(), "it takes "+kind, 1)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pkgmetad",
		Short: "Keeps package records fresh from GitHub and PyPI, and serves them",
		Long: `pkgmetad keeps the facts about thousands of packages fresh: stars, forks,
description, participants and 52 weeks of commits from GitHub, versions from
PyPI. It pulls them on a schedule, keeps them in one database file, and serves
them read-only as JSON in the shape of the Django Packages API v4.

Begin with   pkgmetad demo                                 no network, no token
then         pkgmetad config check --config config.yaml    says all that is wrong
and          pkgmetad serve --config config.yaml           the daemon

Exit codes: 0 done, 1 it failed, 2 wrong usage; serve: 78 for a bad configuration.`,
		Version: versionLine(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if c := cmd.Flags().Lookup("config"); c != nil && c.Value.String() == "" {
				return errors.New("the required flag --config is missing; write --config FILE, where FILE is the configuration (config.example.yaml is one to begin with)")
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		newServeCommand(),
		newRefreshCommand(),
		newShowCommand(),
		newStatusCommand(),
		newReloadCommand(),
		newPauseCommand(),
		newResumeCommand(),
		newHoldCommand(),
		newLogLevelCommand(),
		newImportCommand(),
		newBackupCommand(),
		newCheckCommand(),
		newCompactCommand(),
		newConfigCommand(),
		newDemoCommand(),
		newSimCommand(),
		newVersionCommand(),
		newManCommand(),
	)
	return root
}

// addConfigFlag adds the flag that names the configuration file.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "the configuration `file` (see config.example.yaml)")
	_ = cmd.MarkFlagRequired("config") // it was added in the line above
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// noArgs is for commands that take flags alone. People name the configuration without its
// flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	advice := ""
	if c := cmd.Flags().Lookup("config"); c != nil && !c.Changed {
		advice = fmt.Sprintf("; if that is the configuration, write --config %s", args[0])
	}
	return fmt.Errorf("%s takes no argument such as %q%s", cmd.Name(), args[0], advice)
}
