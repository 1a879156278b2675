package upstream

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Gunzip returns a round tripper that asks next for gzip and passes on decoded
// bodies, as net/http does by itself, with a faster decoder. What reads bodies
// must be above it; to stack it twice does no harm. A body that is cut short
// fails with [io.ErrUnexpectedEOF].
func Gunzip(next http.RoundTripper) http.RoundTripper { return &gunzip{next} }

type gunzip struct{ next http.RoundTripper }

func (t *gunzip) RoundTrip(req *http.Request) (*http.Response, error) {
	// A part of a compressed body cannot be decoded, and HEAD has no body.
	if req.Header.Get("Accept-Encoding") == "" && req.Header.Get("Range") == "" && req.Method != http.MethodHead {
		req = req.Clone(req.Context())
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil || !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") || !hasBody(req, resp) {
		return resp, err
	}
	resp.Body = &gzipBody{ReadCloser: resp.Body}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength, resp.Uncompressed = -1, true
	return resp, nil
}

func (t *gunzip) CloseIdleConnections() { CloseIdle(t.next) }

func hasBody(req *http.Request, resp *http.Response) bool {
	return req.Method != http.MethodHead && resp.ContentLength != 0 &&
		resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// gzipBody decodes what is read from it. Its reader goes back to the pool at
// the end of the body, and not in Close, which may be called during a Read.
type gzipBody struct {
	io.ReadCloser
	reader *gzip.Reader // nil before the first Read and after the last
	err    error        // of the last Read
}

func (b *gzipBody) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.reader == nil {
		b.reader = gzipReaders.Get().(*gzip.Reader)
		b.err = b.reader.Reset(b.ReadCloser)
	}
	if b.err == nil {
		n, b.err = b.reader.Read(p)
	}
	if b.err != nil {
		gzipReaders.Put(b.reader)
		b.reader = nil
	}
	return n, b.err
}
