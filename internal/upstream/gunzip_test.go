package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"pkgmetad/internal/upstream"
)

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.Bytes()
}

func TestGunzip(t *testing.T) {
	text := strings.Repeat("All about packages. ", 1000)
	whole := gzipped(text)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-5] ^= 1 // its checksum
	for _, tt := range []struct {
		name     string
		method   string
		status   int
		encoding string // of the answer
		body     []byte
		want     string
		fails    bool
		cut      bool // the error is io.ErrUnexpectedEOF, which the caller may repeat
		decoded  bool
	}{
		{name: "gzip", encoding: "gzip", body: whole, want: text, decoded: true},
		{name: "gzip in capitals", encoding: "GZIP", body: whole, want: text, decoded: true},
		{name: "gzip of nothing", encoding: "gzip", body: gzipped(""), decoded: true},
		{name: "two members", encoding: "gzip", body: append(gzipped("a"), gzipped("b")...), want: "ab", decoded: true},
		{name: "an error with a text", status: 403, encoding: "gzip", body: whole, want: text, decoded: true},
		{name: "plain", body: []byte(text), want: text},
		{name: "plain, identity", encoding: "identity", body: []byte(text), want: text},
		{name: "gzip as content", body: whole, want: string(whole)},
		{name: "no body at all", encoding: "gzip"},
		{name: "no content", status: 204, encoding: "gzip"},
		{name: "not modified", status: 304, encoding: "gzip"},
		{name: "HEAD", method: "HEAD", encoding: "gzip", body: whole},
		{name: "cut in the header", encoding: "gzip", body: whole[:5], fails: true, cut: true, decoded: true},
		{name: "cut in the middle", encoding: "gzip", body: whole[:len(whole)/2], fails: true, cut: true, decoded: true},
		{name: "cut before the checksum", encoding: "gzip", body: whole[:len(whole)-8], fails: true, cut: true, decoded: true},
		{name: "a wrong checksum", encoding: "gzip", body: damaged, fails: true, decoded: true},
		{name: "not gzip though it says so", encoding: "gzip", body: []byte(text), fails: true, decoded: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Header.Get("Accept-Encoding")
				w.Header().Set("ETag", `"tag of gzip"`)
				w.Header().Set("Content-Type", "text/plain")
				if tt.encoding != "" {
					w.Header().Set("Content-Encoding", tt.encoding)
				}
				if tt.status != 204 && tt.status != 304 {
					w.Header().Set("Content-Length", strconv.Itoa(len(tt.body)))
				}
				w.WriteHeader(max(tt.status, 200))
				_, _ = w.Write(tt.body)
			}))
			defer s.Close()
			c, base, err := upstream.NewClient(upstream.Options{BaseURL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), tt.method, s.URL, nil)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if (err != nil) != tt.fails || errors.Is(err, io.ErrUnexpectedEOF) != tt.cut {
				t.Fatalf("read %d bytes, %v", len(got), err)
			}
			if tt.cut {
				if e := upstream.Classify(t.Context(), base, err); !e.Quick || !strings.Contains(e.Message, "broke before the answer was complete") {
					t.Errorf("classified as %v", e)
				}
			}
			if !tt.fails && string(got) != tt.want {
				t.Errorf("read %q", got)
			}
			if want := map[bool]string{true: "", false: "gzip"}[tt.method == "HEAD"]; asked != want {
				t.Errorf("asked for the encoding %q; want %q", asked, want)
			}
			if resp.Header.Get("ETag") != `"tag of gzip"` {
				t.Errorf("ETag %s", resp.Header.Get("ETag"))
			}
			if resp.Uncompressed != tt.decoded || tt.decoded && (resp.ContentLength != -1 || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Length") != "") {
				t.Errorf("decoded: %v, length %d, %v", resp.Uncompressed, resp.ContentLength, resp.Header)
			}
		})
	}
}

// roundTrip is a wire made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestGunzipTwice(t *testing.T) {
	wire := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(gzipped("once"))), Request: r}, nil
	})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://x.test/", nil)
	resp, err := upstream.Gunzip(upstream.Gunzip(wire)).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "once" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if len(req.Header) != 0 {
		t.Errorf("the caller's request was changed: %v", req.Header)
	}
}

// TestGunzipBomb: a body of a few kilobytes that would fill the memory.
func TestGunzipBomb(t *testing.T) {
	bomb := gzipped(strings.Repeat("\x00", 32<<20))
	read := 0
	wire := roundTrip(func(r *http.Request) (*http.Response, error) {
		body := io.TeeReader(bytes.NewReader(bomb), counter{&read})
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: int64(len(bomb)), Body: io.NopCloser(body), Request: r}, nil
	})
	c, _, err := upstream.NewClient(upstream.Options{BaseURL: "http://x.test", MaxBody: 1 << 20, Transport: wire})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Get("http://x.test/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if e, ok := errors.AsType[*upstream.Error](err); !ok || n != 1<<20 || !strings.Contains(e.Message, "larger than 1 MiB") {
		t.Errorf("%d bytes, %v", n, err)
	}
	if read > len(bomb)/2 {
		t.Errorf("%d of %d bytes were taken from the wire", read, len(bomb))
	}
}

type counter struct{ n *int }

func (c counter) Write(p []byte) (int, error) { *c.n += len(p); return len(p), nil }

func BenchmarkGunzip(b *testing.B) {
	var text strings.Builder
	for i := range 20000 {
		text.WriteString(`{"filename":"demo-` + strconv.Itoa(i) + `.tar.gz","size":` + strconv.Itoa(i*i) + `},`)
	}
	body := gzipped(text.String())
	rt := upstream.Gunzip(roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	}))
	req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://x.test/", nil)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != int64(text.Len()) || err != nil {
			b.Fatal(n, err)
		}
	}
}
