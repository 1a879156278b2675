package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"

	"github.com/google/go-cmp/cmp"
)

// finder finds the same for every query.
type finder struct {
	hits  []Hit
	err   error
	state status.Search
}

func (f finder) State() status.Search { return f.state }

func (f finder) Search(_ context.Context, _ string, limit int) ([]Hit, error) {
	return f.hits[:min(limit, len(f.hits))], f.err
}

func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the year 2000: the score depends on the date
		records := few()
		p := &records.packages[0]
		p.Slug, p.Title, p.Category = "django-One_x", "Django One", 3
		p.Created, p.Modified = day(1), day(2)
		p.Repo = record.Repo{Stars: 40, Forks: 7, Description: `It "works"`, Participants: []string{"ada", "bob"}, LastCommit: new(day(-200))}
		p.Project = record.Project{Version: new("2.0"), Versions: []record.Version{{Version: "1.0", Uploaded: new(day(-9))}, {Version: "2.0", Uploaded: new(day(-5))}}, Python3: new(true)}
		records.categories[0].Title = "Apps"
		records.grids[0] = record.Grid{ID: 7, Slug: "django-grids", Title: "Django grids", Description: "of all", Created: day(3), Modified: day(4)}
		h := newHandler(t, Options{Store: records, Searcher: finder{hits: []Hit{{ID: 1}, {ID: 99}, {Grid: true, ID: 7}, {ID: 3}}}})
		w := do(h, "GET", "/api/v4/search/?q=one")
		want := `[` +
			`{"description":"It \"works\"","title":"Django One","created":"2000-01-02T00:00:00Z","modified":"2000-01-03T00:00:00Z","weight":46,` +
			`"item_type":"package","title_no_prefix":"one","slug":"django-One_x","slug_no_prefix":"one_x","clean_title":"onex","category":"Apps",` +
			`"absolute_url":"/packages/p/django-One_x/","repo_watchers":40,"repo_forks":7,"pypi_downloads":0,"score":32,"usage":0,` +
			`"participants":"ada,bob","last_committed":"1999-06-15T00:00:00Z","last_released":"1999-12-27T00:00:00Z"},` +
			`{"description":"of all","title":"Django grids","created":"2000-01-04T00:00:00Z","modified":"2000-01-05T00:00:00Z","weight":50,` +
			`"item_type":"grid","title_no_prefix":"grids","slug":"django-grids","slug_no_prefix":"grids","clean_title":"grids","category":"",` +
			`"absolute_url":"/grids/g/django-grids/","repo_watchers":0,"repo_forks":0,"pypi_downloads":0,"score":0,"usage":0,` +
			`"participants":"","last_committed":null,"last_released":null},`
		if got := w.Body.String(); w.Code != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%d (-want +got):\n%s", w.Code, cmp.Diff(want, got[:min(len(want), len(got))]))
		}
		var all []map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || len(all) != 3 || len(all[2]) != 20 {
			t.Errorf("%v: %s", err, w.Body)
		}
	})
}

// TestSearchPageSearchesOnce for what it shows in two ways.
func TestSearchPageSearchesOnce(t *testing.T) {
	for name, hits := range map[string][]Hit{"some": {{ID: 1}, {ID: 99}}, "none": nil} {
		s := &seeker{search: func(context.Context, string) ([]Hit, error) { return hits, nil }}
		h := newHandler(t, Options{Store: few(), Searcher: s})
		if w := do(h, "GET", "/api/v4/search/?q=x", "Accept", browser); w.Code != 200 || len(s.queries) != 1 {
			t.Errorf("%s: %d after the queries %q", name, w.Code, s.queries)
		}
	}
}

