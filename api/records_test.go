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

// TestReadsAreTold: each answer that shows one package is told, and nothing else.
func TestReadsAreTold(t *testing.T) {
	records, zone := documented(t)
	var read []int
	h := newHandler(t, Options{Store: records, Location: zone, Read: func(id int) { read = append(read, id) }})
	tag := do(h, "GET", "/api/v4/packages/1609/").Header().Get("ETag")
	do(h, "GET", "/api/v4/packages/1609.json")
	do(h, "GET", "/api/v4/packages/djorm-ext-pgfulltext/", "Accept", "text/html")
	do(h, "GET", "/api/v4/packages/1609/", "If-None-Match", tag)
	if diff := cmp.Diff([]int{1609, 1609, 1609, 1609}, read); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	read = nil
	for _, target := range []string{"/api/v4/packages/", "/api/v4/packages/nothing/", "/api/v4/packages/1609", "/api/v4/search/?q=django", "/status/packages/djorm-ext-pgfulltext/"} {
		do(h, "GET", target)
	}
	do(h, "OPTIONS", "/api/v4/packages/1609/")
	if read != nil {
		t.Errorf("told of %v", read)
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
