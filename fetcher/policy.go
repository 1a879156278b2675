package fetcher

import (
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

// attempt returns a source's state after an attempt with this outcome.
// package id, time and failures seed the randomness, so that the result is a
// function of the arguments.
func (p Policy) attempt(s record.Status, outcome upstream.Outcome, err *upstream.Error, id int, now time.Time) record.Status {
	s.LastAttempt, s.Imported = now, false
	s.LastError = ""
	random := fraction(id, now)
	if s.FailingSince.IsZero() {
		s.FailingSince = now // a success takes it back below
	}
	fresh := time.Duration(float64(p.StaleAfter) * (0.8 + 0.2*random))
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
	case upstream.Pending, upstream.Doubtful:
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

// fraction returns a number in [0, 1) that looks random and is a function of
// its arguments (SplitMix64's finaliser).
func fraction(id int, now time.Time) float64 {
	x := uint64(id)*0x9e3779b97f4a7c15 + uint64(now.UnixMicro())
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}
