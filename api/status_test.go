package api

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/status"
	"pkgmetad/store"
)

func TestStatus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: render.Rendering{}.Name()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var c record.Catalogue
		for _, slug := range []string{"fine", "failing", "gone", "new"} {
			c.Packages = append(c.Packages, record.Entry{Slug: slug, Title: "T " + slug, RepoURL: new("https://github.com/x/" + slug), PyPIURL: &slug})
		}
		if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
			t.Fatal(err)
		}
		start := time.Now().UTC()
		source := func(state record.State, failures int, problem string) record.Status {
			src := record.Status{State: state, LastAttempt: start, LastSuccess: start.Add(-3 * time.Hour), NextDue: start.Add(time.Hour), Failures: failures, LastError: problem}
			if failures > 0 {
				src.FailingSince = start.Add(-2 * time.Hour)
			}
			return src
		}
		var recs []record.Source
		for slug, gitHub := range map[string]record.Status{
			"fine": source(record.StateOK, 0, ""), "failing": source(record.StateFailed, 3, "GET x: 502"), "gone": source(record.StateGone, 1, "404"),
		} {
			rec, err := s.PackageBySlug(slug)
			if err != nil {
				t.Fatal(err)
			}
			rec.GitHub, rec.PyPI = gitHub, source(record.StateOK, 0, "")
			recs = append(recs, rec.Sources()...)
		}
		if err := s.Put(recs); err != nil {
			t.Fatal(err)
		}
		for _, ago := range []time.Duration{30 * time.Hour, time.Hour} {
			pass := record.Pass{Started: start.Add(-ago), Tally: record.Tally{Asked: 4}, DurationSeconds: 1.5}
			if err := s.LogPass(pass, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		h := newHandler(t, Options{Store: s, Location: time.FixedZone("", 3600), Activity: func() status.Activity {
			return status.Activity{NextTick: start.Add(time.Minute), Budgets: []status.Budget{{Name: "GitHub", Known: true, Limit: 5000, Remaining: 12}}}
		}})

		var got status.Catalogue
		w := do(h, "GET", "/status/")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if got.Packages != 4 || got.GitHub.Never != 1 || got.GitHub.Ages[1].Packages != 2 || got.PyPI.Ages[1].Packages != 3 {
			t.Errorf("the ages are %+v and %+v of %d", got.GitHub, got.PyPI, got.Packages)
		}
		if len(got.Failing) != 2 || got.FailingTotal != 2 || got.Failing[0].Slug != "failing" || got.Failing[0].LastError != "GET x: 502" ||
			!got.Failing[0].Since.Equal(start.Add(-2*time.Hour)) || got.Failing[0].Source != "github" || got.Failing[1].State != record.StateGone {
			t.Errorf("failing are %+v", got.Failing)
		}
		if len(got.Passes) != 1 || got.Passes[0].Asked != 4 || !got.NextTick.Equal(start.Add(time.Minute)) || got.Budgets[0].Remaining != 12 {
			t.Errorf("passes %+v, next %v, budgets %+v", got.Passes, got.NextTick, got.Budgets)
		}
		if w.Header().Get("Last-Modified") != "" || !strings.Contains(w.Body.String(), `+01:00"`) {
			t.Errorf("%v\n%s", w.Header(), w.Body)
		}

		w = do(h, "GET", "/status/packages/failing/")
		var state status.Package
		if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if state.GitHub.Failures != 3 || state.GitHub.LastError != "GET x: 502" || !state.GitHub.NextDue.Equal(start.Add(time.Hour)) ||
			!state.GitHub.FailingSince.Equal(start.Add(-2*time.Hour)) || state.PyPI.State != record.StateOK || !state.PyPI.FailingSince.IsZero() {
			t.Errorf("%+v", state)
		}
		if w := do(h, "GET", "/status/packages/nobody/"); w.Code != 404 {
			t.Errorf("nobody: %d", w.Code)
		}
		// The count of all packages is not made anew for each request.
		if _, err := s.SyncCatalogue(record.Catalogue{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if w := do(h, "GET", "/status/"); !strings.Contains(w.Body.String(), `"packages":4,`) {
			t.Errorf("the count was not cached: %s", w.Body)
		}
		time.Sleep(2 * time.Second)
		if w := do(h, "GET", "/status/"); !strings.Contains(w.Body.String(), `"packages":0,`) {
			t.Errorf("the cached count did not expire: %s", w.Body)
		}
	})
}
