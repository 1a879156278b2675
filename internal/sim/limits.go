package sim

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
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
// fields are guarded by limits.mu, but for the first two.
type account struct {
	id        [sha256.Size]byte // the credential itself is not kept
	kind      Kind
	primary   [2]budget // by resource
	points    [2]minute // of secondary limits, by resource: one for each request
	cpu       [2]minute // ms, by resource
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

// header writes the rate as GitHub does, whose clock is ahead of the clients' by so much.
func (r rate) header(h http.Header, ahead time.Duration) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(r.limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(r.limit - r.used)}
	h["X-Ratelimit-Used"] = []string{strconv.Itoa(r.used)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(r.reset.Add(ahead).Unix(), 10)}
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

// hour and second are how long these take by the clients' clock: an hour is what a primary
// limit holds for, and 60 seconds a secondary one.
func (w *World) hour() time.Duration   { return w.scaled(time.Hour) }
func (w *World) second() time.Duration { return w.scaled(time.Second) }

func (w *World) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/w.opt.Speed), 1)
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

// SpendElsewhere charges requests and points to a credential, as others do who share it.
func (w *World) SpendElsewhere(secret string, requests, points int) {
	req := &http.Request{URL: &url.URL{}, Header: http.Header{"Authorization": {"Bearer " + secret}}}
	a, _ := w.account(req)
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	for r, n := range [...]int{core: requests, graphQL: points} {
		b := &a.primary[r]
		b.roll(w.opt.Now(), w.hour())
		b.used = min(b.used+n, b.limit)
	}
}

// violate is called with mu held.
func (a *account) violate(kind string) {
	if a.violation == nil {
		a.violation = map[string]int64{}
	}
	a.violation[kind]++
	a.counted.Violations++
}
