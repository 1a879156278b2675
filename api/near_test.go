package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// seeker finds by the query, and keeps the queries that it was asked.
type seeker struct {
	mu      sync.Mutex
	queries []string
	search  func(ctx context.Context, query string) ([]Hit, error)
}

func (s *seeker) State() status.Search { return status.Search{State: status.SearchCurrent} }

func (s *seeker) Search(ctx context.Context, query string, _ int) ([]Hit, error) {
	s.mu.Lock()
	s.queries = append(s.queries, query)
	s.mu.Unlock()
	return s.search(ctx, query)
}

// nearLink matches a link of the list of pages that may have been meant.
var nearLink = regexp.MustCompile(`<li><a href="([^"]*)"><bdi>([^<]*)</bdi></a></li>`)

// named returns the pages that a page names as those that may have been meant.
func named(page string) (links []string) {
	_, list, _ := strings.Cut(page, `<section class="near"`)
	for _, m := range nearLink.FindAllStringSubmatch(list, -1) {
		links = append(links, m[2]+" "+m[1])
	}
	return links
}

// TestNear: a page that is not there names those that may have been meant, the closest
// first; to programs the answer is what it always was.
func TestNear(t *testing.T) {
	records := &fakeStore{}
	for i, slug := range []string{"django-crispy-forms", "crispy-forms-gds", "django-filter", `django-<b>`} {
		records.packages = append(records.packages, record.Package{Entry: record.Entry{ID: i + 1, Slug: slug, Title: slug}})
	}
	records.grids = []record.Grid{{ID: 7, Slug: "forms"}, {ID: 8, Slug: "rest-apis"}}
	records.categories = []record.Category{{ID: 3, Slug: "apps"}, {ID: 4, Slug: "frameworks"}}
	finds := map[string][]Hit{
		"django-crispy-form":      {{ID: 2}, {Grid: true, ID: 1}, {ID: 1}, {ID: 99}},
		"crispy":                  {{ID: 1}, {ID: 2}},
		"crispy forms":            {{ID: 1}, {ID: 2}},
		"<b>":                     {{ID: 4}},
		"something-else-entirely": {{ID: 3}},
	}
	const p, g, c = "/meta/api/v4/packages/", "/meta/api/v4/grids/", "/meta/api/v4/categories/"
	for _, test := range []struct {
		path    string
		want    []string
		queries []string
	}{
		{"/api/v4/packages/django-crispy-form/", []string{"django-crispy-forms " + p + "1/", "crispy-forms-gds " + p + "2/"}, []string{"django-crispy-form"}},
		{"/api/v4/packages/django-crispy-forms-plus/", []string{"crispy-forms-gds " + p + "2/", "django-crispy-forms " + p + "1/"}, []string{"django-crispy-forms-plus", "crispy forms"}},
		{"/api/v4/packages/my-crispy-forms/", []string{"django-crispy-forms " + p + "1/"}, []string{"my-crispy-forms", "my crispy", "crispy forms"}},
		{"/status/packages/django-crispy-form/", []string{"django-crispy-forms " + p + "1/", "crispy-forms-gds " + p + "2/"}, []string{"django-crispy-form"}},
		{"/api/v4/packages/%3Cb%3E/", []string{"django-&lt;b&gt; " + p + "4/"}, []string{"<b>"}},
		{"/api/v4/packages/something-else-entirely/", nil, []string{"something-else-entirely", "something else", "else entirely"}}, // what is found is too far off
		{"/api/v4/packages/xyzzy/", nil, []string{"xyzzy"}},
		{"/api/v4/packages/4711/", nil, nil},
		{"/no/such/page", nil, nil},
		{"/api/v4/grids/form/", []string{"forms " + g + "7/"}, nil},
		{"/api/v4/grids/REST-api/", []string{"rest-apis " + g + "8/"}, nil},
		{"/api/v4/grids/4711/", nil, nil},
		{"/api/v4/categories/apps/", []string{"apps " + c + "3/"}, nil},
		{"/api/v4/categories/framework/", []string{"frameworks " + c + "4/"}, nil},
		{"/api/v4/categories/xyzzy/", nil, nil},
	} {
		s := &seeker{search: func(_ context.Context, q string) ([]Hit, error) { return finds[q], nil }}
		h := newHandler(t, Options{Store: records, Searcher: s, PublicURL: "https://example.org/meta"})
		w := do(h, "GET", test.path, "Accept", browser)
		if got := named(w.Body.String()); w.Code != 404 || !slices.Equal(got, test.want) || !slices.Equal(s.queries, test.queries) {
			t.Errorf("%s: %d, names %q, searched for %q; want %q and %q", test.path, w.Code, got, s.queries, test.want, test.queries)
		}
		s.queries = nil
		if w := do(h, "GET", test.path, "Accept", "application/json"); w.Code != 404 || !regexp.MustCompile(`^\{"detail":"[^"]*"\}$`).MatchString(w.Body.String()) || s.queries != nil {
			t.Errorf("%s: programs get %d %s, searched for %q", test.path, w.Code, w.Body, s.queries)
		}
	}
}

// TestNearWithoutASearch: where there is none, or it fails, the page is there without.
func TestNearWithoutASearch(t *testing.T) {
	for name, s := range map[string]Searcher{
		"none": nil, "not ready": finder{err: fmt.Errorf("closed: %w", ErrNotReady)}, "failing": finder{err: errors.New("the index is damaged")},
	} {
		w := do(newHandler(t, Options{Store: few(), Searcher: s}), "GET", "/api/v4/packages/ones/", "Accept", browser)
		if w.Code != 404 || named(w.Body.String()) != nil {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestNearIsCheap: a search for similar names ends soon, and takes the place of nobody who
// searches.
func TestNearIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &seeker{search: func(ctx context.Context, _ string) ([]Hit, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		h := newHandler(t, Options{Store: few(), Searcher: s})
		if w := do(h, "GET", "/api/v4/packages/ones/", "Accept", browser); w.Code != 404 || len(s.queries) != 1 {
			t.Errorf("a search that does not end: %d, %q", w.Code, s.queries)
		}

		ended := make(chan struct{})
		s.search = func(context.Context, string) ([]Hit, error) {
			<-ended
			return []Hit{{ID: 1}}, nil
		}
		s.queries = nil
		busy := runtime.GOMAXPROCS(0)
		var searches sync.WaitGroup
		for range busy {
			searches.Go(func() { do(h, "GET", "/api/v4/search/?q=one") })
		}
		synctest.Wait()
		if w := do(h, "GET", "/api/v4/packages/ones/", "Accept", browser); w.Code != 404 || named(w.Body.String()) != nil || len(s.queries) != busy {
			t.Errorf("while others search: %d, %q", w.Code, s.queries)
		}
		close(ended)
		searches.Wait()

		ended, s.queries = make(chan struct{}), nil
		searches.Go(func() { do(h, "GET", "/api/v4/packages/ones/", "Accept", browser) })
		synctest.Wait()
		if w := do(h, "GET", "/api/v4/packages/two/", "Accept", browser); w.Code != 404 || !slices.Equal(s.queries, []string{"ones"}) {
			t.Errorf("while another page seeks: %d, %q", w.Code, s.queries)
		}
		close(ended)
		searches.Wait()
		if w := do(h, "GET", "/api/v4/packages/ones/", "Accept", browser); !slices.Equal(named(w.Body.String()), []string{"one /api/v4/packages/1/"}) {
			t.Errorf("afterwards: %s", w.Body)
		}
	})
}
