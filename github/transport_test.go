package github

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

func moved(status int, to string) reply { return refuse(status, "").with("Location", to) }

func TestRedirects(t *testing.T) {
	const byID = "/repositories/7"
	renamed := Ref{"new", "name"}
	for _, tt := range []struct {
		name   string
		status int
		ref    Ref
		askBy  string // the name that the other part is asked by
	}{
		{"moved for good", 301, renamed, "new/name"},
		{"moved for good, 308", 308, renamed, "new/name"},
		{"moved for now", 302, Ref{}, "o/n"},
		{"moved for now, 307", 307, Ref{}, "o/n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake().set(repoURI, moved(tt.status, byID)).
				set(byID, ok(repoJSON("new/name")).with("ETag", `"r7"`)).
				set("/repos/new/name/stats/participation", ok(weeksJSON(52, 1)))
			a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository | PartParticipation})
			if a.Repository.Outcome != fresh || a.Repository.Value.FullName != "new/name" || a.Participation.Outcome != fresh {
				t.Fatalf("%v, %+v, %v", outcomes(a), a.Repository, a.Participation.Err)
			}
			if a.Ref != tt.ref {
				t.Errorf("to be asked by %v from now on, want %v", a.Ref, tt.ref)
			}
			if d := cmp.Diff([]string{repoURI, byID, "/repos/" + tt.askBy + "/stats/participation"}, f.asked); d != "" {
				t.Error("requests: -want +got\n", d)
			}
			if a.Requests != 3 || a.Charged != 3 {
				t.Errorf("%d requests, %d charged, want 3, 3", a.Requests, a.Charged)
			}
		})
	}
	t.Run("a tag is sent along", func(t *testing.T) {
		f := newFake().set(repoURI, moved(301, byID)).set(byID, ok(repoJSON("new/name")).with("ETag", `"r7"`))
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository, Known: Validators{"repository": `"r7"`}})
		if a.Repository.Outcome != unchanged || !a.Ref.IsZero() || a.Requests != 2 || a.Charged != 1 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("renamed without a redirect", func(t *testing.T) {
		f := newFake().set(repoURI, ok(repoJSON("O/N")))
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository})
		if a.Ref != (Ref{"O", "N"}) {
			t.Errorf("%+v", a.Ref)
		}
	})
	t.Run("in a circle", func(t *testing.T) {
		f := newFake().set(repoURI, moved(301, repoURI))
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository})
		if a.Repository.Outcome != failed || a.Requests != 5 || a.Charged != 5 {
			t.Errorf("%+v", a)
		}
	})
}

// TestRedirectKeepsToken follows redirects between real servers.
func TestRedirectKeepsToken(t *testing.T) {
	var stolen atomic.Bool
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stolen.Store(true) }))
	defer foreign.Close()
	for name, location := range map[string]string{
		"another host":   foreign.URL + "/repos/o/n",
		"another scheme": "ftp://example.test/",
		"user info":      strings.Replace(foreign.URL, "://", "://user:pass@", 1),
		"no URL":         "http://%zz/",
	} {
		home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+canary || r.UserAgent() != "test" {
				t.Errorf("asked with %v", r.Header)
			}
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusMovedPermanently)
		}))
		a := newClient(t, nil, func(o *Options) { o.BaseURL, o.Transport = home.URL, nil }).
			Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository})
		home.Close()
		if a.Repository.Outcome != failed || a.Requests != 1 {
			t.Errorf("%s: %v, %d requests", name, a.Repository, a.Requests)
		}
		if text := a.Repository.Err.Error(); strings.Contains(text, canary) || strings.Contains(text, "pass") {
			t.Errorf("%s: the error holds a secret: %s", name, text)
		}
	}
	if stolen.Load() {
		t.Error("a redirect to another host was followed")
	}
}

