package daemon

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
	"pkgmetad/internal/upstream"
	"pkgmetad/store"
)

// Values of the label upstream.
const (
	gitHubLabel = "github"
	pyPILabel   = "pypi"
)

// How a pass ended: values of the label result.
const (
	passOK        = "ok"
	passFault     = "fault"     // an upstream as a whole fails, or refuses the credential
	passError     = "error"     // something could not be read from the store or written to it
	passCancelled = "cancelled" // it was stopped early
)

// metrics counts what happens, for Prometheus. What is a state rather than an event is
// read when it is asked for, by collector. No label has the name of a package, or
// anything else that grows with the catalogue or is of a client's making.
type metrics struct {
	registry *prometheus.Registry

	passes       *prometheus.CounterVec // by result
	passDuration prometheus.Histogram
	lastSuccess  prometheus.Gauge
	sources      *prometheus.CounterVec   // by upstream and outcome
	requests     *prometheus.CounterVec   // by upstream
	charged      *prometheus.CounterVec   // by upstream
	points       *prometheus.CounterVec   // by upstream
	checks       *prometheus.CounterVec   // of counted commits, by result
	reloads      *prometheus.CounterVec   // by result
	pings        *prometheus.CounterVec   // by result
	httpRequests *prometheus.CounterVec   // by route and status
	httpDuration *prometheus.HistogramVec // by route
}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.passes = counter("pkgmetad_passes_total", "Passes that ended, those on demand included.", "result")
	m.sources = counter("pkgmetad_sources_total", "Repositories and projects that passes took on, by what became of them.", "upstream", "outcome")
	m.requests = counter("pkgmetad_upstream_requests_total", "HTTP requests that passes made, redirects included; counted when a pass ends.", "upstream")
	m.charged = counter("pkgmetad_upstream_charged_requests_total", "Requests that passes made and that count against a budget; counted when a pass ends.", "upstream")
	m.points = counter("pkgmetad_upstream_points_total", "Points that GraphQL queries of passes cost; counted when a pass ends.", "upstream")
	m.checks = counter("pkgmetad_count_checks_total", "Repositories whose counted commits were compared with GitHub's statistics, by whether they agreed.", "result")
	m.reloads = counter("pkgmetad_reloads_total", "Reloads that were asked for.", "result")
	m.pings = counter("pkgmetad_pings_total", "Pings of notify.ping_url_file's URL, by whether they were delivered.", "result")
	m.httpRequests = counter("pkgmetad_http_requests_total", "Requests that the API answered.", "route", "status")
	m.passDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "pkgmetad_pass_duration_seconds", Help: "How long passes took in which anything was due.",
		Buckets: []float64{.1, 1, 5, 15, 60, 300, 900, 3600},
	})
	m.lastSuccess = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pkgmetad_last_success_timestamp_seconds", Help: "When a pass last ended with the result ok, though it found nothing due; 0 for never.",
	})
	m.httpDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pkgmetad_http_request_duration_seconds", Help: "How long the API took to answer; a reader of /changes/ may ask it to wait.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 10},
	}, []string{"route"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pkgmetad_build_info", Help: "1; the labels tell which pkgmetad this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.passDuration, m.lastSuccess, m.httpDuration, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// Every series is there from the start: one that appears later seems not to have grown.
	for _, result := range []string{passOK, passFault, passError, passCancelled} {
		m.passes.WithLabelValues(result)
	}
	for _, upstream := range []string{gitHubLabel, pyPILabel} {
		m.countUse(upstream, &record.Use{})
	}
	for _, v := range []*prometheus.CounterVec{m.reloads, m.pings} {
		v.WithLabelValues("ok")
		v.WithLabelValues("failed")
	}
	return m
}

// handler answers with all metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // what can be told is told
		MaxRequestsInFlight: 4,                        // each of them counts all packages
		Registry:            m.registry,
	})
}

// passResult returns how a pass ended.
func passResult(p *record.Pass) string {
	switch {
	case p.Error != "":
		return passError
	case p.Cancelled:
		return passCancelled
	case p.GitHub.Fault != "" || p.PyPI.Fault != "":
		return passFault
	}
	return passOK
}

func (m *metrics) countPass(p *record.Pass) {
	result := passResult(p)
	m.passes.WithLabelValues(result).Inc()
	if p.Asked > 0 {
		m.passDuration.Observe(p.DurationSeconds)
	}
	m.countUse(gitHubLabel, &p.GitHub)
	m.countUse(pyPILabel, &p.PyPI)
	if result == passOK {
		m.succeeded(time.Now())
	}
}

// succeeded notes when a pass last ended well.
func (m *metrics) succeeded(at time.Time) {
	m.lastSuccess.Set(float64(at.UnixMilli()) / 1000)
}

