package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withClock builds the program with a clock that can be set, and returns its path. No
// tool sets the clock of one process that is written in Go, so the program is built on a
// standard library that differs in one line: what time.Now returns is off by time.Skew.
// As with a real clock that is set, timers and durations are not. It returns "" where
// another program is to be tested.
func withClock(t *testing.T) string {
	t.Helper()
	if os.Getenv("PKGMETAD_PROGRAM") != "" {
		t.Log("no clock is wrong in this run: the program of PKGMETAD_PROGRAM has none that can be set")
		return ""
	}
	folder := t.TempDir()
	root, err := run("go", "env", "GOROOT")
	must(t, err)
	library := filepath.Join(strings.TrimSpace(root), "src", "time")
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
		absolute("../../cmd/pkgmetad/clock.go"): absolute("testdata/clock.go"),
	}})
	must(t, err)
	built := filepath.Join(folder, "pkgmetad")
	build := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", built, "../../cmd/pkgmetad")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return built
}

// setClock has the clock of the site's daemons be wrong from now on.
func (s *site) setClock(t *testing.T, by time.Duration) {
	t.Helper()
	temporary := s.clock + ".tmp"
	must(t, os.WriteFile(temporary, fmt.Append(nil, int(by/time.Second)), 0o600))
	must(t, os.Rename(temporary, s.clock))
	time.Sleep(50 * time.Millisecond) // it looks more often than that
}

// wrongClock has the daemon's clock be wrong for a while, by days: ahead, or behind as
// after an empty battery. It may be wrong from a start on, and be set right by one.
func (s *soak) wrongClock(t *testing.T) {
	t.Helper()
	const day = 24 * time.Hour
	wrong := []time.Duration{10 * day, 20 * day, -10 * day, -400 * day}
	restart := func() {
		if rand.IntN(2) == 0 {
			s.end(t, s.daemon.kill)
			s.start(t)
		}
	}
	s.setClock(t, wrong[rand.IntN(len(wrong))])
	restart()
	s.advance()
	time.Sleep(rand.N(4 * time.Second))
	s.setClock(t, 0)
	restart()
}

// recover has everything fetched under a clock that is ahead. Once the clock is right
// again, the daemon has to fetch it all anew by itself: it is not fresh. It looks at the
// clock once a minute; a short run does not wait for that, and restarts it.
func (s *soak) recover(t *testing.T) {
	t.Helper()
	s.setClock(t, 10*24*time.Hour)
	_, _ = s.command("refresh", "--all")
	if s.ahead(t) == 0 {
		t.Error("nothing was fetched under a clock that is ahead")
	}
	s.setClock(t, 0)
	if s.length < time.Minute {
		s.end(t, s.daemon.kill)
		s.start(t)
	}
	for deadline := time.Now().Add(patience); s.ahead(t) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d packages are served as fetched at a time that is still ahead:\n%s", s.ahead(t), s.daemon.log.tail(20))
			return
		}
	}
	body, err := get(t.Context(), *s.base.Load()+"/status/")
	must(t, err)
	var status struct {
		Passes []struct {
			Started         time.Time
			DurationSeconds float64 `json:"duration_seconds"`
		}
	}
	must(t, json.Unmarshal(body, &status))
	for _, p := range status.Passes {
		if p.Started.After(time.Now().Add(time.Minute)) || p.DurationSeconds < 0 || p.DurationSeconds > s.length.Seconds()+60 {
			t.Errorf("the status lists a pass that began at %s and took %.1f s", p.Started, p.DurationSeconds)
		}
	}
}

// ahead returns how many packages are served as fetched at a time that is still ahead.
func (s *soak) ahead(t *testing.T) (n int) {
	t.Helper()
	body, err := get(t.Context(), *s.base.Load()+"/api/v4/packages/?limit=1000")
	must(t, err)
	var list struct {
		Results []struct {
			LastFetched *time.Time `json:"last_fetched"`
		}
	}
	must(t, json.Unmarshal(body, &list))
	for _, p := range list.Results {
		if p.LastFetched != nil && p.LastFetched.After(time.Now()) {
			n++
		}
	}
	return n
}
