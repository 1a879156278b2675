package fetcher

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// Policy says when a source is asked again.
type Policy struct {
	// StaleAfter is the age at which a success is stale. The next question is
	// due after 80 to 100 % of it, so that what was fetched together does not
	// fall due together.
	StaleAfter time.Duration
	// RetryMin is the wait after a first failure; it doubles with each further
	// one up to RetryMax, less up to half of it at random.
	RetryMin, RetryMax time.Duration
}

// maxGone bounds the growing wait before a source that is gone or blocked is
// asked about again. It never ends for good: repositories come back.
const maxGone = 30 * 24 * time.Hour

// attempt returns the state of the source with the key after an attempt with this
// outcome. The result is a function of the arguments: what spreads the due times
// is computed from the key.
func (p Policy) attempt(s record.Status, key record.Key, outcome upstream.Outcome, err *upstream.Error, now time.Time) record.Status {
	s.LastAttempt, s.Imported = now, false
	s.LastError = ""
	random, fresh := fraction(key), p.fresh(key)
	if s.FailingSince.IsZero() || s.FailingSince.After(now) { // after now: by a clock that was ahead
		s.FailingSince = now // a success takes it back below
	}
	switch outcome {
	case upstream.Gone, upstream.Blocked:
		s.State = record.StateGone
		if outcome == upstream.Blocked {
			s.State = record.StateBlocked
		}
		s.Failures++
		s.Pending = 0
		s.LastError = err.Error()
		s.NextDue = now.Add(min(doubled(fresh, s.Failures, maxGone), maxGone))
	case upstream.Stale, upstream.Doubtful: // what is known stays, and so does its age
		s.State = record.StatePending
		s.Failures, s.FailingSince = 0, time.Time{}
		s.Pending++
		s.NextDue = now.Add(min(p.backoff(s.Pending, random), fresh))
	case upstream.Pending: // all but the weekly counts is fresh
		s.State = record.StatePending
		s.LastSuccess = now
		s.Failures, s.FailingSince = 0, time.Time{}
		s.Pending++
		s.NextDue = now.Add(min(p.backoff(s.Pending, random), fresh))
	case upstream.Fresh, upstream.Unchanged, upstream.Empty, upstream.TooLarge:
		s.State = record.StateOK
		s.LastSuccess = now
		s.Failures, s.Pending, s.FailingSince = 0, 0, time.Time{}
		s.NextDue = now.Add(fresh)
	default:
		s.State = record.StateFailed
		s.Failures++
		s.LastError = "failed"
		s.NextDue = now.Add(p.backoff(s.Failures, random))
		if err != nil {
			s.LastError = err.Error()
			if err.RetryAt.After(s.NextDue) {
				s.NextDue = err.RetryAt.UTC().Truncate(time.Microsecond)
			}
		}
	}
	return s
}

// fresh returns for how long after a success a source is not due.
func (p Policy) fresh(key record.Key) time.Duration {
	return time.Duration(float64(p.StaleAfter) * (freshLeast + (1-freshLeast)*fraction(key)))
}

// freshLeast is the least part of StaleAfter for which a source is not due.
const freshLeast = 0.8

// longest returns how far ahead the due time of a source in that state may be.
func (p Policy) longest(state record.State) time.Duration {
	switch state {
	case record.StateGone, record.StateBlocked:
		return maxGone
	case record.StateFailed:
		return max(p.RetryMax, maxRetryAfter)
	case record.StatePending:
		return min(p.StaleAfter, p.RetryMax)
	}
	return p.StaleAfter
}

// maxRetryAfter is what the clients cap Retry-After at.
const maxRetryAfter = time.Hour

// limits names what longest returns.
func (p Policy) limits() string {
	return fmt.Sprintf("stale_after=%s retry_max=%s", p.StaleAfter, p.RetryMax)
}

// backoff returns the wait after n consecutive failures.
func (p Policy) backoff(n int, random float64) time.Duration {
	return time.Duration(float64(doubled(p.RetryMin, n, p.RetryMax)) * (1 - random/2))
}

// doubled returns d, doubled n-1 times, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 1 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}

// fraction returns a number in [0, 1) that looks random and is a function of the
// name that the key ends in. A package's repository and project mostly have one
// name, and so fall due together: the package then changes once, not twice.
func fraction(key record.Key) float64 {
	name := string(key)
	if i := strings.LastIndexAny(name, "/:"); i >= 0 {
		name = name[i+1:]
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.ReplaceAll(name, "_", "-"))) // it never fails
	x := hash.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // SplitMix64's finaliser: FNV mixes the high bits of short names poorly
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}