func (m *metrics) countUse(upstream string, u *record.Use) {
	for outcome, n := range map[string]int{
		"fresh": u.Fresh, "unchanged": u.Unchanged, "pending": u.Pending, "failed": u.Failed,
		"gone": u.Gone, "deferred": u.Deferred, "abandoned": u.Abandoned,
	} {
		m.sources.WithLabelValues(upstream, outcome).Add(float64(n))
	}
	m.requests.WithLabelValues(upstream).Add(float64(u.Requests))
	if upstream == gitHubLabel { // the other one has no budget
		m.charged.WithLabelValues(upstream).Add(float64(u.Charged))
		m.points.WithLabelValues(upstream).Add(float64(u.Points))
		m.checks.WithLabelValues("agreed").Add(float64(u.Checked - u.Drifted))
		m.checks.WithLabelValues("drifted").Add(float64(u.Drifted))
	}
}

func (m *metrics) countReload(err error) { count(m.reloads, err == nil) }
func (m *metrics) countPing(ok bool)     { count(m.pings, ok) }

func count(by *prometheus.CounterVec, ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	by.WithLabelValues(result).Inc()
}

// countRequest counts a request that the API answered: see api.Options.Observe.
func (m *metrics) countRequest(route string, status int, took time.Duration) {
	m.httpRequests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.httpDuration.WithLabelValues(route).Observe(took.Seconds())
}

// collector reads what the daemon's state is when it is asked for.
type collector struct{ d *Daemon }