// TestSearchTellsItsState: an answer says whether it is all there is; so do the page
// and the status.
func TestSearchTellsItsState(t *testing.T) {
	for _, state := range []string{status.SearchCurrent, status.SearchBehind, status.SearchFailing, status.SearchUnavailable} {
		s := finder{state: status.Search{State: state, Sequence: 7}}
		if state == status.SearchUnavailable {
			s.err, s.state.LastError = ErrNotReady, "no space left on device"
		}
		h := newHandler(t, Options{Store: few(), Searcher: s})
		want, code := state, 200
		if s.err != nil {
			want, code = "", 503 // which says it all
		}
		for _, r := range [][]string{{"GET", "*/*"}, {"HEAD", "*/*"}, {"GET", "text/html"}} {
			w := do(h, r[0], "/api/v4/search/?q=x", "Accept", r[1])
			if got := w.Header().Get("Pkgmetad-Search"); w.Code != code || got != want {
				t.Errorf("%s, %q: %d, %q", state, r, w.Code, got)
			}
			note := strings.Contains(w.Body.String(), "The search index")
			if told := r[1] == "text/html" && (state == status.SearchBehind || state == status.SearchFailing); told != note {
				t.Errorf("%s, %q: the page is\n%s", state, r, w.Body)
			}
		}
		w := do(h, "GET", "/api/v4/search/?q=x")
		if again := do(h, "GET", "/api/v4/search/?q=x", "If-None-Match", w.Header().Get("ETag")); s.err == nil && (again.Code != 304 || again.Header().Get("Pkgmetad-Search") != want) {
			t.Errorf("%s: asked again, %d, %v", state, again.Code, again.Header())
		}
		if w := do(h, "GET", "/api/v4/search/"); w.Header()["Pkgmetad-Search"] != nil || w.Body.String() != "[]" {
			t.Errorf("%s: nobody asked for anything: %v, %s", state, w.Header(), w.Body)
		}
		var told status.Catalogue
		if err := json.Unmarshal(do(h, "GET", "/status/").Body.Bytes(), &told); err != nil || told.Search == nil || *told.Search != s.state {
			t.Errorf("%s: the status tells %+v, %v", state, told.Search, err)
		}
	}
	if w := do(newHandler(t, Options{Store: few()}), "GET", "/status/"); !strings.Contains(w.Body.String(), `"search":null`) {
		t.Errorf("without a search: %s", w.Body)
	}
}

func day(n int) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func TestSearchOfNothing(t *testing.T) {
	for name, s := range map[string]Searcher{"no index": nil, "no hit": finder{}} {
		h := newHandler(t, Options{Store: few(), Searcher: s})
		for _, target := range []string{"/api/v4/search/", "/api/v4/search/?q=", "/api/v4/search/?q=+%20", "/api/v4/search/?q=x", "/api/v4/search.json?q=%FF%00"} {
			if w := do(h, "GET", target); w.Code != 200 || w.Body.String() != "[]" {
				t.Errorf("%s, %s: %d %s", name, target, w.Code, w.Body)
			}
		}
	}
	var many []Hit
	for range 50 {
		many = append(many, Hit{ID: 1})
	}
	h := newHandler(t, Options{Store: few(), Searcher: finder{hits: many}})
	if got := strings.Count(do(h, "GET", "/api/v4/search/?q=x").Body.String(), "absolute_url"); got != 20 {
		t.Errorf("%d results", got)
	}
	if page := do(h, "GET", "/api/v4/search/?q=x", "Accept", "text/html").Body.String(); !strings.Contains(page, `>The best 20 results for <`) {
		t.Error("the page does not say that there may be more results")
	}
	h = newHandler(t, Options{Store: few(), Searcher: finder{hits: many[:2]}})
	if page := do(h, "GET", "/api/v4/search/?q=x", "Accept", "text/html").Body.String(); !strings.Contains(page, `>2 results for <`) {
		t.Error("the page does not say that these are all results")
	}
	h = newHandler(t, Options{Store: few(), Searcher: finder{err: errors.New("the index is damaged")}})
	if w := do(h, "GET", "/api/v4/search/?q=x"); w.Code != 500 || w.Body.String() != serverError {
		t.Errorf("a failure: %d %s", w.Code, w.Body)
	}
}
