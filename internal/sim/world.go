// Package sim is a simulated GitHub and PyPI: an [http.Handler] over a declared
// world of repositories and projects. Tests, the demo and the benchmarks talk
// to it over HTTP, as they would to the real services.
//
// A world is either declared ([New], then [World.AddRepo] and
// [World.AddProject]) or generated from a seed ([Generate]). Its answers are a
// function of what was declared, the seed and the world's clock. [World.Advance]
// moves the clock: commits, stars and releases appear when their time has come.
// Whatever GitHub derives from commits is consistent, because it is all derived
// from one graph. The only state is the budgets, the participation that is "still
// being computed", and the counters of [World.Stats]. What is true at any moment
// [World.RepoTruth] and [World.ProjectTruth] tell.
//
// GitHub's limits are enforced for each credential. What must not happen with the
// real services counts as a violation, in [World.Stats] and [World.Credential].
//
// [Fault] lists what can be made to go wrong, for a repository, a project or all
// of them, while the world is in use.
//
// The package is a leaf: it shares no type with the clients that it serves, so
// that a mistake in them cannot be hidden by the same mistake here.
package sim

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Options configures a world. The zero value is useful.
type Options struct {
	Now            func() time.Time // the clock before any Advance; nil means time.Now
	Latency        time.Duration    // added to every answer of the two services
	Limit          int              // GitHub's primary limit, in requests per hour and credential; 0 means 5000
	AnonymousLimit int              // the same for requests without a credential, per address; 0 means 60
	PointLimit     int              // GitHub's primary limit of GraphQL points; 0 means 5000
	Token          string           // if set, GitHub answers 401 to any other credential
	NoSecondary    bool             // GitHub's limits per minute and of requests in flight are not enforced
	NoLimits       bool             // no limit at all, and no header that tells of one: as GitHub Enterprise Server is by default
	NoRetryAfter   bool             // a secondary limit does not say when to come back
	TooManyStatus  int              // of a secondary limit; 0 means 403
	Costs          map[Endpoint]int // requests that one to a dearer endpoint of GitHub's costs; others cost one
	Speed          float64          // how many times faster than the clients' clock the world's time and the hours and minutes of limits pass; 0 means 1
	IndexAge       time.Duration    // PyPI's index is made anew so often; 0 means for each request
	TakeTime       bool             // answers of GraphQL take as long as they are assumed to take GitHub
	NoPending      bool             // participation is never "being computed" (202)
	Rates          Rates            // of what happens in a generated world
	Counting       Counting         // how participation counts commits; see SetCounting
	HostSilence    time.Duration    // of a host, before another one may use its credential, or ask PyPI; 0 means 5 s
}

// A World is a simulated GitHub and PyPI. It is safe for concurrent use. To be used
// in a testing/synctest bubble, it must be created there.
type World struct {
	opt       Options
	start     time.Time     // when the world was made
	anchor    time.Time     // UTC midnight of the day the world was made; generated histories are relative to it
	offset    atomic.Int64  // how far Advance moved the clock, ns
	edition   atomic.Uint64 // counts the changes of what is declared; older renderings are stale
	ctx       context.Context
	cancel    context.CancelFunc
	handler   http.Handler
	cache     generations[cacheKey, *rendered] // by bytes
	graphs    generations[int64, datedGraph]   // by commits
	limits    limits
	hosts     hosts
	pending   pending
	faults    faults
	documents generations[string, *ast.QueryDocument] // by bytes
	counters  atomic.Pointer[counters]
	inFlight  inFlight
	requestID atomic.Uint64
	memory    memory

	mu         sync.RWMutex     // guards all below, and the fields of every Repo and Project
	generated  *generation      // nil in a declared world
	repos      []*Repo          // the declared ones, as in the maps below
	repoByName map[string]*Repo // by lower-case full name, present and former
	repoByID   map[int64]*Repo
	repoByNode map[string]*Repo // by the id that GraphQL and REST call node_id
	batch      batch
	counting   Counting
	projects   []*Project
	projByName map[string]*Project // by normalised name
	watched    map[*Project]uint64 // projects that a caller may edit -> fingerprint of their content
	catalogue  Catalogue           // the entries that were declared outright
	nextID     int                 // catalogue id for the next derived entry
}

// New returns an empty world.
func New(o Options) *World {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limit <= 0 {
		o.Limit = 5000
	}
	if o.AnonymousLimit <= 0 {
		o.AnonymousLimit = 60
	}
	if o.PointLimit <= 0 {
		o.PointLimit = 5000
	}
	if o.Rates == (Rates{}) {
		o.Rates = DefaultRates()
	}
	if o.HostSilence <= 0 {
		o.HostSilence = hostSilence
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	w := &World{
		opt:        o,
		start:      o.Now(),
		counting:   o.Counting,
		anchor:     midnight(o.Now()),
		repoByName: map[string]*Repo{},
		repoByID:   map[int64]*Repo{},
		repoByNode: map[string]*Repo{},
		projByName: map[string]*Project{},
		watched:    map[*Project]uint64{},
		nextID:     1,
	}
	w.cache.max, w.graphs.max, w.documents.max = 64<<20, 1<<18, 1<<20
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.counters.Store(newCounters())
	w.handler = w.routes()
	return w
}

// Now is the world's time: the clock of Options, at the speed of Options, plus every Advance.
func (w *World) Now() time.Time {
	now := w.opt.Now()
	if w.opt.Speed != 1 {
		now = w.start.Add(time.Duration(float64(now.Sub(w.start)) * w.opt.Speed))
	}
	return now.Add(time.Duration(w.offset.Load())).UTC()
}

// ahead returns how far the world's time is ahead of the clients'.
func (w *World) ahead() time.Duration { return w.Now().Sub(w.opt.Now()) }

// maxAdvance bounds how far Advance moves a world in all, so that a generated
// history stays cheap to compute.
const maxAdvance = 20 * 365 * day

// Advance moves the world's clock forward by d: declared events whose time comes
// happen, and in a generated world also pushes, stars and releases of its own. A
// negative d does nothing; the total is at most 20 years. The budgets keep to the
// clock of Options, because that is the clients' clock as well.
func (w *World) Advance(d time.Duration) {
	for {
		old := w.offset.Load()
		if d <= 0 || old >= int64(maxAdvance) {
			return
		}
		if w.offset.CompareAndSwap(old, min(old+int64(min(d, maxAdvance)), int64(maxAdvance))) {
			return
		}
	}
}

var separators = regexp.MustCompile(`[-_.]+`)

// Normalize writes a project name as the simple index has it (PEP 503).
func Normalize(name string) string {
	if !strings.ContainsAny(name, "_.") && !strings.Contains(name, "--") {
		return strings.ToLower(name)
	}
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// fold returns the form of a name that GitHub compares.
func fold(name string) string { return strings.ToLower(name) }

const day = 24 * time.Hour

func midnight(t time.Time) time.Time { return t.UTC().Truncate(day) }

// never is later than any event of a world.
var never = time.Unix(0, math.MaxInt64)