var (
	descReady           = describe("pkgmetad_ready", "1 while the store can be read and holds a catalogue, else 0.")
	descPackages        = describe("pkgmetad_packages", "Packages, by the state of their repository or project.", "upstream", "state")
	descNever           = describe("pkgmetad_packages_never_fetched", "Packages whose repository or project can be fetched and never was.", "upstream")
	descAges            = describe("pkgmetad_record_age_seconds", "Age of the last success of each package's repository or project now; what is gone or blocked is left out.", "upstream")
	descDue             = describe("pkgmetad_due_sources", "Repositories and projects that are due, and wait for a pass.", "upstream")
	descRunning         = describe("pkgmetad_pass_running", "1 while a pass on schedule runs, else 0.")
	descNext            = describe("pkgmetad_next_pass_timestamp_seconds", "When the next pass is to begin.")
	descLimit           = describe("pkgmetad_budget_limit_requests", "Requests that a credential allows in the present window.", "upstream", "credential")
	descRemaining       = describe("pkgmetad_budget_remaining_requests", "Requests of the present window that are left, those that the configuration reserves included.", "upstream", "credential")
	descReset           = describe("pkgmetad_budget_reset_timestamp_seconds", "When the present window ends.", "upstream", "credential")
	descReserve         = describe("pkgmetad_budget_reserve_requests", "Requests, and points, of each window that github.reserve leaves to others.", "upstream", "credential")
	descPointLimit      = describe("pkgmetad_budget_limit_points", "Points of GraphQL that a credential allows in the present window.", "upstream", "credential")
	descPointsRemaining = describe("pkgmetad_budget_remaining_points", "Points of the present window that are left, those that the configuration reserves included.", "upstream", "credential")
	descPointReset      = describe("pkgmetad_budget_points_reset_timestamp_seconds", "When the present window of points ends.", "upstream", "credential")
	descCredentialHold  = describe("pkgmetad_credential_hold", "1 while nothing may be asked with a credential, for a limit or a fault, else 0.", "upstream", "credential")
	descCredentialFault = describe("pkgmetad_credential_fault", "1 while GitHub refuses a credential, or fails for it, else 0.", "upstream", "credential")
	descExpiry          = describe("pkgmetad_credential_expiry_timestamp_seconds", "When a credential expires; absent where GitHub does not tell.", "upstream", "credential")
	descHold            = describe("pkgmetad_upstream_hold", "1 while nothing may be asked, for a limit or a fault, else 0.", "upstream")
	descHoldUntil       = describe("pkgmetad_upstream_hold_until_timestamp_seconds", "Until when nothing may be asked; 0 for no hold.", "upstream")
	descFault           = describe("pkgmetad_upstream_fault", "1 while an upstream as a whole fails or refuses the credential, else 0.", "upstream")
	descStoreSize       = describe("pkgmetad_store_size_bytes", "Bytes that the database uses, free pages included.")
	descStoreMax        = describe("pkgmetad_store_max_size_bytes", "What the database may grow to, by store.max_size; absent for no limit.")
	descFreePages       = describe("pkgmetad_store_free_pages", "Pages of the database that are used before it grows.")
	descFreeBytes       = describe("pkgmetad_store_free_bytes", "Bytes of the pages of the database that are used before it grows.")
	descDiskFree        = describe("pkgmetad_store_disk_free_bytes", "Bytes that are free where the database is.")
	descProblem         = describe("pkgmetad_problem", "1 while that is wrong with the program itself, else 0; /status/ has the details.", "kind")
	descWritesFail      = describe("pkgmetad_store_writes_failing", "1 while the latest write to the store failed, else 0.")
	descWriteFailed     = describe("pkgmetad_store_write_failures_total", "Writes to the store that failed.")
	descReloaded        = describe("pkgmetad_last_reload_successful", "1 unless the configuration or the catalogue was refused when it was last read, and an earlier one goes on.")
	descPaused          = describe("pkgmetad_paused", "1 while passes on schedule are paused, else 0.")
	descOpen            = describe("pkgmetad_connections", "Connections to the API, by what they are at: answering or idle.", "state")
	descRefused         = describe("pkgmetad_connections_refused_total", "Connections to the API, or requests through a proxy, that were answered with 429 because their address had its share.")
	descEvicted         = describe("pkgmetad_connections_evicted_total", "Idle connections to the API that were closed for a new one.")
	descWaited          = describe("pkgmetad_connections_waited_total", "Connections to the API that had to wait because all others were busy.")

	descQuorum         = describe("pkgmetad_cluster_quorum", "1 while this host reaches a majority of the servers, 0 while it is cut off.")
	descLag            = describe("pkgmetad_cluster_lag_messages", "Messages of the stream of all hosts that this one has not applied yet.")
	descApplied        = describe("pkgmetad_cluster_applied_sequence", "Sequence of the last message that this host has applied.")
	descHosts          = describe("pkgmetad_cluster_hosts", "Hosts that were heard of in the last 30 seconds, this one included.")
	descMissing        = describe("pkgmetad_cluster_hosts_missing", "Hosts that are silent, and were not stopped in order.")
	descLease          = describe("pkgmetad_cluster_lease_held", "1 while this host holds that right, else 0: scheduler, pypi, or credential/ with the name of one of its own.", "lease")
	descWork           = describe("pkgmetad_cluster_work", "Repositories and projects that are due on all hosts together, by whether some host has taken them.", "class", "state")
	descRebuilds       = describe("pkgmetad_cluster_rebuilds_total", "How often the store was built anew from the stream, as when this host joined.")
	descConflicts      = describe("pkgmetad_cluster_conflicts_total", "Writes of this host that another host's came before, so that they were made again.")
	descCertificateEnd = describe("pkgmetad_cluster_certificate_expiry_timestamp_seconds", "When the certificate of this host, or of an authority that signed it, expires.")

	descClock = describe("pkgmetad_time_seconds", "The time by this machine's clock.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe describes nothing: what there is to tell depends on the state.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	set(descClock, seconds(now))
	c.activity(now, set)
	c.limits(set)
	c.connections(out, set)
	if m := c.d.refresher.member; m != nil {
		m.collect(out, now, set)
	}
	readable := c.packages(out, now, set)
	readable = c.store(out, now, set) && readable
	set(descReady, number(readable && c.d.refresher.store.Ready() == nil))
}

type setter func(d *prometheus.Desc, value float64, labels ...string)

// activity tells what the daemon is at.
func (c collector) activity(now time.Time, set setter) {
	set(descRunning, number(c.d.refresher.passSince.Load() != nil))
	set(descPaused, number(c.d.refresher.paused.Load() != nil))
	set(descNext, seconds(c.d.scheduler.next(now)))
	set(descReloaded, number(!c.d.refresher.outdated()))
}

// connections tells how busy the API's port is.
func (c collector) connections(out chan<- prometheus.Metric, set setter) {
	n := c.d.server.Connections()
	set(descOpen, float64(n.Open-n.Idle), "answering")
	set(descOpen, float64(n.Idle), "idle")
	for d, total := range map[*prometheus.Desc]uint64{descRefused: n.Refused + n.RefusedRequests, descEvicted: n.Evicted, descWaited: n.Waited} {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(total))
	}
}

