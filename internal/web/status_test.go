package web

import (
	"bytes"
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
		"<b class=\"large\">1,312</b> of 5,000 requests left", "No requests until", "<p>Another host uses it.</p>", "The first 3 of 57 sources", "in 14 minutes",
		`<a href="/facts/status/packages/django-crispy-forms/"><bdi>django-crispy-forms</bdi></a>`, "3.3 MiB", "40 earlier passes",
		"GitHub was held until", "no space left on device", ">yesterday<",
		`<dd class="bad">failing</dd>`, "no. 20410", "Searches do not find what is new", "write to the search index: no space",
		"<b>store_writes</b> since", "<b>reload</b> at", "catalogue.yaml:7:3: no such key", "22.4 MiB", "1.0 MiB free",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestStatusPageOfTheSearch: each state of the search is told, and what is wrong.
func TestStatusPageOfTheSearch(t *testing.T) {
	for state, want := range map[status.Search][]string{
		{State: status.SearchCurrent, Since: now, Sequence: 77}:                                        {"<dd>current</dd>", "no. 77"},
		{State: status.SearchBehind, Since: now, Sequence: 77}:                                         {"<dd>behind</dd>", "no. 77"},
		{State: status.SearchUnavailable, Since: now, LastError: "another process has the index open"}: {`<dd class="bad">unavailable</dd>`, "There is no search at present"},
	} {
		var b bytes.Buffer
		if err := Status(&b, Frame{}, StatusPage{Catalogue: status.Catalogue{Now: now, Search: &state}}); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%+v: the page lacks %s", state, text)
			}
		}
		if told := strings.Contains(b.String(), `<h2 id="search">`); told != (state.LastError != "") {
			t.Errorf("%+v: told %t", state, told)
		}
	}
}

// TestStatusPageOfHosts: who is there, who does what, what waits, and what is wrong.
func TestStatusPageOfHosts(t *testing.T) {
	page := samples(t)["status"]
	for _, want := range []string{
		"This is <b><bdi>a</bdi></b>, which reaches 3 of 4 servers. It lacks 1,234 messages of what the others have.", "compared with theirs", ">3 hours ago</time>",
		`data-label="State" class="bad">missing</td>`, `data-label="State">this one</td>`, `<span class="none">never</span>`, ">2 hours ago</time>", `<td data-label="Work">serves</td>`, `<td data-label="Work">8 workers</td>`,
		`<th scope="row">Says what is due</th><td data-label="Host"><bdi>a</bdi></td>`, `<th scope="row">Asks GitHub with <bdi>bot</bdi></th>`, "4,210 of 5,000 requests, 17 of 5,000 points",
		`<th scope="row">Asks PyPI</th><td data-label="Host"><span class="none">nobody</span></td>`, "<p>1,501 sources are due: 1,200 wait for a host, 301 taken.</p>",
		"<b>cluster</b>: the host b is missing: it was last heard of at", "<b>cluster</b>: the host c was not heard of yet", "<b>cluster</b>: the certificate of this host", "serves records differently; &#34;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for name, test := range map[string]struct {
		cluster    *status.Cluster
		want, lack string
	}{
		"alone":         {nil, "<h1>Status</h1>", `id="hosts"`},
		"not known yet": {&status.Cluster{Host: "a", Quorum: true}, "What the others do is not known yet.", "<table class=\"list cards hosts\">"},
		"cut off": {&status.Cluster{Host: "a", CutOffSince: ago(45 * time.Minute), Reason: "1 of 3 servers reached", Applied: 9, AsOf: ago(46 * time.Minute)},
			"this host is cut off from the others since 2026-02-16T13:00:10Z (45 minutes ago)", "What is not known"},
		"as of when":     {&status.Cluster{Host: "a", CutOffSince: ago(45 * time.Minute), AsOf: ago(46 * time.Minute)}, "What follows is as of <time", "not known yet"},
		"nothing is due": {&status.Cluster{Host: "a", Quorum: true, AsOf: now}, "<p>0 sources are due: 0 wait for a host, 0 taken.</p>", "What follows"},
		"built anew":     {&status.Cluster{Host: "a", Quorum: true, Rebuilding: ago(time.Minute)}, "Its store has been built anew since <time", "It lacks"},
	} {
		var b bytes.Buffer
		if err := Status(&b, Frame{}, StatusPage{Catalogue: status.Catalogue{Now: now, Cluster: test.cluster}}); err != nil {
			t.Fatal(err)
		}
		if page := b.String(); !strings.Contains(page, test.want) || strings.Contains(page, test.lack) {
			t.Errorf("%s:\n%s", name, page)
		}
	}
}

// TestStatusPageOfTheOperator: what an operator, or a bad file, has brought about is told.
func TestStatusPageOfTheOperator(t *testing.T) {
	for name, test := range map[string]struct {
		state      status.Catalogue
		want, lack string
	}{
		"paused":      {status.Catalogue{PausedSince: now.Add(-2 * time.Hour), NextTick: now}, "<dt>Paused since</dt>", "Next tick"},
		"not paused":  {status.Catalogue{NextTick: now}, "<dt>Next tick</dt>", "Paused"},
		"refused":     {status.Catalogue{Reload: &status.Reload{At: now, Error: "lacks 12 of the 13 packages"}}, "lacks 12 of the 13 packages</p>", "<b></b>"},
		"not refused": {status.Catalogue{Reload: &status.Reload{At: now}}, "<h1>Status</h1>", "What is wrong"},
	} {
		var b bytes.Buffer
		test.state.Now = now
		if err := Status(&b, Frame{}, StatusPage{Catalogue: test.state}); err != nil {
			t.Fatal(err)
		}
		if page := b.String(); !strings.Contains(page, test.want) || strings.Contains(page, test.lack) {
			t.Errorf("%s:\n%s", name, page)
		}
	}
}

// TestFailingInWords: what fails is told with whether there is anything of it.
func TestFailingInWords(t *testing.T) {
	var b bytes.Buffer
	if err := Status(&b, Frame{}, StatusPage{Catalogue: status.Catalogue{Now: now, FailingTotal: 2, Failing: []status.Failing{
		{Slug: "a", State: record.StateGone}, {Slug: "b", State: record.StateGone, LastSuccess: ago(time.Hour)},
	}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">not found, nothing fetched so far<", ">not found any more<"} {
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("the page does not say once %s", want)
		}
	}
}

// TestSearchPageOfAPart: who searches is told that there may be more.
func TestSearchPageOfAPart(t *testing.T) {
	all := samples(t)
	for name, want := range map[string]string{"search none": "", "search behind": "there may be more than is found here", "search failing": "may not be found here"} {
		if got := strings.Contains(all[name], "The search index"); got != (want != "") || !strings.Contains(all[name], want) {
			t.Errorf("%s: %s", name, all[name])
		}
	}
}
