package store_test

import (
	"fmt"
	"slices"
	"strings"
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
		{"all", day(8), 99, "EeAaBbCcDd", false},
		{"as many as there are", day(8), 10, "EeAaBbCcDd", false},
		{"those due first", day(8), 6, "EeAaBb", true},
		{"none", day(8), 0, "", true},
	} {
		recs, more, err := s.Due(test.now, test.limit, record.Order{StaleAfter: 24 * time.Hour})
		if got := names(recs); err != nil || got != test.want || more != test.more {
			t.Errorf("%s: %q %t %v, want %q %t", test.name, got, more, err, test.want, test.more)
		}
	}
}

// TestDueOrder: what has never answered comes first, then what is overdue by more of its
// interval, then what is read more, then what fell due first.
func TestDueOrder(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c", "d", "e", "f", "g", "h")
	for i := range c.Packages {
		c.Packages[i].PyPIURL = nil
	}
	hours := func(n int) time.Time { return day(30).Add(time.Duration(n) * time.Hour) }
	c.Packages[0].StaleAfter, c.Packages[1].StaleAfter = 4*time.Hour, 400*time.Hour
	sync(t, s, c, t0)
	for slug, due := range map[string]int{"a": -3, "b": -90, "c": -7, "d": -8, "e": -9, "f": -1} {
		put(t, s, fetched(get(t, s, slug), 1, day(1), hours(due)))
	}
	failed := get(t, s, "g") // it never answered
	failed.GitHub.State, failed.GitHub.LastAttempt, failed.GitHub.NextDue = record.StateFailed, hours(-1), hours(0)
	gone := get(t, s, "h") // nor did this one, and it will not
	gone.GitHub.State, gone.GitHub.LastAttempt, gone.GitHub.NextDue = record.StateGone, day(1), hours(-1)
	put(t, s, failed, gone)

	reads := func(n ...uint64) func() map[int]uint64 {
		return func() map[int]uint64 {
			m := map[int]uint64{99: 5} // and one that has left the catalogue
			for i, n := range n {
				m[get(t, s, string(rune('a'+i))).ID] = n
			}
			return m
		}
	}
	order := record.Order{StaleAfter: 24 * time.Hour}
	for _, test := range []struct {
		name  string
		reads func() map[int]uint64
		want  string
	}{
		// Quarters of its interval that each is overdue by: a 3, b 0, c to e 1, f and h 0.
		{"unread", nil, "GAEDCBFH"},
		{"read", reads(0, 1, 3, 2, 0, 7, 0, 0), "GACDEFBH"},
	} {
		order.Reads = test.reads
		for limit := range len(test.want) + 1 {
			recs, more, err := s.Due(hours(0), limit, order)
			if got := names(recs); err != nil || got != test.want[:limit] || more != (limit < len(test.want)) {
				t.Errorf("%s: %q, %t, %v; want the first %d of %q", test.name, got, more, err, limit, test.want)
			}
		}
	}
	order.Skip = func(key record.Key) bool { return key == "github.com/o/g" || key == "github.com/o/c" }
	if recs, _, err := s.Due(hours(0), 3, order); err != nil || names(recs) != "ADE" {
		t.Errorf("without g and c: %q, %v", names(recs), err)
	}
	checkFile(t, s)
}