// TestErrorsKeepToken has the server repeat the token in whatever is quoted.
func TestErrorsKeepToken(t *testing.T) {
	for status := 200; status < 600; status++ {
		body := fmt.Sprintf(`{"message":"you sent %s","block":{"reason":%q}}`, canary, canary)
		c := newClient(t, newFake().set(repoURI, refuse(status, body)))
		a := c.Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts})
		reason := c.Hold().Reason
		for _, e := range errorsOf(a) {
			if e != nil && strings.Contains(e.Error(), canary) || strings.Contains(reason, canary) {
				t.Errorf("status %d: %v; hold: %s", status, e, reason)
			}
		}
	}
}

// TestBrokenTransfers has a real connection break in a body.
func TestBrokenTransfers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repos/o/n": // shorter than it says
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, `{"id":7,`)
		case "/repos/o/n/contributors": // compressed, and cut there
			w.Header().Set("Content-Encoding", "gzip")
			var b strings.Builder
			z := gzip.NewWriter(&b)
			fmt.Fprint(z, `[{"login":"ann"},`+strings.Repeat(" ", 500))
			_ = z.Flush()
			fmt.Fprint(w, b.String())
		case "/repos/o/n/commits": // cut between chunks
			fmt.Fprint(w, `[{"commit":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default: // no answer at all
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	c := newClient(t, nil, func(o *Options) { o.BaseURL, o.Transport = srv.URL, nil })
	a := c.Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts})
	for i, e := range errorsOf(a) {
		if e == nil || e.Outcome != failed || !e.Quick {
			t.Errorf("part %d: %v", i, e)
		}
	}
	if a.Requests != 4 || a.Charged != 4 {
		t.Errorf("%d requests, %d charged", a.Requests, a.Charged)
	}

	srv.Close()
	a = c.Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts})
	if a.Repository.Outcome != failed || a.Requests != 0 || a.Charged != 0 {
		t.Errorf("nobody listens: %v, %d requests", a.Repository, a.Requests)
	}
}

// stalled never answers, or stops in the body.
type stalled struct{ inBody bool }

func (s stalled) RoundTrip(req *http.Request) (*http.Response, error) {
	wait := waitBody{req.Context()}
	if s.inBody {
		resp := answerTo(req, ok(""))
		resp.Body = wait
		return resp, nil
	}
	_, err := wait.Read(nil)
	return nil, err
}

type waitBody struct{ ctx context.Context }

func (b waitBody) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, b.ctx.Err() }
func (b waitBody) Close() error             { return nil }

func TestTimeoutAndCancel(t *testing.T) {
	for _, inBody := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, stalled{inBody}, func(o *Options) { o.Timeout = 10 * time.Second })
			start := time.Now()
			a := c.Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository | PartCommits})
			if got := outcomes(a); got != [4]upstream.Outcome{failed, none, failed, none} || time.Since(start) != 20*time.Second {
				t.Errorf("in body %v: %v after %v: %v", inBody, got, time.Since(start), a.Repository.Err)
			}
			if !strings.Contains(a.Repository.Err.Error(), "within the time allowed") {
				t.Error(a.Repository.Err)
			}

			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errors.New("stopping")) })
			a = c.Fetch(ctx, Question{Ref: Ref{"o", "n"}, Parts: AllParts})
			if got := outcomes(a); got != [4]upstream.Outcome{upstream.Canceled, upstream.Canceled, upstream.Canceled, upstream.Canceled} || a.Requests != 1 {
				t.Errorf("in body %v: %v, %d requests: %v", inBody, got, a.Requests, a.Repository.Err)
			}
		})
	}
}

// TestCompressedRefusal: what GitHub says with a refusal is read below the
// http.Client, where it has to be decoded already.
func TestCompressedRefusal(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("asked for the encoding %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusForbidden)
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(`{"message":"Resource protected by a wall"}`))
		_ = z.Close()
	}))
	defer s.Close()
	c, err := New(Options{BaseURL: s.URL, UserAgent: "pkgmetad/test"})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartRepository})
	if a.Repository.Err == nil || !strings.Contains(a.Repository.Err.Error(), "protected by a wall") {
		t.Errorf("%+v", a.Repository)
	}
}
