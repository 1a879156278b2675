package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

func TestSourcePicture(t *testing.T) {
	p := sourcePicture{"GitHub", status.Totals{Ages: ages(3, 1, 2, 1, 2, 2), Never: 2}}
	if p.Aged() != 13 || p.Fresh() != 6 {
		t.Errorf("%d of %d are fresh", p.Fresh(), p.Aged())
	}
	if shares := p.AgeShares(); len(shares) != 7 || shares[0].From != "0.000%" || shares[6].Count != 2 || shares[6].From != "84.615%" || shares[6].Width != "15.385%" {
		t.Errorf("%+v", shares)
	}
}

// TestAgesHaveLabels: every class of ages that the status counts has a name here.
func TestAgesHaveLabels(t *testing.T) {
	state, err := status.New(status.Options{Store: empty{}}).Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	if len(state.GitHub.Ages) != len(ageLabels) {
		t.Errorf("the status has %d classes of ages, the page %d", len(state.GitHub.Ages), len(ageLabels))
	}
	for _, a := range state.GitHub.Ages {
		if ageLabels[a.UnderSeconds] == "" {
			t.Errorf("the class of ages under %d s has no label", a.UnderSeconds)
		}
	}
	for _, s := range state.GitHub.States {
		if got := stateClass(s.State); got != "state-"+string(s.State) {
			t.Errorf("the state %q is drawn as %q", s.State, got)
		}
	}
}

// empty is a store without packages.
type empty struct{}

func (empty) Summary(_ time.Time, bounds []time.Duration, _ int) (record.Summary, error) {
	none := record.SourceSummary{Ages: make([]int, len(bounds)+1)}
	return record.Summary{GitHub: none, PyPI: none}, nil
}
func (empty) Passes(time.Time) ([]record.Pass, error)         { return nil, nil }
func (empty) Find(int) (p record.Package, ok bool, err error) { return p, false, nil }

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
		"GitHub was held until", "<b>store_writes</b> since", "22.4 MiB", "1.0 MiB free", "no space left on device", ">26 hours ago<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
