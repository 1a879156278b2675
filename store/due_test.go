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
		{"far ahead", record.Status{State: record.StateOK, NextDue: day(400)}, record.Status{State: record.StateOK, NextDue: day(400)}, true},
		{"one far ahead", record.Status{State: record.StateOK, NextDue: day(400)}, record.Status{State: record.StateOK, NextDue: day(9)}, true},
		{"as far ahead as it gets", record.Status{State: record.StateOK, NextDue: day(2 + 45)}, record.Status{State: record.StateOK, NextDue: day(9)}, false},
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
