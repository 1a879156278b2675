package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// load is the result of one measurement.
type load struct {
	requests int
	bytes    int64
	took     time.Duration
	p99      time.Duration
}

// load requests the paths from a server in turn, on all connections at once and as
// fast as it answers, for b.length.
func (b *bench) load(ctx context.Context, address string, paths []string, header http.Header) (l load, err error) {
	var failed int
	if program, lookErr := exec.LookPath("wrk"); lookErr == nil {
		b.report.generator = "wrk -t1"
		l, failed, err = b.wrk(ctx, program, address, paths, header)
	} else {
		b.report.generator = "a generator in Go, because there is no wrk"
		l, failed, err = b.goLoad(ctx, address, paths, header)
	}
	switch {
	case err != nil:
		return l, err
	case failed > 0:
		return l, fmt.Errorf("%d of %d requests failed", failed, l.requests)
	case l.requests == 0 && l.bytes == 0:
		return l, errors.New("nothing was answered")
	}
	return l, nil
}

// wrkScript requests one path, or several in turn, and prints the result in one line:
// requests, bytes, duration and 99th percentile of the latency in microseconds,
// failures.
const wrkScript = `%swrk.path = %q
local paths = {%s}
local formatted, n = {}, 0
if #paths > 1 then
  init = function(args) for i, path in ipairs(paths) do formatted[i] = wrk.format("GET", path) end end
  request = function()
    n = n %% #formatted + 1
    return formatted[n]
  end
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("result %%d %%d %%d %%d %%d\n", summary.requests, summary.bytes, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`

func (b *bench) wrk(ctx context.Context, program, address string, paths []string, header http.Header) (l load, failed int, err error) {
	var headers strings.Builder
	for name, values := range header {
		fmt.Fprintf(&headers, "wrk.headers[%q] = %q\n", name, values[0])
	}
	quoted := make([]string, len(paths))
	for i, path := range paths {
		quoted[i] = fmt.Sprintf("%q", path)
	}
	script := b.path("wrk.lua")
	if err := os.WriteFile(script, fmt.Appendf(nil, wrkScript, &headers, paths[0], strings.Join(quoted, ", ")), 0o600); err != nil {
		return l, 0, err
	}
	out, err := exec.CommandContext(ctx, program, "-t1", fmt.Sprintf("-c%d", b.connections),
		fmt.Sprintf("-d%ds", int(b.length.Seconds())), "--timeout", "1m", "-s", script, "http://"+address+"/").CombinedOutput()
	if err != nil {
		return l, 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	var took, p99 int64
	_, found, _ := strings.Cut(string(out), "result ")
	if _, err := fmt.Sscan(found, &l.requests, &l.bytes, &took, &p99, &failed); err != nil {
		return l, 0, fmt.Errorf("read the result of wrk: %w\n%s", err, out)
	}
	l.took, l.p99 = time.Duration(took)*time.Microsecond, time.Duration(p99)*time.Microsecond
	return l, failed, nil
}

// goLoad makes the load if there is no wrk.
func (b *bench) goLoad(ctx context.Context, address string, paths []string, header http.Header) (l load, failed int, err error) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: b.connections}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(ctx, b.length)
	defer cancel()
	var mu sync.Mutex
	var latencies []time.Duration
	var workers sync.WaitGroup
	began := time.Now()
	for worker := range b.connections {
		workers.Go(func() {
			var own []time.Duration
			var bytes int64
			bad := 0
			for i := worker; ctx.Err() == nil; i++ {
				sent := time.Now()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+paths[i%len(paths)], nil)
				if err != nil {
					bad++
					break
				}
				for name, values := range header {
					r.Header[name] = values
				}
				resp, err := client.Do(r)
				if err == nil {
					var n int64
					n, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					bytes += n
				}
				switch {
				case ctx.Err() != nil:
				case err != nil || resp.StatusCode >= 400:
					bad++
				default:
					own = append(own, time.Since(sent))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, own...)
			l.bytes += bytes
			failed += bad
		})
	}
	workers.Wait()
	l.took, l.requests = time.Since(began), len(latencies)
	if slices.Sort(latencies); len(latencies) > 0 {
		l.p99 = latencies[len(latencies)*99/100]
	}
	return l, failed, nil
}
