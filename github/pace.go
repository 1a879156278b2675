package github

import (
	"time"
)

const (
	// GitHub's secondary limits allow 900 points of REST and 2,000 of GraphQL a minute; a
	// request that changes nothing is one. What is sent stays below that in every minute:
	// a burst, then evenly. Some are left for what a network delays, and for a person.
	restPerMinute    = 840
	graphQLPerMinute = 1900
	burst            = 30

	// longestGap is how far apart requests are at most to have a budget last until its
	// reset. One that takes more is so small that it is spent at once.
	longestGap = 5 * time.Second

	// longestWait is what a request waits for its turn at most. Beyond that it is refused,
	// with the time at which to come back.
	longestWait = time.Minute
)

// pace says when the next request may be sent. The limits that it belongs to guard it.
type pace struct {
	steady time.Time     // when the next one would be due without bursts
	even   time.Time     // when the next one is due that leaves budget for later
	gap    time.Duration // that the latest one was given for that
}

// next returns when the next request may be sent, and the pace after that. At most
// perMinute are sent a minute, 0 for any number, and at most one in a gap.
func (p pace) next(now time.Time, perMinute int, gap time.Duration) (time.Time, pace) {
	at := now
	if perMinute > 0 {
		step := time.Minute / time.Duration(perMinute)
		at = latest(at, p.steady.Add(-(burst-1)*step))
		p.steady = latest(now, p.steady).Add(step)
	}
	if p.gap = gap; gap > 0 {
		at = latest(at, p.even)
		p.even = at.Add(gap)
	}
	return at, p
}

// refund gives back the turn of a request that took nothing from the budget.
func (p *pace) refund() { p.even = p.even.Add(-p.gap) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
