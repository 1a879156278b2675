package web

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
)

func TestChartShowsNumbersAndDates(t *testing.T) {
	rec := crispy() // asked on 2026-02-16, a Monday
	page := samples(t)["package"]
	begin := time.Date(2025, 2, 17, 0, 0, 0, 0, time.UTC)
	for i, n := range rec.Repo.Commits52 {
		day := begin.AddDate(0, 0, 7*i).Format(time.DateOnly)
		plural := "s"
		if n == 1 {
			plural = ""
		}
		for _, want := range []string{
			fmt.Sprintf("<title>week of %s: %d commit%s", day, n, plural),
			fmt.Sprintf(`<tr><th scope="row"><time datetime="%s">%[1]s</time></th><td class="n">%d</td>`, day, n),
		} {
			if strings.Count(page, want) != 1 {
				t.Errorf("week %d: the page has %d times %s", i, strings.Count(page, want), want)
			}
		}
	}
	if !strings.Contains(page, "week of 2026-02-09: ") || strings.Contains(page, "week of 2026-02-16: ") {
		t.Error("the last week did not begin on 2026-02-09")
	}
}

func TestChartDates(t *testing.T) {
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	counts := append(make([]int, 51), 4)
	tests := []struct {
		name             string
		source           record.Status
		fetched          time.Time
		begin, last, end string
		doubt            bool
	}{
		{"at midnight", record.Status{State: record.StateOK, LastSuccess: at("2026-02-16T00:00:00Z")}, time.Time{}, "2025-02-17", "2026-02-09", "2026-02-16", false},
		{"before midnight", record.Status{State: record.StateOK, LastSuccess: at("2026-02-15T23:59:59Z")}, time.Time{}, "2025-02-16", "2026-02-08", "2026-02-15", false},
		{"another zone", record.Status{State: record.StateOK, LastSuccess: at("2026-02-16T00:30:00+01:00")}, time.Time{}, "2025-02-16", "2026-02-08", "2026-02-15", false},
		{"over a leap day", record.Status{State: record.StateOK, LastSuccess: at("2024-03-03T12:00:00Z")}, time.Time{}, "2023-03-05", "2024-02-25", "2024-03-03", false},
		{"seeded", record.Status{State: record.StateNew}, at("2026-02-16T12:00:00Z"), "2025-02-17", "2026-02-09", "2026-02-16", false},
		{"never asked", record.Status{State: record.StateNew}, time.Time{}, "", "", "", false},
		{"pending", record.Status{State: record.StatePending, LastSuccess: at("2026-02-16T12:00:00Z")}, time.Time{}, "2025-02-17", "2026-02-09", "2026-02-16", true},
		{"failed", record.Status{State: record.StateFailed, Failures: 1, LastAttempt: at("2026-02-17T12:00:00Z"), LastSuccess: at("2026-02-16T12:00:00Z")}, time.Time{}, "2025-02-17", "2026-02-09", "2026-02-16", true},
	}
	for _, test := range tests {
		c := newChart(&record.Package{Repo: record.Repo{Commits52: counts}, GitHub: test.source, LastFetched: test.fetched})
		last := c.Weeks[51]
		if c.Begin != test.begin || last.Begin != test.last || c.End != test.end || c.MostBegin != test.last || (c.Doubt != "") != test.doubt {
			t.Errorf("%s: weeks from %q, the last from %q until %q, the highest from %q, doubt %q", test.name, c.Begin, last.Begin, c.End, c.MostBegin, c.Doubt)
		}
		if last.Commits != 4 || c.Total != 4 || c.Most != 4 || last.Y != "26.00" || last.H != "160.00" {
			t.Errorf("%s: %+v", test.name, last)
		}
		if first := c.Weeks[0]; first.H != "0.00" || first.Y != "186.00" {
			t.Errorf("%s: a week without commits is drawn: %+v", test.name, first)
		}
	}
}

