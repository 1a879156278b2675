package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
)

var (
	now    = time.Date(2026, 2, 16, 13, 45, 10, 0, time.UTC)
	berlin = time.FixedZone("CET", 3600)
)

func TestTotals(t *testing.T) {
	got := totals(record.SourceSummary{
		States: map[record.State]int{record.StateOK: 11, record.StateNew: 1, record.StateFailed: 1, record.StateGone: 1, record.StateNone: 1},
		Ages:   []int{3, 1, 2, 1, 2, 2}, Never: 2,
	})
	if ages := fmt.Sprint(got.Ages); ages != "[{3600 3} {21600 1} {86400 2} {172800 1} {604800 2} {0 2}]" || got.Never != 2 {
		t.Errorf("ages %s, never %d", ages, got.Never)
	}
	if states := fmt.Sprint(got.States); states != "[{ok 11} {pending 0} {new 1} {failed 1} {gone 1} {blocked 0} {unsupported 0} {none 1}]" {
		t.Errorf("states %s", states)
	}
}

// TestStatusJSON: what is unknown is left out, and never a year 1.
func TestStatusJSON(t *testing.T) {
	for _, v := range []any{Catalogue{Now: now}, Package{GitHub: source(record.Status{}, berlin)}, Budget{}, Failing{}, record.Pass{Started: now}, Snapshot{}, Search{}} {
		if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), "0001-") {
			t.Errorf("%T: %s, %v", v, b, err)
		}
	}
	b, err := json.Marshal(source(record.Status{State: record.StateFailed, LastSuccess: now, Failures: 2, LastError: "x"}, berlin))
	if want := `{"state":"failed","last_success":"2026-02-16T14:45:10+01:00","failures":2,"last_error":"x","note":""}`; string(b) != want || err != nil {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}

// fakeStore is a Store of one package that fails and one that left the catalogue.
type fakeStore struct {
	summaries int
	err       error // of Find
}

func (s *fakeStore) Summary(_ time.Time, bounds []time.Duration, limit int) (record.Summary, error) {
	s.summaries++
	none := record.SourceSummary{Ages: make([]int, len(bounds)+1)}
	return record.Summary{
		Packages: s.summaries, GitHub: none, PyPI: none, AllFailing: 2,
		Failing: []record.Failing{{ID: 1, PyPI: true, State: record.StateFailed}, {ID: 2, State: record.StateGone}},
	}, nil
}

func (s *fakeStore) Passes(since time.Time) ([]record.Pass, error) {
	return []record.Pass{{Started: now.Add(10 * 24 * time.Hour)}, {Started: now, GitHub: record.Use{HeldUntil: now}}}, nil
}

func (s *fakeStore) Find(id int) (p record.Package, ok bool, err error) {
	p.Slug, p.PyPI = "fails", record.Status{State: record.StateFailed, Failures: 3, FailingSince: now.Add(time.Nanosecond), LastSuccess: now.Add(-time.Hour)}
	return p, id == 1, s.err
}

// TestCatalogue: what is told is put together from the store, the program and the
// snapshot, in the zone asked for, and counted anew every two seconds at most.
func TestCatalogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now))
		s := &fakeStore{}
		m := New(Options{
			Store: s,
			Zone:  berlin,
			Activity: func() Activity {
				return Activity{NextTick: now, Budgets: []Budget{{Name: "GitHub", Reset: now, Expires: now, Points: &Points{Reset: now}}}}
			},
			Snapshot: func() (Snapshot, bool) { return Snapshot{Sequence: 7, Made: now}, true },
			Search:   func() Search { return Search{State: SearchFailing, Since: now, LastError: "no space left on device"} },
		})
		c, err := m.Catalogue()
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Failing) != 1 || c.Failing[0].Slug != "fails" || c.Failing[0].Source != "pypi" || c.Failing[0].Failures != 3 || !c.Failing[0].Since.Equal(now) || !c.Failing[0].LastSuccess.Equal(now.Add(-time.Hour)) || c.FailingTotal != 2 {
			t.Errorf("failing %+v of %d", c.Failing, c.FailingTotal)
		}
		for name, at := range map[string]time.Time{
			"next tick": c.NextTick, "reset": c.Budgets[0].Reset, "expiry": c.Budgets[0].Expires, "points": c.Budgets[0].Points.Reset, "snapshot": c.Snapshot.Made, "search": c.Search.Since, "pass": c.Passes[0].Started, "hold": c.Passes[0].GitHub.HeldUntil,
		} {
			if at.Format(time.RFC3339Nano) != "2026-02-16T14:45:10+01:00" {
				t.Errorf("%s: %s", name, at)
			}
		}
		if len(c.Passes) != 1 {
			t.Errorf("a pass that is still ahead, as a clock that was ahead leaves it, counts as the last one: %+v", c.Passes)
		}
		if c.Search.State != SearchFailing || c.Search.LastError != "no space left on device" {
			t.Errorf("search %+v", c.Search)
		}
		for i, want := range []int{1, 2, 2} {
			if c, err := m.Catalogue(); err != nil || c.Packages != want {
				t.Errorf("%d: counted %d times, want %d; %v", i, c.Packages, want, err)
			}
			if i == 0 {
				time.Sleep(cachedFor)
			}
		}
		time.Sleep(cachedFor)
		s.err = errors.New("page 17 is garbage")
		if _, err := m.Catalogue(); !errors.Is(err, s.err) {
			t.Errorf("the store failed, and the status says %v", err)
		}
		known := record.Problem{Kind: "store_damage", Since: now, Detail: "page 17 is garbage"}
		m.o.Activity = func() Activity { return Activity{Problems: []record.Problem{known}} }
		if c, err := m.Catalogue(); err != nil || len(c.Problems) != 1 || c.Problems[0].Detail != known.Detail || c.Packages == 0 {
			t.Errorf("it is known why the store failed, and the status says %+v, %v", c, err)
		}
	})
}
