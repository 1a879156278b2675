package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// TestSoak lets years pass over a daemon, with everything that happens in years:
// upstreams that misbehave, reloads, tokens that change, packages that leave and
// return, disks that fail, clocks that are wrong for a while, kills, restarts, pauses,
// backups, and readers all the time. In the end its records are what GitHub and PyPI
// say and of the present, it has not grown, and no limit of theirs was violated.
// PKGMETAD_SOAK says how long, 20s by default; test/soak runs it for longer.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := 20 * time.Second
	if v := os.Getenv("PKGMETAD_SOAK"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatalf("PKGMETAD_SOAK: %v", err)
		}
	}
	s := &soak{site: newSite(t, sim.Options{NoSecondary: true}), reader: newReader(), length: length, done: map[string]int{}}
	_, err := exec.LookPath("strace")
	s.traced = err == nil
	if built := program.WithClock(t); built != "" {
		s.program, s.clock, s.reader.wrongClocks = built, filepath.Join(s.folder, "clock"), true
	}
	s.began = time.Now()
	s.start(t)
	var reading sync.WaitGroup
	over, stop := context.WithCancel(t.Context())
	for range 3 {
		reading.Go(func() { s.read(t, over) })
	}
	for time.Since(s.began) < length && !t.Failed() {
		s.step(t)
		s.measure(t)
		time.Sleep(rand.N(400 * time.Millisecond))
	}
	s.settle(t)
	stop()
	reading.Wait()
	compared := s.compareWithTruth(t)
	must(t, s.stop())
	s.daemon.stop(t)
	s.check(t)
	flat := s.flat(t)
	stats := s.world.Stats()
	if stats.Violations > 0 {
		t.Errorf("%d requests violated a limit of GitHub or PyPI: %v", stats.Violations, stats.LastViolations)
	}
	t.Logf("%s: the world %.1f years older; done: %s", time.Since(s.began).Round(time.Second), time.Until(stats.Now).Hours()/24/365, tally(s.done))
	t.Logf("%s, %d pages read; %d requests to GitHub, %d charged, %d to PyPI, %d violations; %s; %d fields of %d packages as GitHub and PyPI say; lost: nothing",
		s.reader.figures(), s.pages.Load(), stats.GitHub.Requests, stats.GitHub.Charged, stats.PyPI.Requests, stats.Violations, flat, compared, len(s.world.Catalogue().Packages))
}

