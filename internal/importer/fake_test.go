package importer

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// entry is an entry as a site serves it.
type entry map[string]any

// with returns a copy in which these keys have other values; a missing one is left out.
func (e entry) with(pairs ...any) entry {
	e = maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == missing {
			delete(e, pairs[i].(string))
		} else {
			e[pairs[i].(string)] = pairs[i+1]
		}
	}
	return e
}

var missing any = new(int)

func aCategory(id int) entry {
	return entry{"id": id, "slug": fmt.Sprint("c", id), "title": fmt.Sprint("Category ", id), "description": "", "title_plural": "s", "show_pypi": true,
		"created": "1992-12-26T04:29:30.670172-05:00", "modified": "1993-07-26T05:29:30-04:00"}
}

func aGrid(id int) entry {
	return entry{"id": id, "slug": fmt.Sprint("g", id), "title": fmt.Sprint("Grid ", id), "description": "", "is_locked": false, "header": true, "packages": []string{},
		"created": "1992-12-26T04:29:30.670172-05:00", "modified": "1993-07-26T05:29:30-04:00"}
}

// aPackage is of before 2000, when the clock of a synctest bubble starts.
func aPackage(id int) entry {
	return entry{"id": id, "slug": fmt.Sprint("p", id), "title": fmt.Sprint("Package ", id),
		"category": "https://site.test/api/v4/categories/1/", "grids": []string{"https://site.test/api/v4/grids/2/", "https://site.test/api/v4/grids/1/"},
		"last_updated": "1996-01-05T14:49:29-05:00", "last_fetched": "1999-02-15T20:01:26.546801-05:00",
		"created": "1992-12-26T04:29:30.670172-05:00", "modified": "1999-01-28T14:51:38.364173-05:00",
		"repo_url": "https://github.com/a/b", "pypi_url": "", "documentation_url": nil, "pypi_version": "0.10",
		"repo_forks": 85, "repo_watchers": 251, "repo_description": "d", "commits_over_52": []int{0, 2}, "participants": []string{"x", "y"}}
}

// fakeSite is a site as the wire shows it. It gives at most three entries a page.
type fakeSite struct {
	t        *testing.T
	lists    map[string][]any // as API v4 has the entries
	v3       bool             // it has only API v3
	linkBase string           // of its links; "" for the one asked at

	// fault answers the n-th request, from 1, in place of the site, unless it returns nil.
	fault func(n int, r *http.Request) (*http.Response, error)

	requests []string
	times    []time.Time
	inFlight atomic.Int32
}

const (
	root   = "https://site.test/api/v4/"
	rootV3 = "https://site.test/api/v3/"
)

func newFakeSite(t *testing.T, packages int) *fakeSite {
	f := &fakeSite{t: t, lists: map[string][]any{"categories": {aCategory(1)}, "grids": {aGrid(2), aGrid(1)}}}
	for id := packages; id > 0; id-- {
		f.lists["packages"] = append(f.lists["packages"], aPackage(id))
	}
	return f
}

func answer(status int, kind, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {kind}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

func answerJSON(v any) *http.Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return answer(200, "application/json", string(body))
}

