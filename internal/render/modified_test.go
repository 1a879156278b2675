package render

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
)

// TestModified: the time is the record's, whatever its texts say.
func TestModified(t *testing.T) {
	bait := `"modified":"1999-01-01T00:00:00Z"`
	rec := record.Package{
		Entry: record.Entry{ID: 1, Slug: "modified", Title: bait, RepoURL: &bait},
		Repo:  record.Repo{Description: bait + `\`, Participants: []string{bait}},
	}
	r := Rendering{Zone: time.FixedZone("", 3600)}
	if got := Modified(r.Template()(&rec)); got != "" {
		t.Errorf("of a record without it: %q", got)
	}
	rec.Modified = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	if got := Modified(r.Template()(&rec)); got != "2026-01-02T04:04:05.000006+01:00" {
		t.Errorf("%q", got)
	}
}
