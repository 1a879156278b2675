package web

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// TestPendingInWords: what is said of a source whose answer left something open holds
// for PyPI too, and whatever it was. The note of the source has the reason.
func TestPendingInWords(t *testing.T) {
	p := crispy()
	p.PyPI = record.Status{State: record.StatePending, LastSuccess: p.PyPI.LastSuccess, Note: "PyPI gave an older answer than before"}
	p.GitHub = record.Status{State: record.StatePending, LastSuccess: p.GitHub.LastSuccess, Note: "the contributors contradict the commits"}
	words := newChart(&p).Doubt
	for _, s := range sources(&p) {
		words += " " + (templateData{}).Standing(s.Status).Words
	}
	if strings.Contains(words, "weekly") || strings.Contains(words, "computing") || strings.Count(words, "to be asked again soon") != 2 {
		t.Errorf("it says: %s", words)
	}
}

// TestStanding: the pages of a package say where each source stands, with the age that
// belongs to that, and of one that has never answered that there is nothing of it.
func TestStanding(t *testing.T) {
	for name, test := range map[string]struct {
		s          record.Status
		want, lack string
	}{
		"ok":     {record.Status{State: record.StateOK, LastAttempt: ago(3 * time.Minute), LastSuccess: ago(3 * time.Minute)}, `>up to date, <time datetime="2026-02-16T14:42:10&#43;01:00" title="2026-02-16 14:42:10 CET">3 minutes ago</time>`, "Last answer"},
		"failed": {record.Status{State: record.StateFailed, LastAttempt: ago(3 * time.Minute), LastSuccess: ago(25 * time.Hour), Failures: 2}, `>last attempt failed, <time`, "never answered"},
		"gone":   {record.Status{State: record.StateGone, LastAttempt: ago(3 * time.Minute), Failures: 2}, `>not found, nothing fetched so far</span>`, "never answered"},
		"taken":  {record.Status{State: record.StateBlocked, LastAttempt: ago(3 * time.Minute), Failures: 2}, `>taken down, nothing fetched so far</span>`, "never answered"},
		"went":   {record.Status{State: record.StateGone, LastAttempt: ago(3 * time.Minute), LastSuccess: ago(25 * time.Hour), Failures: 2}, `>not found any more</span>`, "never answered"},
		"none":   {record.Status{State: record.StateNone}, `>none given</span>`, "never answered"},
	} {
		rec := record.Package{GitHub: test.s, PyPI: test.s}
		var page, state bytes.Buffer
		if err := Package(&page, Frame{}, PackagePage{Clock: clock, Record: rec}); err != nil {
			t.Fatal(err)
		}
		if err := PackageStatus(&state, Frame{}, PackageStatusPage{Clock: clock, Package: status.New(status.Options{Zone: berlin}).Package(&rec)}); err != nil {
			t.Fatal(err)
		}
		for which, text := range map[string]string{"page": page.String(), "status page": state.String()} {
			if strings.Count(text, test.want) != 2 {
				t.Errorf("%s: the %s does not say twice %s", name, which, test.want)
			}
		}
		if asked := strings.Contains(page.String(), "<p>Last asked <time"); asked != (name == "gone" || name == "taken") {
			t.Errorf("%s: the page says when the source was last asked: %v", name, asked)
		}
		if strings.Contains(page.String(), test.lack) {
			t.Errorf("%s: the page says %q", name, test.lack)
		}
	}
}
