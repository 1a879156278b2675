package sim

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Fault is something that goes wrong with an answer. Its text is its name at
// /_sim/fault. [FaultNames] says what each does.
type Fault string

const (
	NoFault           Fault = "none" // clears a fault
	Pending           Fault = "202"
	NoContent         Fault = "204"
	MovedPermanently  Fault = "301"
	Found             Fault = "302"
	TemporaryRedirect Fault = "307"
	RedirectLoop      Fault = "redirect-loop"
	RedirectElsewhere Fault = "redirect-elsewhere"
	Unauthorized      Fault = "401"
	PrimaryLimit      Fault = "403-primary"
	SecondaryLimit    Fault = "403-secondary"
	SecondaryRetry    Fault = "403-secondary-retry"
	ListTooLarge      Fault = "403-too-large"
	TermsOfService    Fault = "403-tos"
	NotFound          Fault = "404"
	EmptyRepository   Fault = "409"
	Takedown          Fault = "451"
	TooManyRequests   Fault = "429"
	TooManyDate       Fault = "429-date"
	TooManyAbsurd     Fault = "429-absurd"
	InternalError     Fault = "500"
	BadGateway        Fault = "502"
	BadGatewayHTML    Fault = "502-html"
	Unavailable       Fault = "503"
	UnavailableRetry  Fault = "503-retry"
	GatewayTimeout    Fault = "504"
	Stall             Fault = "stall"
	Truncated         Fault = "truncated"
	Reset             Fault = "reset"
	ResetAfterHeaders Fault = "reset-after-headers"
	HTML              Fault = "html"
	BrokenJSON        Fault = "broken-json"
	WrongTypes        Fault = "wrong-types"
	EmptyObject       Fault = "empty-object"
	GzipBomb          Fault = "gzip-bomb"
	EndlessHeaders    Fault = "endless-headers"
	ResourceLimits    Fault = "resource-limits"

	slow  Fault = "slow"  // with a duration, as Slow writes it
	stale Fault = "stale" // likewise, as Stale does
)

// Slow delays answers by d and leaves them as they are.
func Slow(d time.Duration) Fault { return slow + Fault(":"+d.String()) }

// Stale has answers be as they were d before, with the serial of then: a cache that lags
// behind. What an Edit changed is as it is now all the same.
func Stale(d time.Duration) Fault { return stale + Fault(":"+d.String()) }

// table says what each fault does. A strike answers in place of the regular answer, or
// returns false to let that follow, possibly cut short.
var table = []struct {
	fault  Fault
	what   string
	strike func(*exchange) (answered bool)
}{
	{Pending, "202 with {}: being computed, for as long as the fault is set", status(202)},
	{NoContent, "204 without a body", status(204)},
	{MovedPermanently, "301 to /repositories/:id, which answers; for a project, to its own path with a query, which answers", moved(301)},
	{Found, "the same with 302", moved(302)},
	{TemporaryRedirect, "the same with 307", moved(307)},
	{RedirectLoop, "302 to the URL that was asked for", (*exchange).redirectLoop},
	{RedirectElsewhere, "301 to http://elsewhere.invalid/", (*exchange).redirectElsewhere},
	{Unauthorized, "401 Bad credentials", message(401, "Bad credentials")},
	{PrimaryLimit, "403, x-ratelimit-remaining: 0, GraphQL 200 with RATE_LIMITED; the budget itself does not change", (*exchange).primaryFault},
	{SecondaryLimit, "403, secondary limit, no Retry-After", secondary(403, "")},
	{SecondaryRetry, "403, secondary limit, Retry-After: 60", secondary(403, "60")},
	{ListTooLarge, "403, the list is too large", message(403, tooLargeMessage)},
	{TermsOfService, "403 with block.reason tos", blockedFor("tos")},
	{NotFound, "404", message(404, "Not Found")},
	{EmptyRepository, "409 Git Repository is empty", message(409, "Git Repository is empty.")},
	{Takedown, "451 with block.reason dmca", blockedFor("dmca")},
	{TooManyRequests, "429, Retry-After: 30", secondary(429, "30")},
	{TooManyDate, "429, Retry-After: the date 90 seconds from now", secondary(429, "date")},
	{TooManyAbsurd, "429, Retry-After: about 300 million years", secondary(429, "9999999999999999")},
	{InternalError, "500", message(500, "Server Error")},
	{BadGateway, "502", message(502, "Server Error")},
	{BadGatewayHTML, "502 with an HTML page", page(502)},
	{Unavailable, "503 with an HTML page, no Retry-After", page(503)},
	{UnavailableRetry, "503, Retry-After: 20", retryLater},
	{GatewayTimeout, "504", message(504, "We couldn't respond to your request in time. Sorry about that.")},
	{Stall, "half of the body, then nothing until the client disconnects", cutting(stalled)},
	{Truncated, "half of the body, then the connection is closed", cutting(truncated)},
	{Reset, "the connection is reset before the header", (*exchange).reset},
	{ResetAfterHeaders, "the connection is reset after the header", cutting(resetLater)},
	{HTML, "200 with an HTML page", page(200)},
	{BrokenJSON, "200 with half of the JSON, declared as the whole", cutting(broken)},
	{WrongTypes, "200 with JSON of other types than documented", (*exchange).wrongTypes},
	{EmptyObject, "200 with {}", status(200)},
	{GzipBomb, "200 with a gzip body of 256 KiB that decompresses to 256 MiB", (*exchange).gzipBomb},
	{ResourceLimits, "GraphQL: every second repository is null, with RESOURCE_LIMITS_EXCEEDED; REST: nothing", (*exchange).halve},
	{EndlessHeaders, "a header of 1 MiB, then the connection is closed", (*exchange).endlessHeaders},
}

