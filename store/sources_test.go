package store_test

import (
	"strconv"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestSummary(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("new", "ok", "failed", "gone", "later", "left"), t0)
	state := func(slug string, state record.State, success, since time.Time) {
		rec := get(t, s, slug)
		rec.GitHub = record.Status{State: state, LastAttempt: t0, LastSuccess: success, FailingSince: since}
		rec.PyPI = record.Status{State: record.StateOK, LastAttempt: t0, LastSuccess: t0}
		put(t, s, rec)
	}
	bounds := []time.Duration{time.Hour, 24 * time.Hour}
	state("ok", record.StateOK, t0.Add(-time.Hour), time.Time{}) // as old as a bound: not below it
	state("failed", record.StateFailed, day(-2), day(-1))
	state("gone", record.StateGone, day(-9), t0)
	state("later", record.StateFailed, t0.Add(-time.Minute), t0)
	sync(t, s, entries("new", "ok", "failed", "gone", "later"), t0)
	s = reopen(t, s)

	sum, err := s.Summary(t0, bounds, 2)
	must(t, err)
	diff(t, "GitHub", record.SourceSummary{
		States: map[record.State]int{record.StateNew: 1, record.StateOK: 1, record.StateFailed: 2, record.StateGone: 1},
		Ages:   []int{1, 1, 1}, AgeSeconds: (time.Minute + time.Hour + 48*time.Hour).Seconds(), Never: 1,
	}, sum.GitHub)
	diff(t, "PyPI", record.SourceSummary{States: map[record.State]int{record.StateNew: 1, record.StateOK: 4}, Ages: []int{4, 0, 0}, Never: 1}, sum.PyPI)
	diff(t, "failing", []record.Failing{
		{ID: get(t, s, "later").ID, State: record.StateFailed, Since: t0},
		{ID: get(t, s, "failed").ID, State: record.StateFailed, Since: day(-1)},
	}, sum.Failing)
	if sum.Packages != 5 || sum.AllFailing != 3 {
		t.Errorf("%d packages, %d fail", sum.Packages, sum.AllFailing)
	}
}

func TestPasses(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	must(t, s.LogPass(record.Pass{Started: time.Now().AddDate(0, 0, 41), Tally: record.Tally{Asked: 9}}, day(0))) // by a clock that was ahead
	for n := range 5 {
		must(t, s.LogPass(record.Pass{Started: day(n), Tally: record.Tally{Asked: n}}, day(1)))
	}
	s = reopen(t, s)
	for since, want := range map[int]string{0: "4321", 3: "43", 9: ""} {
		told, err := s.Passes(day(since))
		must(t, err)
		got := ""
		for _, pass := range told {
			got += strconv.Itoa(pass.Asked)
		}
		if got != want {
			t.Errorf("since day %d: %s, want %s", since, got, want)
		}
	}
}
