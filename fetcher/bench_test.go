package fetcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

const (
	benchPackages = 5_500
	benchWorkers  = 8
)

// BenchmarkPass is a first pass over a catalogue of the size of Django
// Packages': every package is due, nothing is known, the upstreams answer
// without latency. It reports sources a second and, as bare/pass, which part
// of the pass's time a bare loop needs that sends the same requests and reads
// the same answers: 1 would be a pass that costs nothing beside HTTP and JSON.
//
// The bare loop is timed before and after each pass, and their mean taken, so
// that a machine that grows slower or faster favours neither. The upstreams run
// in this process: both times and the allocations hold their work as well.
func BenchmarkPass(b *testing.B) {
	world := sim.Generate(1, benchPackages, sim.Options{NoPending: true, Limit: 1 << 30})
	catalogue := world2catalogue(world.Catalogue())
	b.Cleanup(func() {
		if err := world.Close(); err != nil {
			b.Error(err)
		}
	})

	// A first pass tells which requests there are, and fills the world's caches.
	recorder := &recorder{wire: world.Transport()}
	if _, err := benchFetcher(b, catalogue, recorder).Pass(context.Background()); err != nil {
		b.Fatal(err)
	}
	bare := func() (time.Duration, map[string]int64) {
		return timed(world, func() { bareLoop(b, upstream.Gunzip(world.Transport()), recorder.github, recorder.pypi) })
	}

	var passTime, bareTime time.Duration
	packages, requests := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		f := benchFetcher(b, catalogue, world.Transport())
		before, want := bare()
		var report record.Pass
		took, got := timed(world, func() {
			b.StartTimer()
			defer b.StopTimer()
			var err error
			if report, err = f.Pass(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
		after, _ := bare()
		if report.Failed > 0 || report.Deferred > 0 || report.Pending > 0 || report.Asked < benchPackages*9/10 {
			b.Fatalf("not a whole pass: %+v", report)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Fatalf("the pass and the bare loop asked for different things (-bare +pass):\n%s", diff)
		}
		passTime += took
		bareTime += (before + after) / 2
		packages += report.Asked
		requests += report.GitHub.Requests + report.PyPI.Requests
		b.StartTimer()
	}
	b.ReportMetric(float64(packages)/passTime.Seconds(), "sources/s")
	b.ReportMetric(float64(requests)/float64(packages), "requests/source")
	b.ReportMetric(bareTime.Seconds()/passTime.Seconds(), "bare/pass")
}

// timed runs work on a collected heap. It returns how long that took and how
// often the world was asked for what.
func timed(world *sim.World, work func()) (time.Duration, map[string]int64) {
	runtime.GC()
	world.ResetStats()
	start := time.Now()
	work()
	return time.Since(start), world.PathCounts()
}

// benchFetcher returns a fetcher over a new store that holds the catalogue.
func benchFetcher(b *testing.B, c record.Catalogue, wire http.RoundTripper) *fetcher.Fetcher {
	b.Helper()
	const agent = "pkgmetad/test (+test@example.org)"
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "token", UserAgent: agent, Transport: wire})
	if err != nil {
		b.Fatal(err)
	}
	py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: agent, Transport: wire})
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(filepath.Join(b.TempDir(), "bench.db"), store.Options{Refer: fetcher.Refer("github.com")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := st.SyncCatalogue(c, time.Now()); err != nil {
		b.Fatal(err)
	}
	return fetcher.New(fetcher.Options{
		Store: st, GitHub: gh, PyPI: py, Workers: benchWorkers,
		Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour},
		Log:    zerolog.New(io.Discard).Level(zerolog.InfoLevel),
	})
}

// recorder notes what goes over the wire: each hop of a redirect is a request.
type recorder struct {
	wire http.RoundTripper

	mu           sync.Mutex
	github, pypi []*http.Request // in the order they were sent
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	bare := req.Clone(context.Background())
	r.mu.Lock()
	if isPyPI(req) {
		r.pypi = append(r.pypi, bare)
	} else {
		r.github = append(r.github, bare)
	}
	r.mu.Unlock()
	return r.wire.RoundTrip(req)
}

func isPyPI(req *http.Request) bool {
	return strings.HasPrefix(req.URL.Path, "/pypi/") || strings.HasPrefix(req.URL.Path, "/simple/")
}

// bareLoop sends the requests as a script would that knows them all: with a
// plain http.Client, as many at once to each upstream as a pass has workers
// (each worker of a pass asks both at once), and with answers decoded to the
// members that a record needs.
func bareLoop(b *testing.B, wire http.RoundTripper, halves ...[]*http.Request) {
	client := &http.Client{
		Transport:     wire,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the next hop is among the requests
	}
	var all sync.WaitGroup
	for _, requests := range halves {
		var next atomic.Int64
		for range benchWorkers {
			all.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
					if err := bareAsk(client, requests[i]); err != nil {
						b.Errorf("%s: %v", requests[i].URL, err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

func bareAsk(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		if into := members(req); into != nil {
			err = json.NewDecoder(resp.Body).Decode(into)
		}
	}
	_, drained := io.Copy(io.Discard, resp.Body)
	return errors.Join(err, drained, resp.Body.Close())
}

// members returns what to decode the answer to a request into: nil for PyPI's
// index, of which the status alone is of use.
func members(req *http.Request) any {
	switch path := req.URL.Path; {
	case strings.HasPrefix(path, "/simple/"):
		return nil
	case isPyPI(req):
		return new(struct {
			Info struct {
				Name              string            `json:"name"`
				Version           string            `json:"version"`
				License           string            `json:"license"`
				LicenseExpression string            `json:"license_expression"`
				Classifiers       []string          `json:"classifiers"`
				RequiresPython    string            `json:"requires_python"`
				ProjectURLs       map[string]string `json:"project_urls"`
				DocsURL           string            `json:"docs_url"`
			} `json:"info"`
			Serial   int64 `json:"last_serial"`
			Releases map[string][]struct {
				Uploaded time.Time `json:"upload_time_iso_8601"`
				Yanked   bool      `json:"yanked"`
			} `json:"releases"`
		})
	case strings.HasSuffix(path, "/contributors"):
		return new([]struct {
			Login string `json:"login"`
		})
	case strings.HasSuffix(path, "/commits"):
		return new([]struct {
			Commit struct {
				Committer struct {
					Date time.Time `json:"date"`
				} `json:"committer"`
			} `json:"commit"`
		})
	case strings.HasSuffix(path, "/stats/participation"):
		return new(struct {
			All []int `json:"all"`
		})
	default:
		return new(struct {
			ID          int64     `json:"id"`
			FullName    string    `json:"full_name"`
			Stars       int       `json:"stargazers_count"`
			Forks       int       `json:"forks_count"`
			Description string    `json:"description"`
			Archived    bool      `json:"archived"`
			Disabled    bool      `json:"disabled"`
			PushedAt    time.Time `json:"pushed_at"`
		})
	}
}
