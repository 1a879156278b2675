package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/sim"
)

// withClock builds the program with a clock that can be set; see ../crash/clock_test.go.
func withClock(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	goroot, err := run("go", "env", "GOROOT")
	must(t, err)
	library := filepath.Join(strings.TrimSpace(goroot), "src", "time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	must(t, err)
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	skewed := strings.Replace(string(source), reads, reads+"\tsec += Skew.Load()\n", 1)
	if skewed == string(source) {
		t.Fatalf("time.Now reads the clock otherwise than this test knows: see %s", library)
	}
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	absolute := func(path string) string {
		path, err := filepath.Abs(path)
		must(t, err)
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(library, "time.go"):       write("time.go", skewed),
		filepath.Join(library, "skew.go"):       write("skew.go", "package time\n\nimport \"sync/atomic\"\n\nvar Skew atomic.Int64 // seconds\n"),
		absolute("../../cmd/pkgmetad/clock.go"): absolute("../crash/testdata/clock.go"),
	}})
	must(t, err)
	built := filepath.Join(folder, "pkgmetad")
	build := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", built, "../../cmd/pkgmetad")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return built
}

// setClock has the clock of a host be wrong from now on.
func (h *host) setClock(t *testing.T, by time.Duration) {
	t.Helper()
	must(t, os.WriteFile(h.clock+".new", fmt.Append(nil, int(by/time.Second)), 0o600))
	must(t, os.Rename(h.clock+".new", h.clock))
}

// TestClocks has the clocks of hosts be wrong by an hour, from their start and while they run.
func TestClocks(t *testing.T) {
	long(t, "clocks")
	built := withClock(t)
	s := newSite(t, options{sim: sim.Options{Latency: 10 * time.Millisecond}, packages: 150, stale: 5 * time.Second, tokens: map[string]string{"a": "shared", "b": "shared"}})
	s.readers.wrongClocks = true
	set := func(clocks ...time.Duration) {
		for i, h := range s.hosts {
			h.setClock(t, clocks[i])
		}
	}
	for _, h := range s.hosts {
		h.program, h.clock = built, h.path("clock")
	}
	set(time.Hour, -time.Hour, 0)
	s.startAll(t)
	packages := s.extend(t, 0)
	eventually(t, patience, func() error { return s.hosts[0].fetched(packages) })
	s.read(t, s.hosts...)
	for _, clocks := range [][]time.Duration{{-time.Hour, time.Hour, 0}, {0, 0, time.Hour}, {0, -time.Hour, -time.Hour}, {0, 0, 0}} {
		set(clocks...)
		s.world.Advance(24 * time.Hour)
		time.Sleep(5 * time.Second)
		h := s.hosts[len(s.readers.slug())%3]
		h.kill(t)
		time.Sleep(5 * time.Second)
		h.start(t)
		h.joined(t)
		time.Sleep(10 * time.Second)
	}
	s.rest(t)
	newcomer := s.add(t, "d", 0)
	newcomer.start(t)
	newcomer.joined(t)
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	t.Logf("clocks an hour ahead and behind, set back and forth under running hosts: %s; %s", figures, s.readers.figures())
}
