package store_test

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestDueOrderAndLimit(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c", "d", "e", "f")
	c.Packages[5].RepoURL, c.Packages[5].PyPIURL = nil, nil
	sync(t, s, c, t0)
	// Last success and due time run against each other; e was never asked.
	put(t, s,
		fetched(get(t, s, "a"), 1, day(4), day(5)),
		fetched(get(t, s, "b"), 1, day(3), day(6)),
		fetched(get(t, s, "c"), 1, day(2), day(7)),
		fetched(get(t, s, "d"), 1, day(1), day(8)),
	)
	for _, test := range []struct {
		name  string
		now   time.Time
		limit int
		want  string
		more  bool
	}{
		{"before any", day(4), 9, "Ee", false},
		{"at the very time", day(5), 9, "EeAa", false},
		{"all", day(8), 99, "EeDdCcBbAa", false},
		{"as many as there are", day(8), 10, "EeDdCcBbAa", false},
		{"those due first", day(8), 6, "EeBbAa", true},
		{"none", day(8), 0, "", true},
	} {
		recs, more, err := s.Due(test.now, test.limit, nil)
		if got := names(recs); err != nil || got != test.want || more != test.more {
			t.Errorf("%s: %q %t %v, want %q %t", test.name, got, more, err, test.want, test.more)
		}
	}
}

func TestDueOfOneSource(t *testing.T) {
	for _, test := range []struct {
		name         string
		github, pypi record.Status
		want         bool
	}{
		{"first", record.Status{State: record.StateOK, NextDue: day(1)}, record.Status{State: record.StateOK, NextDue: day(9)}, true},
		{"second", record.Status{State: record.StateOK, NextDue: day(9)}, record.Status{State: record.StateFailed, NextDue: day(1)}, true},
		{"neither", record.Status{State: record.StateOK, NextDue: day(9)}, record.Status{State: record.StateGone, NextDue: day(9)}, false},
		{"at once", record.Status{State: record.StateOK, NextDue: day(9)}, record.Status{State: record.StatePending}, true},
		{"before 1970", record.Status{State: record.StateOK, NextDue: day(-30000)}, record.Status{State: record.StateOK, NextDue: day(9)}, true},
		{"less than a microsecond off", record.Status{State: record.StateOK, NextDue: day(2).Add(1)}, record.Status{State: record.StateOK, NextDue: day(9)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, dbPath(t), store.Options{})
			sync(t, s, entries("a"), t0)
			rec := get(t, s, "a")
			rec.GitHub, rec.PyPI = test.github, test.pypi
			put(t, s, rec)
			recs, more, err := s.Due(day(2), 2, nil)
			if err != nil || more || (len(recs) > 0) != test.want {
				t.Errorf("due: %v %t %v, want %t", names(recs), more, err, test.want)
			}
			if is := test.github.IsDue(day(2)) || test.pypi.IsDue(day(2)); is != test.want {
				t.Errorf("IsDue says %t", is)
			}
			checkFile(t, s)
		})
	}
}

// TestReschedule: times that no right clock can have written, and those beyond limits
// that were lowered, count as due; others stay as they are.
func TestReschedule(t *testing.T) {
	longest := func(state record.State) time.Duration {
		if state == record.StateGone {
			return 30 * 24 * time.Hour
		}
		return 24 * time.Hour
	}
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a", "b", "c", "d"), t0)
	now := day(20)
	status := func(state record.State, attempt, due time.Time) record.Status {
		return record.Status{State: state, LastAttempt: attempt, LastSuccess: attempt, NextDue: due}
	}
	for slug, halves := range map[string][2]record.Status{
		"a": {status(record.StateOK, now.Add(-time.Hour), now.Add(23*time.Hour)), status(record.StateGone, now.Add(-time.Hour), now.Add(29*24*time.Hour))}, // right
		"b": {status(record.StateOK, now.Add(time.Hour), now.Add(20*time.Hour)), status(record.StateOK, now, now.Add(24*time.Hour))},                       // asked by a clock 1 h ahead; right
		"c": {status(record.StateFailed, day(30), day(31)), status(record.StateGone, now, now.Add(31*24*time.Hour))},                                       // 10 days ahead; gone for too long
		"d": {status(record.StateOK, now, now.Add(25*time.Hour)), status(record.StatePending, now, now)},                                                   // too far ahead; due
	} {
		rec := get(t, s, slug)
		rec.GitHub, rec.PyPI = halves[0], halves[1]
		put(t, s, rec)
	}
	due := func(want string) {
		t.Helper()
		recs, _, err := s.Due(now, 99, nil)
		if got := names(recs); err != nil || got != want {
			t.Errorf("due: %q, %v; want %q", got, err, want)
		}
	}
	due("d")
	before := s.Sequence()
	if n, err := s.Reschedule(now, longest, "a day"); n != 4 || err != nil {
		t.Errorf("%d mended, %v", n, err)
	}
	due("cDdBC")
	if s.Sequence() != before {
		t.Error("nothing served has changed, and the feed says it has")
	}
	if n, err := s.Reschedule(now, longest, "a day"); n != 0 || err != nil {
		t.Errorf("again: %d mended, %v", n, err)
	}
	short := func(record.State) time.Duration { return time.Hour }
	if n, err := s.Reschedule(now, short, "an hour"); n != 3 || err != nil {
		t.Errorf("limits lowered: %d mended, %v", n, err)
	}
	checkFile(t, s)
}
