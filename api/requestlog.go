package api

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// logged writes a line for each request that next answers, when it has. The time in
// it is that of the answer, up to where its last byte lay in a buffer.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		m := &measured{ResponseWriter: w}
		defer func() { // also where next breaks off by a panic
			s.log.Info().Str("remote", s.remote(r)).Str("method", r.Method).Str("path", loggedPath(r)).
				Int("status", m.status).Int64("bytes", m.bytes).Dur("duration_ms", time.Since(start)).Msg("request")
		}()
		next.ServeHTTP(m, r)
		if m.status == 0 {
			m.status = http.StatusOK
		}
	})
}

// parameters are those of the query that mean something here.
var parameters = []string{"format", "limit", "offset", "q", "since", "wait"}

// loggedPath returns the path of r, and of its query what means something here:
// whatever else people send may be a secret that they should not have sent.
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

// measured counts what goes through it.
type measured struct {
	http.ResponseWriter
	status int   // 0 before the header
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

// ReadFrom lets the kernel copy a file, as it does where nothing stands between.
func (m *measured) ReadFrom(r io.Reader) (int64, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	n, err := io.Copy(m.ResponseWriter, r)
	m.bytes += n
	return n, err
}

// Unwrap leads [http.ResponseController] to the deadlines.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }
