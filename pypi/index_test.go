package pypi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

func TestIndex(t *testing.T) {
	const body = `{"meta":{"api-version":"1.4","_last-serial":9},"projects":[{"_last-serial":7,"name":"Demo_App"},{"name":"zope.interface","_last-serial":9,"more":[{}]},{"name":"old"},{"_last-serial":3},{"name":7,"_last-serial":3}]}`
	all := map[string]int64{"demo-app": 7, "zope-interface": 9, "old": 0}
	for _, tt := range []struct {
		name    string
		answer  page
		etag    string
		outcome upstream.Outcome
		want    map[string]int64
		message string
	}{
		{"fresh", page{200, body, with("ETag", `"i"`)}, `"h"`, upstream.Fresh, all, ""},
		{"unchanged", page{304, "", nil}, `"h"`, upstream.Unchanged, nil, ""},
		{"unchanged, unasked for", page{304, "", nil}, "", upstream.Failed, nil, "without If-None-Match"},
		{"none", page{404, "", nil}, "", upstream.Gone, nil, "there is no index"},
		{"cut", page{200, body[:len(body)-40], nil}, "", upstream.Failed, nil, "it ends in the middle"},
		{"HTML", page{200, "<html>", with("Content-Type", "text/html")}, "", upstream.Failed, nil, "not JSON but text/html"},
		{"empty", page{200, `{"projects":[]}`, nil}, "", upstream.Failed, nil, "it lists no projects"},
		{"something else", page{200, `{"name":"demo"}`, nil}, "", upstream.Failed, nil, "it lists no projects"},
		{"without serials", page{200, `{"projects":[{"name":"demo"},{"name":"old","_last-serial":0}]}`, nil}, "", upstream.Failed, nil, "no serials"},
		{"a wrong type", page{200, `{"projects":[3]}`, nil}, "", upstream.Failed, nil, `"projects" holds a JSON number`},
		{"limited", page{429, "", nil}, "", upstream.Limited, nil, "fewer requests"},
		{"failing", page{502, "", nil}, "", upstream.Failed, nil, "unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{pages: map[string]page{"/simple/": tt.answer}}
			c := newClient(t, "https://pypi.test", w)
			got := map[string]int64{}
			a := c.Index(t.Context(), tt.etag, func(name []byte, serial int64) { got[string(name)] = serial })
			if a.Outcome != tt.outcome || a.Requests != 1 || (a.Err == nil) != (tt.message == "") || a.Err != nil && !strings.Contains(a.Err.Error(), tt.message) {
				t.Fatalf("%+v", a)
			}
			if h := w.seen[0].Header; h.Get("Accept") != "application/vnd.pypi.simple.v1+json" || h.Get("If-None-Match") != tt.etag || h.Get("Accept-Encoding") != "gzip" {
				t.Errorf("asked with %v", h)
			}
			if a.Outcome == upstream.Fresh {
				if diff := cmp.Diff(tt.want, got); diff != "" || a.ETag != `"i"` || a.Projects != len(tt.want) {
					t.Errorf("%d projects, ETag %s\n%s", a.Projects, a.ETag, diff)
				}
			}
		})
	}
}

func TestIndexIsNotAskedForWhileHeld(t *testing.T) {
	w := &wire{pages: map[string]page{"/simple/": {429, "", with("Retry-After", "60")}}}
	c := newClient(t, "https://pypi.test", w)
	for range 2 {
		if a := c.Index(t.Context(), "", nil); a.Outcome != upstream.Limited {
			t.Fatalf("%+v", a)
		}
	}
	if len(w.seen) != 1 {
		t.Errorf("%d requests", len(w.seen))
	}
}

// endless is an index of the real size or more, made as it is read.
type endless struct {
	projects, next int
	filling        string // of each project
	rest           bytes.Buffer
}

func (e *endless) Read(p []byte) (int, error) {
	if e.next == 0 {
		e.rest.WriteString(`{"projects":[`)
	}
	for e.rest.Len() < len(p) && e.next < e.projects {
		if e.next > 0 {
			e.rest.WriteByte(',')
		}
		fmt.Fprintf(&e.rest, `{"_last-serial":%d,"name":"Some_Project.%d"%s}`, e.next+1, e.next, e.filling)
		if e.next++; e.next == e.projects {
			e.rest.WriteString(`],"meta":{}}`)
		}
	}
	return e.rest.Read(p)
}

