package upstream_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

func TestParseBaseURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://api.github.com":         "https://api.github.com/",
		"https://ghe.example/api/v3/":    "https://ghe.example/api/v3/",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080/",
		"ftp://example.org":              "",
		"example.org":                    "",
		"https://":                       "",
		"http://:80/":                    "",
		"https://u:canary@example.org":   "",
		"ftp://u:canary@example.org":     "",
		"https://u:canary x@example.org": "",
		"https://example.org/?a=b":       "",
	} {
		u, err := upstream.ParseBaseURL(in)
		if err == nil && u.String() != want || err != nil && want != "" {
			t.Errorf("%s: %v, %v; want %q", in, u, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}

// bearer is a transport that adds a token to whatever it is given.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func TestTokenStaysAtHome(t *testing.T) {
	var foreign []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		foreign = append(foreign, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusMovedPermanently)
		default:
			_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+r.Header.Get("User-Agent"))
		}
	}))
	defer home.Close()
	c, _, err := upstream.NewClient(upstream.Options{BaseURL: home.URL, Transport: bearer("canary"), UserAgent: "me/1"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(url string) (string, error) {
		r, _ := http.NewRequestWithContext(context.Background(), "GET", url, nil)
		resp, err := c.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	if got, err := ask(home.URL + "/moved"); got != "Bearer canary me/1" {
		t.Errorf("at home: %q, %v", got, err)
	}
	for _, url := range []string{home.URL + "/away", other.URL + "/direct"} {
		_, err := ask(url)
		var e *upstream.Error
		if !errors.As(err, &e) || e.Outcome != upstream.Failed || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(foreign) != 0 {
		t.Errorf("another host was asked, with %q", foreign)
	}
}

// TestCloseIdle: the call reaches the wire through everything that is above it.
func TestCloseIdle(t *testing.T) {
	wire := new(idleCounter)
	c, _, err := upstream.NewClient(upstream.Options{BaseURL: "http://127.0.0.1", Transport: upstream.Gunzip(wire)})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseIdleConnections()
	if wire.closed != 1 {
		t.Errorf("the wire was told %d times", wire.closed)
	}
}

// idleCounter counts how often it is told to close idle connections.
type idleCounter struct {
	http.RoundTripper
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }

func TestBodyIsBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 16 {
			_, _ = z.Write(zeros)
		}
		_ = z.Close()
	}))
	defer s.Close()
	for max, fits := range map[int64]bool{1 << 20: false, 16 << 20: true} {
		c, _, _ := upstream.NewClient(upstream.Options{BaseURL: s.URL, MaxBody: max})
		resp, err := c.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if fits != (err == nil) || n > max {
			t.Errorf("bound %d: read %d, %v", max, n, err)
		}
	}
}

// TestLargeBodies: few bodies are beyond a size at once; the others have not been read any
// further, and small ones do not wait for them.
func TestLargeBodies(t *testing.T) {
	for _, test := range []struct {
		size, room int64 // bytes that each has read; how many may at once
	}{{129 << 10, 32}, {1<<20 + 1, 2}} {
		synctest.Test(t, func(t *testing.T) {
			c, _, err := upstream.NewClient(upstream.Options{BaseURL: "http://sim/", Transport: endless{}, MaxBody: 4 << 20, Timeout: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			open := func() io.ReadCloser {
				resp, err := c.Get("http://sim/")
				if err != nil {
					t.Fatal(err)
				}
				return resp.Body
			}
			const readers = 40
			var held, read atomic.Int64
			release := make(chan struct{})
			var all sync.WaitGroup
			for range readers {
				all.Go(func() {
					body := open()
					for left := test.size; left > 0; { // in one go, if it could
						n, err := body.Read(make([]byte, left))
						if err != nil {
							t.Error(err)
							break
						}
						left -= int64(n)
						read.Add(int64(n))
					}
					held.Add(1)
					<-release
					_ = body.Close()
				})
			}
			synctest.Wait()
			if held.Load() != test.room || read.Load() > test.room*test.size+(readers-test.room)*(test.size-1) {
				t.Errorf("%d bodies have %d bytes, %d in all", held.Load(), test.size, read.Load())
			}
			small := open()
			if n, err := io.ReadFull(small, make([]byte, 128<<10)); err != nil {
				t.Errorf("a small one: %d bytes, %v", n, err)
			}
			_ = small.Close()
			close(release) // each makes room for another
			all.Wait()
			if held.Load() != readers {
				t.Errorf("%d of %d have been read", held.Load(), readers)
			}
		})
	}
}

// endless answers everything with a body that does not end.
type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(zeros{}), ContentLength: -1, Request: r}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-5": -1, "0": 0, "30": 30 * time.Second, " 30 ": 30 * time.Second,
		"99999999999999999999": time.Hour, "864000": time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2015 03:05:05 GMT": 0,
	} {
		got := upstream.RetryAfter(http.Header{"Retry-After": {in}}, now)
		if want < 0 && !got.IsZero() || want >= 0 && !got.Equal(now.Add(want)) {
			t.Errorf("%q: %s", in, got)
		}
	}
}
