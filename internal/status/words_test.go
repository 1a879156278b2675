package status

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
)

// TestAge: each age at its borders. It is a quarter past one in the morning.
func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 10, 1, 15, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 2*time.Minute - 1: "1 minute ago",
		time.Hour - 1: "59 minutes ago", time.Hour: "1 hour ago", day - 1: "23 hours ago",
		day: "yesterday", day + 75*time.Minute: "yesterday", day + 75*time.Minute + 1: "2 days ago", 2 * day: "2 days ago", 2*day + 2*time.Hour: "3 days ago",
		60 * day: "60 days ago", 61 * day: "2 months ago", 365 * day: "12 months ago", 729 * day: "23 months ago", 730 * day: "2 years ago", 3*365*day - day: "2 years ago",

		-1: "within a minute", -59 * time.Second: "within a minute", -time.Minute: "in 1 minute", -time.Hour: "in 1 hour", 1 - day: "in 23 hours",
		-day: "tomorrow", -day - 22*time.Hour: "tomorrow", -day - 23*time.Hour: "in 2 days", -3 * 365 * day: "in 3 years",
	} {
		if got := Age(now.Add(-d), now); got != want {
			t.Errorf("%s before now is %q, want %q", d, got, want)
		}
	}
}

// TestAgeBeyondAllBounds: what a duration cannot hold is as long as it can.
func TestAgeBeyondAllBounds(t *testing.T) {
	now := time.Date(2026, 3, 10, 1, 15, 0, 0, time.UTC)
	for _, test := range []struct {
		t    time.Time
		want string
	}{{time.Time{}, "292 years ago"}, {time.Unix(1<<40, 0), "in 292 years"}} {
		if got := Age(test.t, now); got != test.want {
			t.Errorf("%s is %q, want %q", test.t, got, test.want)
		}
	}
}

// TestAgeInAZone: yesterday is that of the reader's zone, also where a day has 23 hours.
func TestAgeInAZone(t *testing.T) {
	then := time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC) // 00:30 of the 29th in Berlin, whose clocks go forward at 2
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := then.Add(25 * time.Hour) // on the 30th both there and here
	if got := Age(then, now); got != "2 days ago" {
		t.Errorf("in UTC: %q", got)
	}
	if got := Age(then, now.In(berlin)); got != "yesterday" {
		t.Errorf("in Berlin: %q", got)
	}
	if got := Age(then, then.Add(47*time.Hour).In(berlin)); got != "2 days ago" {
		t.Errorf("47 hours later in Berlin: %q", got)
	}
}

// TestAgeOfMarks: a package that is said to have had no release for two years, or no commit
// for one, had its last one as long ago in words.
func TestAgeOfMarks(t *testing.T) {
	for hour := range 24 {
		now := time.Date(2026, 3, 1, hour, 30, 0, 0, time.UTC)
		if got := Age(now.Add(-record.ReleaseWithin-time.Second), now); got != "2 years ago" {
			t.Errorf("%s: two years are %q", now, got)
		}
		if got := Age(now.Add(-record.CommitWithin-time.Second), now); got != "12 months ago" {
			t.Errorf("%s: a year is %q", now, got)
		}
	}
}

func TestWords(t *testing.T) {
	then, later := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		s     record.Status
		words string
		at    time.Time
	}{
		{record.Status{State: record.StateOK, LastSuccess: then, LastAttempt: later}, "up to date", then},
		{record.Status{State: record.StateFailed, LastSuccess: then, LastAttempt: later}, "last attempt failed", later},
		{record.Status{State: record.StateGone, LastAttempt: later}, "not found, nothing fetched so far", time.Time{}},
		{record.Status{State: record.StateGone, LastSuccess: then, LastAttempt: later}, "not found any more", time.Time{}},
		{record.Status{State: record.StateBlocked, LastAttempt: later}, "taken down, nothing fetched so far", time.Time{}},
		{record.Status{State: record.StateBlocked, LastSuccess: then}, "taken down", time.Time{}},
		{record.Status{State: "of a later version"}, "of a later version", time.Time{}},
	} {
		if words, at := Words(test.s); words != test.words || !at.Equal(test.at) {
			t.Errorf("%+v is %q, %s; want %q, %s", test.s, words, at, test.words, test.at)
		}
	}
	said := map[string]record.State{}
	for _, s := range States() {
		words, _ := Words(record.Status{State: s})
		if other, twice := said[words]; twice || words == string(s) {
			t.Errorf("the state %s is %q, like %q", s, words, other)
		}
		said[words] = s
	}
}
