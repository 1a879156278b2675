package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

const week = 7 * 24 * time.Hour

// The chart is as wide as its container, so horizontal positions are in per cent.
// Its height is fixed, so that its text is as large as text elsewhere.
const (
	chartMarks  = 8   // px, middle of the marks of releases, above the bars
	chartTop    = 26  // px, top of the highest bar
	chartFloor  = 186 // px, bottom of the bars
	chartHeight = 220 // px, with months and years below the bars
)

// chart is the picture of commits a week, oldest first.
type chart struct {
	Weeks     []weekBar
	Total     int
	Releases  int    // weeks with releases
	Most      int    // commits in a week
	MostBegin string // first day of the first week with that many, "" if unknown
	Begin     string // first day of the first week, "" if unknown
	End       string // the day after the last week, "" if unknown
	Doubt     string // why the dates may be some days off, "" if they are exact
	Lines     []chartLine
	Months    []chartMonth
	Margin    int // px, for the numbers beside the chart
	Marks     int // px, where releases are marked
	Floor     int
	Height    int
}

type weekBar struct {
	Name    string // "week of 2026-02-16", or "week 3 of 52" if dates are unknown
	Begin   string // its first day, "" if unknown
	Commits int
	X, W    string // of the bar, in per cent
	SlotX   string // of the area that reacts to the pointer, in per cent
	SlotW   string
	Y, H    string // of the bar, in px

	Released string // the versions that were released in it, "" for none or if dates are unknown
	Middle   string // of the bar, in per cent
}

type chartLine struct {
	Y    string
	Text string
}

type chartMonth struct {
	X, Text, Year string
	Odd           bool // hidden on narrow screens
}

// newChart draws the weeks of a record; nil while they are unknown.
//
// The dates are not in the record: they follow from when GitHub was asked. The
// last week is the seven days before the UTC midnight that began the day of the
// request. So the weeks move on every day, begin on any weekday, and include no
// commit of that day itself. An answer of "not modified" dates the counts as well:
// had a commit moved to another week, the answer would have been a new one. So
// with the last success on day D, week i of n (from 0) begins at D's midnight less
// 7·(n−i) days. While GitHub computes newer counts, contradicts itself or fails in
// part, the counts may be from an earlier day than the last success; the page says so.
func newChart(rec *record.Package) *chart {
	counts := rec.Repo.Commits52
	if len(counts) == 0 {
		return nil
	}
	c := &chart{Weeks: make([]weekBar, len(counts)), Marks: chartMarks, Floor: chartFloor, Height: chartHeight}
	asked := rec.GitHub.LastSuccess
	if asked.IsZero() {
		asked = rec.LastFetched // of a record imported with its data
	}
	end := asked.UTC().Truncate(24 * time.Hour)
	begin := end.Add(-time.Duration(len(counts)) * week)
	dated := !asked.IsZero()
	most := slices.Index(counts, slices.Max(counts))
	c.Most = max(counts[most], 0)
	steps := ticks(c.Most)
	highest := steps[len(steps)-1]
	slot := 100 / float64(len(counts))
	for i, n := range counts {
		n = max(n, 0)
		height := float64(chartFloor-chartTop) * float64(n) / float64(highest)
		w := weekBar{
			Name: fmt.Sprintf("week %d of %d", i+1, len(counts)), Commits: n,
			SlotX: percent(slot * float64(i)), SlotW: percent(slot),
			X: percent(slot * (float64(i) + 0.12)), W: percent(slot * 0.76), Middle: percent(slot * (float64(i) + 0.5)),
			Y: px(chartFloor - height), H: px(height),
		}
		if dated {
			w.Begin = begin.Add(time.Duration(i) * week).Format(time.DateOnly)
			w.Name = "week of " + w.Begin
		}
		c.Weeks[i] = w
		c.Total += n
	}
	for _, n := range steps {
		c.Lines = append(c.Lines, chartLine{px(chartFloor - float64(chartFloor-chartTop)*float64(n)/float64(highest)), number(n)})
	}
	c.Margin = 10 + 8*len(number(highest))
	if !dated {
		return c
	}
	c.Begin, c.End, c.MostBegin = c.Weeks[0].Begin, end.Format(time.DateOnly), c.Weeks[most].Begin
	c.Months = months(begin, end)
	c.markReleases(rec.Project.Versions, begin)
	switch {
	case rec.GitHub.State == record.StatePending:
		c.Doubt = "GitHub's last answer left something open, so these counts may be from an earlier one, and the weeks may have begun some days earlier."
	case rec.GitHub.State.Fetchable() && rec.GitHub.Failures > 0 && rec.GitHub.LastAttempt.After(rec.GitHub.LastSuccess):
		c.Doubt = "The last request to GitHub failed; the weeks are those before the last success."
	}
	return c
}

