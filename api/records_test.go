package api

import (
	"net/http/httptest"
	"testing"

	"pkgmetad/internal/render"

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
				if diff := cmp.Diff(served.Body.String(), string(render.Rendering{Zone: zone, Base: public}.Record(&rec, indent))); diff != "" {
					t.Fatalf("%s below %s, indented by %d (-served +rendered):\n%s", rec.Slug, public, indent, diff)
				}
			}
		}
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

func TestUnknownIsNull(t *testing.T) {
	h := newHandler(t, Options{Store: few()})
	const want = `{"category":null,"grids":[],"id":3,"title":"3","slug":"3","last_updated":null,"last_fetched":null,` +
		`"repo_url":null,"pypi_version":null,"created":null,"modified":null,"repo_forks":0,"repo_description":"",` +
		`"pypi_url":null,"documentation_url":null,"repo_watchers":0,"commits_over_52":[],"participants":[]}`
	if got := do(h, "GET", "/api/v4/packages/3/").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestIndent(t *testing.T) {
	h := newHandler(t, Options{Store: &fakeStore{}})
	const want = "{\n   \"count\": 0,\n   \"next\": null,\n   \"previous\": null,\n   \"results\": []\n}"
	if got := do(h, "GET", "/api/v4/packages/", "Accept", "application/json; indent=3").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
