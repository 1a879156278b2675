package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Direct returns a round tripper that calls the world's handler, without a connection: several
// times as fast as Transport. An answer is there as a whole, with whatever the fault leaves of
// it. A fault below HTTP, such as Reset, is an error.
func (w *World) Direct() http.RoundTripper { return direct{w} }

type direct struct{ w *World }

// RoundTrip runs the handler in the caller's goroutine.
func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	r := recorder{header: http.Header{}}
	cut := r.serve(d.w.handler, in)
	switch {
	case req.Context().Err() != nil:
		return nil, req.Context().Err()
	case r.status == 0 && cut:
		return nil, fmt.Errorf("%s %s: the connection was reset: %w", req.Method, req.URL, io.EOF)
	}
	resp := &http.Response{
		Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, ContentLength: int64(r.body.Len()), Request: req,
	}
	var body io.Reader = &r.body
	if cut {
		body = io.MultiReader(body, brokenOff{})
		resp.ContentLength = -1
	}
	resp.Body = io.NopCloser(body)
	return resp, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// serve runs a handler and reports whether it broke off.
func (r *recorder) serve(h http.Handler, req *http.Request) (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			cut = true
		}
	}()
	h.ServeHTTP(r, req)
	r.WriteHeader(http.StatusOK)
	return false
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// WriteHeader keeps the first status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}
