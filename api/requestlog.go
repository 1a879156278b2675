package api

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// logged logs each request after next has answered it. The duration ends when the
// handler returns; up to 4 KiB of the answer may then still be in a buffer.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		m := &measured{ResponseWriter: w}
		defer func() { // also if next panics
			s.log.Info().Str("remote", s.remote(r)).Str("method", r.Method).Str("path", loggedPath(r)).
				Int("status", m.status).Int64("bytes", m.bytes).Dur("duration_ms", time.Since(start)).Msg("request")
		}()
		next.ServeHTTP(m, r)
		if m.status == 0 {
			m.status = http.StatusOK
		}
	})
}

// parameters are the query parameters that the API reads.
var parameters = []string{"category", "format", "limit", "offset", "part", "q", "since", "wait"}

// loggedPath returns the path of r and the query parameters that the API reads. Any
// other parameter may hold a secret that was sent by mistake.
func loggedPath(r *http.Request) string {
	var known []string
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, _, _ := strings.Cut(part, "="); slices.Contains(parameters, name) {
			known = append(known, part)
		}
	}
	if len(known) == 0 {
		return r.URL.Path
	}
	return r.URL.Path + "?" + strings.Join(known, "&")
}

// measured records the status and counts the bytes of an answer.
type measured struct {
	http.ResponseWriter
	status int   // 0 until the header is written
	bytes  int64 // of the body
}

func (m *measured) WriteHeader(status int) {
	if m.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		m.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *measured) Write(p []byte) (int, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	n, err := m.ResponseWriter.Write(p)
	m.bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile working, which the embedded interface alone would hide.
func (m *measured) ReadFrom(r io.Reader) (int64, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	n, err := io.Copy(m.ResponseWriter, r)
	m.bytes += n
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }
