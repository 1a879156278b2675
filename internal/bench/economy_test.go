package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

var (
	economyPackages = flag.Int("economy.packages", 60, "packages of the world that TestEconomy asks about")
	economyDays     = flag.Int("economy.days", 8, "days for which it refreshes them")
	economySteady   = flag.Int("economy.steady", 5, "the day from which on it counts as steady")
	economyLimit    = flag.Int("economy.limit", 5000, "requests, and points, that GitHub allows an hour")
	economySeeded   = flag.Bool("economy.seeded", false, "begin with a store as it is after months, instead of an empty one")
	economyOnly     = flag.String("economy.only", "", "naive, conditional, rest or pkgmetad: measure only that client")
)

const economyAgent = "pkgmetad/bench (+bench@example.org)"

// spent is what was asked of the upstreams.
type spent struct {
	charged, free, points, pypi int64
	took                        time.Duration // of the longest round
	cpu                         time.Duration // of this process, the simulator included
	endpoints                   map[string]int64
}

func (s *spent) add(round spent) {
	s.charged += round.charged
	s.free += round.free
	s.points += round.points
	s.pypi += round.pypi
	s.took = max(s.took, round.took)
	s.cpu += round.cpu
	if s.endpoints == nil {
		s.endpoints = map[string]int64{}
	}
	for name, n := range round.endpoints {
		s.endpoints[name] += n
	}
}

// meter tells what was spent since it was read last.
type meter struct {
	world *sim.World
	last  sim.Stats
	at    time.Time
	cpu   time.Duration
	heap  uint64 // the most, in bytes, the simulator included
}

func newMeter(world *sim.World) *meter {
	m := &meter{world: world}
	m.read()
	return m
}

func (m *meter) read() spent {
	now, at := m.world.Stats(), time.Now()
	s := spent{
		now.GitHub.Charged - m.last.GitHub.Charged, now.GitHub.Free - m.last.GitHub.Free, now.GitHub.Points - m.last.GitHub.Points,
		now.PyPI.Requests - m.last.PyPI.Requests, at.Sub(m.at), cpuTime() - m.cpu, map[string]int64{},
	}
	for name, n := range now.GitHub.ByEndpoint {
		s.endpoints[name] = n - m.last.GitHub.ByEndpoint[name]
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.heap = max(m.heap, memory.HeapAlloc)
	m.last, m.at, m.cpu = now, at, cpuTime()
	return s
}

// cpuTime returns what this process has used of the CPU, by the kernel's count, which a
// synctest bubble does not touch.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestEconomy refreshes a simulated world daily, in three ways, and prints what each
// costs: as a client does that asks anew each time, as one does that asks
// conditionally, and as pkgmetad does with and without GraphQL. The limits are those of
// GitHub; the time is simulated.
func TestEconomy(t *testing.T) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%d packages, a package and day\tREST, charged\tREST, free\tpoints\tPyPI\tlongest round\tCPU, µs\n", *economyPackages)
	row := func(name string, s spent, days int) {
		n := float64(*economyPackages * days)
		fmt.Fprintf(table, "%s\t%.4f\t%.4f\t%.4f\t%.4f\t%s\t%.0f\n", name, float64(s.charged)/n, float64(s.free)/n, float64(s.points)/n, float64(s.pypi)/n, s.took.Round(time.Second), float64(s.cpu.Microseconds())/n)
	}
	wanted := func(name string) bool { return *economyOnly == "" || *economyOnly == name }
	for name, conditional := range map[string]bool{"naive": false, "conditional": true} {
		if !wanted(name) {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			cold, daily := simpleClient(t, conditional, 3)
			name := "naive"
			if conditional {
				name = "conditional requests"
			}
			row(name+", first day", cold, 1)
			row(name+", daily", daily, 2)
		})
	}
	for name, graphQL := range map[string]bool{"rest": false, "pkgmetad": true} {
		if !wanted(name) {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			cold, steady, heap, firstHour, violations := ours(t, graphQL)
			name := "pkgmetad by REST alone"
			if graphQL {
				name = "pkgmetad"
			}
			row(name+", first day", cold, 1)
			row(name+", daily", steady, *economyDays-*economySteady)
			fmt.Fprintf(table, "%s: GitHub's endpoints in those days %v\n", name, steady.endpoints)
			fmt.Fprintf(table, "%s: at most %d MiB of Go heap, the simulator's included; %d requests charged in the first hour, of %d\n", name, heap>>20, firstHour, *economyLimit)
			if violations > 0 {
				t.Errorf("%s: %d violations of the limits", name, violations)
			}
		})
	}
	if err := table.Flush(); err != nil {
		t.Error(err)
	}
}

func economyWorld() *sim.World {
	return sim.Generate(1, *economyPackages, sim.Options{Limit: *economyLimit, PointLimit: *economyLimit, TakeTime: true})
}

// ours runs pkgmetad's fetcher over a world, a round a day, each until nothing is due.
func ours(t *testing.T, graphQL bool) (cold, steady spent, heap uint64, firstHour, violations int64) {
	world := economyWorld()
	defer world.Close()
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "ours", UserAgent: economyAgent, GraphQL: graphQL, Transport: world.Direct()})
	if err != nil {
		t.Fatal(err)
	}
	py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: economyAgent, Concurrency: 1, Rate: 5, Transport: world.Direct()})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "economy.db"), store.Options{Refer: fetcher.Refer("github.com")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var c record.Catalogue
	for _, p := range world.Catalogue().Packages {
		c.Packages = append(c.Packages, record.Entry{ID: p.ID, Slug: p.Slug, Title: p.Title, RepoURL: p.RepoURL, PyPIURL: p.PyPIURL, Created: p.Created})
	}
	if _, err := st.SyncCatalogue(c, time.Now()); err != nil {
		t.Fatal(err)
	}
	if *economySeeded {
		seed(t, st, world, world.Catalogue().Packages, time.Now())
	}
	c = record.Catalogue{}
	runtime.GC()
	f := fetcher.New(fetcher.Options{
		Store: st, GitHub: gh, PyPI: py, PendingWait: 10 * time.Second, MaxSources: 10_000, PyPIWorkers: 1, Log: zerolog.Nop(),
		Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour},
	})
	m := newMeter(world)
	began := time.Now()
	time.AfterFunc(time.Hour, func() { firstHour = world.Stats().GitHub.Charged })
	for day := range *economyDays {
		round := untilNothingIsDue(t, f, m)
		switch {
		case day == 0:
			cold = round
		case day >= *economySteady:
			steady.add(round)
		}
		time.Sleep(max(0, time.Until(began.Add(time.Duration(day+1)*24*time.Hour))))
		m.read()
	}
	return cold, steady, m.heap, firstHour, world.Stats().Violations
}

// untilNothingIsDue runs passes as the daemon does: the next one when the last one says
// that there is more to do.
func untilNothingIsDue(t *testing.T, f *fetcher.Fetcher, m *meter) spent {
	m.at = time.Now()
	for {
		report, err := f.Pass(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		at := report.Resume()
		switch waits := report.Deferred + report.Left + report.GitHub.Waiting + report.PyPI.Waiting; {
		case at.IsZero() && waits == 0:
			return m.read()
		case at.IsZero():
			at = time.Now().Add(5 * time.Minute) // the schedule's next tick
		}
		time.Sleep(time.Until(at))
	}
}

// simpleClient asks four questions about each repository, and one about each project, a
// day, one after the other.
func simpleClient(t *testing.T, conditional bool, days int) (cold, daily spent) {
	world := economyWorld()
	defer world.Close()
	c := &http.Client{Transport: world.Direct()}
	tags := map[string]string{}
	get := func(path string) (status int, header http.Header, body []byte) {
		for {
			req, err := http.NewRequest(http.MethodGet, "http://sim"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", economyAgent)
			if !strings.HasPrefix(path, "/pypi/") {
				req.Header.Set("Authorization", "Bearer simple")
			}
			if conditional && tags[path] != "" {
				req.Header.Set("If-None-Match", tags[path])
			}
			time.Sleep(70 * time.Millisecond) // 857 a minute: GitHub allows 900
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err := cmp.Or(err, resp.Body.Close()); err != nil {
				t.Fatal(err)
			}
			switch {
			case resp.StatusCode == http.StatusOK:
				tags[path] = resp.Header.Get("ETag")
			case resp.StatusCode == http.StatusAccepted:
				time.Sleep(2 * time.Second)
				continue
			case resp.Header.Get("X-RateLimit-Remaining") == "0" && resp.StatusCode/100 == 4:
				var reset int64
				_, _ = fmt.Sscan(resp.Header.Get("X-RateLimit-Reset"), &reset)
				time.Sleep(time.Until(time.Unix(reset+1, 0)))
				continue
			}
			return resp.StatusCode, resp.Header, body
		}
	}
	m := newMeter(world)
	began := time.Now()
	for day := range days {
		m.at = time.Now()
		for _, p := range world.Catalogue().Packages {
			refs := fetcher.Refer("github.com")(record.Entry{RepoURL: p.RepoURL, PyPIURL: p.PyPIURL})
			if name, ok := refs.Project.Project(); ok {
				get("/pypi/" + name + "/json")
			}
			_, owner, name, ok := refs.Repo.Repo()
			if !ok {
				continue
			}
			status, _, body := get("/repos/" + owner + "/" + name)
			if status != http.StatusOK && status != http.StatusNotModified {
				continue
			}
			var repo struct {
				FullName string `json:"full_name"`
			}
			if full := owner + "/" + name; json.Unmarshal(body, &repo) == nil && repo.FullName != "" && repo.FullName != full {
				owner, name, _ = strings.Cut(repo.FullName, "/")
			}
			at := "/repos/" + owner + "/" + name
			for page := 1; ; page++ {
				_, header, _ := get(fmt.Sprintf("%s/contributors?per_page=100&page=%d", at, page))
				if !strings.Contains(header.Get("Link"), `rel="next"`) {
					break
				}
			}
			get(at + "/commits?per_page=1")
			get(at + "/stats/participation")
		}
		round := m.read()
		if day == 0 {
			cold = round
		} else {
			daily.add(round)
		}
		time.Sleep(max(0, time.Until(began.Add(time.Duration(day+1)*24*time.Hour))))
	}
	return cold, daily
}
