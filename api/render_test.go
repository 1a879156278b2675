package api

import (
	"encoding/json"
	"net/http/httptest"
	"pkgmetad/internal/record"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRecord: a record by itself is what the API answers with.
func TestRecord(t *testing.T) {
	records, zone := documented(t)
	for _, public := range []string{"https://pkg.example.org", "http://h:80/meta/", `https://h/"ü\`} {
		h := newHandler(t, Options{Store: records, Location: zone, PublicURL: public})
		for _, rec := range records.packages {
			for accept, indent := range map[string]int{"application/json": 0, "application/json; indent=4": 4} {
				served := do(h, "GET", "/api/v4/packages/"+rec.Slug+"/", "Accept", accept)
				if diff := cmp.Diff(served.Body.String(), string(Record(rec, public, zone, indent))); diff != "" {
					t.Fatalf("%s below %s, indented by %d (-served +Record):\n%s", rec.Slug, public, indent, diff)
				}
			}
		}
	}
}

// TestRecordOfNothing: what is unknown is null or empty, and nothing that
// Record is given makes it fail.
func TestRecordOfNothing(t *testing.T) {
	const want = `{"category":null,"grids":[],"id":0,"title":"","slug":"","last_updated":null,"last_fetched":null,` +
		`"repo_url":null,"pypi_version":null,"created":null,"modified":null,"repo_forks":0,"repo_description":"",` +
		`"pypi_url":null,"documentation_url":null,"repo_watchers":0,"commits_over_52":[],"participants":[]}`
	if diff := cmp.Diff(want, string(Record(record.Package{}, "", nil, -1))); diff != "" {
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
	if err := json.Unmarshal(Record(rec, "http://:8080", nil, 2), &got); err != nil {
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

// TestConcurrentAnswers: answers that are written at once, with buffers that
// are used again, do not mix.
func TestConcurrentAnswers(t *testing.T) {
	h := handler(t)
	targets := []string{"/api/v4/packages/?limit=3", "/api/v4/packages/1609/", "/api/v4/grids/", "/api/v4/nothing/"}
	want := map[string]string{}
	for _, target := range targets {
		want[target] = do(h, "GET", target).Body.String()
	}
	done := make(chan *httptest.ResponseRecorder)
	for _, target := range targets {
		for range 4 {
			go func() {
				var w *httptest.ResponseRecorder
				for range 25 {
					if w = do(h, "GET", target); w.Body.String() != want[target] {
						break
					}
				}
				w.Header().Set("X-Target", target)
				done <- w
			}()
		}
	}
	for range 4 * len(targets) {
		w := <-done
		if target := w.Header().Get("X-Target"); w.Body.String() != want[target] {
			t.Errorf("%s: got %s", target, w.Body)
		}
	}
}
