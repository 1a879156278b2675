package program

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ClockFile is the environment variable that names the file by which the clock of a program
// that WithClock has built is wrong; see SetClock.
const ClockFile = "PKGMETAD_CLOCK"

// WithClock builds the program with a clock that can be set, and returns its path. No
// tool sets the clock of one process that is written in Go, so the program is built on a
// standard library that differs in one line: what time.Now returns is off by time.Skew.
// As with a real clock that is set, timers and durations are not. It returns "", and says so,
// where another program is to be tested.
func WithClock(t testing.TB) string {
	t.Helper()
	if os.Getenv(named) != "" {
		t.Logf("no clock is wrong in this run: the program of %s has none that can be set", named)
		return ""
	}
	built, err := withClock(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func withClock(folder string) (string, error) {
	said, err := Run("go", "env", "GOROOT", "GOMOD")
	if err != nil {
		return "", err
	}
	goroot, module, _ := strings.Cut(strings.TrimSpace(said), "\n")
	library, root := filepath.Join(goroot, "src", "time"), filepath.Dir(module)
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	skewed := strings.Replace(string(source), reads, reads+"\tsec += Skew.Load()\n", 1)
	if skewed == string(source) {
		return "", fmt.Errorf("time.Now reads the clock otherwise than is known here: see %s", library)
	}
	in := func(name string) string { return filepath.Join(folder, name) }
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(library, "time.go"):               in("time.go"),
		filepath.Join(library, "skew.go"):               in("skew.go"),
		filepath.Join(root, "cmd/pkgmetad", "clock.go"): filepath.Join(root, "test/program/testdata/clock.go"),
	}})
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"time.go":      skewed,
		"skew.go":      "package time\n\nimport \"sync/atomic\"\n\nvar Skew atomic.Int64 // seconds\n",
		"overlay.json": string(overlay),
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return in("pkgmetad"), build(in("pkgmetad"), "-overlay", in("overlay.json"))
}

// SetClock has the clock of the processes that ClockFile names a file to be wrong from now on,
// by whole seconds; they look every 10 ms.
func SetClock(t testing.TB, file string, by time.Duration) {
	t.Helper()
	err := os.WriteFile(file+".new", fmt.Append(nil, int(by/time.Second)), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}
