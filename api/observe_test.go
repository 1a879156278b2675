package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// TestObserve: each request is told by its route; nothing that a client makes up is
// part of that.
func TestObserve(t *testing.T) {
	var seen []string
	h := newHandler(t, Options{Store: few(), Observe: func(route string, status int, took time.Duration) {
		if took < 0 {
			t.Errorf("%s took %s", route, took)
		}
		seen = append(seen, fmt.Sprint(route, " ", status))
	}})
	for target, want := range map[string]string{
		"/":                          "/ 200",
		"/livez":                     "/livez 200",
		"/api/v4/":                   "/api/v4/ 200",
		"/api/v4/packages/":          "/api/v4/packages/ 200",
		"/api/v4/packages/?limit=1":  "/api/v4/packages/ 200",
		"/api/v4/packages":           "/api/v4/packages 301",
		"/api/v4/packages/one/":      "/api/v4/packages/{key}/ 200",
		"/api/v4/packages/one":       "/api/v4/packages/{key} 301",
		"/api/v4/packages/canary/":   "/api/v4/packages/{key}/ 404",
		"/api/v4/packages.json":      "/api/v4/{file} 200",
		"/api/v4/canary.json":        "/api/v4/{file} 404",
		"/status/packages/one/":      "/status/packages/{key}/ 200",
		"/static/canary":             "/static/ 404",
		"/canary":                    "unknown 404",
		"/api/v4/packages/../canary": "unknown 404",
	} {
		seen = nil
		r := httptest.NewRequest(http.MethodGet, target, nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if !slices.Equal(seen, []string{want}) {
			t.Errorf("%s: %q, want %q", target, seen, want)
		}
	}
}

func TestObservePanic(t *testing.T) {
	var seen int
	h := observed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), func(_ string, status int, _ time.Duration) { seen = status })
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	if seen != http.StatusInternalServerError {
		t.Error(seen)
	}
}