// TestDueFirstOfMany: the limit leaves those that come first, however many there are, and
// repositories do not keep out projects.
func TestDueFirstOfMany(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	var c record.Catalogue
	for i := range 1500 {
		c.Packages = append(c.Packages, entry(fmt.Sprintf("p%04d", (i*7)%1500)))
	}
	sync(t, s, c, t0)
	recs, more, err := s.Due(day(1), 10, record.Order{})
	if err != nil || !more || len(recs) != 10 {
		t.Fatalf("%d sources, %t, %v", len(recs), more, err)
	}
	for i := 0; i < len(recs); i += 2 {
		if name, ok := recs[i+1].Key.Project(); !ok || string(recs[i].Key) != "github.com/o/"+name {
			t.Errorf("%s is followed by %s", recs[i].Key, recs[i+1].Key)
		}
	}
	hot := func() map[int]uint64 { return map[int]uint64{get(t, s, "p1234").ID: 1} }
	if recs, _, err = s.Due(day(1), 2, record.Order{Reads: hot}); err != nil || recs[0].Key != "github.com/o/p1234" || recs[1].Key != "pypi:p1234" {
		t.Errorf("the one that is read: %v, %v", recs, err)
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
			recs, more, err := s.Due(day(2), 2, record.Order{})
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

// TestReschedule: what was asked at a time that is still to come is due at once, and what
// is due later than it may be is due when it may be at the latest; others stay as they are.
func TestReschedule(t *testing.T) {
	within := func(age time.Duration) func(*record.Source) time.Time {
		return func(s *record.Source) time.Time {
			if s.State == record.StateGone {
				return s.LastAttempt.Add(30 * 24 * time.Hour)
			}
			return s.LastSuccess.Add(s.Interval.Or(age))
		}
	}
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c", "d")
	sync(t, s, c, t0)
	now := day(20)
	status := func(state record.State, attempt, due time.Time) record.Status {
		return record.Status{State: state, LastAttempt: attempt, LastSuccess: attempt, NextDue: due}
	}
	for slug, halves := range map[string][2]record.Status{
		"a": {status(record.StateOK, now.Add(-time.Hour), now.Add(23*time.Hour)), status(record.StateGone, now.Add(-time.Hour), now.Add(29*24*time.Hour))}, // right
		"b": {status(record.StateOK, now.Add(time.Hour), now.Add(20*time.Hour)), status(record.StateOK, now, now.Add(24*time.Hour))},                       // asked by a clock 1 h ahead; right
		"c": {status(record.StateFailed, day(30), day(31)), status(record.StateGone, now, now.Add(31*24*time.Hour))},                                       // 10 days ahead; gone for too long
		"d": {status(record.StateOK, now.Add(-6*time.Hour), now.Add(25*time.Hour)), status(record.StatePending, now, now)},                                 // too far ahead; due
	} {
		rec := get(t, s, slug)
		rec.GitHub, rec.PyPI = halves[0], halves[1]
		put(t, s, rec)
	}
	due := func(at time.Time, want string) {
		t.Helper()
		recs, _, err := s.Due(at, 99, record.Order{StaleAfter: 24 * time.Hour})
		got := strings.Split(names(recs), "")
		slices.Sort(got)
		if err != nil || strings.Join(got, "") != want {
			t.Errorf("due: %q, %v; want %q", got, err, want)
		}
	}
	reschedule := func(age time.Duration, want int) {
		t.Helper()
		if n, err := s.Reschedule(now, within(age), age.String()); n != want || err != nil {
			t.Errorf("%s: %d moved, %v; want %d", age, n, err, want)
		}
	}
	due(now, "d")
	before := s.Sequence()
	reschedule(24*time.Hour, 4)
	due(now, "BCd")
	due(now.Add(18*time.Hour), "BCDd")
	due(now.Add(24*time.Hour), "ABCDbd")
	due(now.Add(30*24*time.Hour), "ABCDabcd")
	if s.Sequence() != before {
		t.Error("nothing served has changed, and the feed says it has")
	}
	reschedule(24*time.Hour, 0)
	reschedule(2*time.Hour, 3) // A in an hour, b in two, D at once
	due(now, "BCDd")
	due(now.Add(time.Hour), "ABCDd")
	reschedule(48*time.Hour, 0)
	due(now.Add(time.Hour), "ABCDd") // a higher limit moves nothing

	// An interval that the catalogue gives one package is a reason to look as well.
	reschedule(48*time.Hour, 0)
	c.Packages[0].StaleAfter = 30 * time.Minute
	sync(t, s, c, now)
	due(now, "BCDd")
	reschedule(48*time.Hour, 1)
	due(now, "ABCDd")

	// So is an answer that was asked for before: when to ask again was computed without it.
	put(t, s, fetched(get(t, s, "a"), 5, now, now.Add(48*time.Hour)))
	reschedule(48*time.Hour, 2)
	due(now.Add(30*time.Minute), "ABCDad")
	checkFile(t, s)
}

// TestRescheduleImported: an imported source is due when it may be at the latest, and that it
// had another time means nothing.
func TestRescheduleImported(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	rec := imported(withID(7, "a"), 5, day(-9), day(-1))
	_, err := s.Import(catalogueOf(rec), []record.Package{rec}, t0)
	must(t, err)
	latest := func(s *record.Source) time.Time { return s.LastSuccess.Add(20 * time.Hour) }
	if n, err := s.Reschedule(day(-1), latest, "20h"); n != 0 || err != nil {
		t.Errorf("%d moved, %v", n, err)
	}
	if due := get(t, s, "a").GitHub.NextDue; !due.Equal(day(-1).Add(20 * time.Hour)) {
		t.Errorf("it is due at %s", due)
	}
}
