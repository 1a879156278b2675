package pypi

import (
	"net/http"
	"strings"
	"testing"

	"pkgmetad/internal/upstream"
)

// FuzzFetch has PyPI, or its index, give an answer of any shape.
func FuzzFetch(f *testing.F) {
	f.Add(200, "ETag: \"a\"\nX-PyPI-Last-Serial: 9", good, `"b"`, int64(8), false)
	f.Add(200, "Content-Type: text/html", "<html>", "", int64(0), false)
	f.Add(200, "", `{"meta":{"project-status":"quarantined"},"files":[]}`, "", int64(0), true)
	f.Add(301, "Location: /pypi/Demo/json", "", "", int64(0), false)
	f.Add(302, "Location: http://%zz/", "", "", int64(0), true)
	f.Add(304, "X-PyPI-Last-Serial: -1", "", `"a"`, int64(-1), false)
	f.Add(404, "", "", "", int64(0), true)
	f.Add(429, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\nDate: Mon, 01 Jan 0001 00:00:00 GMT", "", "", int64(0), false)
	f.Add(503, "Retry-After: 99999999999999999999", "slow\r\ndown", "", int64(0), false)
	f.Fuzz(func(t *testing.T, status int, header, body, etag string, serial int64, index bool) {
		p := page{status, body, http.Header{}}
		for line := range strings.Lines(header) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				p.header.Set(k, strings.TrimSpace(v))
			}
		}
		path := jsonPath
		if index {
			path = indexPath
		}
		w := &wire{pages: map[string]page{path: p}}
		c := newClient(t, "https://pypi.test/", w)
		a := c.Fetch(t.Context(), Question{Name: "demo-app", ETag: etag, Serial: serial})
		if a.Requests != len(w.seen) {
			t.Errorf("said %d requests, sent %d", a.Requests, len(w.seen))
		}
		switch a.Outcome {
		case upstream.Fresh, upstream.Unchanged, upstream.Empty:
			if a.Err != nil {
				t.Errorf("%v, and %v", a.Outcome, a.Err)
			}
		default:
			if a.Err == nil || len(a.Err.Error()) > 2000 || strings.ContainsAny(a.Err.Message, "\r\n\x00") {
				t.Errorf("%v with an error for no person: %q", a.Outcome, a.Err)
			}
		}
		if a.Outcome == upstream.Fresh && (Normalize(a.Project.Name) != "demo-app" || 0 < a.Project.Serial && a.Project.Serial < serial) {
			t.Errorf("believed: %+v", a.Project)
		}
		if hold := c.Hold(); hold.Until.IsZero() != (hold.Reason == "") {
			t.Errorf("holds until %v: %q", hold.Until, hold.Reason)
		}
	})
}