func (f *fakeSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.inFlight.Add(1) > 1 {
		f.t.Error("two requests at once")
	}
	defer f.inFlight.Add(-1)
	f.requests = append(f.requests, r.URL.String())
	f.times = append(f.times, time.Now())
	if r.Header.Get("User-Agent") != "test/1" || r.Header.Get("Accept") != "application/json" {
		f.t.Errorf("%s is asked for with %v", r.URL, r.Header)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	if f.fault != nil {
		resp, err = f.fault(len(f.requests), r)
	}
	if resp == nil && err == nil {
		resp = f.serve(r)
	}
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func (f *fakeSite) serve(r *http.Request) *http.Response {
	if f.v3 {
		return f.serveV3(r)
	}
	base := f.linkBase
	if base == "" {
		base = r.URL.Scheme + "://" + r.URL.Host
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/api/v4/")
	name = strings.TrimSuffix(name, "/")
	entries, known := f.lists[name]
	switch {
	case !ok || name != "" && !known:
		return answer(404, "application/json", `{"detail":"Not found."}`)
	case name == "":
		return answerJSON(map[string]string{"packages": base + "/api/v4/packages/", "search": base + "/api/v4/search/", "grids": base + "/api/v4/grids/", "categories": base + "/api/v4/categories/"})
	}
	page, end := f.page(r, name)
	answer := map[string]any{"count": len(entries), "next": nil, "previous": nil, "results": page}
	if end < len(entries) {
		answer["next"] = base + r.URL.Path + "?" + url.Values{"limit": {"3"}, "offset": {fmt.Sprint(end)}}.Encode()
	}
	return answerJSON(answer)
}

// page returns the entries that are asked for, and where the next page begins.
func (f *fakeSite) page(r *http.Request, name string) (page []any, end int) {
	entries := f.lists[name]
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	if limit := r.URL.Query().Get("limit"); limit != "100" && offset == 0 {
		f.t.Errorf("%s is asked for by %q a page", name, limit)
	}
	end = min(offset+3, len(entries))
	return append([]any{}, entries[min(offset, end):end]...), end
}

func (f *fakeSite) serveV3(r *http.Request) *http.Response {
	name, ok := strings.CutPrefix(r.URL.Path, "/api/v3/")
	name = strings.TrimSuffix(name, "/")
	entries, known := f.lists[name]
	switch {
	case !ok || name != "" && !known:
		return answer(404, "text/html", "")
	case name == "":
		return answerJSON(map[string]string{"categories": f.linkBase + "/api/v3/categories/", "grids": f.linkBase + "/api/v3/grids/", "packages": f.linkBase + "/api/v3/packages/", "users": f.linkBase + "/api/v3/users/"})
	}
	page, end := f.page(r, name)
	for i, e := range page {
		if e, ok := e.(entry); ok {
			page[i] = e.v3(name)
		}
	}
	meta := map[string]any{"limit": 3, "next": nil, "offset": end - len(page), "previous": nil, "total_count": len(entries)}
	if end < len(entries) {
		meta["next"] = fmt.Sprintf("%s/api/v3/%s/?limit=3&offset=%d", f.linkBase, name, end)
	}
	return answerJSON(map[string]any{"meta": meta, "objects": page})
}

// v3 returns an entry as API v3 has it. What is not as in API v4 stays as it is.
func (e entry) v3(list string) entry {
	e = e.with("id", missing, "last_updated", missing, "resource_uri", fmt.Sprintf("/api/v3/%s/%v/", list, e["slug"]))
	path := func(link string) string { // of an entry whose slug is the first letter of its list, and its id
		_, rest, found := strings.Cut(link, "/api/v4/")
		list, id, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
		if _, err := strconv.Atoi(id); !found || err != nil {
			return link
		}
		return "/api/v3/" + list + "/" + list[:1] + id + "/"
	}
	for key, value := range e {
		switch v := value.(type) {
		case string:
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				e[key] = t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z")
			}
			if key == "category" {
				e[key] = path(v)
			}
		case []int:
			e[key] = strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
		case []string:
			if key == "participants" {
				e[key] = strings.Join(v, ",")
				continue
			}
			links := []string{}
			for _, link := range v {
				links = append(links, path(link))
			}
			e[key] = links
		}
	}
	return e
}

// site returns the fake as a Site with a spool of its own. In API v3 the ids are known here.
func (f *fakeSite) site(t *testing.T) *Site {
	s := &Site{Root: root, UserAgent: "test/1", Spool: filepath.Join(t.TempDir(), "spool"), StaleAfter: 24 * time.Hour, Transport: f}
	if f.v3 {
		s.Root = rootV3
		s.IDs = func() (IDs, error) {
			known := IDs{Categories: map[string]int{}, Grids: map[string]int{}, Packages: map[string]int{}}
			for id := range 30 {
				known.Categories[fmt.Sprint("c", id)], known.Grids[fmt.Sprint("g", id)], known.Packages[fmt.Sprint("p", id)] = id, id, id
			}
			return known, nil
		}
	}
	return s
}

// eachAPI runs a test on a site that has API v4, and on one that has only v3.
func eachAPI(t *testing.T, test func(t *testing.T, fake func(t *testing.T, packages int) *fakeSite)) {
	for _, v3 := range []bool{false, true} {
		t.Run(map[bool]string{false: "v4", true: "v3"}[v3], func(t *testing.T) {
			test(t, func(t *testing.T, packages int) *fakeSite {
				f := newFakeSite(t, packages)
				f.v3 = v3
				return f
			})
		})
	}
}

// warned returns the warnings of a collection without that of API v3.
func warned(c *Collection) []string {
	return slices.DeleteFunc(slices.Clone(c.Warnings), func(w string) bool { return strings.HasPrefix(w, "this API, v3, tells neither ids") })
}
