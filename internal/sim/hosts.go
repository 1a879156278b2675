package sim

import (
	"crypto/sha256"
	"regexp"
	"sync"
	"time"
)

// Several hosts may share a credential, but use it in turn: a request of one while another
// has one in flight, or had one a moment ago, is a violation. The same holds for PyPI as a
// whole. A host is known by the User-Agent, as "pkgmetad/1 (+contact; host a)"; requests
// that name none are nobody's, and those without a credential of no concern: GitHub limits
// them by address.

// hostSilence is how long a host has been silent before another one may go on, where Options
// do not say.
const hostSilence = 5 * time.Second

// hosts is who uses what is to be used by one at a time. Its time is that of the clients'
// clock.
type hosts struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]map[string]*visit // by what is used, and the host's name
}

// visit is the use of one thing by one host.
type visit struct {
	inFlight int
	last     time.Time // when a request arrived, or was answered
}

var hostRemark = regexp.MustCompile(`[(;]\s*host ([^\s;()]+)\s*[;)]`)

// hostOf returns the name of the host that a User-Agent names; "" for none.
func hostOf(agent string) string {
	if m := hostRemark.FindStringSubmatch(agent); m != nil {
		return m[1]
	}
	return ""
}

// shared returns what the request uses that one host at a time is to use.
func (x *exchange) shared() (id [sha256.Size]byte, ok bool) {
	secret, kind := presented(x.req)
	switch {
	case x.service == pyPI:
		return sha256.Sum256([]byte("p:")), true
	case x.endpoint == AccessToken:
		return sha256.Sum256([]byte("u:" + installationAccount(x.req.PathValue("id")))), true
	case kind == Anonymous:
		return id, false
	case x.credential.Kind == Installation: // whose tokens change
		return x.account.id, true
	}
	return secretID(secret), true
}

// visit notes that a request of a host arrives, and a violation where it is not that host's
// turn. The caller calls leave once the request is answered.
func (x *exchange) visit() (leave func()) {
	host := hostOf(x.req.UserAgent())
	id, ok := x.shared()
	if host == "" || !ok {
		return func() {}
	}
	h := &x.w.hosts
	v, alone := h.arrive(id, host, x.w.opt.Now(), x.w.opt.HostSilence)
	if x.account != nil {
		x.w.countHost(x.account, host, alone)
	}
	if !alone {
		x.w.violation(x.counters, TwoHosts, x.req)
	}
	return func() { h.leave(v, x.w.opt.Now()) }
}

// arrive reports whether no other host has used what has that id within the silence.
func (h *hosts) arrive(id [sha256.Size]byte, host string, now time.Time, silence time.Duration) (v *visit, alone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.by[id]
	if all == nil {
		if h.by == nil || len(h.by) >= maxAccounts {
			h.by = map[[sha256.Size]byte]map[string]*visit{}
		}
		all = map[string]*visit{}
		h.by[id] = all
	}
	alone = true
	for name, other := range all {
		if name != host && (other.inFlight > 0 || now.Sub(other.last) < silence) {
			alone = false
		}
	}
	if v = all[host]; v == nil {
		v = &visit{}
		all[host] = v
	}
	v.inFlight++
	v.last = now
	return v, alone
}

func (h *hosts) leave(v *visit, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.inFlight--
	v.last = now
}

// countHost enters a request into the statistics of its account.
func (w *World) countHost(a *account, host string, alone bool) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	if a.counted.Hosts == nil {
		a.counted.Hosts = map[string]int64{}
	}
	a.counted.Hosts[host]++
	if !alone {
		a.violate(TwoHosts)
	}
}
