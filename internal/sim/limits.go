package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// GitHub's limits. The primary ones hold for an hour, the secondary ones for any minute.
const (
	maxInFlight      = 100 // requests at a time
	restPerMinute    = 900
	graphQLPerMinute = 2000
	cpuPerMinute     = 90 * time.Second
	graphQLCPU       = 60 * time.Second // of cpuPerMinute
	maxAccounts      = 4096             // that are remembered at a time
)

// A resource is what a primary limit is for, as x-ratelimit-resource names it.
type resource int

const (
	core    resource = iota // REST
	graphQL                 // points
)

var resourceNames = [...]string{"core", "graphql"}

// limits are those of GitHub. Their time is that of the clients' clock: of Options, without
// Advance.
type limits struct {
	mu       sync.Mutex
	accounts map[[sha256.Size]byte]*account
	declared map[[sha256.Size]byte]Credential

	installations map[int64]Credential
}

// account is what limits apply to: a user with all tokens, an installation, or an address. Its
// fields are guarded by limits.mu, but for the first three.
type account struct {
	id        [sha256.Size]byte // the credential itself is not kept
	kind      Kind
	primary   [2]budget
	points    [2]minute // requests, by resource
	cpu       [2]minute // ms
	inFlight  int
	counted   CredentialStats
	violation map[string]int64
}

// budget is a primary limit.
type budget struct {
	limit, used int
	reset       time.Time
	debt        int // used from the start of the next hour
	over        int // requests since it ran out
}

// rate is the state of a budget in the header of one answer.
type rate struct {
	resource    resource
	limit, used int
	reset       time.Time
}

// header writes the rate as GitHub does.
func (r rate) header(h http.Header) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(r.limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(r.limit - r.used)}
	h["X-Ratelimit-Used"] = []string{strconv.Itoa(r.used)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(r.reset.Unix(), 10)}
	h["X-Ratelimit-Resource"] = []string{resourceNames[r.resource]}
}

// minute sums up what came within the last minute, second by second.
type minute struct {
	slots [60]int64
	last  int64 // the newest slot
	sum   int64
}

// at forgets what is older than a minute.
func (m *minute) at(second int64) {
	for ; m.last < second && m.sum > 0; m.last++ {
		old := &m.slots[(m.last+1)%60]
		m.sum -= *old
		*old = 0
	}
	m.last = max(m.last, second)
}

func (m *minute) add(n int64) {
	m.slots[m.last%60] += n
	m.sum += n
}

// hour is how long a primary limit holds, and second a sixtieth of the time that a secondary
// limit does, for the clients.
func (w *World) hour() time.Duration   { return time.Duration(float64(time.Hour) / w.opt.Speed) }
func (w *World) second() time.Duration { return time.Duration(float64(time.Second) / w.opt.Speed) }

// account returns the account that a request is charged to, and what was declared of its
// credential.
func (w *World) account(req *http.Request) (*account, Credential) {
	l := &w.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	secret, kind := presented(req)
	if strings.HasPrefix(req.URL.Path, "/app/") {
		secret, kind = "the JSON Web Token of an app", App // each is used once
	}
	id := secretID(secret)
	c, declared := l.declared[id]
	if !declared || c.Kind == "" {
		c.Kind = kind
	}
	if kind == Anonymous {
		id = sha256.Sum256([]byte("a:" + address(req)))
	}
	if c.Account != "" {
		id = sha256.Sum256([]byte("u:" + c.Account))
	}
	a := l.accounts[id]
	if a == nil {
		if l.accounts == nil || len(l.accounts) >= maxAccounts {
			l.accounts = map[[sha256.Size]byte]*account{}
		}
		a = &account{id: id, kind: c.Kind}
		l.accounts[id] = a
	}
	a.primary[core].limit, a.primary[graphQL].limit = w.hourly(c)
	return a, c
}

// hourly returns the primary limits.
func (w *World) hourly(c Credential) (requests, points int) {
	switch c.Kind {
	case Anonymous:
		return w.opt.AnonymousLimit, 0
	case OAuthApp:
		requests = w.opt.Limit
	case Actions:
		requests, points = 1000, 1000
	default:
		requests, points = w.opt.Limit, w.opt.PointLimit
	}
	if c.Limit > 0 {
		requests = c.Limit
	}
	if c.Points > 0 {
		points = c.Points
	}
	return requests, points
}

// roll begins a new hour when the last has passed.
func (b *budget) roll(now time.Time, hour time.Duration) {
	if now.Before(b.reset) {
		return
	}
	b.used, b.debt = min(b.debt, b.limit), 0
	b.over, b.reset = 0, now.Truncate(time.Second).Add(max(hour, time.Second))
}

func (b *budget) rate(r resource) rate { return rate{r, b.limit, min(b.used, b.limit), b.reset} }

// A refusal says which limit a request met: the kind of violation, or "".
type refusal struct {
	kind    string // of violation; "" if nothing was violated
	primary bool
	rate    rate
}

