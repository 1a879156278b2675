package api

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
)

// compared is a store of packages that differ in all that lists sort and filter by.
func compared() *fakeStore {
	now := time.Now()
	ago := func(days int) *time.Time { return new(now.AddDate(0, 0, -days)) }
	ok := record.Status{State: record.StateOK, LastSuccess: now}
	return &fakeStore{
		grids:      []record.Grid{{ID: 7, Slug: "seven", Title: "Seven"}, {ID: 8, Slug: "none"}},
		categories: []record.Category{{ID: 3, Slug: "apps", Title: "App"}, {ID: 4, Slug: "empty", Title: "Empty"}},
		packages: []record.Package{
			{
				Entry:  record.Entry{ID: 1, Slug: "anna", Title: "anna", Category: 3, Grids: []int{7}},
				GitHub: ok, Repo: record.Repo{Stars: 100, Forks: 1, Participants: []string{"x"}, Commits52: []int{1}, LastCommit: ago(500)},
				Project: record.Project{Version: new("1.10"), Versions: []record.Version{{Version: "1.10", Uploaded: ago(50)}}, Status: 5, Licence: "MIT", Python3: new(true),
					Support: &record.Support{Python: []string{"3", "3.10", "3.13"}, Django: []string{"4", "4.2", "5.2"}}},
			},
			{
				Entry:  record.Entry{ID: 2, Slug: "berta", Title: "Berta", Category: 3, Grids: []int{7}},
				GitHub: ok, Repo: record.Repo{Stars: 20, Forks: 9, Participants: []string{"x", "y"}, Commits52: []int{5, 5}, LastCommit: ago(5)},
				Project: record.Project{Version: new("1.9"), Versions: []record.Version{{Version: "1.9", Uploaded: ago(10)}}, Status: 6, Licence: "BSD", Python3: new(true),
					Support: &record.Support{Python: []string{"3.9"}, Django: []string{"5.1", "5.2"}}},
			},
			{
				Entry:  record.Entry{ID: 3, Slug: "carla", Title: "carla", Category: 3, Grids: []int{7}},
				GitHub: ok, Repo: record.Repo{Stars: 20, Forks: 4, Commits52: []int{0}, LastCommit: ago(7)},
				Project: record.Project{Version: new("2.0"), Versions: []record.Version{{Version: "2.0", Uploaded: ago(20)}}, Status: 4, Licence: "Apache-2.0", Python3: new(false),
					Support: &record.Support{Python: []string{"2.7"}}},
			},
			{Entry: record.Entry{ID: 4, Slug: "dora", Title: `<b onclick="x">dora`, Category: 3, Grids: []int{7}}},
		},
	}
}

