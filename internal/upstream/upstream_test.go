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
	c, _, err := upstream.NewClient(upstream.Options{BaseURL: home.URL, Token: "canary", UserAgent: "me/1"})
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

// TestLargeBodies: few bodies are large at once, and small ones do not wait for them.
func TestLargeBodies(t *testing.T) {
	const size = 4 << 20
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			_, _ = io.WriteString(w, "small")
			return
		}
		_, _ = w.Write(make([]byte, size))
	}))
	defer s.Close()
	c, _, err := upstream.NewClient(upstream.Options{BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	open := func(path string) io.ReadCloser {
		t.Helper()
		resp, err := c.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Body
	}
	var read atomic.Int64 // of large bodies, in bytes
	var all sync.WaitGroup
	hold := make(chan struct{})
	held := make(chan struct{}, 8)
	for range 8 {
		all.Go(func() {
			body := open("/large")
			defer body.Close()
			for n := int64(0); n < 2<<20; { // and no further until all may go on
				got, err := io.CopyN(io.Discard, body, 1<<16)
				if n += got; err != nil {
					t.Error(err)
					return
				}
				read.Add(got)
			}
			held <- struct{}{}
			<-hold
			if _, err := io.Copy(io.Discard, body); err != nil {
				t.Error(err)
			}
		})
	}
	<-held
	<-held
	body := open("/small")
	if text, err := io.ReadAll(body); string(text) != "small" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	_ = body.Close()
	if n := read.Load(); n > 2*(2<<20)+6*(1<<20)+8*(1<<16) {
		t.Errorf("%d bytes of large bodies were read", n)
	}
	if len(held) > 0 {
		t.Error("more than two bodies are large at once")
	}
	close(hold)
	all.Wait()
}

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
	// By the clock of who says it, if that is told.
	h := http.Header{"Retry-After": {"Fri, 02 Jan 2015 03:05:05 GMT"}, "Date": {"Fri, 02 Jan 2015 03:04:05 GMT"}}
	if got := upstream.RetryAfter(h, now); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("a minute by a clock that is behind: %s", got)
	}
}
