package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// scrape returns what /metrics answers.
func (x *trial) scrape(d *Daemon) string {
	x.t.Helper()
	resp, err := http.Get("http://" + d.AdminAddress().String() + "/metrics")
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		x.t.Fatalf("%s, %v: %s", resp.Status, err, text)
	}
	return string(text)
}

// value returns the value of a series, as /metrics names it; -1 if it is not there.
func value(t *testing.T, text, series string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return -1
}

// TestMetrics: what happened and what is are told under names that Prometheus'
// practices accept, and without secrets, names of packages or words of a client.
func TestMetrics(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	x.cfg.GitHub.TokenSource = "GITHUB_TOKEN"
	x.cfg.Store.MaxSize = 64 << 20
	var pings atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { pings.Add(1) }))
	defer hook.Close()
	x.cfg.Notify.PingURL = config.NewSecret(hook.URL + "/canary")
	x.catalogue("packages: [{slug: pkg-one, repo_url: https://github.com/acme/one}, {slug: pkg-two, repo_url: https://github.com/acme/two}, {slug: pkg-none}]\n")
	d, ended := x.start()
	x.passed(d, 1)
	x.get(d, "/api/v4/packages/pkg-one/")
	x.get(d, "/api/v4/packages/canary/")
	x.get(d, "/canary")
	x.catalogue("nonsense")
	if err := d.Reload(false); err == nil {
		t.Error("nonsense was taken over")
	}
	var text string
	x.waitFor("it to be quiet", func() bool {
		text = x.scrape(d)
		return value(t, text, `pkgmetad_pass_running`) == 0 && value(t, text, `pkgmetad_connections{state="answering"}`) == 0 &&
			value(t, text, `pkgmetad_pings_total{result="ok"}`) == 1
	})
	now := float64(time.Now().Unix())
	for series, want := range map[string]float64{
		`pkgmetad_ready`:                                                                1,
		`pkgmetad_passes_total{result="ok"}`:                                            1,
		`pkgmetad_passes_total{result="error"}`:                                         0,
		`pkgmetad_pass_duration_seconds_count`:                                          1,
		`pkgmetad_sources_total{outcome="fresh",upstream="github"}`:                     2,
		`pkgmetad_sources_total{outcome="failed",upstream="github"}`:                    0,
		`pkgmetad_sources_total{outcome="fresh",upstream="pypi"}`:                       0,
		`pkgmetad_upstream_requests_total{upstream="github"}`:                           float64(x.world.Stats().Requests),
		`pkgmetad_upstream_charged_requests_total{upstream="github"}`:                   float64(x.world.Stats().GitHub.Charged),
		`pkgmetad_budget_limit_requests{credential="default",upstream="github"}`:        5000,
		`pkgmetad_budget_remaining_requests{credential="default",upstream="github"}`:    float64(5000 - x.world.Stats().GitHub.Charged),
		`pkgmetad_budget_reserve_requests{credential="default",upstream="github"}`:      100,
		`pkgmetad_upstream_hold{upstream="github"}`:                                     0,
		`pkgmetad_upstream_hold_until_timestamp_seconds{upstream="github"}`:             0,
		`pkgmetad_upstream_fault{upstream="pypi"}`:                                      0,
		`pkgmetad_record_age_seconds_bucket{upstream="github",le="3600"}`:               2,
		`pkgmetad_record_age_seconds_bucket{upstream="github",le="+Inf"}`:               2,
		`pkgmetad_record_age_seconds_count{upstream="pypi"}`:                            0,
		`pkgmetad_packages{state="ok",upstream="github"}`:                               2,
		`pkgmetad_packages{state="none",upstream="pypi"}`:                               3,
		`pkgmetad_packages_never_fetched{upstream="github"}`:                            0,
		`pkgmetad_due_sources{upstream="github"}`:                                       0,
		`pkgmetad_pass_running`:                                                         0,
		`pkgmetad_store_max_size_bytes`:                                                 64 << 20,
		`pkgmetad_store_writes_failing`:                                                 0,
		`pkgmetad_store_write_failures_total`:                                           0,
		`pkgmetad_reloads_total{result="failed"}`:                                       1,
		`pkgmetad_reloads_total{result="ok"}`:                                           0,
		`pkgmetad_last_reload_successful`:                                               0,
		`pkgmetad_pings_total{result="ok"}`:                                             float64(pings.Load()),
		`pkgmetad_paused`:                                                               0,
		`pkgmetad_connections{state="answering"}`:                                       0,
		`pkgmetad_connections_evicted_total`:                                            0,
		`pkgmetad_connections_waited_total`:                                             0,
		`pkgmetad_connections_refused_total`:                                            0,
		`pkgmetad_http_requests_total{route="/api/v4/packages/{key}/",status="200"}`:    1,
		`pkgmetad_http_requests_total{route="/api/v4/packages/{key}/",status="404"}`:    1,
		`pkgmetad_http_requests_total{route="unknown",status="404"}`:                    1,
		`pkgmetad_http_request_duration_seconds_count{route="/api/v4/packages/{key}/"}`: 2,
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %v, not %v", series, got, want)
		}
	}
	for series, between := range map[string][2]float64{
		`pkgmetad_last_success_timestamp_seconds`:                                         {now - 60, now + 1},
		`pkgmetad_time_seconds`:                                                           {now - 60, now + 1},
		`pkgmetad_next_pass_timestamp_seconds`:                                            {now, now + 367*86400},
		`pkgmetad_budget_reset_timestamp_seconds{credential="default",upstream="github"}`: {now, now + 3601},
		`pkgmetad_store_size_bytes`:                                                       {4096, 64 << 20},
		`pkgmetad_store_free_pages`:                                                       {1, 1 << 14},
		`pkgmetad_store_free_bytes`:                                                       {4096, 64 << 20},
		`pkgmetad_store_disk_free_bytes`:                                                  {0, 1 << 60},
		`process_resident_memory_bytes`:                                                   {1, 1 << 40},
		`go_goroutines`:                                                                   {1, 1000},
	} {
		if got := value(t, text, series); got < between[0] || got > between[1] {
			t.Errorf("%s is %v, not between %v", series, got, between)
		}
	}
	if !strings.Contains(text, `pkgmetad_build_info{goversion="go1.`) || !strings.Contains(text, `version="test"`) {
		t.Error("it does not tell the build")
	}
	for _, word := range []string{"canary", "pkg-", "acme"} {
		if strings.Contains(text, word) {
			t.Errorf("it tells %q:\n%s", word, regexp.MustCompile(`.*`+word+`.*`).FindString(text))
		}
	}
	families, err := d.metrics.registry.Gather()
	if err != nil {
		t.Error(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	namesAreKnown(t, append(append(names, // and those that are told once GitHub has told them
		"pkgmetad_budget_limit_points", "pkgmetad_budget_remaining_points", "pkgmetad_budget_points_reset_timestamp_seconds", "pkgmetad_credential_expiry_timestamp_seconds"), clusterMetrics...))
	x.stop(d, ended)

	x.catalogue("packages: [{slug: pkg-one, repo_url: https://github.com/acme/one}]\n")
	d, ended = x.start()
	if got := value(t, x.scrape(d), `pkgmetad_last_success_timestamp_seconds`); got < now-60 {
		t.Errorf("a restart forgets the last success: %v", got)
	}
	x.stop(d, ended)
	if log := x.log.String(); strings.Contains(log, "canary") {
		t.Errorf("the log has a secret:\n%s", log)
	}
}

// namesAreKnown checks that rules, dashboard and README name only metrics that there
// are, and README all of them.
func namesAreKnown(t *testing.T, names []string) {
	told := map[string]bool{}
	for _, name := range names {
		if strings.HasPrefix(name, "pkgmetad_") {
			told[name] = false
		}
	}
	for _, path := range []string{"packaging/prometheus/rules.yaml", "packaging/prometheus/rules_test.yaml", "packaging/grafana/dashboard.json", "README.md"} {
		for _, name := range regexp.MustCompile(`\bpkgmetad_[a-z0-9_]+`).FindAllString(readFile(t, path), -1) {
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if _, ok := told[base]; !ok {
				t.Errorf("%s names %s, which is not told", path, name)
			} else if path == "README.md" {
				told[base] = true
			}
		}
	}
	for name, documented := range told {
		if !documented {
			t.Errorf("README does not name %s", name)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAlertsAreDocumented: each alert names the place in README that says what to do,
// and README has no other.
func TestAlertsAreDocumented(t *testing.T) {
	_, monitoring, _ := strings.Cut(readFile(t, "README.md"), "\n## Monitoring\n")
	monitoring, _, _ = strings.Cut(monitoring, "\n## ")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Pkgmetad[A-Za-z]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(monitoring, -1) {
		documented[row[1]] = true
	}
	rules := strings.Split(readFile(t, "packaging/prometheus/rules.yaml"), "- alert: ")[1:]
	for _, rule := range rules {
		name, _, _ := strings.Cut(rule, "\n")
		if !documented[name] {
			t.Errorf("README's section Monitoring has no row for %s", name)
		}
		delete(documented, name)
		if !strings.Contains(rule, "\n          runbook: \"README.md, Monitoring, "+name+"\"\n") {
			t.Errorf("%s does not name its row as its runbook", name)
		}
	}
	for name := range documented {
		t.Errorf("README has %s, and there is no such alert", name)
	}
	if len(rules) < 8 {
		t.Errorf("%d alerts", len(rules))
	}
}

// TestMetricsOfFault: a credential that is refused is no success.
func TestMetricsOfFault(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	x.world.SetFault(nil, "", sim.Unauthorized, 0)
	d, ended := x.start()
	var text string
	x.waitFor("a pass", func() bool {
		text = x.scrape(d)
		return value(t, text, `pkgmetad_passes_total{result="fault"}`) > 0
	})
	for series, want := range map[string]float64{
		`pkgmetad_passes_total{result="ok"}`:         0,
		`pkgmetad_upstream_fault{upstream="github"}`: 1,
		`pkgmetad_upstream_hold{upstream="github"}`:  1,
		`pkgmetad_upstream_fault{upstream="pypi"}`:   0,
		`pkgmetad_last_success_timestamp_seconds`:    0,
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %v, not %v", series, got, want)
		}
	}
	if until := value(t, text, `pkgmetad_upstream_hold_until_timestamp_seconds{upstream="github"}`); until < float64(time.Now().Unix()) {
		t.Errorf("held until %v", until)
	}
	x.stop(d, ended)
}

// TestMetricsOfProblems: each problem of the program itself turns its series to 1, and
// /status/ and /readyz have it too.
func TestMetricsOfProblems(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	x.cfg.Store.Backup = config.Backup{Folder: filepath.Join(filepath.Dir(x.cfg.Store.Path), "backups"), Keep: 1}
	x.cfg.Schedule.TimeZone = time.UTC
	var err error
	if x.cfg.Store.Backup.Schedule, err = config.ParseSchedule("@daily", time.UTC); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", x.cfg.Store.Backup.Folder); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{x.cfg.Store.Path + snapshotSuffix, x.cfg.Store.Path + searchSuffix} {
		if err := os.WriteFile(folder, nil, 0o600); err != nil { // where a folder has to be
			t.Fatal(err)
		}
	}
	d, _ := x.start()
	told := func(kinds ...string) {
		t.Helper()
		var got []string
		x.waitFor(fmt.Sprint("the problems ", kinds), func() bool {
			got = nil
			text := x.scrape(d)
			for _, kind := range []string{"backup", "search", "snapshot", "store_damage", "store_file", "store_writes"} {
				if value(t, text, `pkgmetad_problem{kind="`+kind+`"}`) == 1 {
					got = append(got, kind)
				}
			}
			return slices.Equal(got, kinds)
		})
	}
	told("backup", "search", "snapshot")
	for _, kind := range []string{"backup", "search", "snapshot"} {
		x.until(d, "/status/", problem(kind))
	}
	resp, err := http.Get("http://" + d.Address().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.Contains(string(text), "\nsnapshot: ") || !strings.Contains(string(text), "\nsearch: ") {
		t.Errorf("readyz: %d %s", resp.StatusCode, text)
	}
	for _, kind := range []string{"backup", "snapshot"} {
		if n := x.logged(`"problem":"` + kind + `"`); n != 1 {
			t.Errorf("the log has %d lines about %s:\n%s", n, kind, x.log)
		}
	}
	if err := os.Rename(x.cfg.Store.Path, x.cfg.Store.Path+".moved"); err != nil {
		t.Fatal(err)
	}
	told("backup", "search", "snapshot", "store_file")
	if err := errors.Join(os.Rename(x.cfg.Store.Path+".moved", x.cfg.Store.Path), os.Truncate(x.cfg.Store.Path, 2*4096)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.refresher.refresh(t.Context(), Selection{All: true}, func(fetcher.Progress) {}); err == nil {
		t.Error("a store that was cut short was refreshed")
	}
	told("backup", "search", "snapshot", "store_damage", "store_writes")
}

// TestMetricsOfErrors: a pass on schedule that could not begin is told, a mistake in
// what a person asked for is not.
func TestMetricsOfErrors(t *testing.T) {
	x := newTrial(t)
	var told []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told = append(told, r.URL.Path+" "+string(body))
	}))
	defer hook.Close()
	x.cfg.Notify.PingURL = config.NewSecret(hook.URL + "/canary")
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.refresher.refresh(t.Context(), Selection{Slugs: []string{"nothing"}}, nil); err == nil {
		t.Error("there is no such package")
	}
	if err := d.refresher.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.refresher.passes(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	d.pinger.ended = func(bool) { cancel() }
	d.pinger.run(ctx)
	if len(told) != 1 || !strings.HasPrefix(told[0], "/canary/fail ") || told[0] == "/canary/fail " {
		t.Errorf("told %q", told)
	}
	w := httptest.NewRecorder()
	d.metrics.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if text := w.Body.String(); value(t, text, `pkgmetad_passes_total{result="error"}`) != 1 || value(t, text, `pkgmetad_passes_total{result="ok"}`) != 0 {
		t.Error("the pass is not told as it was")
	}
	d.Stop()
	_ = d.Run()
}

// TestSuccessOfAClockAhead: a restart does not take a success that is still ahead for a
// recent one.
func TestSuccessOfAClockAhead(t *testing.T) {
	x := newTrial(t)
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	well := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for _, at := range []time.Time{well, time.Now().Add(10 * time.Hour)} {
		if err := d.refresher.store.LogPass(record.Pass{Started: at}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.recallSuccess(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	d.metrics.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := value(t, w.Body.String(), "pkgmetad_last_success_timestamp_seconds"); got != float64(well.Unix()) {
		t.Errorf("the last success is %v, not %d", got, well.Unix())
	}
	d.Stop()
	_ = d.Run()
}

// TestMetricsOfClosedStore: what cannot be read is left out, the rest is told.
func TestMetricsOfClosedStore(t *testing.T) {
	x := newTrial(t)
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.refresher.store.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	d.metrics.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	if w.Code != http.StatusOK || value(t, text, "pkgmetad_ready") != 0 || value(t, text, "pkgmetad_store_size_bytes") != -1 || value(t, text, "pkgmetad_pass_running") != 0 {
		t.Errorf("%d: %s", w.Code, text)
	}
	d.Stop()
	_ = d.Run()
}

// TestAdminListener: profiles are there, and nowhere else; the listener is let go.
func TestAdminListener(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	if d.AdminAddress() != nil {
		t.Error("there are metrics that nobody asked for")
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if status, _ := x.get(d, path); status != http.StatusNotFound {
			t.Errorf("the API answers %s with %d", path, status)
		}
	}
	x.stop(d, ended)

	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	d, ended = x.start()
	for path, want := range map[string]int{
		"/": 200, "/metrics": 200, "/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/profile?seconds=1": 200,
		"/debug/pprof/cmdline": 404, "/api/v4/": 404,
	} {
		resp, err := http.Get("http://" + d.AdminAddress().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	address := d.AdminAddress().String()
	x.stop(d, ended)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("after a stop: %v", err)
	}
	defer l.Close()

	x.cfg.HTTP.AdminListen = address
	if _, err := New(x.options()); err == nil || !strings.Contains(err.Error(), "another program uses this port") {
		t.Errorf("its port is taken: %v", err)
	}
	x.cfg.HTTP.AdminListen = ""
	x.stop(x.start())
}

// TestPing: the URL hears how each pass ended, is never logged, and holds nothing up.
func TestPing(t *testing.T) {
	type request struct{ method, path, query, body, agent string }
	heard, hanging, release := make(chan request, 10), make(chan bool, 1), make(chan bool)
	var answer atomic.Int64
	answer.Store(200)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if code := int(answer.Load()); code != 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		} else {
			hanging <- true
			<-release
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		heard <- request{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.UserAgent()}
	}))
	defer hook.Close()
	log := new(lines)
	results := make(chan bool, 10)
	to, err := newPingTarget(config.NewSecret(hook.URL+"/canary/uuid?create=1"), "pkgmetad/test")
	if err != nil {
		t.Fatal(err)
	}
	p := newPinger(func() *pingTarget { return to }, zerolog.New(log), func(ok bool) { results <- ok })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.run(ctx) })
	defer running.Wait()
	defer cancel()

	p.tell(&record.Pass{})
	if got, ok := <-heard, <-results; got != (request{"GET", "/canary/uuid", "create=1", "", "pkgmetad/test"}) || !ok {
		t.Errorf("a pass that was well: %+v, %t", got, ok)
	}
	p.tell(&record.Pass{Cancelled: true}) // says nothing
	p.tell(&record.Pass{Error: "disk full", GitHub: record.Use{Fault: "GitHub refuses the token"}})
	if got, ok := <-heard, <-results; got != (request{"POST", "/canary/uuid/fail", "create=1", "disk full\nGitHub refuses the token", "pkgmetad/test"}) || !ok {
		t.Errorf("a pass that was not: %+v, %t", got, ok)
	}
	for _, code := range []int64{500, 404, 302} { // a redirect is not followed: it may lead anywhere
		answer.Store(code)
		p.tell(&record.Pass{})
		if <-heard; <-results {
			t.Errorf("%d counts as delivered", code)
		}
	}
	answer.Store(200)
	p.tell(&record.Pass{})
	if <-heard; !<-results {
		t.Error("it does not answer again")
	}
	answer.Store(0)
	p.tell(&record.Pass{})
	<-hanging
	for range 100 {
		p.tell(&record.Pass{}) // none waits for the one that hangs
	}
	if text := log.String(); strings.Count(text, "was not told") != 1 || strings.Count(text, "it answered 500") != 1 || strings.Count(text, "answers again") != 1 || strings.Contains(text, "canary") {
		t.Errorf("the log:\n%s", text)
	}
	answer.Store(200)
	close(release)
	if <-heard; <-results {
		t.Error("503 counts as delivered")
	}
	if got, ok := <-heard, <-results; got.method != "GET" || !ok {
		t.Errorf("the last of those that waited: %+v, %t", got, ok)
	}
	select {
	case got := <-heard:
		t.Errorf("one that waited was told although another came after it: %+v", got)
	default:
	}
}

// TestPingUnreachable: what the network says has neither the URL nor its host.
func TestPingUnreachable(t *testing.T) {
	for _, failure := range []error{
		&net.DNSError{Err: "no such host", Name: "canary.example.org", IsNotFound: true},
		syscall.ECONNREFUSED,
		errors.New("x509: certificate is valid for example.org, not canary.example.org"),
	} {
		to, err := newPingTarget(config.NewSecret("https://canary.example.org/canary"), "")
		if err != nil {
			t.Fatal(err)
		}
		p := newPinger(nil, zerolog.Nop(), nil)
		p.client.Transport = unreachable{failure}
		if err := p.ping(t.Context(), to, ""); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v: %v", failure, err)
		}
	}
	if _, err := newPingTarget(config.NewSecret("http://canary/%zz"), ""); err == nil || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

// unreachable is a network that fails.
type unreachable struct{ err error }

func (u unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, u.err }
