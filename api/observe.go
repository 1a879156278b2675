package api

import (
	"io"
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
		seen := &statusWriter{ResponseWriter: w}
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

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 until the header is written
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // an informational one comes before it
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile working, which the embedded interface alone would hide.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
