package pypi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/upstream"
)

const (
	jsonPath  = "/pypi/demo-app/json"
	indexPath = "/simple/demo-app/"
	good      = `{"info":{"name":"Demo_App","version":"1.0"},"releases":{"1.0":[]},"last_serial":7}`
)

// page is a canned answer.
type page struct {
	status int
	body   string
	header http.Header
}

func with(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// wire answers by path, without a network.
type wire struct {
	pages map[string]page
	seen  []*http.Request
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.seen = append(w.seen, req)
	p, ok := w.pages[req.URL.Path]
	if !ok {
		p = page{status: 404, body: `{"message": "Not Found"}`}
	}
	if p.header == nil {
		p.header = http.Header{}
	}
	return &http.Response{
		Status: http.StatusText(p.status), StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: p.header, Body: io.NopCloser(strings.NewReader(p.body)), ContentLength: -1, Request: req,
	}, nil
}

func newClient(t *testing.T, base string, rt http.RoundTripper) *Client {
	t.Helper()
	c, err := New(Options{BaseURL: base, UserAgent: "pkgmetad/1 (me@example.org)", Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFetchOutcomes(t *testing.T) {
	notFound := page{404, `{"message": "Not Found"}`, nil}
	one := func(p page) map[string]page { return map[string]page{jsonPath: p} }
	index := func(p page) map[string]page { return map[string]page{jsonPath: notFound, indexPath: p} }
	for _, tt := range []struct {
		name     string
		pages    map[string]page
		etag     string
		serial   int64
		outcome  upstream.Outcome
		requests int
		message  string // part of the error's text
		quick    bool
		held     bool
	}{
		{name: "fresh", pages: one(page{200, good, nil}), outcome: upstream.Fresh, requests: 1},
		{name: "unchanged", pages: one(page{304, "", nil}), etag: `"a"`, outcome: upstream.Unchanged, requests: 1},
		{name: "304 unasked for", pages: one(page{304, "", nil}), outcome: upstream.Failed, requests: 1, message: "without If-None-Match"},
		{name: "redirect to self", pages: map[string]page{jsonPath: {301, "", with("Location", "/pypi/Demo/json")}, "/pypi/Demo/json": {200, good, nil}}, outcome: upstream.Fresh, requests: 2},
		{name: "redirect away", pages: one(page{302, "", with("Location", "https://evil.example/")}), outcome: upstream.Failed, requests: 1, message: "away from the configured"},
		{name: "redirect for ever", pages: one(page{301, "", with("Location", jsonPath)}), outcome: upstream.Failed, requests: 5, message: "redirects"},
		{name: "redirect to nowhere", pages: one(page{301, "", nil}), outcome: upstream.Failed, requests: 1, message: "HTTP 301"},

		{name: "an older serial", pages: one(page{200, good, nil}), serial: 8, outcome: upstream.Stale, requests: 1, message: "its serial is 7, the last one known is 8"},
		{name: "an older serial, in the header", pages: one(page{200, `{"info":{"name":"Demo_App"}}`, with("X-PyPI-Last-Serial", "7")}), serial: 8, outcome: upstream.Stale, requests: 1, message: "its serial is 7, the last one known is 8"},
		{name: "the body's serial counts", pages: one(page{200, good, with("X-PyPI-Last-Serial", "9")}), serial: 8, outcome: upstream.Stale, requests: 1, message: "its serial is 7"},
		{name: "an unreadable serial leaves the header's", pages: one(page{200, `{"info":{"name":"Demo_App"},"last_serial":"9"}`, with("X-PyPI-Last-Serial", "7")}), serial: 8, outcome: upstream.Stale, requests: 1, message: "its serial is 7"},
		{name: "the same serial", pages: one(page{200, good, nil}), serial: 7, outcome: upstream.Fresh, requests: 1},
		{name: "a newer serial", pages: one(page{200, good, nil}), serial: 6, outcome: upstream.Fresh, requests: 1},
		{name: "an absurd serial leaves the header's", pages: one(page{200, `{"info":{"name":"Demo_App"},"last_serial":1e300}`, with("X-PyPI-Last-Serial", "7")}), serial: 8, outcome: upstream.Stale, requests: 1, message: "its serial is 7"},
		{name: "no serial", pages: one(page{200, `{"info":{"name":"Demo_App"}}`, nil}), serial: 8, outcome: upstream.Fresh, requests: 1},
		{name: "unchanged with an older serial", pages: one(page{304, "", with("X-PyPI-Last-Serial", "7")}), etag: `"a"`, serial: 8, outcome: upstream.Unchanged, requests: 1},

		{name: "gone", outcome: upstream.Gone, requests: 2, message: "no project of this name"},
		{name: "gone by 410", pages: map[string]page{jsonPath: {410, "", nil}, indexPath: {410, "", nil}}, outcome: upstream.Gone, requests: 2, message: "no project of this name"},
		{name: "quarantined", pages: index(page{200, `{"meta":{"api-version":"1.4"},"project-status":{"status":"quarantined","reason":"malware\nwithin"},"files":[]}`, nil}), outcome: upstream.Blocked, requests: 2, message: "quarantined the project: malware within"},
		{name: "quarantined, said in meta", pages: index(page{200, `{"meta":{"project-status":"quarantined","project-status-reason":"spam"},"files":[{}]}`, nil}), outcome: upstream.Blocked, requests: 2, message: "quarantined the project: spam"},
		{name: "quarantined without a reason", pages: index(page{200, `{"project-status":{"status":"quarantined"},"files":[]}`, nil}), outcome: upstream.Blocked, requests: 2, message: "quarantined the project (HTTP 404)"},
		{name: "without releases", pages: index(page{200, `{"meta":{"api-version":"1.4"},"name":"demo-app","files":[],"versions":[]}`, nil}), outcome: upstream.Empty, requests: 2},
		{name: "archived without releases", pages: index(page{200, `{"project-status":{"status":"archived"},"files":null}`, nil}), outcome: upstream.Empty, requests: 2},
		{name: "index knows better", pages: index(page{200, `{"meta":{},"files":[{"a":1},{"b":[]}]}`, nil}), outcome: upstream.Failed, requests: 2, message: "its index lists 2 files"},
		{name: "odd types in the index", pages: index(page{200, `{"meta":{"project-status":3},"project-status":"x","files":[1]}`, nil}), outcome: upstream.Failed, requests: 2, message: "lists 1 file;"},
		{name: "index fails", pages: index(page{500, "", nil}), outcome: upstream.Failed, requests: 2, message: "HTTP 500"},
		{name: "index is unavailable", pages: index(page{502, "", nil}), outcome: upstream.Failed, requests: 2, message: "HTTP 502", quick: true},
		{name: "index limits", pages: index(page{429, "", nil}), outcome: upstream.Limited, requests: 2, message: "HTTP 429", held: true},
		{name: "index is HTML", pages: index(page{200, "<html>", with("Content-Type", "text/html; charset=utf-8")}), outcome: upstream.Failed, requests: 2, message: "not JSON but text/html"},
		{name: "index is cut", pages: index(page{200, `{"meta":{},"files":[{}`, nil}), outcome: upstream.Failed, requests: 2, message: "broken answer", quick: true},
		{name: "index is no index", pages: index(page{200, `{}`, nil}), outcome: upstream.Failed, requests: 2, message: "not a page of the index"},
		{name: "index files of a wrong type", pages: index(page{200, `{"files":"x"}`, nil}), outcome: upstream.Failed, requests: 2, message: `"files" holds a JSON string`},
		{name: "index is a 304", pages: index(page{304, "", nil}), etag: `"a"`, outcome: upstream.Failed, requests: 2, message: "without If-None-Match"},
		{name: "index redirects", pages: map[string]page{indexPath: {301, "", with("Location", "/simple/demo/")}, "/simple/demo/": {200, `{"files":[]}`, nil}}, outcome: upstream.Empty, requests: 3},

		{name: "403 in JSON", pages: one(page{403, `{"message":"SSL is required"}`, nil}), outcome: upstream.Failed, requests: 1, message: "SSL is required; PyPI wants https"},
		{name: "403 in HTML", pages: one(page{403, "<html><title>Go &amp; away</title>", nil}), outcome: upstream.Failed, requests: 1, message: "Go & away"},
		{name: "403 in text", pages: one(page{403, "no\n\x1b[31mentry", nil}), outcome: upstream.Failed, requests: 1, message: "no [31mentry"},
		{name: "406", pages: one(page{406, "", nil}), outcome: upstream.Failed, requests: 1, message: "pkgmetad/1 (me@example.org)"},
		{name: "451", pages: one(page{451, "court order", nil}), outcome: upstream.Blocked, requests: 1, message: "court order"},
		{name: "429", pages: one(page{429, "<html>", nil}), outcome: upstream.Limited, requests: 1, message: "fewer requests", held: true},
		{name: "429 with a time", pages: one(page{429, "", with("Retry-After", "30")}), outcome: upstream.Limited, requests: 1, message: "not before", held: true},
		{name: "503 with a time", pages: one(page{503, "<html>", with("Retry-After", "30")}), outcome: upstream.Limited, requests: 1, message: "not before", held: true},
		{name: "503", pages: one(page{503, "<html>", nil}), outcome: upstream.Failed, requests: 1, message: "unavailable", quick: true},
		{name: "503, come back at once", pages: one(page{503, "<html>", with("Retry-After", "0")}), outcome: upstream.Failed, requests: 1, message: "unavailable", quick: true},
		{name: "502", pages: one(page{502, "", nil}), outcome: upstream.Failed, requests: 1, message: "unavailable", quick: true},
		{name: "504", pages: one(page{504, "", nil}), outcome: upstream.Failed, requests: 1, message: "unavailable", quick: true},
		{name: "500", pages: one(page{500, "oops", nil}), outcome: upstream.Failed, requests: 1, message: "oops"},
		{name: "204", pages: one(page{204, "", nil}), outcome: upstream.Failed, requests: 1, message: "not known to give"},
		{name: "401", pages: one(page{401, "", nil}), outcome: upstream.Failed, requests: 1, message: "HTTP 401"},

		{name: "HTML", pages: one(page{200, "<!DOCTYPE html>", with("Content-Type", "text/html")}), outcome: upstream.Failed, requests: 1, message: "broken answer: not JSON but text/html"},
		{name: "not JSON", pages: one(page{200, "hello", with("Content-Type", "application/json")}), outcome: upstream.Failed, requests: 1, message: "broken answer: not JSON: invalid character"},
		{name: "empty", pages: one(page{200, "", nil}), outcome: upstream.Failed, requests: 1, message: "broken answer", quick: true},
		{name: "cut", pages: one(page{200, good[:50], nil}), outcome: upstream.Failed, requests: 1, message: "broken answer", quick: true},
		{name: "cut before the last brace", pages: one(page{200, good[:len(good)-1], nil}), outcome: upstream.Failed, requests: 1, message: "broken answer", quick: true},
		{name: "two answers in one", pages: one(page{200, good + good, nil}), outcome: upstream.Failed, requests: 1, message: "something follows"},
		{name: "a list", pages: one(page{200, "[]", nil}), outcome: upstream.Failed, requests: 1, message: "not a JSON object"},
		{name: "null", pages: one(page{200, "null", nil}), outcome: upstream.Failed, requests: 1, message: "not a JSON object"},
		{name: "no info", pages: one(page{200, `{"last_serial":7}`, nil}), outcome: upstream.Failed, requests: 1, message: "it has no info"},
		{name: "info null", pages: one(page{200, `{"info":null}`, nil}), outcome: upstream.Failed, requests: 1, message: "it has no info"},
		{name: "no name", pages: one(page{200, `{"info":{}}`, nil}), outcome: upstream.Failed, requests: 1, message: "its info has no name"},
		{name: "info a list", pages: one(page{200, `{"info":[]}`, nil}), outcome: upstream.Failed, requests: 1, message: `"info" holds a JSON array`},
		{name: "version a number", pages: one(page{200, `{"info":{"name":"a","version":1}}`, nil}), outcome: upstream.Failed, requests: 1, message: `"info.version" holds a JSON number`},
		{name: "name a number", pages: one(page{200, `{"info":{"name":1}}`, nil}), outcome: upstream.Failed, requests: 1, message: `"info.name" holds a JSON number`},
		{name: "another project", pages: one(page{200, `{"info":{"name":"Other.App"}}`, nil}), outcome: upstream.Failed, requests: 1, message: `asked for "demo-app", the answer is about "Other.App"`},
		{name: "another spelling", pages: one(page{200, `{"info":{"name":"dEMO.-_app"}}`, nil}), outcome: upstream.Fresh, requests: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{pages: tt.pages}
			c := newClient(t, "http://pypi.test/", w)
			a := c.Fetch(t.Context(), Question{Name: "Demo_App", ETag: tt.etag, Serial: tt.serial})
			if a.Outcome != tt.outcome || a.Requests != tt.requests || len(w.seen) != tt.requests {
				t.Errorf("outcome %q after %d requests, %d seen; want %q after %d (%v)", a.Outcome, a.Requests, len(w.seen), tt.outcome, tt.requests, a.Err)
			}
			if until := c.Hold().Until; until.IsZero() == tt.held {
				t.Errorf("held until %v; want held: %v", until, tt.held)
			}
			if tt.message == "" {
				if a.Err != nil {
					t.Fatalf("error %v; want none", a.Err)
				}
				return
			}
			if a.Err == nil {
				t.Fatalf("no error; want one with %q", tt.message)
			}
			if a.Err.Outcome != tt.outcome || a.Err.Quick != tt.quick || !strings.Contains(a.Err.Error(), tt.message) {
				t.Errorf("error %q, outcome %q, quick %v; want %q, %q, %v", a.Err, a.Err.Outcome, a.Err.Quick, tt.message, tt.outcome, tt.quick)
			}
			if !strings.HasPrefix(a.Err.Error(), "GET http://pypi.test/") {
				t.Errorf("error %q does not name what was asked", a.Err)
			}
		})
	}
}

// TestFetchOverTheWire looks at what is sent, and at what only a real
// connection shows: compression, a cut transfer.
func TestFetchOverTheWire(t *testing.T) {
	var requests []*http.Request
	handler := http.NotFound
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r)
		handler(w, r)
	}))
	defer srv.Close()
	c := newClient(t, srv.URL+"/mirror", nil)

	handler = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-PyPI-Last-Serial", "42")
		if r.URL.Path == "/mirror"+jsonPath {
			w.Header().Set("ETag", `"of the redirect"`)
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("ETag", `"new"`)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(`{"info":{"name":"Demo_App"}}`))
		_ = z.Close()
	}
	a := c.Fetch(t.Context(), Question{Name: "Demo_App", ETag: `"old"`})
	if a.Outcome != upstream.Fresh || a.ETag != `"new"` || a.Requests != 2 || a.Project.Name != "Demo_App" || a.Project.Serial != 42 {
		t.Errorf("%+v", a)
	}
	for _, r := range requests {
		if r.Header.Get("If-None-Match") != `"old"` || r.UserAgent() != "pkgmetad/1 (me@example.org)" || r.Header.Get("Accept-Encoding") != "gzip" || r.Method != "GET" {
			t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
		}
	}

	requests = nil
	handler = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) }
	if a := c.Fetch(t.Context(), Question{Name: "demo-app", ETag: `"old"`}); a.Outcome != upstream.Unchanged || a.ETag != `"old"` || a.Err != nil {
		t.Errorf("%+v", a)
	}

	requests = nil
	handler = http.NotFound
	if a := c.Fetch(t.Context(), Question{Name: "demo.app", ETag: `"old"`}); a.Outcome != upstream.Gone || a.ETag != "" {
		t.Errorf("%+v", a)
	}
	if len(requests) != 2 {
		t.Fatalf("%d requests; want 2", len(requests))
	}
	if r := requests[1]; r.URL.Path != "/mirror"+indexPath || r.Header.Get("Accept") != "application/vnd.pypi.simple.v1+json" || r.Header.Get("If-None-Match") != "" {
		t.Errorf("second question: %s with %v", r.URL, r.Header)
	}

	for what, h := range map[string]http.HandlerFunc{
		"cut by its length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, good)
		},
		"cut by a reset": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, good)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"cut within gzip": func(w http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, good)
			_ = z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes()[:b.Len()-10])
		},
	} {
		handler = h
		a := c.Fetch(t.Context(), Question{Name: "demo-app"})
		if a.Outcome != upstream.Failed || !a.Err.Quick || !strings.Contains(a.Err.Message, "broken answer") {
			t.Errorf("%s: %+v", what, a)
		}
	}

	srv.Close()
	if a := c.Fetch(t.Context(), Question{Name: "demo-app"}); a.Outcome != upstream.Failed || a.Err == nil || a.Requests != 1 {
		t.Errorf("nobody there: %+v", a)
	}
}

