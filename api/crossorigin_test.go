package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestCrossOrigin: every answer to GET and HEAD may be read by pages of other origins, the
// preflight is answered at each path, and with the setting off nothing of it is there.
func TestCrossOrigin(t *testing.T) {
	world := newWorld(t)
	server := func(on bool, h http.Handler) http.Handler {
		return NewServer(ServerOptions{Handler: h, Log: zerolog.Nop(), CrossOrigin: on}).http.Handler
	}
	on, off := server(true, world), server(false, world)
	cors := func(w *httptest.ResponseRecorder) (found []string) {
		for name, values := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				found = append(found, name+": "+strings.Join(values, ", "))
			}
		}
		return found
	}
	for _, target := range []string{
		"/", "/livez", "/readyz", "/api/v4/", "/api/v4", "/api/v4/packages/", "/api/v4/packages/1609/", "/api/v4/packages/nobody/", "/api/v4/packages/?format=xml",
		"/api/v3/", "/api/v3/packages/djorm-ext-pgfulltext/", "/api/v3/packages/nobody/", "/changes/", "/status/", "/snapshot/packages.ndjson", "/openapi.json",
		"/favicon.ico", "/static/none", "/no/such/path", "/a//b",
	} {
		plain := do(world, "GET", target)
		for _, method := range []string{"GET", "HEAD"} {
			w := do(on, method, target, "Origin", "https://elsewhere.example")
			h := w.Header()
			if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Expose-Headers") != "ETag, Last-Modified, Pkgmetad-Sequence, Link" || len(cors(w)) != 2 {
				t.Errorf("%s %s: %q", method, target, cors(w))
			}
			if w.Code != plain.Code || h.Get("Vary") != plain.Header().Get("Vary") || h.Get("Allow") != plain.Header().Get("Allow") {
				t.Errorf("%s %s is not answered as it was: %d, %v", method, target, w.Code, h)
			}
			if again := do(on, method, target, "If-None-Match", h.Get("ETag")); h.Get("ETag") != "" && (again.Code != 304 || again.Header().Get("Access-Control-Allow-Origin") != "*") {
				t.Errorf("%s %s again: %d, %q", method, target, again.Code, cors(again))
			}
			if w := do(off, method, target, "Origin", "https://elsewhere.example"); len(cors(w)) != 0 {
				t.Errorf("off: %s %s: %q", method, target, cors(w))
			}
		}
		ask := []string{"Origin", "https://elsewhere.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-none-match,range"}
		w := do(on, "OPTIONS", target, ask...)
		h := w.Header()
		if w.Code != 204 || w.Body.Len() != 0 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD" ||
			h.Get("Access-Control-Allow-Headers") != "*" || h.Get("Access-Control-Max-Age") != "86400" {
			t.Errorf("preflight of %s: %d, %q, %s", target, w.Code, cors(w), w.Body)
		}
		if w := do(off, "OPTIONS", target, ask...); w.Code == 204 || len(cors(w)) != 0 {
			t.Errorf("off: preflight of %s: %d, %q", target, w.Code, cors(w))
		}
		for _, half := range [][]string{ask[:2], ask[2:], nil} { // no preflight
			w, plain := do(on, "OPTIONS", target, half...), do(world, "OPTIONS", target)
			if w.Code != plain.Code || w.Body.String() != plain.Body.String() || len(cors(w)) != 0 {
				t.Errorf("OPTIONS %s with %q: %d, %q", target, half, w.Code, cors(w))
			}
		}
		if w := do(on, "POST", target, ask[:2]...); len(cors(w)) != 0 {
			t.Errorf("POST %s: %q", target, cors(w))
		}
	}
}