// namedReleases is how many versions of a week are named; more are only counted.
const namedReleases = 4

// markReleases notes the versions that were uploaded in each week, oldest first.
func (c *chart) markReleases(versions []record.Version, begin time.Time) {
	released := make([][]record.Version, len(c.Weeks))
	for _, v := range versions {
		if v.Uploaded == nil || v.Uploaded.Before(begin) {
			continue
		}
		if i := int(v.Uploaded.Sub(begin) / week); i < len(released) {
			released[i] = append(released[i], v)
		}
	}
	for i, all := range released {
		if len(all) == 0 {
			continue
		}
		slices.SortStableFunc(all, func(a, b record.Version) int { return a.Uploaded.Compare(*b.Uploaded) })
		names := make([]string, min(len(all), namedReleases))
		for j := range names {
			names[j] = all[j].Version
			if all[j].Yanked {
				names[j] += " (yanked)"
			}
		}
		if more := len(all) - len(names); more > 0 {
			names = append(names, number(more)+" more")
		}
		c.Weeks[i].Released = strings.Join(names, ", ")
		c.Releases++
	}
}

// ticks returns two to five round numbers from 0 up to at least most, in equal
// steps of 1, 2 or 5 times a power of ten.
func ticks(most int) []int {
	step := 1
	for i := 0; step < (most-1)/4+1; i++ {
		if i%3 == 1 {
			step = step / 2 * 5
		} else {
			step *= 2
		}
	}
	all := []int{0, step}
	for all[len(all)-1] < most && len(all) < 5 {
		all = append(all, step*len(all))
	}
	return all
}

// months returns the months that begin between two days, with their positions.
func months(begin, end time.Time) (all []chartMonth) {
	total := end.Sub(begin).Hours()
	first := time.Date(begin.Year(), begin.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	for m := first; m.Before(end); m = m.AddDate(0, 1, 0) {
		at := 100 * m.Sub(begin).Hours() / total
		if at > 96 {
			break // its name would not fit
		}
		month := chartMonth{X: percent(at), Text: m.Format("Jan"), Odd: len(all)%2 == 1}
		if len(all) == 0 || m.Month() == time.January {
			month.Year = m.Format("2006")
		}
		all = append(all, month)
	}
	return all
}

func px(y float64) string { return strconv.FormatFloat(y, 'f', 2, 64) }

// spark is the small picture of the weeks in a list: 52 by 16 units.
type spark struct {
	Path  string // of the area under the counts
	Total int
	Weeks int
}

// newSpark returns nil where the counts are unknown.
func newSpark(counts []int) *spark {
	if len(counts) == 0 {
		return nil
	}
	s := &spark{Weeks: len(counts)}
	highest := max(slices.Max(counts), 1)
	width := 52 / float64(len(counts))
	var path strings.Builder
	for i, n := range counts {
		if n <= 0 {
			continue
		}
		s.Total += n
		height := max(1, 16*float64(n)/float64(highest)) // one commit stays visible beside a thousand
		fmt.Fprintf(&path, "M%.2f 16v-%.2fh%.2fv%.2fz", float64(i)*width, height, width*0.8, height)
	}
	s.Path = path.String()
	return s
}
