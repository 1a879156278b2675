package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// packaging/release has the linker set these, so that a release knows what it is
// although it was built without its repository. Other builds go by what the Go
// command recorded.
var (
	version         = "dev"
	releaseCommit   string // the revision, +changes behind it if there were any
	releaseDateUnix string // of that revision, in seconds since 1970
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit, its date and the Go version",
		Args:  noArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), versionLine())
		},
	}
}

func versionLine() string {
	commit, date := revision()
	return fmt.Sprintf("pkgmetad %s (commit %s of %s, %s %s/%s)", version, commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision returns the commit that the program was built from and its date, as far
// as they are known.
func revision() (commit, date string) {
	if info, ok := debug.ReadBuildInfo(); ok {
		commit, date = recorded(info.Settings)
	}
	if seconds, err := strconv.ParseInt(releaseDateUnix, 10, 64); err == nil {
		date = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	return cmp.Or(releaseCommit, commit, "unknown"), cmp.Or(date, "an unknown date")
}

// recorded returns commit and date from what the Go command recorded.
func recorded(settings []debug.BuildSetting) (commit, date string) {
	dirty := ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.time":
			date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if commit == "" {
		return "", ""
	}
	return commit + dirty, date
}
