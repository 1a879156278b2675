package web

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// TestProjectStatus: the pages of a package say what PyPI says of the project; its own
// page only where that is out of the ordinary.
func TestProjectStatus(t *testing.T) {
	rec := crispy()
	for _, tt := range []struct {
		standing       record.Standing
		page, onStatus string
	}{
		{record.Standing{}, "", ""},
		{record.Standing{Status: record.ProjectActive, Asked: rec.Modified}, "", `<dt>Project</dt><dd><bdi class="text">active</bdi>, `},
		{record.Standing{Status: record.ProjectArchived, Reason: "see <x>", Asked: rec.Modified},
			`<b class="tag"><bdi>archived on PyPI</bdi></b> <span>The project&#39;s owners expect no further releases. The reason given: <q dir="auto">see &lt;x&gt;</q></span>`,
			`<dt>Project</dt><dd><bdi class="text">archived</bdi>: <bdi class="text">see &lt;x&gt;</bdi>, `},
	} {
		rec.Project.Standing = tt.standing
		clock := Clock{Now: rec.LastFetched, Zone: time.UTC}
		var page, state bytes.Buffer
		if err := Package(&page, Frame{}, PackagePage{Clock: clock, Record: rec}); err != nil {
			t.Fatal(err)
		}
		if err := PackageStatus(&state, Frame{}, PackageStatusPage{Clock: clock, Package: status.New(status.Options{}).Package(&rec)}); err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct{ text, want, name string }{{page.String(), tt.page, `class="notices"`}, {state.String(), tt.onStatus, "<dt>Project</dt>"}} {
			if !strings.Contains(x.text, x.want) || (x.want == "") == strings.Contains(x.text, x.name) {
				t.Errorf("%+v: %q is missing in, or %s should not be in\n%s", tt.standing, x.want, x.name, x.text)
			}
		}
	}
}