func tally(done map[string]int) string {
	var list []string
	for what, n := range done {
		list = append(list, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

type soak struct {
	*site
	reader *reader
	length time.Duration
	began  time.Time
	traced bool
	done   map[string]int // how often each thing was done

	daemon *daemon
	stop   func() error           // the reader, while the daemon runs
	base   atomic.Pointer[string] // of the daemon; nil while none runs
	pages  atomic.Int64

	aged    time.Duration // by how much the world has advanced
	tokens  int
	samples []sample
}

// start starts a daemon, and holds what it serves against what was served before.
func (s *soak) start(t *testing.T) {
	t.Helper()
	s.daemon = s.site.start(t)
	base := s.daemon.address(t)
	s.reader.verify(t, base)
	s.stop = s.reader.follow(base)
	s.base.Store(&base)
}

// end ends the daemon by kill or in order.
func (s *soak) end(t *testing.T, how func(*testing.T)) {
	t.Helper()
	s.base.Store(nil)
	how(t)
	must(t, s.stop())
	s.check(t)
}

const soakYears = 10 // that pass in one soak

// advance lets the world have aged in proportion to the time that has passed.
func (s *soak) advance() {
	const years = soakYears * 365 * 24 * time.Hour
	aged := time.Duration(float64(years) * min(1, float64(time.Since(s.began))/float64(s.length)))
	s.world.Advance(aged - s.aged)
	s.aged = aged
}

// step does one thing at random. What is rare in life is rare here, once it has happened.
func (s *soak) step(t *testing.T) {
	t.Helper()
	type deed struct {
		weight int
		name   string
		do     func()
	}
	// A command may be refused, by a daemon that is in trouble, but must answer.
	command := func(args ...string) func() {
		return func() {
			if said, err := s.command(args...); err != nil && errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("pkgmetad %v does not end: %v: %s", args, err, said)
			}
		}
	}
	deeds := []deed{
		{30, "time passed", s.advance},
		{25, "fault", s.fault},
		{5, "end of all faults", s.world.ClearFaults},
		{6, "new token", func() { s.newToken(t); s.hangup(t) }},
		{6, "new settings", func() {
			s.staleAfter = time.Duration(1+rand.IntN(10)) * 500 * time.Millisecond
			s.writeConfig(t)
			s.hangup(t)
		}},
		{6, "catalogue", func() { s.writeCatalogue(t, rand.IntN(10)); s.hangup(t) }},
		{2, "catalogue cut short", func() { s.writeCatalogue(t, 40); s.hangup(t) }},
		{2, "pause", command("pause")},
		{6, "resume", command("resume")},
		{4, "hold lifted", command("hold", "lift")},
		{4, "refresh", command("refresh", s.slug())},
		{3, "status", command("status")},
		{3, "compaction", command("compact")},
		{s.rare(), "kill", func() { s.end(t, s.daemon.kill); s.start(t) }},
		{s.rare(), "restart", func() { s.end(t, s.daemon.stop); s.start(t) }},
	}
	if s.traced {
		deeds = append(deeds, deed{3, "disk failure", func() { s.failDisk(t) }})
	}
	if s.clock != "" {
		deeds = append(deeds, deed{4, "wrong clock", func() { s.wrongClock(t) }})
	}
	if has("backup") {
		deeds = append(deeds, deed{3, "backup", func() { s.backUp(t) }})
	}
	do := func(d deed) {
		d.do()
		s.done[d.name]++
	}
	var undone []deed // even a short run does each thing once
	sum := 0
	for _, d := range deeds {
		if sum += d.weight; s.done[d.name] == 0 {
			undone = append(undone, d)
		}
	}
	if len(undone) > 0 && rand.IntN(2) == 0 {
		do(undone[rand.IntN(len(undone))])
		return
	}
	chosen := rand.IntN(sum)
	for _, d := range deeds {
		if chosen -= d.weight; chosen < 0 {
			do(d)
			return
		}
	}
}

// rare is the weight of what ends a process: the longer the run, the longer they live,
// so that what grows slowly can be seen.
func (s *soak) rare() int {
	if s.length > 5*time.Minute && rand.IntN(int(s.length/(5*time.Minute))) > 0 {
		return 0
	}
	return 3
}

func (s *soak) slug() string {
	packages := s.world.Catalogue().Packages
	return packages[rand.IntN(len(packages))].Slug
}

// fault has a repository or a project, or all of them, misbehave.
func (s *soak) fault() {
	names := sim.FaultNames()
	name, _, _ := strings.Cut(names[rand.IntN(len(names))], ":")
	fault, err := sim.ParseFault(name)
	if err != nil {
		panic(err) // it is one that the world lists
	}
	times := 1 + rand.IntN(20)
	repos, projects := s.world.Repos(), s.world.Projects()
	switch rand.IntN(6) {
	case 0:
		s.world.SetFault(nil, sim.All, fault, times)
	case 1:
		s.world.SetProjectFault(nil, sim.All, fault, times)
	case 2, 3:
		endpoints := []sim.Endpoint{sim.All, sim.Repository, sim.Contributors, sim.CommitList, sim.Participation}
		s.world.SetFault(repos[rand.IntN(len(repos))], endpoints[rand.IntN(len(endpoints))], fault, times)
	default:
		s.world.SetProjectFault(projects[rand.IntN(len(projects))], sim.All, fault, times)
	}
}

func (s *soak) newToken(t *testing.T) {
	s.tokens++
	s.writeToken(t, fmt.Sprint("token-", s.tokens))
}

func (s *soak) hangup(t *testing.T) {
	t.Helper()
	must(t, s.daemon.process.Process.Signal(syscall.SIGHUP))
}

// failDisk has each write or each sync of the database fail for a while.
func (s *soak) failDisk(t *testing.T) {
	t.Helper()
	calls, errnos := []string{"pwrite64", "fdatasync"}, []string{"EIO", "ENOSPC"}
	i := s.inject(t, s.daemon, fmt.Sprintf("%s:error=%s:when=%d+", calls[rand.IntN(2)], errnos[rand.IntN(2)], 1+rand.IntN(3)))
	s.advance()
	time.Sleep(rand.N(2 * time.Second))
	i.end()
}

// backUp makes a copy of the database beside the running daemon. A copy that is made
// has to be good.
func (s *soak) backUp(t *testing.T) {
	t.Helper()
	copied := filepath.Join(s.folder, "backup.db")
	if _, err := s.command("backup", copied); err != nil {
		return
	}
	if _, err := s.command("check", copied); err != nil {
		t.Errorf("a backup: %v", err)
	}
}

// read reads pages as readers do. While a daemon runs, none may fail; what is about to
// be known, as a search after a start, may be late.
func (s *soak) read(t *testing.T, over context.Context) {
	for over.Err() == nil {
		base := s.base.Load()
		paths := []string{
			"/api/v4/packages/", "/api/v4/packages/" + s.slug() + "/", "/api/v4/grids/", "/api/v4/categories/",
			"/api/v4/search/?q=django", "/snapshot/packages.ndjson", "/status/", "/livez", "/readyz",
		}
		if base != nil {
			path := paths[rand.IntN(len(paths))]
			ctx, cancel := context.WithTimeout(over, patience)
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, *base+path, nil)
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if status := resp.StatusCode; status >= 500 && status != http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
					t.Errorf("GET %s: %s", path, resp.Status)
				}
				s.pages.Add(1)
			} else if over.Err() == nil && s.base.Load() == base {
				t.Errorf("GET %s: %v", path, err)
			}
			cancel()
		}
		time.Sleep(rand.N(100 * time.Millisecond))
	}
}

