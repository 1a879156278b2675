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
	// StaleAfter is the age at which a success is stale, where the catalogue names no
	// other for the source; see [record.Interval]. The next question is due after 80 to
	// 100 % of it, so that what was fetched together does not fall due together; that
	// about a repository without a commit for a year after 95 to 100 %.
	StaleAfter time.Duration
	// ActiveAfter takes the place of StaleAfter, where it is less, for a repository whose
	// last commit is no more than a week old; 0 for none.
	ActiveAfter time.Duration
	// RetryMin is the wait after a first failure; it doubles with each further
	// one up to RetryMax, less up to half of it at random.
	RetryMin, RetryMax time.Duration
}

// freshLeast is the least part of its interval for which a source is not due.
const freshLeast = 0.8

// activeFor is how old the last commit of an active repository is at the most.
const activeFor = 7 * 24 * time.Hour

// fresh returns how long after its success at that time a source is due again. The result
// is a function of the arguments: what spreads the due times is computed from the key.
func (p Policy) fresh(s *record.Source, success time.Time) time.Duration {
	age := s.Interval.Or(p.StaleAfter)
	if p.ActiveAfter > 0 && s.Repo != nil && s.Repo.LastCommit != nil {
		if silence := success.Sub(*s.Repo.LastCommit); silence >= 0 && silence <= activeFor { // a date to come says nothing
			age = min(age, p.ActiveAfter)
		}
	}
	return time.Duration(float64(age) * (freshLeast + (1-freshLeast)*fraction(s.Key)))
}

// maxGone bounds the growing wait before a source that is gone or blocked is
// asked about again. It never ends for good: repositories come back.
const maxGone = 30 * 24 * time.Hour

// attempt returns the status of a source after an attempt with this outcome. The source
// has the data already that came of it.
func (p Policy) attempt(source *record.Source, outcome upstream.Outcome, err *upstream.Error, now time.Time) record.Status {
	s := source.Status
	s.LastAttempt, s.Imported = now, false
	s.LastError = ""
	random, fresh := fraction(source.Key), p.fresh(source, now)
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

// latest returns when a source may be due at the latest, by this policy.
func (p Policy) latest(s *record.Source) time.Time {
	switch s.State {
	case record.StateGone, record.StateBlocked:
		return s.LastAttempt.Add(maxGone)
	case record.StateFailed:
		return s.LastAttempt.Add(max(p.RetryMax, maxRetryAfter))
	case record.StatePending:
		return s.LastAttempt.Add(min(p.fresh(s, s.LastAttempt), p.RetryMax))
	}
	return s.LastSuccess.Add(p.fresh(s, s.LastSuccess))
}

// maxRetryAfter is what the clients cap Retry-After at.
const maxRetryAfter = time.Hour

// limits names what latest returns.
func (p Policy) limits() string {
	return fmt.Sprintf("stale_after=%s active_after=%s retry_max=%s", p.StaleAfter, p.ActiveAfter, p.RetryMax)
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
