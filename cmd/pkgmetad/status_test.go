package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// TestDoing: a pass that runs, and that the schedule is paused, do not hide each other.
func TestDoing(t *testing.T) {
	now := time.Date(2026, 2, 16, 13, 45, 0, 0, time.UTC)
	const ago, ahead = "2026-02-16T13:00:00Z (45 minutes ago)", "2026-02-16T14:00:00Z (in 15 minutes)"
	since, tick := now.Add(-45*time.Minute), now.Add(15*time.Minute)
	for want, s := range map[string]status.Catalogue{
		"idle; the next pass is due " + ahead:                                                                       {NextTick: tick},
		"a pass has been running since " + ago + "; the next pass is due " + ahead:                                  {NextTick: tick, RunningSince: since},
		"idle; paused since " + ago + ", so no further one begins on schedule":                                      {NextTick: tick, PausedSince: since},
		"a pass has been running since " + ago + "; paused since " + ago + ", so no further one begins on schedule": {NextTick: tick, RunningSince: since, PausedSince: since},
	} {
		if got := doing(&s, now); got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
}

// TestReportOfFailures: it lists some of what fails, with the reason, and says how many
// more there are.
func TestReportOfFailures(t *testing.T) {
	now := time.Date(2026, 2, 16, 13, 45, 0, 0, time.UTC)
	r := daemon.Report{Listen: "127.0.0.1:8080", Status: status.Catalogue{FailingTotal: 300}}
	for i := range 200 {
		r.Status.Failing = append(r.Status.Failing, status.Failing{
			Slug: fmt.Sprint("p", i), Source: "pypi", State: record.StateFailed, Since: now.Add(-time.Hour), LastError: "HTTP 503",
		})
	}
	var out strings.Builder
	if err := printReport(&out, &r, now); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "300 sources fail\n") || !strings.Contains(text, "p4, pypi: failed since 2026-02-16T12:45:00Z (1 hour ago): HTTP 503\n") ||
		strings.Contains(text, "p5,") || !strings.Contains(text, "and 295 more: see http://127.0.0.1:8080/status/\n") {
		t.Errorf("it says:\n%s", text)
	}
}