func TestFetchBoundsTheBody(t *testing.T) {
	var bomb bytes.Buffer // made beforehand: the request has a time limit
	z := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(z, `{"info":{"name":"demo-app"},"vulnerabilities":[`)
	chunk := append(bytes.Repeat([]byte("0"), 1<<20-1), ',')
	chunk[0] = '1'
	for range 40 {
		_, _ = z.Write(chunk)
	}
	_ = z.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer srv.Close()
	c, err := New(Options{BaseURL: srv.URL, Timeout: 10 * time.Minute}) // with the race detector it takes long
	if err != nil {
		t.Fatal(err)
	}
	a := c.Fetch(t.Context(), Question{Name: "demo-app"})
	if a.Outcome != upstream.Failed || a.Err == nil || !strings.Contains(a.Err.Message, "larger than 32 MiB") {
		t.Errorf("%v, %v", a.Outcome, a.Err)
	}
}

func TestFetchCanceled(t *testing.T) {
	w := &wire{}
	c := newClient(t, "https://pypi.test", w)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the daemon stops"))
	a := c.Fetch(ctx, Question{Name: "demo-app"})
	if a.Outcome != upstream.Canceled || a.Requests != 0 || len(w.seen) != 0 || !strings.Contains(a.Err.Error(), "the daemon stops") {
		t.Errorf("%+v", a)
	}

	// In the middle of an answer.
	ctx, cancel = context.WithCancelCause(t.Context())
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, good[:40])
		_ = http.NewResponseController(w).Flush()
		cancel(errors.New("the daemon stops"))
		<-release
	}))
	defer srv.Close()
	defer close(release)
	a = newClient(t, srv.URL, nil).Fetch(ctx, Question{Name: "demo-app"})
	if a.Outcome != upstream.Canceled || a.Requests != 1 || !strings.Contains(a.Err.Error(), "the daemon stops") {
		t.Errorf("%+v", a)
	}
}

func TestFetchTimeout(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, good[:40])
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer srv.Close()
	defer close(release)
	c, err := New(Options{BaseURL: srv.URL, UserAgent: "x", Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Fetch(t.Context(), Question{Name: "demo-app"})
	if a.Outcome != upstream.Failed || !strings.Contains(a.Err.Error(), "within the time allowed") {
		t.Errorf("%+v", a)
	}
}

func TestFetchInvalidName(t *testing.T) {
	w := &wire{}
	for _, name := range []string{"", "../admin", "a b", "a\n"} {
		a := newClient(t, "https://pypi.test", w).Fetch(t.Context(), Question{Name: name})
		if a.Outcome != upstream.Failed || a.Err == nil || len(w.seen) != 0 {
			t.Errorf("%q: %+v", name, a)
		}
	}
}

func TestNewRefusesBadBase(t *testing.T) {
	for _, base := range []string{"", "pypi.org", "ftp://pypi.org"} {
		if _, err := New(Options{BaseURL: base}); err == nil || !strings.Contains(err.Error(), "PyPI's base URL") {
			t.Errorf("New(%q): %v", base, err)
		}
	}
}
