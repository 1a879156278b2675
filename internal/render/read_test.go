package render

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/internal/record"
)

// readBack returns p as ReadTemplate reads it from its template in a zone.
func readBack(t *testing.T, p *record.Package, zone *time.Location) record.Package {
	t.Helper()
	template := string(Rendering{Zone: zone}.Template()(p))
	got, err := ReadTemplate(template)
	if err != nil {
		t.Fatalf("%q: %v", template, err)
	}
	return got
}

// TestReadTemplate: a template tells everything that it serves.
func TestReadTemplate(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin") // east by 53 minutes and 28 seconds until 1893
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	lastYear := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) // 10000 in Berlin
	plain := record.Package{
		Entry: record.Entry{
			ID: 7, Slug: "plain", Title: "Plain", Category: 1, Grids: []int{3, 9}, Created: at.AddDate(-150, 0, 0),
			RepoURL: new("https://github.com/o/plain"), PyPIURL: new(""), DocumentationURL: new("d"),
		},
		Repo:    record.Repo{Stars: 5, Forks: 6, Description: "d", Participants: []string{"a", "b"}, Commits52: []int{0, 2}, LastCommit: &at},
		Project: record.Project{Version: new("1.2")}, Modified: at, LastFetched: lastYear,
	}
	hostile := record.Package{Entry: record.Entry{ID: 1, Slug: "x", Title: "\x00 \u2028 \\\" \"/api/v4/\",\"id\":", Category: 3, Grids: []int{2}}}
	hostile.Repo.Description, hostile.Repo.Participants = `\`, []string{"\x00", "", "é😀"}
	hostile.Repo.Stars = -1
	for _, p := range []record.Package{{}, plain, hostile} {
		for _, zone := range []*time.Location{time.UTC, berlin, time.FixedZone("", -5*3600)} {
			if diff := cmp.Diff(p, readBack(t, &p, zone), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("in %s (-want +got):\n%s", zone, diff)
			}
		}
	}
}

// TestReadTemplateOfSomethingElse: whatever is not a template is refused.
func TestReadTemplateOfSomethingElse(t *testing.T) {
	p := record.Package{Entry: record.Entry{ID: 7, Category: 1, Grids: []int{3, 9}, Created: time.Unix(1e9, 0)}}
	template := string(Rendering{}.Template()(&p))
	for end := range template {
		if _, err := ReadTemplate(template[:end]); !errors.Is(err, ErrTemplate) {
			t.Errorf("%q is read: %v", template[:end], err)
		}
	}
	for _, other := range []string{template + " ", "null", string(Rendering{}.Record(&p, 0))} {
		if _, err := ReadTemplate(other); !errors.Is(err, ErrTemplate) {
			t.Errorf("%q is read: %v", other, err)
		}
	}
}

// FuzzReadTemplate: whatever a record holds, API v3 says the same of its template; and no bytes
// make the reading fail otherwise than by an error.
func FuzzReadTemplate(f *testing.F) {
	f.Add("plain", "a\\", "\xff\"\u2028", 7, int64(1e15), -18000)
	f.Add("\x00", "{", "", -1, int64(-3e15), 3208)
	f.Fuzz(func(t *testing.T, title, description, login string, n int, micros int64, offset int) {
		ReadTemplate(title)
		at := time.UnixMicro(micros).UTC()
		if y := at.Year(); y < 1 || y > 9998 || at.IsZero() {
			t.Skip("no year that records have")
		}
		p := record.Package{
			Entry:   record.Entry{ID: n, Slug: title, Title: title, Category: n, Grids: []int{n}, RepoURL: &description, Created: at},
			Repo:    record.Repo{Stars: n, Description: description, Participants: []string{login, title}, Commits52: []int{n, 0}},
			Project: record.Project{Version: &login}, Modified: at.Truncate(time.Second), LastFetched: at,
		}
		got := readBack(t, &p, time.FixedZone("", offset%86400))
		var want, said Encoder
		want.ResetPython()
		said.ResetPython()
		V3{}.Package(&want, &p, "c", []string{"g"})
		V3{}.Package(&said, &got, "c", []string{"g"})
		if diff := cmp.Diff(string(want.Bytes()), string(said.Bytes())); diff != "" {
			t.Errorf("(-of the record +of its template):\n%s", diff)
		}
	})
}
