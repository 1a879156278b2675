package status

import (
	"time"

	"pkgmetad/internal/record"
)

// Words says where a source stands, for people, by its state and the times of its last
// attempt and success; at is when that was, zero where no time belongs to it. Pages and
// commands say it in the same words.
func Words(s record.Status) (words string, at time.Time) {
	switch s.State {
	case record.StateNone:
		return "none given", time.Time{}
	case record.StateUnsupported:
		return "cannot be asked", time.Time{}
	case record.StateNew:
		return "not asked yet", time.Time{}
	case record.StateOK:
		return "up to date", s.LastSuccess
	case record.StatePending:
		return "answered in part, to be asked again soon", time.Time{}
	case record.StateFailed:
		return "last attempt failed", s.LastAttempt
	case record.StateGone:
		if s.LastSuccess.IsZero() {
			return "not found, nothing fetched so far", time.Time{}
		}
		return "not found any more", time.Time{}
	case record.StateBlocked:
		if s.LastSuccess.IsZero() {
			return "taken down, nothing fetched so far", time.Time{}
		}
		return "taken down", time.Time{}
	}
	return string(s.State), time.Time{}
}

// Age says how long before or after now t is, for people: in minutes below an hour, in
// hours below a day; then by the days of the calendar, in the zone of now, from yesterday
// on, and in months and years of those days, where it is at least two of them. It is
// rounded down, and never more exact than that: show the time itself beside it.
func Age(t, now time.Time) string {
	d := now.Sub(t)
	days := midnight(now, now.Location()).Sub(midnight(t, now.Location())) / (24 * time.Hour)
	switch {
	case d >= 0 && d < time.Minute:
		return "just now"
	case d.Abs() < time.Minute:
		return "within a minute"
	case d.Abs() >= 24*time.Hour && days == 1:
		return "yesterday"
	case d.Abs() >= 24*time.Hour && days == -1:
		return "tomorrow"
	case d < 0:
		return "in " + lasting(d.Abs(), -int(days))
	}
	return lasting(d, int(days)) + " ago"
}

// midnight returns the day of t in a zone as one that has 24 hours.
func midnight(t time.Time, zone *time.Location) time.Time {
	year, month, day := t.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// lasting writes a duration of a minute or more, which reaches over so many midnights.
func lasting(d time.Duration, days int) string {
	months := days * 12 / 365
	switch {
	case d < time.Hour:
		return record.Count(int(d/time.Minute), "minute", "minutes")
	case d < 24*time.Hour:
		return record.Count(int(d/time.Hour), "hour", "hours")
	case months < 2:
		return record.Count(days, "day", "days")
	case months < 24:
		return record.Count(months, "month", "months")
	}
	return record.Count(days/365, "year", "years")
}