// limits tells what the upstreams allow.
func (c collector) limits(set setter) {
	now := c.d.refresher.settings.Load()
	for _, cr := range now.github.Credentials() {
		set(descReserve, float64(now.cfg.GitHub.Reserve), gitHubLabel, cr.Name)
		set(descCredentialHold, number(!cr.Hold.Until.IsZero() && !cr.Hold.Elsewhere), gitHubLabel, cr.Name)
		set(descCredentialFault, number(cr.Fault != ""), gitHubLabel, cr.Name)
		if !cr.Expires.IsZero() {
			set(descExpiry, seconds(cr.Expires), gitHubLabel, cr.Name)
		}
		if b := cr.Requests; b.Known {
			set(descLimit, float64(b.Limit), gitHubLabel, cr.Name)
			set(descRemaining, float64(b.Remaining), gitHubLabel, cr.Name)
			set(descReset, seconds(b.Reset), gitHubLabel, cr.Name)
		}
		if b := cr.Points; b.Known {
			set(descPointLimit, float64(b.Limit), gitHubLabel, cr.Name)
			set(descPointsRemaining, float64(b.Remaining), gitHubLabel, cr.Name)
			set(descPointReset, seconds(b.Reset), gitHubLabel, cr.Name)
		}
	}
	for label, asked := range map[string]fetcher.Upstream{gitHubLabel: now.github, pyPILabel: now.pypi} {
		hold, fault := asked.Hold(), asked.Fault()
		if hold.Elsewhere { // it is another host that knows
			hold, fault = upstream.Hold{}, ""
		}
		set(descHold, number(!hold.Until.IsZero()), label)
		set(descHoldUntil, seconds(hold.Until), label)
		set(descFault, number(fault != ""), label)
	}
}

// packages counts the packages by state and age. It reports whether it could.
func (c collector) packages(out chan<- prometheus.Metric, now time.Time, set setter) (readable bool) {
	bounds := status.AgeBounds()
	sum, err := c.d.refresher.store.Summary(now, bounds, 0)
	if err != nil {
		return false
	}
	for upstream, s := range map[string]record.SourceSummary{gitHubLabel: sum.GitHub, pyPILabel: sum.PyPI} {
		for _, state := range status.States() {
			set(descPackages, float64(s.States[state]), upstream, string(state))
		}
		set(descNever, float64(s.Never), upstream)
		// A class of the summary leaves its bound to the next one, a bucket does not: no
		// clock is that exact.
		buckets, upTo := map[float64]uint64{}, uint64(0)
		for i, n := range s.Ages {
			upTo += uint64(n)
			if i < len(bounds) {
				buckets[bounds[i].Seconds()] = upTo
			}
		}
		out <- prometheus.MustNewConstHistogram(descAges, upTo, s.AgeSeconds, buckets, upstream)
	}
	return true
}

// store tells how large the database is, what waits in it, and whether it takes
// writes. It reports whether it could.
func (c collector) store(out chan<- prometheus.Metric, now time.Time, set setter) (readable bool) {
	wrong := map[string]bool{}
	for _, p := range c.d.problems() {
		wrong[p.Kind] = true
	}
	for _, kind := range []string{store.ProblemWrites, store.ProblemFile, store.ProblemDamage, problemBackup, problemSnapshot, problemSearch} {
		set(descProblem, number(wrong[kind]), kind)
	}
	stats, err := c.d.refresher.store.Stats(now)
	out <- prometheus.MustNewConstMetric(descWriteFailed, prometheus.CounterValue, float64(stats.Failures))
	set(descWritesFail, number(stats.Failing))
	if most := c.d.cfg.Store.MaxSize; most > 0 {
		set(descStoreMax, float64(most))
	}
	if free, ok := diskFree(c.d.cfg.Store.Path); ok {
		set(descDiskFree, float64(free))
	}
	if err != nil {
		return false
	}
	set(descStoreSize, float64(stats.Size))
	set(descFreePages, float64(stats.FreePages))
	set(descFreeBytes, float64(stats.FreeBytes))
	set(descDue, float64(stats.DueRepos), gitHubLabel)
	set(descDue, float64(stats.DueProjects), pyPILabel)
	return true
}

// collect tells how this host stands among several. What it can only know of the others is
// left out while it is cut off from them.
func (m *member) collect(out chan<- prometheus.Metric, now time.Time, set setter) {
	s := m.standing(now)
	set(descQuorum, number(s.Quorum))
	set(descApplied, float64(s.Applied))
	for _, l := range s.Leases {
		switch {
		case l.Right != status.RightCredential:
			set(descLease, number(l.Here), l.Right)
		case l.Own:
			set(descLease, number(l.Here), credentialLease+l.Credential)
		}
	}
	for d, total := range map[*prometheus.Desc]uint64{descRebuilds: m.rebuilds.Load(), descConflicts: m.conflicts.Load()} {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(total))
	}
	if !s.Expires.IsZero() {
		set(descCertificateEnd, seconds(s.Expires))
	}
	if !s.Quorum || s.AsOf.IsZero() {
		return
	}
	states := map[string]int{}
	for _, h := range s.Hosts {
		states[h.State]++
	}
	set(descHosts, float64(states[status.HostHere]))
	set(descMissing, float64(states[status.HostMissing]))
	set(descLag, float64(s.Lag))
	for _, w := range s.Work {
		set(descWork, float64(w.Waiting), w.Class, "waiting")
		set(descWork, float64(w.Taken), w.Class, "taken")
	}
}

// number is 1 for true.
func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns t in seconds since 1970; 0 if t is zero.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