// FaultNames returns the names that ParseFault accepts, each with what it does.
func FaultNames() []string {
	list := []string{"none: clears a fault", "slow: answers after 2 seconds; slow:500ms after 500 ms", "stale: answers as of an hour before; stale:30s as of 30 seconds before"}
	for _, t := range table {
		list = append(list, string(t.fault)+": "+t.what)
	}
	return list
}

const (
	maxSlow  = time.Hour
	maxStale = 365 * day
)

// ParseFault reads the name of a fault. Its error lists the names.
func ParseFault(name string) (Fault, error) {
	f := Fault(name)
	switch f {
	case slow:
		return Slow(2 * time.Second), nil
	case stale:
		return Stale(time.Hour), nil
	case NoFault:
		return f, nil
	}
	if _, ok := f.delay(); ok {
		return f, nil
	}
	if _, ok := f.lag(); ok {
		return f, nil
	}
	for _, t := range table {
		if t.fault == f {
			return f, nil
		}
	}
	return "", fmt.Errorf("there is no fault %q; there are:\n  %s", name, strings.Join(FaultNames(), "\n  "))
}

// delay of a slow fault.
func (f Fault) delay() (time.Duration, bool) { return f.duration(slow, maxSlow) }

// lag of a stale one.
func (f Fault) lag() (time.Duration, bool) { return f.duration(stale, maxStale) }

func (f Fault) duration(kind Fault, longest time.Duration) (time.Duration, bool) {
	s, ok := strings.CutPrefix(string(f), string(kind)+":")
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= longest
}

// faults are those that are set.
type faults struct {
	any atomic.Bool // whether any is set; without one, the lock is not needed
	mu  sync.Mutex
	set map[faultKey]*activeFault
}

// faultKey says where a fault strikes. target is the int64 that is a repository's id or the
// string that is a project's normalised name; 0 and "" mean all of them.
type faultKey struct {
	target   any
	endpoint Endpoint
}

type activeFault struct {
	fault Fault
	left  int // strikes; 0 means for ever
}

// SetFault makes f strike at an endpoint ("" means All) of r, or of every repository if r
// is nil: for the given number of requests, or, if times is 0, until it is cleared with
// NoFault. A fault of one repository takes precedence over one of all repositories, and
// a fault of one endpoint over one of All.
func (w *World) SetFault(r *Repo, e Endpoint, f Fault, times int) {
	var target int64
	if r != nil {
		target = r.ID
	}
	w.faults.put(target, e, f, times)
}

// SetProjectFault is SetFault for a project. The list of all projects (Index) is struck
// by the faults of every project.
func (w *World) SetProjectFault(p *Project, e Endpoint, f Fault, times int) {
	target := ""
	if p != nil {
		target = Normalize(p.Name)
	}
	w.faults.put(target, e, f, times)
}

// ClearFaults ends all faults.
func (w *World) ClearFaults() {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.set = nil
	w.faults.any.Store(false)
}

func (s *faults) put(target any, e Endpoint, f Fault, times int) {
	if e == "" {
		e = All
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		s.set = map[faultKey]*activeFault{}
	}
	if f == NoFault || f == "" {
		for k := range s.set {
			if k.target == target && (e == All || k.endpoint == e) {
				delete(s.set, k)
			}
		}
	} else {
		s.set[faultKey{target, e}] = &activeFault{f, max(times, 0)}
	}
	s.any.Store(len(s.set) > 0)
}

// take returns the fault that strikes at x, or "", and counts the strike.
func (s *faults) take(x *exchange) Fault {
	if !s.any.Load() {
		return ""
	}
	var targets [2]any
	if x.service == gitHub {
		targets = [2]any{x.repo, int64(0)}
	} else {
		targets = [2]any{x.project, ""}
	}
	return s.strike(targets[:], x.endpoint, x.direct)
}

// takeNode returns the fault that strikes at a repository within a query, or "".
func (s *faults) takeNode(r *Repo) Fault {
	if !s.any.Load() {
		return ""
	}
	return s.strike([]any{r.ID}, GraphQL, true)
}

// strike takes the first fault that is set for one of the targets.
func (s *faults) strike(targets []any, endpoint Endpoint, direct bool) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, target := range targets {
		for _, e := range [2]Endpoint{endpoint, All} {
			k := faultKey{target, e}
			a := s.set[k]
			if a == nil || direct && a.fault.redirects() {
				continue
			}
			if a.left > 0 {
				if a.left--; a.left == 0 {
					delete(s.set, k)
					s.any.Store(len(s.set) > 0)
				}
			}
			return a.fault
		}
	}
	return ""
}

// redirects reports whether the answer is a redirect that leads to the regular one.
func (f Fault) redirects() bool {
	return f == MovedPermanently || f == Found || f == TemporaryRedirect
}