var rowName = regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>([^<]*)</bdi>`)

// rows returns the first letters of the packages that a page lists.
func rows(t *testing.T, h http.Handler, target string) (names string) {
	t.Helper()
	w := do(h, "GET", target, "Accept", browser)
	if w.Code != 200 {
		t.Fatalf("%s: %d", target, w.Code)
	}
	for _, m := range rowName.FindAllStringSubmatch(w.Body.String(), -1) {
		name := html.UnescapeString(m[1])
		names += strings.ToLower(strings.TrimPrefix(name, `<b onclick="x">`)[:1])
	}
	return names
}

const (
	listPath     = "/api/v4/packages/"
	gridPath7    = "/api/v4/grids/7/"
	categoryPage = "/api/v4/categories/3/"
)

func TestListsSort(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	for sort, want := range map[string]string{
		"name": "dabc", "stars": "bcad", "forks": "acbd", "participants": "cabd", "commits": "cabd", "updated": "acbd", "version": "bacd",
		"released": "acbd", "python": "cbad", "django": "abcd", "maturity": "cabd", "licence": "cbad",
	} {
		known, unknown := strings.TrimSuffix(want, "d"), "d"
		switch sort {
		case "name": // which is never unknown
			known, unknown = want, ""
		case "django":
			known, unknown = "ab", "cd"
		}
		turned := []byte(known)
		slices.Reverse(turned)
		down := string(turned) + unknown
		if sort == "stars" { // equal ones stay in the order of their slugs
			down = "abcd"
		}
		for _, path := range []string{listPath, gridPath7, categoryPage} {
			if got := rows(t, h, path+"?sort="+sort); got != want {
				t.Errorf("%s by %s: %s, want %s", path, sort, got, want)
			}
			if got := rows(t, h, path+"?sort=-"+sort); got != down {
				t.Errorf("%s by -%s: %s, want %s", path, sort, got, down)
			}
		}
	}
}

func TestListsFilter(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	for query, want := range map[string]string{
		"": "dcba", "?alive=yes": "dcb", "?python3=yes": "ba", "?stable=yes": "ba", "?alive=yes&stable=yes": "b",
		"?stable=yes&sort=version": "ba", "?sort=-version&stable=yes": "ab", "?alive=yes&limit=1&offset=1": "c",
	} {
		if got := rows(t, h, listPath+query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for path, want := range map[string]string{gridPath7: "dbac", categoryPage: "dabc"} { // by title as the API sorts it, and whatever its case
		if got := rows(t, h, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if got := rows(t, h, path+"?python3=yes&alive=yes"); got != "b" {
			t.Errorf("%s filtered: %s, want b", path, got)
		}
	}
}

// TestListsIgnoreBadValues: as ?limit=, and none of them does harm.
func TestListsIgnoreBadValues(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	for _, query := range []string{
		"sort=", "sort=-", "sort=--stars", "sort=STARS", "sort=id", "sort=%00", "sort=%FF", "sort=stars%20", "alive=1", "alive=", "stable=YES", "view=django",
		"sort=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "alive=" + strings.Repeat("yes", 500), "sort=-stars&sort=nothing",
	} {
		if got := rows(t, h, listPath+"?"+query); got != "dcba" {
			t.Errorf("%s: %s", query, got)
		}
		for _, path := range []string{gridPath7, categoryPage} {
			page := do(h, "GET", path+"?"+query, "Accept", browser)
			if body := page.Body.String(); page.Code != 200 || strings.Contains(body, "<script") || strings.Contains(body, "<b onclick") {
				t.Errorf("%s?%s: %d", path, query, page.Code)
			}
		}
	}
}

// TestListLinks: each link keeps all that the address says but for what it changes, and
// begins the list anew if it shows other packages or another order.
func TestListLinks(t *testing.T) {
	h := newHandler(t, Options{Store: compared(), PublicURL: "https://example.org/meta"})
	links := func(target string) (all []string) {
		for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(do(h, "GET", target, "Accept", browser).Body.String(), -1) {
			all = append(all, html.UnescapeString(m[1]))
		}
		return all
	}
	for target, want := range map[string][]string{
		listPath + "?limit=1&offset=1&format=api&sort=-stars&python3=yes": {
			"/meta/api/v4/packages/?format=api&limit=1&python3=yes&sort=stars",
			"/meta/api/v4/packages/?format=api&limit=1&python3=yes&sort=-forks",
			"/meta/api/v4/packages/?format=api&limit=1&python3=yes&sort=licence",
			"/meta/api/v4/packages/?alive=yes&format=api&limit=1&python3=yes&sort=-stars",
			"/meta/api/v4/packages/?format=api&limit=1&sort=-stars",
			"/meta/api/v4/packages/?format=api&limit=1",
			"/meta/api/v4/packages/?format=api&limit=1&python3=yes&sort=-stars", // previous
		},
		gridPath7 + "?alive=yes&sort=name&limit=1": {
			"/meta/api/v4/grids/7/?alive=yes&limit=1&sort=name&view=django",
			"/meta/api/v4/grids/7/?alive=yes&limit=1&offset=1&sort=name", // next
			"/meta/api/v4/grids/7/?alive=yes&limit=1&sort=-name",
		},
		categoryPage + "?view=django&sort=name": {
			"/meta/api/v4/categories/3/?sort=name", "/meta/api/v4/categories/3/?sort=name&stable=yes&view=django", "/meta/api/v4/categories/3/?sort=-name&view=django",
		},
		categoryPage: {"/meta/api/v4/categories/3/?view=django", "/meta/api/v4/packages/1/"},
	} {
		all := links(target)
		for _, link := range want {
			if !slices.Contains(all, link) {
				t.Errorf("%s has no link to %s, but\n%s", target, link, strings.Join(all, "\n"))
			}
		}
	}
	page := do(h, "GET", listPath+"?sort=-stars", "Accept", browser).Body.String()
	if n := strings.Count(page, "aria-sort="); n != 1 || !strings.Contains(page, `<th scope="col" class="n" aria-sort="descending"><a href="/meta/api/v4/packages/?sort=stars"`) {
		t.Errorf("%d heads say that they are sorted:\n%s", n, page)
	}
}

// TestListsInParts: a page of a grid and of a category has 100 packages, or ?limit= as far
// as the configuration allows.
func TestListsInParts(t *testing.T) {
	records := &fakeStore{grids: []record.Grid{{ID: 7, Slug: "seven"}}, categories: []record.Category{{ID: 3}}}
	for id := 1; id <= 130; id++ {
		records.packages = append(records.packages, record.Package{Entry: record.Entry{ID: id, Slug: fmt.Sprintf("p%03d", id), Category: 3, Grids: []int{7}}})
	}
	h, capped := newHandler(t, Options{Store: records}), newHandler(t, Options{Store: records, MaxLimit: 30})
	for _, path := range []string{gridPath7, categoryPage} {
		for query, want := range map[string]int{"": 100, "?offset=100": 30, "?limit=7": 7, "?offset=130": 0, "?limit=1000": 130} {
			if got := len(rows(t, h, path+query)); got != want {
				t.Errorf("%s%s: %d packages, want %d", path, query, got, want)
			}
		}
		if got := len(rows(t, capped, path)); got != 30 {
			t.Errorf("%s has %d packages where 30 are allowed", path, got)
		}
		page := do(h, "GET", path, "Accept", browser).Body.String()
		if !strings.Contains(page, "Packages 1 to 100 of 130 compared") || !strings.Contains(page, `rel="next" href="`+path+`?limit=100&amp;offset=100"`) {
			t.Errorf("%s does not lead on", path)
		}
	}
}

func TestReadiness(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	for _, path := range []string{gridPath7, categoryPage} {
		page := do(h, "GET", path+"?view=django&sort=-stars", "Accept", browser).Body.String()
		var got []string
		for _, m := range regexp.MustCompile(`class="v">([^<]*)<small>([^<]*)</small>`).FindAllStringSubmatch(page, -1) {
			got = append(got, m[1]+" by "+m[2])
		}
		if want := []string{"5.2 by 2 of 4", "5.1 by 1 of 4", "4.2 by 1 of 4"}; !slices.Equal(got, want) {
			t.Errorf("%s: heads %q, want %q", path, got, want)
		}
		cells := ""
		for _, m := range regexp.MustCompile(`<td class="v [^"]*" data-label="[^"]*">.*?<span class="unseen">(yes|unknown)`).FindAllStringSubmatch(page, -1) {
			cells += m[1][:1]
		}
		if want := "yuyyyuuuuuuu"; cells != want { // of anna, berta, carla, dora
			t.Errorf("%s: cells %s, want %s", path, cells, want)
		}
		if title := ": Django readiness – pkgmetad</title>"; !strings.Contains(page, title) || strings.Contains(do(h, "GET", path, "Accept", browser).Body.String(), title) {
			t.Errorf("%s: the title does not tell the two views apart", path)
		}
		if page := do(h, "GET", path+"?view=django&alive=yes", "Accept", browser).Body.String(); !strings.Contains(page, ">5.2<small>1 of 3<") || strings.Contains(page, ">4.2<small>") {
			t.Errorf("%s: the heads count what the filters leave out", path)
		}
	}
}

// TestListsOfNothing: what is empty says so, and why.
func TestListsOfNothing(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	for target, want := range map[string]string{
		"/api/v4/grids/none/":            "This grid compares no package yet.",
		"/api/v4/grids/8/?view=django":   "This grid compares no package yet.",
		"/api/v4/categories/4/":          "This category has no package yet.",
		categoryPage + "?offset=9":       "There is no package here: the list ends at number 4.",
		listPath + "?offset=9&sort=name": "There is no package here: the list ends at number 4.",
	} {
		if page := do(h, "GET", target, "Accept", browser); page.Code != 200 || !strings.Contains(page.Body.String(), want) {
			t.Errorf("%s: %d, does not say %q", target, page.Code, want)
		}
	}
	records := compared()
	records.packages = records.packages[:1]
	if page := do(newHandler(t, Options{Store: records}), "GET", listPath+"?alive=yes", "Accept", browser); !strings.Contains(page.Body.String(), "No package passes the filters (1 package without them).") {
		t.Error("a filter that nothing passes is not told of")
	}
	if page := do(newHandler(t, Options{Store: &fakeStore{}}), "GET", listPath, "Accept", browser); !strings.Contains(page.Body.String(), "There is no package yet.") {
		t.Error("an empty catalogue is not told of")
	}
}

// TestListParametersAreOfPages: the JSON is that of the documented API, whatever they say.
func TestListParametersAreOfPages(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	const query = "?alive=yes&python3=yes&sort=-stars&stable=yes&view=django"
	for _, path := range []string{gridPath7, categoryPage} {
		if plain, with := do(h, "GET", path), do(h, "GET", path+query); plain.Body.String() != with.Body.String() {
			t.Errorf("%s: %s", path, with.Body)
		}
	}
	var page struct {
		Count   int
		Next    string
		Results []struct{ ID int }
	}
	if err := json.Unmarshal(do(h, "GET", listPath+query+"&limit=3").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(page.Count, page.Results, page.Next); got != "4 [{4} {3} {2}] http://example.com/api/v4/packages/?alive=yes&limit=3&offset=3&python3=yes&sort=-stars&stable=yes&view=django\n" {
		t.Errorf("the list is %s", got)
	}
}

// leaving is a store that a package leaves after it was listed.
type leaving struct{ *fakeStore }

func (s leaving) Package(id int) (record.Package, error) {
	if id == 2 {
		id = 99
	}
	return s.fakeStore.Package(id)
}

func TestListedAndDeleted(t *testing.T) {
	h := newHandler(t, Options{Store: leaving{compared()}})
	for _, path := range []string{listPath + "?sort=-stars", gridPath7 + "?sort=-stars", categoryPage + "?sort=-stars"} {
		if got := rows(t, h, path); got != "acd" {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// slowLists is a store whose lists take until they may end.
type slowLists struct {
	*fakeStore
	asked *atomic.Int32
	end   chan struct{}
}

func (s slowLists) List(q record.ListQuery) (record.Listing, error) {
	s.asked.Add(1)
	<-s.end
	return s.fakeStore.List(q)
}

// TestListsTakeTurns: however many ask, only a few lists are in memory; who leaves does not
// wait, and everybody else gets an answer.
func TestListsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowLists{compared(), new(atomic.Int32), make(chan struct{})}
		h := newHandler(t, Options{Store: s})
		few := runtime.GOMAXPROCS(0)
		var asking sync.WaitGroup
		for _, path := range slices.Repeat([]string{listPath + "?sort=-stars", gridPath7, categoryPage}, few+1) {
			asking.Go(func() {
				if w := do(h, "GET", path, "Accept", browser); w.Code != 200 {
					t.Errorf("%s: %d", path, w.Code)
				}
			})
		}
		synctest.Wait()
		left, leave := context.WithCancel(t.Context())
		leave()
		r := httptest.NewRequestWithContext(left, "GET", gridPath7, nil)
		r.Header.Set("Accept", browser)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if n := int(s.asked.Load()); n != few || w.Code != 503 {
			t.Errorf("%d lists at once, want %d; who has left got %d", n, few, w.Code)
		}
		close(s.end)
		asking.Wait()
	})
}

// TestListsAreRevalidated as other pages are.
func TestListsAreRevalidated(t *testing.T) {
	h := newHandler(t, Options{Store: compared()})
	target := categoryPage + "?sort=-stars"
	page := do(h, "GET", target, "Accept", browser)
	if again := do(h, "GET", target, "Accept", browser, "If-None-Match", page.Header().Get("Etag")); again.Code != 304 || page.Header().Get("Vary") != "Accept, Accept-Encoding" {
		t.Errorf("%d, Vary %q", again.Code, page.Header().Get("Vary"))
	}
	if head := do(h, "HEAD", target, "Accept", browser); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != page.Header().Get("Content-Length") {
		t.Errorf("HEAD: %d, %d bytes, %v", head.Code, head.Body.Len(), head.Header())
	}
}
