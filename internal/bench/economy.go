package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strconv"
)

// economyCommand is the first argument that measures what refreshing costs upstream.
const economyCommand = "economy"

// economy runs TestEconomy, which measures that in simulated time: a thing that only
// tests can have.
func economy(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench economy", flag.ContinueOnError)
	packages := flags.Int("packages", 5500, "packages of the simulated world")
	days := flags.Int("days", 90, "days for which to refresh them")
	steady := flags.Int("steady", 60, "the day from which on the daily cost is measured")
	limit := flags.Int("limit", 5000, "requests, and points, that GitHub allows an hour")
	seeded := flags.Bool("seeded", false, "begin with a store as it is after months, instead of an empty one")
	only := flags.String("only", "", "naive, conditional, rest or pkgmetad: measure only that client")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "pkgmetad/internal/bench", "-run", "^TestEconomy$", "-v", "-timeout", "0",
		"-economy.packages", strconv.Itoa(*packages), "-economy.days", strconv.Itoa(*days), "-economy.steady", strconv.Itoa(*steady), "-economy.only", *only, "-economy.limit", strconv.Itoa(*limit), "-economy.seeded="+strconv.FormatBool(*seeded))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
