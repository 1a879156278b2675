package sim

import (
	"crypto/sha256"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// budgets are GitHub's primary rate limits: a number of requests per hour and
// credential. The hours follow the clock of Options, never Advance.
type budgets struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*budget
}

// budget is the rate limit of one credential. Its fields are guarded by budgets.mu.
type budget struct {
	id        [sha256.Size]byte // of the credential, which itself is not kept
	anonymous bool
	limit     int
	used      int
	reset     time.Time
	over      int // requests since it ran out
}

const (
	budgetWindow = time.Hour
	maxBudgets   = 4096 // credentials remembered at a time
	maxInFlight  = 100  // GitHub's secondary limit on requests at a time
)

// rate is the state of a budget in the header of one answer.
type rate struct {
	limit, used int
	reset       time.Time
}

// of returns the budget that a request is charged to.
func (b *budgets) of(w *World, req *http.Request) *budget {
	key, limit := "t:"+req.Header.Get("Authorization"), w.opt.Limit
	anonymous := key == "t:"
	if anonymous {
		host, _, err := net.SplitHostPort(req.RemoteAddr)
		if err != nil {
			host = req.RemoteAddr
		}
		key, limit = "a:"+host, w.opt.AnonymousLimit
	}
	id := sha256.Sum256([]byte(key))
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.all[id]
	if x == nil {
		if b.all == nil || len(b.all) >= maxBudgets {
			b.all = map[[sha256.Size]byte]*budget{}
		}
		x = &budget{id: id, anonymous: anonymous, limit: limit}
		b.all[id] = x
	}
	return x
}

// admit reports whether there is budget left, without charging it. The first hundred
// requests after it ran out may have been in flight by then; excess reports that this
// is one more than those.
func (b *budgets) admit(x *budget, now time.Time) (r rate, ok, excess bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x.roll(now)
	if x.used < x.limit {
		return x.rate(), true, false
	}
	x.over++
	return x.rate(), false, x.over > maxInFlight
}

// charge charges one request, unless it is free. ok is false if nothing is left.
func (b *budgets) charge(x *budget, now time.Time, free bool) (r rate, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x.roll(now)
	if !free {
		if x.used >= x.limit {
			return x.rate(), false
		}
		x.used++
	}
	return x.rate(), true
}

func (x *budget) roll(now time.Time) {
	if !now.Before(x.reset) {
		x.used, x.over, x.reset = 0, 0, now.Truncate(time.Second).Add(budgetWindow)
	}
}

func (x *budget) rate() rate { return rate{x.limit, x.used, x.reset} }

// header writes the rate as GitHub does.
func (r rate) header(h http.Header) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(r.limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(r.limit - r.used)}
	h["X-Ratelimit-Used"] = []string{strconv.Itoa(r.used)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(r.reset.Unix(), 10)}
	h["X-Ratelimit-Resource"] = []string{"core"}
}

// pending remembers for which head of a repository participation is being computed, and
// how many more times that is to be the answer.
type pending struct {
	mu    sync.Mutex
	heads map[*Repo]pendingHead
}

type pendingHead struct {
	head string
	left int
}

// ask reports whether participation of r at head is still being computed, which it is
// for the given number of calls.
func (p *pending) ask(r *Repo, head string, times int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.heads[r]
	if !ok || h.head != head {
		h = pendingHead{head, times}
	}
	busy := h.left > 0
	if busy {
		h.left--
	}
	if p.heads == nil {
		p.heads = map[*Repo]pendingHead{}
	}
	p.heads[r] = h
	return busy
}
