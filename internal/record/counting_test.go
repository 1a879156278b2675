package record

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestDayOf(t *testing.T) {
	for at, want := range map[string]Day{
		"1970-01-01T00:00:00Z": 0, "1970-01-01T23:59:59Z": 0, "1970-01-02T00:00:00Z": 1, "1969-12-31T23:59:59Z": -1,
		"2024-02-29T23:59:59-11:00": DayOf(time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)),
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		day := DayOf(moment)
		if day != want {
			t.Errorf("%s is day %d, want %d", at, day, want)
		}
		if start := day.Start(); moment.Before(start) || !moment.Before(start.Add(24*time.Hour)) {
			t.Errorf("%s is not within the day that starts at %s", at, start)
		}
	}
}

// TestWeeks: the day that is asked is in no week, the day before it in the last one,
// and each day that passes moves the weeks on by a day.
func TestWeeks(t *testing.T) {
	const today = 20_000
	days := Days{today: 1, today - 1: 2, today - 7: 4, today - 8: 8, today - 364: 16, today - 365: 32, today + 3: 64}
	want := make([]int, 52)
	want[51], want[50], want[0] = 2+4, 8, 16
	if got := days.Weeks(today); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	want[51], want[50], want[0] = 1+2, 4+8, 0
	if got := days.Weeks(today + 1); !slices.Equal(got, want) {
		t.Errorf("a day later: %v, want %v", got, want)
	}
	if got := days.Weeks(today + 4)[51]; got != 64+1+2 {
		t.Errorf("the day after the one that lay ahead: %d", got)
	}
	if kept := days.Trimmed(today + 7); len(kept) != 6 || kept[today-365] != 0 {
		t.Errorf("trimmed: %v", kept)
	}
	if len(days) != 7 {
		t.Error("trimming changed its argument")
	}
}

func TestAddContributions(t *testing.T) {
	logins, commits := []string{"ada", "bea", "cy"}, []int{5, 3, 3}
	gotLogins, gotCommits := AddContributions(logins, commits, map[string]int{"cy": 1, "eve": 1, "dan": 1})
	if !slices.Equal(gotLogins, []string{"ada", "cy", "bea", "dan", "eve"}) || !slices.Equal(gotCommits, []int{5, 4, 3, 1, 1}) {
		t.Errorf("%v %v", gotLogins, gotCommits)
	}
	if !slices.Equal(logins, []string{"ada", "bea", "cy"}) || !slices.Equal(commits, []int{5, 3, 3}) {
		t.Error("it changed its arguments")
	}
	if !SameContributions(gotLogins, gotCommits, []string{"ada", "cy", "bea", "eve", "dan"}, gotCommits) {
		t.Error("the order among equals matters")
	}
	for _, other := range [][]string{{"ada", "bea", "cy", "dan", "eve"}, {"ada", "cy", "bea", "dan"}, {"ada", "cy", "bea", "dan", "fay"}} {
		if SameContributions(gotLogins, gotCommits, other, gotCommits[:len(other)]) {
			t.Errorf("%v is taken for %v", other, gotLogins)
		}
	}
}

// TestContributionsInAnotherCase: logins that differ in case are one.
func TestContributionsInAnotherCase(t *testing.T) {
	logins, commits := AddContributions([]string{"Ada", "bea"}, []int{2, 1}, map[string]int{"ada": 1, "BEA": 1, "Bea": 1, "eve": 1})
	if !slices.Equal(logins, []string{"ada", "Bea", "eve"}) || !slices.Equal(commits, []int{3, 3, 1}) {
		t.Errorf("%v %v", logins, commits)
	}
	if !SameContributions(logins, commits, []string{"ADA", "bea", "Eve"}, commits) {
		t.Error("the case matters")
	}
}

// TestAsManyContributorsAsAreListed: a list that is cut off stays as long as it is, and who
// is at its end does not matter.
func TestAsManyContributorsAsAreListed(t *testing.T) {
	var logins []string
	var commits []int
	for i := range MaxContributors {
		logins, commits = append(logins, fmt.Sprint("user", i)), append(commits, 1)
	}
	commits[0] = 7
	gotLogins, gotCommits := AddContributions(logins, commits, map[string]int{"user400": 1, "eve": 1})
	if len(gotLogins) != MaxContributors || gotLogins[1] != "user400" || slices.Contains(gotLogins, "eve") {
		t.Errorf("%d: %v %v", len(gotLogins), gotLogins[:3], gotCommits[:3])
	}
	other := slices.Clone(gotLogins)
	if other[MaxContributors-1] = "eve"; !SameContributions(gotLogins, gotCommits, other, gotCommits) {
		t.Error("it matters who is last")
	}
	if other[1] = "fay"; SameContributions(gotLogins, gotCommits, other, gotCommits) {
		t.Error("it does not matter who is second")
	}
}

func TestWays(t *testing.T) {
	merge := Commit{Authored: Day(10).Start(), Committed: Day(12).Start(), Parents: []string{"a", "b"}}
	for way, want := range map[Way]Day{{}: 10, {CommitDate: true}: 12, {NoMerges: true}: -1, {NoMerges: true, CommitDate: true}: -1} {
		day, counts := way.Counts(&merge)
		if !counts {
			day = -1
		}
		if day != want {
			t.Errorf("%s: day %d, want %d", way, day, want)
		}
	}
	if len(Ways()) != 4 || Ways()[0] != (Way{}) {
		t.Errorf("%v", Ways())
	}
}
