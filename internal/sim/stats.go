package sim

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Stats counts the requests to a world since it was made, or since ResetStats.
type Stats struct {
	Now            time.Time         `json:"now"` // the world's time
	Requests       int64             `json:"requests"`
	GitHub         ServiceStats      `json:"github"`
	PyPI           ServiceStats      `json:"pypi"`
	Violations     int64             `json:"violations"`
	ViolationKinds map[string]int64  `json:"violation_kinds"`
	LastViolations []Violation       `json:"last_violations"` // at most 20, oldest first
	Credentials    []CredentialStats `json:"credentials"`     // of GitHub, in the order of their ids
}

// ServiceStats is the part of one service.
type ServiceStats struct {
	Requests     int64            `json:"requests"`
	Charged      int64            `json:"charged"`     // REST requests charged to a primary budget, at what they cost; on PyPI, all but 304
	Free         int64            `json:"free"`        // those that were not
	Points       int64            `json:"points"`      // of GraphQL
	OverBudget   int64            `json:"over_budget"` // refused because a primary budget was used up
	PeakInFlight int64            `json:"peak_in_flight"`
	ByStatus     map[string]int64 `json:"by_status"` // "0" is an answer that was aborted before its status
	ByEndpoint   map[string]int64 `json:"by_endpoint"`
}

// A Violation is something that the real services ask clients not to do.
type Violation struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	Path string    `json:"path"`
}

// The kinds of violation.
const (
	BadUserAgent     = "user-agent"  // a User-Agent without program, version and contact, to PyPI
	OverBudget       = "over-budget" // a request after 100 others that came when the budget was used up
	TooManyInFlight  = "in-flight"   // more than 100 requests at a time, to GitHub, with one credential
	TooManyPoints    = "points"      // more than 900 requests to the REST API, or 2,000 to the GraphQL API, within a minute
	TooMuchCPU       = "cpu"         // requests that took GitHub more than 90 seconds within a minute, or 60 of GraphQL
	LeakedCredential = "credential"  // sent to PyPI, or after a redirect to another host
	TwoHosts         = "two-hosts"   // a request with a credential, or to PyPI, that another host had just made one with
)

// counters are the numbers behind Stats. ResetStats replaces them by new ones.
type counters struct {
	services [2]serviceCounters
	paths    sync.Map // string -> *atomic.Int64
	pathsLen atomic.Int64

	mu    sync.Mutex
	kinds map[string]int64
	last  []Violation
}

type serviceCounters struct {
	requests, charged, free, points, over, peak atomic.Int64
	status                                      [600]atomic.Int64
	endpoints                                   [len(endpointNames)]atomic.Int64
}

// inFlight outlives ResetStats.
type inFlight [2]atomic.Int64

const maxPaths = 1 << 14 // distinct paths counted, each on its own

func newCounters() *counters { return &counters{kinds: map[string]int64{}} }

// begin counts the arrival of a request. The caller calls done once it is answered.
func (w *World) begin(s service, e Endpoint, req *http.Request) (c *counters, done func(status int)) {
	c = w.counters.Load()
	x := &c.services[s]
	x.requests.Add(1)
	x.endpoints[e.index()].Add(1)
	n := w.inFlight[s].Add(1)
	for {
		peak := x.peak.Load()
		if n <= peak || x.peak.CompareAndSwap(peak, n) {
			break
		}
	}
	count, ok := c.paths.Load(req.URL.Path)
	if !ok && c.pathsLen.Load() < maxPaths {
		var loaded bool
		if count, loaded = c.paths.LoadOrStore(req.URL.Path, new(atomic.Int64)); !loaded {
			c.pathsLen.Add(1)
		}
	}
	if count != nil {
		count.(*atomic.Int64).Add(1)
	}
	return c, func(status int) {
		w.inFlight[s].Add(-1)
		if status < 0 || status >= len(x.status) {
			status = 0
		}
		x.status[status].Add(1)
	}
}

func (w *World) violation(c *counters, kind string, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds[kind]++
	if len(c.last) == 20 {
		c.last = c.last[1:]
	}
	c.last = append(c.last, Violation{kind, w.Now(), req.URL.Path})
}

// Stats returns the counts so far. They include requests in flight, but not yet their
// statuses.
func (w *World) Stats() Stats {
	c := w.counters.Load()
	s := Stats{Now: w.Now(), GitHub: c.services[gitHub].stats(), PyPI: c.services[pyPI].stats(), ViolationKinds: map[string]int64{}, LastViolations: []Violation{}}
	s.Requests = s.GitHub.Requests + s.PyPI.Requests
	s.Credentials = w.limits.stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, n := range c.kinds {
		s.ViolationKinds[kind] = n
		s.Violations += n
	}
	s.LastViolations = append(s.LastViolations, c.last...)
	return s
}

func (x *serviceCounters) stats() ServiceStats {
	s := ServiceStats{
		Requests: x.requests.Load(), Charged: x.charged.Load(), Free: x.free.Load(), Points: x.points.Load(), OverBudget: x.over.Load(), PeakInFlight: x.peak.Load(),
		ByStatus: map[string]int64{}, ByEndpoint: map[string]int64{},
	}
	for code := range x.status {
		if n := x.status[code].Load(); n > 0 {
			s.ByStatus[strconv.Itoa(code)] = n
		}
	}
	for i := range x.endpoints {
		if n := x.endpoints[i].Load(); n > 0 {
			s.ByEndpoint[string(endpointNames[i])] = n
		}
	}
	return s
}

// PathCounts returns how often each path, without its query, was asked for.
func (w *World) PathCounts() map[string]int64 {
	m := map[string]int64{}
	w.counters.Load().paths.Range(func(path, n any) bool {
		m[path.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	return m
}

// ResetStats sets all counts to zero.
func (w *World) ResetStats() {
	w.counters.Store(newCounters())
	w.limits.resetStats()
}