// enter counts the arrival of a request to GitHub, and tells whether a limit refuses it. The
// first hundred requests after the primary limit was reached may have been in flight by then;
// those after them, and all that meet a secondary limit, are violations. A free request does not
// meet the primary limit.
func (w *World) enter(a *account, r resource, free bool) (refusal, bool) {
	l := &w.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	a.counted.Requests++
	a.inFlight++
	if w.opt.NoLimits {
		return refusal{}, true
	}
	now := w.opt.Now()
	b := &a.primary[r]
	b.roll(now, w.hour())
	x := refusal{rate: b.rate(r)}
	if !w.opt.NoSecondary {
		if x.kind = w.secondary(a, r, now); x.kind != "" {
			a.violate(x.kind)
			return x, false
		}
		a.points[r].add(1)
	}
	if b.used >= b.limit && !free {
		a.counted.OverBudget++
		if b.over++; b.over > maxInFlight {
			x.kind = OverBudget
			a.violate(x.kind)
		}
		x.primary = true
		return x, false
	}
	return x, true
}

// secondary returns the secondary limit that one more request would break, or "".
func (w *World) secondary(a *account, r resource, now time.Time) string {
	second := now.UnixNano() / int64(w.second())
	for i := range a.points {
		a.points[i].at(second)
		a.cpu[i].at(second)
	}
	switch {
	case a.inFlight > maxInFlight:
		return TooManyInFlight
	case a.points[r].sum >= [...]int64{restPerMinute, graphQLPerMinute}[r]:
		return TooManyPoints
	case a.cpu[core].sum+a.cpu[graphQL].sum >= cpuPerMinute.Milliseconds(),
		r == graphQL && a.cpu[graphQL].sum >= graphQLCPU.Milliseconds():
		return TooMuchCPU
	}
	return ""
}

// leave counts the end of a request, and the time that it took on the server.
func (w *World) leave(a *account, r resource, took time.Duration) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	a.inFlight--
	a.cpu[r].at(w.opt.Now().UnixNano() / int64(w.second()))
	a.cpu[r].add(took.Milliseconds())
}

// spend charges n to a primary limit; 0 is a free request. ok is false if nothing is left.
func (w *World) spend(a *account, r resource, n int) (x rate, ok bool) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	b := &a.primary[r]
	b.roll(w.opt.Now(), w.hour())
	if n > 0 && b.used >= b.limit && !w.opt.NoLimits {
		a.counted.OverBudget++
		return b.rate(r), false
	}
	b.used += n
	switch {
	case n == 0:
		a.counted.Free++
	case r == core:
		a.counted.Charged += int64(n)
	default:
		a.counted.Points += int64(n)
	}
	return b.rate(r), true
}

// owe charges n to the hour after this.
func (w *World) owe(a *account, r resource, n int) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	a.primary[r].debt += n
	a.counted.Points += int64(n)
}

// violate is called with mu held.
func (a *account) violate(kind string) {
	if a.violation == nil {
		a.violation = map[string]int64{}
	}
	a.violation[kind]++
	a.counted.Violations++
}

// CredentialStats is what one account has asked of GitHub.
type CredentialStats struct {
	ID             string           `json:"id"` // of the account, from a hash of the credential
	Kind           Kind             `json:"kind"`
	Requests       int64            `json:"requests"`
	Charged        int64            `json:"charged"` // REST requests, at what they cost
	Free           int64            `json:"free"`
	Points         int64            `json:"points"` // of GraphQL
	OverBudget     int64            `json:"over_budget"`
	Violations     int64            `json:"violations"`
	ViolationKinds map[string]int64 `json:"violation_kinds"`
	REST           BudgetStats      `json:"rest"`
	GraphQL        BudgetStats      `json:"graphql"`
}

// BudgetStats is the state of a primary limit.
type BudgetStats struct {
	Limit int       `json:"limit"`
	Used  int       `json:"used"`
	Reset time.Time `json:"reset"`
}

// stats is called with mu held.
func (a *account) stats() CredentialStats {
	s := a.counted
	s.ID, s.Kind = hex.EncodeToString(a.id[:6]), a.kind
	s.ViolationKinds = map[string]int64{}
	for kind, n := range a.violation {
		s.ViolationKinds[kind] = n
	}
	for r, to := range []*BudgetStats{&s.REST, &s.GraphQL} {
		b := a.primary[r]
		*to = BudgetStats{b.limit, min(b.used, b.limit), b.reset.UTC()}
	}
	return s
}

// Credential returns what was asked with a credential: a token, or "id:secret" of an OAuth app.
// If it shares an account, it is what was asked with any of them.
func (w *World) Credential(secret string) CredentialStats {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	id := secretID(secret)
	if c := w.limits.declared[id]; c.Account != "" {
		id = sha256.Sum256([]byte("u:" + c.Account))
	}
	if a := w.limits.accounts[id]; a != nil {
		return a.stats()
	}
	return CredentialStats{ViolationKinds: map[string]int64{}}
}

func (l *limits) stats() []CredentialStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]CredentialStats, 0, len(l.accounts))
	for _, a := range l.accounts {
		list = append(list, a.stats())
	}
	slices.SortFunc(list, func(a, b CredentialStats) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (l *limits) resetStats() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.accounts {
		a.counted, a.violation = CredentialStats{}, nil
	}
}
