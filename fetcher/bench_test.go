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
	largePackages = 60
	benchWorkers  = 8
)

// BenchmarkPass is a first pass over a catalogue of the size of Django
// Packages': every package is due, nothing is known, the upstreams answer
// without latency, and with the small bodies of the simulator.
func BenchmarkPass(b *testing.B) {
	world := sim.Generate(1, benchPackages, sim.Options{NoPending: true, Limit: 1 << 30, NoSecondary: true})
	b.Cleanup(func() {
		if err := world.Close(); err != nil {
			b.Error(err)
		}
	})
	benchPass(b, world2catalogue(world.Catalogue()), world.Transport())
}

// BenchmarkPassRealSizes is a first pass over packages that are as large as those of
// the best known: 100 contributors with all that GitHub says of each, and 300
// releases of two files with all that PyPI says of each, compressed.
func BenchmarkPassRealSizes(b *testing.B) {
	upstreams := newLargeUpstreams(b, largePackages)
	benchPass(b, upstreams.catalogue(), upstreams)
}

// benchPass measures a first pass over the catalogue. It reports sources a second
// and, as bare/pass, which part of the pass's time a bare loop needs that sends the
// same requests and reads the same answers: 1 would be a pass that costs nothing
// beside HTTP and JSON.
//
// The bare loop is timed before and after each pass, and their mean taken, so
// that a machine that grows slower or faster favours neither. The upstreams run
// in this process: both times and the allocations hold their work as well.
func benchPass(b *testing.B, catalogue record.Catalogue, upstreams http.RoundTripper) {
	wire := &recorder{wire: upstreams}
	// A first pass tells which requests there are, and fills the upstreams' caches.
	if _, err := benchFetcher(b, catalogue, wire).Pass(context.Background()); err != nil {
		b.Fatal(err)
	}
	requests := wire.requests
	bare := func() (time.Duration, map[string]int) {
		return timed(wire, func() { bareLoop(b, upstream.Gunzip(wire), requests) })
	}

	var passTime, bareTime time.Duration
	sources, asked := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		f := benchFetcher(b, catalogue, wire)
		before, want := bare()
		var report record.Pass
		took, got := timed(wire, func() {
			b.StartTimer()
			defer b.StopTimer()
			var err error
			if report, err = f.Pass(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
		after, _ := bare()
		if report.Failed > 0 || report.Deferred > 0 || report.Pending > 0 || report.Asked < len(catalogue.Packages)*9/10 {
			b.Fatalf("not a whole pass: %+v", report)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Fatalf("the pass and the bare loop asked for different things (-bare +pass):\n%s", diff)
		}
		passTime += took
		bareTime += (before + after) / 2
		sources += report.Asked
		asked += report.GitHub.Requests + report.PyPI.Requests
		b.StartTimer()
	}
	b.ReportMetric(float64(sources)/passTime.Seconds(), "sources/s")
	b.ReportMetric(float64(asked)/float64(sources), "requests/source")
	b.ReportMetric(bareTime.Seconds()/passTime.Seconds(), "bare/pass")
}

// timed runs work on a collected heap. It returns how long that took and how
// often the upstreams were asked for what.
func timed(wire *recorder, work func()) (time.Duration, map[string]int) {
	runtime.GC()
	wire.reset()
	start := time.Now()
	work()
	took := time.Since(start)
	counts := map[string]int{}
	for _, r := range wire.requests {
		counts[r.URL.RequestURI()]++
	}
	return took, counts
}

// benchFetcher returns a fetcher over a new store that holds the catalogue.
func benchFetcher(b *testing.B, c record.Catalogue, wire http.RoundTripper) *fetcher.Fetcher {
	b.Helper()
	const agent = "pkgmetad/test (+test@example.org)"
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "token", UserAgent: agent, PerMinute: 1 << 30, Transport: wire})
	if err != nil {
		b.Fatal(err)
	}
	py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: agent, Transport: wire, Concurrency: benchWorkers})
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
		Store: st, GitHub: gh, PyPI: py, Workers: benchWorkers, IndexAbove: 1 << 30,
		Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour},
		Log:    zerolog.New(io.Discard).Level(zerolog.InfoLevel),
	})
}

// recorder notes what goes over the wire: each hop of a redirect is a request.
type recorder struct {
	wire http.RoundTripper

	mu       sync.Mutex
	requests []*http.Request // in the order they were sent
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.requests = append(r.requests, req)
	r.mu.Unlock()
	return r.wire.RoundTrip(req)
}

// reset forgets the requests.
func (r *recorder) reset() { r.requests = nil }

func isPyPI(req *http.Request) bool {
	return strings.HasPrefix(req.URL.Path, "/pypi/") || strings.HasPrefix(req.URL.Path, "/simple/")
}

// bareLoop sends the requests as a script would that knows them all: with a
// plain http.Client, as many at once as a pass, and with answers decoded to the
// members that a record needs.
func bareLoop(b *testing.B, wire http.RoundTripper, requests []*http.Request) {
	client := &http.Client{
		Transport:     wire,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the next hop is among the requests
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range benchWorkers {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				if err := bareAsk(client, requests[i].Clone(context.Background())); err != nil {
					b.Errorf("%s: %v", requests[i].URL, err)
					return
				}
			}
		})
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
