package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pkgmetad/internal/record"
)

func TestSourceTotals(t *testing.T) {
	s := NewSourceTotals(record.SourceSummary{
		States: map[record.State]int{record.StateOK: 11, record.StateNew: 1, record.StateFailed: 1, record.StateGone: 1, record.StateNone: 1},
		Ages:   []int{3, 1, 2, 1, 2, 2}, Never: 2,
	})
	if got := fmt.Sprint(s.Ages); got != "[{3600 3} {21600 1} {86400 2} {172800 1} {604800 2} {0 2}]" || s.Never != 2 {
		t.Errorf("ages %s, never %d", got, s.Never)
	}
	if got := fmt.Sprint(s.States); got != "[{ok 11} {pending 0} {new 1} {failed 1} {gone 1} {blocked 0} {unsupported 0} {none 1}]" {
		t.Errorf("states %s", got)
	}
	if got := fmt.Sprint(AgeBounds()); got != "[1h0m0s 6h0m0s 24h0m0s 48h0m0s 168h0m0s]" {
		t.Errorf("bounds %s", got)
	}
	p := sourcePicture{"GitHub", s}
	if p.Aged() != 13 || p.Fresh() != 6 {
		t.Errorf("%d of %d are fresh", p.Fresh(), p.Aged())
	}
	if shares := p.AgeShares(); len(shares) != 7 || shares[0].From != "0.000%" || shares[6].Count != 2 || shares[6].From != "84.615%" || shares[6].Width != "15.385%" {
		t.Errorf("%+v", shares)
	}
}

func TestStatusPageShowsItsNumbers(t *testing.T) {
	s, page := catalogue(), samples(t)["status"]
	for _, p := range []sourcePicture{{"GitHub", s.GitHub}, {"PyPI", s.PyPI}} {
		for _, share := range append(p.AgeShares(), p.StateShares()...) {
			if share.Count > 0 && !strings.Contains(page, fmt.Sprintf("<title>%s: %s</title>", share.Label, number(share.Count))) {
				t.Errorf("the picture of %s lacks %+v", p.Name, share)
			}
		}
	}
	for _, want := range []string{
		"<b class=\"large\">1,312</b> of 5,000 requests left", "Nothing is asked until", "The first 3 of 57 sources", "in 14 minutes",
		`<a href="/facts/status/packages/django-crispy-forms/"><bdi>django-crispy-forms</bdi></a>`, "3.3 MiB", "40 earlier passes",
		"GitHub was held until", "no space left on device", ">26 hours ago<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestStatusJSON: what is unknown is left out, and never a year 1.
func TestStatusJSON(t *testing.T) {
	for _, v := range []any{CatalogueState{Now: now}, PackageState{GitHub: NewSourceState(record.Status{}, berlin)}, Budget{}, Failing{}, record.Pass{Started: now}, Snapshot{}} {
		if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), "0001-") {
			t.Errorf("%T: %s, %v", v, b, err)
		}
	}
	b, err := json.Marshal(NewSourceState(record.Status{State: record.StateFailed, LastSuccess: now, Failures: 2, LastError: "x"}, berlin))
	if want := `{"state":"failed","last_success":"2026-02-16T14:45:10+01:00","failures":2,"last_error":"x","note":""}`; string(b) != want || err != nil {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}
