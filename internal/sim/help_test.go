package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const agent = "simtest/1.0 (+https://example.org/contact)"

// noon is a fixed clock for worlds.
func noon() time.Time { return time.Date(2026, 3, 18, 12, 0, 0, 0, time.UTC) }

func at(days float64) time.Time { return noon().Add(-time.Duration(days * float64(day))) }

// reply is an answer with its body, of which get reads up to 1 MiB.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a GET straight to the handler. Headers are given in pairs.
func ask(t testing.TB, w *World, target string, headers ...string) reply {
	t.Helper()
	req := httptest.NewRequest("GET", "http://sim"+target, nil)
	req.Header.Set("User-Agent", agent)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}

// asGitHub is ask with a credential.
func asGitHub(t testing.TB, w *World, target string, headers ...string) reply {
	t.Helper()
	return ask(t, w, target, append([]string{"Authorization", "Bearer one"}, headers...)...)
}

func decode[T any](t testing.TB, r reply) (v T) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v in %.200s", err, r.body)
	}
	return v
}

// client talks to a world in memory and does not follow redirects.
func client(w *World) *http.Client {
	return &http.Client{Transport: w.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(c *http.Client, url string) (reply, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := c.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

// small is a declared world of one repository with ten commits and one project.
func small(t testing.TB, o Options) (*World, *Repo, *Project) {
	if o.Now == nil {
		o.Now = noon
	}
	w := New(o)
	t.Cleanup(func() { _ = w.Close() })
	r := &Repo{FullName: "Otter/Kettle", Description: new("a <kettle> & “more”"), Stars: 42, Forks: 7, Subscribers: 3}
	for i := range 10 {
		author := "weevil"
		if i%3 == 0 {
			author = "Otter"
		}
		r.Commits = append(r.Commits, Commit{At: at(float64(i)*20 + 1), Author: author, Merge: i == 4})
	}
	p := &Project{Name: "Kettle_Lib", Summary: "s", Releases: []Release{
		{Version: "0.9", Files: []File{{Uploaded: at(90)}}},
		{Version: "0.10", Files: []File{{Uploaded: at(50), Wheel: true}, {Uploaded: at(51)}}},
		{Version: "1.0rc1", Files: []File{{Uploaded: at(5)}}},
	}}
	return w, w.AddRepo(r), w.AddProject(p)
}