// TestReleasesInTheChart: each week says what was released in it, to the second, in the
// picture and in the table.
func TestReleasesInTheChart(t *testing.T) {
	at := func(s string) *time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return &t
	}
	rec := record.Package{
		Repo:   record.Repo{Commits52: append(make([]int, 51), 4)},
		GitHub: record.Status{State: record.StateOK, LastSuccess: *at("2026-02-16T12:00:00Z")},
		Project: record.Project{Versions: []record.Version{
			{Version: "9", Uploaded: at("2026-02-16T00:00:00Z")}, // after the last week
			{Version: "8", Uploaded: at("2026-02-15T23:59:59Z")}, {Version: "7", Uploaded: at("2026-02-09T00:00:00Z"), Yanked: true},
			{Version: "6" + attack, Uploaded: at("2026-02-08T23:59:59Z")},
			{Version: "5e", Uploaded: at("2025-06-05T00:00:00Z")}, {Version: "5d", Uploaded: at("2025-06-04T00:00:00Z")}, {Version: "5a", Uploaded: at("2025-06-01T00:00:00+02:00")},
			{Version: "5b", Uploaded: at("2025-06-02T00:00:00Z")}, {Version: "5c", Uploaded: at("2025-06-03T00:00:00Z")}, {Version: "5f", Uploaded: at("2025-06-06T00:00:00Z")},
			{Version: "4", Uploaded: at("2025-02-17T00:00:00Z")}, {Version: "3", Uploaded: at("2025-02-16T23:59:59Z")}, // before the first week
			{Version: "2"},
		}},
	}
	got := map[string]string{}
	for _, w := range newChart(&rec).Weeks {
		if w.Released != "" {
			got[w.Begin] = w.Released
		}
	}
	want := map[string]string{"2025-02-17": "4", "2025-05-26": "5a", "2025-06-02": "5b, 5c, 5d, 5e, 1 more", "2026-02-02": "6" + attack, "2026-02-09": "7 (yanked), 8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var b bytes.Buffer
	if err := Package(&b, Frame{}, PackagePage{Clock: clock, Record: rec}); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"<title>week of 2026-02-09: 4 commits; released 7 (yanked), 8</title>", "<title>week of 2025-06-02: 0 commits; released 5b, 5c, 5d, 5e, 1 more</title>",
		`<td class="n">4</td><td><bdi class="text">7 (yanked), 8</bdi></td>`, "marks each of 5 weeks with a release", `; 5 weeks with a release"`, `<th scope="col">Released</th>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(page, `class="release"`); n != 6 {
		t.Errorf("%d marks, want one for each of 5 weeks and one that explains them", n)
	}

	rec.Repo.Commits52[51] = 0
	b.Reset()
	if err := Package(&b, Frame{}, PackagePage{Clock: clock, Record: rec}); err != nil {
		t.Fatal(err)
	}
	if page := b.String(); strings.Count(page, `class="release"`) != 6 || !strings.Contains(page, `<figcaption>No commits from <time datetime="2025-02-17">`) || strings.Contains(page, "at most") {
		t.Error("releases of a year without commits are not marked")
	}

	rec.GitHub.LastSuccess = time.Time{}
	if c := newChart(&rec); c.Releases != 0 {
		t.Error("releases are marked in weeks whose dates are unknown")
	}
	if page := samples(t)["package quiet"]; strings.Contains(page, "release\"") || strings.Contains(page, ">Released<") {
		t.Error("releases are told of where there are none")
	}
}

func TestChartInWords(t *testing.T) {
	all := samples(t)
	if page := all["package quiet"]; !strings.Contains(page, "There were no commits in these 52 weeks, from") || strings.Contains(page, `class="stem"`) {
		t.Error("a year without commits is not said to be one")
	}
	if strings.Contains(all["package empty"], `class="chart"`) || !strings.Contains(all["package empty"], "is unknown") {
		t.Error("unknown counts are not said to be unknown")
	}
	if page := all["package hostile"]; !strings.Contains(page, "<title>week 1 of 3: 0 commits</title>") || !strings.Contains(page, "The dates of these weeks are unknown") {
		t.Error("the page does not say that the dates are unknown")
	}
	if !strings.Contains(all["package huge"], "these counts may be from an earlier one") {
		t.Error("it is not said that the weeks may be off")
	}
}

func TestTicks(t *testing.T) {
	for most, want := range map[int]string{
		0: "[0 1]", 1: "[0 1]", 3: "[0 1 2 3]", 4: "[0 1 2 3 4]", 5: "[0 2 4 6]", 9: "[0 5 10]", 20: "[0 5 10 15 20]", 21: "[0 10 20 30]",
		119595: "[0 50000 100000 150000]",
	} {
		if got := fmt.Sprint(ticks(most)); got != want {
			t.Errorf("ticks(%d) = %s, want %s", most, got, want)
		}
	}
	for most := range 5000 {
		if all := ticks(most); all[len(all)-1] < most || all[len(all)-2] >= max(most, 1) || len(all) > 5 {
			t.Fatalf("ticks(%d) = %v", most, all)
		}
	}
}

func TestSpark(t *testing.T) {
	if newSpark(nil) != nil {
		t.Error("unknown counts have a picture")
	}
	if s := newSpark([]int{0, 8, 1, 0}); s.Total != 9 || s.Weeks != 4 || s.Path != "M13.00 16v-16.00h10.40v16.00zM26.00 16v-2.00h10.40v2.00z" {
		t.Errorf("%+v", s)
	}
}
