package api

import (
	"net/http"
	"strings"
	"time"
)

// unknownRoute stands for all paths that are nothing here.
const unknownRoute = "unknown"

// observed tells observe, unless nil, of each request that next has answered.
func observed(next http.Handler, observe func(route string, status int, took time.Duration)) http.Handler {
	if observe == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &measured{ResponseWriter: w}
		status := http.StatusInternalServerError // if next panics before it has answered
		defer func() {
			if seen.status != 0 {
				status = seen.status
			}
			observe(routeOf(r), status, time.Since(start))
		}()
		next.ServeHTTP(seen, r)
		status = http.StatusOK
	})
}

// routeOf returns the pattern of the route that has answered r, with a name for each
// part of the path that is up to the client.
func routeOf(r *http.Request) string {
	switch r.Pattern { // which ServeMux has set
	case "", "/":
		return unknownRoute
	}
	return strings.TrimSuffix(r.Pattern, "{$}")
}