// settle ends all trouble, and has everything fetched.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	s.world.ClearFaults()
	s.staleAfter = time.Hour
	s.newToken(t)
	s.writeConfig(t)
	s.writeCatalogue(t, 0)
	s.end(t, s.daemon.stop)
	s.start(t)
	s.advance()
	if s.clock != "" {
		s.recover(t)
	}
	var said string
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		var err error
		if said, err = s.command("refresh", "--all"); err == nil && strings.Contains(said, ", 0 pending, 0 failed,") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the end of all faults not everything can be fetched: %v\n%s", err, said)
		}
	}
}

// A sample is what a daemon uses.
type sample struct{ memory, file, descriptors int64 }

func (s *soak) measure(t *testing.T) {
	t.Helper()
	process := fmt.Sprintf("/proc/%d", s.daemon.process.Process.Pid)
	var x, pages int64
	if statm, err := os.ReadFile(process + "/statm"); err == nil {
		_, _ = fmt.Sscan(string(statm), &x, &pages)
	}
	descriptors, _ := os.ReadDir(process + "/fd")
	info, err := os.Stat(s.database)
	must(t, err)
	s.samples = append(s.samples, sample{pages * int64(os.Getpagesize()), info.Size(), int64(len(descriptors))})
}

// flat compares the second half of the run with the first: what is usual in the one,
// is usual in the other.
func (s *soak) flat(t *testing.T) string {
	t.Helper()
	half := len(s.samples) / 2
	var said []string
	for _, x := range []struct {
		name  string
		slack int64 // beyond half as much again
		unit  string
		per   int64
		of    func(sample) int64
	}{
		{"memory", 32 << 20, " MiB", 1 << 20, func(x sample) int64 { return x.memory }},
		{"file", 4 << 20, " KiB", 1 << 10, func(x sample) int64 { return x.file }},
		{"descriptors", 30, "", 1, func(x sample) int64 { return x.descriptors }},
	} {
		first, second := median(s.samples[:half], x.of), median(s.samples[half:], x.of)
		said = append(said, fmt.Sprintf("%s %d, then %d%s", x.name, first/x.per, second/x.per, x.unit))
		if second > first+first/2+x.slack {
			t.Errorf("it grows: %s", said[len(said)-1])
		}
	}
	return strings.Join(said, ", ")
}

func median(samples []sample, of func(sample) int64) int64 {
	var values []int64
	for _, x := range samples {
		values = append(values, of(x))
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// compareWithTruth compares every record with what GitHub and PyPI say, and returns how
// many fields it compared.
func (s *soak) compareWithTruth(t *testing.T) (fields int) {
	t.Helper()
	for _, p := range s.world.Catalogue().Packages {
		var want, got map[string]string
		for range 3 { // the world goes on: something may happen between the refresh and the look
			want, got = s.truth(t, p), s.served(t, p.Slug)
			if agree(want, got) {
				break
			}
			_, _ = s.command("refresh", p.Slug)
		}
		if !agree(want, got) {
			t.Errorf("%s: GitHub and PyPI say\n%v\nand served is\n%v", p.Slug, want, got)
		}
		fields += len(want)
		if at, err := time.Parse(time.RFC3339, got["last_fetched"]); err == nil && at.After(time.Now()) {
			t.Errorf("%s: fetched at %s, which is still ahead", p.Slug, at)
		}
	}
	return fields
}

func agree(want, got map[string]string) bool {
	for name, value := range want {
		if got[name] != value {
			return false
		}
	}
	return true
}

func (s *soak) served(t *testing.T, slug string) map[string]string {
	t.Helper()
	body, err := get(t.Context(), *s.base.Load()+"/api/v4/packages/"+slug+"/")
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(body, &fields))
	said := map[string]string{}
	for name, value := range fields {
		said[name] = fmt.Sprint(value)
	}
	return said
}
