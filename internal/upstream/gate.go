package upstream

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Gate is closed while an upstream's limit forbids requests. It is safe for
// concurrent use; the zero Gate is open.
type Gate struct {
	mu     sync.Mutex
	until  time.Time
	reason string
}

// Close keeps requests back until t, or until an earlier call's time if that is
// later.
func (g *Gate) Close(t time.Time, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.After(g.until) {
		g.until, g.reason = t, reason
	}
}

// Hold returns until when requests are kept back, and why. The time is zero if
// they are not.
func (g *Gate) Hold() (until time.Time, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !time.Now().Before(g.until) {
		return time.Time{}, ""
	}
	return g.until, g.reason
}

// maxRetryAfter caps what a peer can make us wait.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads the Retry-After header (RFC 9110, section 10.2.3: seconds
// or a date), capped at 24 hours. It returns zero if there is none, or none that
// can be read.
func RetryAfter(h http.Header, now time.Time) time.Time {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return time.Time{}
	}
	var d time.Duration
	if isDigits(v) {
		s, err := strconv.Atoi(v)
		if err != nil || s > int(maxRetryAfter/time.Second) {
			s = int(maxRetryAfter / time.Second)
		}
		d = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	} else {
		return time.Time{}
	}
	return now.Add(min(max(d, 0), maxRetryAfter))
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
