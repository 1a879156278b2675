package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
)

// TestRecordOfNothing: what is unknown is null or empty, and nothing that
// Record is given makes it fail.
func TestRecordOfNothing(t *testing.T) {
	const want = `{"category":null,"grids":[],"id":0,"title":"","slug":"","last_updated":null,"last_fetched":null,` +
		`"repo_url":null,"pypi_version":null,"created":null,"modified":null,"repo_forks":0,"repo_description":"",` +
		`"pypi_url":null,"documentation_url":null,"repo_watchers":0,"commits_over_52":[],"participants":[]}`
	if diff := cmp.Diff(want, string(Rendering{}.Record(&record.Package{}, -1))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Listening on every address gives no host, as in "http.listen: :8080".
	empty := ""
	rec := record.Package{
		Entry:    record.Entry{ID: 7, Category: 2, Grids: []int{5}, RepoURL: &empty},
		Modified: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)),
	}
	var got struct {
		Category string
		Grids    []string
		RepoURL  *string `json:"repo_url"`
		Modified string
	}
	if err := json.Unmarshal(Rendering{Base: "http://:8080"}.Record(&rec, 2), &got); err != nil {
		t.Fatal(err)
	}
	if got.Category != "http://:8080/api/v4/categories/2/" || len(got.Grids) != 1 || got.Grids[0] != "http://:8080/api/v4/grids/5/" {
		t.Errorf("links %s %s", got.Category, got.Grids)
	}
	if got.RepoURL == nil || *got.RepoURL != "" {
		t.Error("an empty URL is served as null")
	}
	if got.Modified != "2026-01-02T02:04:05.000006Z" {
		t.Errorf("without a zone the time is %s", got.Modified)
	}
}

// TestTemplate: a template, completed, is what rendering for that request would
// give, in every form of it.
func TestTemplate(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	version, commit := "1.2", time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	plain := record.Package{
		Entry:   record.Entry{ID: 7, Slug: "plain", Title: "Plain", Category: 1, Grids: []int{3, 9}, Created: commit},
		Repo:    record.Repo{Stars: 5, Participants: []string{"a", "b"}, Commits52: []int{0, 2}, LastCommit: &commit},
		Project: record.Project{Version: &version},
	}
	hostile := record.Package{Entry: record.Entry{ID: 1, Slug: "x", Title: "\x00 \u2028 \"/api/v4/\"", Category: 3, Grids: []int{2, 1}}}
	hostile.Repo.Description, hostile.Repo.Participants = "\x00\x00a", []string{"\x00"}
	for _, rec := range []record.Package{{}, plain, hostile} {
		template := Rendering{Zone: zone}.Template()(&rec)
		for _, links := range []Links{{"http://h", "/"}, {"https://h/meta", ".json?format=%22"}, {}} {
			for indent := range 9 {
				var direct, kept Encoder
				direct.Reset(indent)
				direct.Open('[')
				direct.Item()
				direct.record(links, &rec, zone)
				direct.Close(']')
				kept.Reset(indent)
				kept.Open('[')
				kept.Item()
				kept.Template(template, links)
				kept.Close(']')
				if !bytes.Equal(direct.Bytes(), kept.Bytes()) {
					t.Fatalf("%s, indented by %d:\n%s\n%s", rec.Slug, indent, direct.Bytes(), kept.Bytes())
				}
			}
		}
	}
}

// TestName: the name tells everything that the bytes depend on, and can be read
// back; that of schema 2 becomes the same name.
func TestName(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rendering Rendering
		name      string
	}{
		{Rendering{berlin, "https://host"}, "v1 Europe/Berlin https://host"},
		{Rendering{nil, "https://host/prefix/"}, "v1 UTC https://host/prefix"},
		{Rendering{time.UTC, "http://localhost:8080"}, "v1 UTC http://localhost:8080"},
		{Rendering{}, "v1 UTC "},
	} {
		if got := test.rendering.Name(); got != test.name {
			t.Errorf("the name is %q, want %q", got, test.name)
		}
		if r, err := Parse(test.name); err != nil || r.Name() != test.name {
			t.Errorf("%q was read as %+v, %v", test.name, r, err)
		}
	}
	for _, name := range []string{"", "v1", "v1 UTC", "1 UTC 1000 https://host", "v2 UTC https://host", "v1 Nowhere/Else https://host"} {
		if r, err := Parse(name); err == nil || name != "" && !strings.Contains(err.Error(), name) {
			t.Errorf("%q was read as %+v, %v", name, r, err)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add([]byte("a\x00b\x00c"), "base", "tail")
	f.Add([]byte("\x00"), "", "\x00")
	f.Fuzz(func(t *testing.T, template []byte, base, tail string) {
		got := Fill([]byte("before"), template, Links{base, tail})
		want := "before"
		for i, part := range strings.Split(string(template), markText) {
			if i%2 == 1 {
				want += base
			} else if i > 0 {
				want += tail
			}
			want += part
		}
		if string(got) != want {
			t.Errorf("%q became %q, want %q", template, got, want)
		}
	})
}
