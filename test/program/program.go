// Package program is for tests that run the built program: it builds it, gives it a clock that
// can be set, and tells what the machine lacks for a test.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come: generous, as the machine may be busy
// with other tests. What has to be quicker is measured.
const Patience = 2 * time.Minute

// named is the environment variable that names a program to be tested instead of building one.
const named = "PKGMETAD_PROGRAM"

var path string // set by Main, before any test runs

// Path returns the path of the program, while Main runs the tests.
func Path() string { return path }

// Main builds the program, unless PKGMETAD_PROGRAM names one, runs the tests of a package, and
// returns the exit code. It is for TestMain.
func Main(m *testing.M) int {
	if path = os.Getenv(named); path != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "pkgmetad-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	path = filepath.Join(folder, "pkgmetad")
	if err := build(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds the program, with further flags of go build, for as long as that takes.
func build(to string, flags ...string) error {
	command := exec.Command("go", append(append([]string{"build"}, flags...), "-o", to, "pkgmetad/cmd/pkgmetad")...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// Run runs a command, for no longer than Patience, and returns what it printed. That is in the
// error, too.
func Run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return string(out), err
}

// Number returns the value of an environment variable, which makes a run longer or shorter. It
// fails the test where that is no number, or less than least.
func Number(t testing.TB, name string, otherwise, least int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least {
		t.Fatalf("%s=%q is not a number of at least %d", name, v, least)
	}
	return n
}