// TestIndexIsNotHeld: an index of 60 MB passes through without being held.
func TestIndexIsNotHeld(t *testing.T) {
	body := &endless{projects: 100_000, filling: `,"more":"` + strings.Repeat("x", 550) + `"`}
	c := newClient(t, "https://pypi.test", roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1, Request: req}, nil
	}))
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most := uint64(0)
	n := 0
	a := c.Index(t.Context(), "", func([]byte, int64) {
		if n++; n%10_000 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.TotalAlloc-before.TotalAlloc)
		}
	})
	if a.Outcome != upstream.Fresh || n != body.projects || a.Projects != n {
		t.Fatalf("%+v; %d projects", a, n)
	}
	if most == 0 || most > 40<<20 { // what Fprintf allocates included
		t.Errorf("%d MiB were allocated", most>>20)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestPage(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  page
		etag    string
		outcome upstream.Outcome
		want    Page
	}{
		{"active", page{200, `{"meta":{"_last-serial":7},"files":[{},{}],"project-status":{"status":"active"}}`, nil}, "", upstream.Fresh, Page{Status: "active", Files: 2, Serial: 7}},
		{"archived, with a reason", page{200, `{"files":[{}],"project-status":{"status":"archived","reason":"see\nthe other"},"meta":{}}`, with("X-PyPI-Last-Serial", "8")}, `"p"`, upstream.Fresh, Page{Status: "archived", Reason: "see the other", Files: 1, Serial: 8}},
		{"said in meta", page{200, `{"files":[],"meta":{"project-status":"deprecated","project-status-reason":"old"}}`, nil}, "", upstream.Fresh, Page{Status: "deprecated", Reason: "old"}},
		{"nothing said", page{200, `{"files":[]}`, nil}, "", upstream.Fresh, Page{Status: "active"}},
		{"unchanged", page{304, "", nil}, `"p"`, upstream.Unchanged, Page{}},
		{"gone", page{404, "", nil}, "", upstream.Gone, Page{}},
		{"no page", page{200, `{}`, nil}, "", upstream.Failed, Page{}},
		{"failing", page{500, "", nil}, "", upstream.Failed, Page{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{pages: map[string]page{indexPath: tt.answer}}
			a := newClient(t, "https://pypi.test", w).Page(t.Context(), "Demo_App", tt.etag)
			if a.Outcome != tt.outcome || a.Page != tt.want || a.Requests != 1 || w.seen[0].Header.Get("If-None-Match") != tt.etag {
				t.Errorf("%+v", a)
			}
			if failed := a.Outcome != upstream.Fresh && a.Outcome != upstream.Unchanged; failed != (a.Err != nil) {
				t.Errorf("error %v", a.Err)
			}
		})
	}
	if a := newClient(t, "https://pypi.test", &wire{}).Page(t.Context(), "no name", ""); a.Outcome != upstream.Failed || a.Requests != 0 {
		t.Errorf("%+v", a)
	}
}

// TestOlderThanTheIndex: an answer that lacks what the index knows is stale. Its data
// is passed on where it is not older than what is known.
func TestOlderThanTheIndex(t *testing.T) {
	for _, tt := range []struct {
		answer        page
		serial, index int64
		outcome       upstream.Outcome
		latest        string
	}{
		{page{200, good, nil}, 6, 7, upstream.Fresh, "1.0"},
		{page{200, good, nil}, 6, 8, upstream.Stale, "1.0"},
		{page{200, good, nil}, 8, 8, upstream.Stale, ""},
		{page{200, `{"info":{"name":"Demo_App","version":"1.0"}}`, nil}, 6, 8, upstream.Fresh, "1.0"}, // its serial is unknown
		{page{304, "", nil}, 7, 7, upstream.Unchanged, ""},
		{page{304, "", nil}, 7, 8, upstream.Stale, ""},
		{page{304, "", with("X-PyPI-Last-Serial", "8")}, 7, 8, upstream.Unchanged, ""},
	} {
		w := &wire{pages: map[string]page{jsonPath: tt.answer}}
		a := newClient(t, "https://pypi.test", w).Fetch(t.Context(), Question{Name: "demo-app", ETag: `"e"`, Serial: tt.serial, Index: tt.index})
		if a.Outcome != tt.outcome || a.Project.Latest != tt.latest || (a.Outcome == upstream.Unchanged && a.Serial != tt.index) {
			t.Errorf("known %d, in the index %d, answered %+v: %+v", tt.serial, tt.index, tt.answer, a)
		}
		if a.Outcome == upstream.Stale && tt.serial < tt.index && !strings.Contains(a.Err.Error(), "older than PyPI's index: its serial is 7, in the index it is 8") {
			t.Error(a.Err)
		}
	}
}

func FuzzDecodeIndex(f *testing.F) {
	f.Add([]byte(`{"meta":{"_last-serial":9},"projects":[{"_last-serial":7,"name":"Demo_App"},{"name":"a.b"}]}`))
	f.Add([]byte(`{"projects":[{"name":"a","name":"b","_last-serial":1e300}]}`))
	f.Add([]byte(`{"projects":{}}`))
	f.Add([]byte(`{"projects":[{"name":"\ud800\u00e9__-","_last-serial":1}],"projects":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := 0
		projects, err := decodeIndex(bytes.NewReader(body), func(name []byte, serial int64) {
			n++
			if len(name) == 0 || serial < 0 || Normalize(string(name)) != string(name) {
				t.Fatalf("%q, serial %d", name, serial)
			}
		})
		if err == nil && projects != n || err != nil && projects != 0 {
			t.Fatalf("%d projects, passed on %d, error %v", projects, n, err)
		}
	})
}

// BenchmarkIndex reads an index of PyPI's size.
func BenchmarkIndex(b *testing.B) {
	var body bytes.Buffer
	if _, err := io.Copy(&body, &endless{projects: 890_000}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := decodeIndex(bytes.NewReader(body.Bytes()), func([]byte, int64) {}); err != nil || n != 890_000 {
			b.Fatal(n, err)
		}
	}
}
