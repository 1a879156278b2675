package sim

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Every fault, for both services, over a real connection.
func TestFaults(t *testing.T) {
	const repoPath, projectPath = "/repos/otter/kettle", "/pypi/kettle-lib/json"
	header := func(key, want string) func(*testing.T, reply, error) {
		return func(t *testing.T, a reply, err error) {
			if err != nil || a.header.Get(key) != want {
				t.Errorf("%s %q, %v", key, a.header.Get(key), err)
			}
		}
	}
	contains := func(want string) func(*testing.T, reply, error) {
		return func(t *testing.T, a reply, err error) {
			if err != nil || !strings.Contains(a.body, want) {
				t.Errorf("%.200q, %v", a.body, err)
			}
		}
	}
	unexpectedEnd := func(t *testing.T, a reply, err error) {
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(a.body) == 0 {
			t.Errorf("%d bytes, %v", len(a.body), err)
		}
	}
	type check = func(*testing.T, reply, error)
	type row struct {
		status      int // 0: no answer that could be read
		gitHub      check
		pypi        check
		sameForPyPI bool
	}
	both := func(status int, c check) row { return row{status, c, c, true} }
	rows := map[Fault]row{
		Pending:           both(202, contains("{}")),
		NoContent:         both(204, header("Content-Length", "")),
		MovedPermanently:  {301, header("Location", "/repositories/1000000"), header("Location", projectPath+"?moved=1"), true},
		Found:             {302, header("Location", "/repositories/1000000"), header("Location", projectPath+"?moved=1"), true},
		TemporaryRedirect: {307, header("Location", "/repositories/1000000"), header("Location", projectPath+"?moved=1"), true},
		RedirectLoop:      {302, header("Location", repoPath), header("Location", projectPath), true},
		RedirectElsewhere: {301, header("Location", "http://elsewhere.invalid"+repoPath), header("Location", "http://elsewhere.invalid"+projectPath), true},
		Unauthorized:      both(401, contains("Bad credentials")),
		PrimaryLimit:      {403, header("X-RateLimit-Remaining", "0"), contains("Forbidden"), true},
		SecondaryLimit: {403, func(t *testing.T, a reply, err error) {
			contains("secondary-rate-limits")(t, a, err)
			header("Retry-After", "")(t, a, err)
		}, header("Retry-After", ""), true},
		SecondaryRetry:  both(403, header("Retry-After", "60")),
		ListTooLarge:    both(403, contains("too large")),
		TermsOfService:  {403, contains(`"reason":"tos"`), contains(`"reason":"tos"`), true},
		NotFound:        both(404, contains(`"message":"Not Found"`)),
		EmptyRepository: both(409, contains("is empty")),
		Takedown:        both(451, contains(`"reason":"dmca"`)),
		TooManyRequests: both(429, header("Retry-After", "30")),
		TooManyDate: both(429, func(t *testing.T, a reply, err error) {
			if at, err := http.ParseTime(a.header.Get("Retry-After")); err != nil || !at.Equal(noon().Add(90*time.Second)) {
				t.Errorf("%v, %v", at, err)
			}
		}),
		TooManyAbsurd:    both(429, header("Retry-After", "9999999999999999")),
		InternalError:    {500, contains(`"message":"Server Error"`), header("Content-Type", "text/html; charset=utf-8"), true},
		BadGateway:       {502, contains(`"message":"Server Error"`), header("Content-Type", "text/html; charset=utf-8"), true},
		BadGatewayHTML:   both(502, header("Content-Type", "text/html; charset=utf-8")),
		Unavailable:      both(503, header("Retry-After", "")),
		UnavailableRetry: both(503, header("Retry-After", "20")),
		GatewayTimeout:   {504, contains("in time"), contains("<html>"), true},
		Truncated:        both(200, unexpectedEnd),
		ResetAfterHeaders: both(200, func(t *testing.T, a reply, err error) {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) || a.body != "" {
				t.Errorf("%q, %v", a.body, err)
			}
		}),
		Reset: both(0, func(t *testing.T, _ reply, err error) {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}),
		HTML: both(200, contains("<!DOCTYPE html>")),
		BrokenJSON: both(200, func(t *testing.T, a reply, err error) {
			if err != nil || json.Valid([]byte(a.body)) || len(a.body) == 0 {
				t.Errorf("%q, %v", a.body, err)
			}
		}),
		WrongTypes:  {200, contains(`"stargazers_count":"many"`), contains(`"releases":7`), true},
		EmptyObject: both(200, contains("{}")),
		GzipBomb: both(200, func(t *testing.T, a reply, err error) {
			if err != nil || len(a.body) != 1<<20 || strings.Trim(a.body, " ") != "" {
				t.Errorf("%d bytes, %v", len(a.body), err)
			}
		}),
		ResourceLimits: {200, contains("stargazers_count"), contains("last_serial"), true},
		EndlessHeaders: both(0, func(t *testing.T, _ reply, err error) {
			if err == nil {
				t.Error("a header of 1 MiB was accepted")
			}
		}),
	}
	w, r, p := small(t, Options{Limit: 1000, AnonymousLimit: 1000})
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	for _, entry := range table {
		if entry.fault == Stall {
			continue // TestStallAndSlow
		}
		row, ok := rows[entry.fault]
		if !ok {
			t.Errorf("%s is not tested", entry.fault)
			continue
		}
		for path, check := range map[string]check{repoPath: row.gitHub, projectPath: row.pypi} {
			t.Run(string(entry.fault)+path, func(t *testing.T) {
				if _, err := ParseFault(string(entry.fault)); err != nil {
					t.Error(err)
				}
				w.SetFault(r, "", entry.fault, 0)
				w.SetProjectFault(p, "", entry.fault, 0)
				defer w.ClearFaults()
				a, err := get(c, server.URL+path)
				if a.status != row.status {
					t.Errorf("status %d (%v), want %d", a.status, err, row.status)
				}
				a.header = http.Header(maps.Clone(a.header))
				if l := a.header.Get("Location"); l != "" {
					a.header.Set("Location", strings.TrimPrefix(l, server.URL))
				}
				check(t, a, err)
				w.ClearFaults()
				if a, err := get(c, server.URL+path); a.status != 200 || err != nil || !json.Valid([]byte(a.body)) {
					t.Errorf("cleared, but %d, %v", a.status, err)
				}
			})
		}
	}
	for f := range rows {
		if _, err := ParseFault(string(f)); err != nil {
			t.Error(err)
		}
	}
}

func TestRedirectFaultsLeadSomewhere(t *testing.T) {
	w, r, p := small(t, Options{})
	c := &http.Client{Transport: w.Transport()}
	for _, f := range []Fault{MovedPermanently, Found, TemporaryRedirect} {
		w.SetFault(r, All, f, 0)
		w.SetProjectFault(p, All, f, 0)
		for _, path := range []string{"/repos/otter/kettle/contributors?per_page=100", "/pypi/kettle-lib/json"} {
			if a, err := get(c, "http://sim"+path); err != nil || a.status != 200 {
				t.Errorf("%s %s: %d, %v", f, path, a.status, err)
			}
		}
	}
	w.SetFault(r, All, RedirectElsewhere, 1)
	req, _ := http.NewRequest("GET", "http://sim/repos/otter/kettle", nil)
	c.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		next.Header.Set("Authorization", "Bearer secret") // what a client must not do
		return nil
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := w.Stats().ViolationKinds[LeakedCredential]; n != 1 || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("%d violations, status %d", n, resp.StatusCode)
	}
}

func TestFaultScope(t *testing.T) {
	w, r, p := small(t, Options{AnonymousLimit: 1000})
	other := w.AddRepo(&Repo{FullName: "o/other", Commits: []Commit{{At: at(1)}}})
	status := func(path string) int { return ask(t, w, path).status }

	w.SetFault(r, CommitList, InternalError, 2)
	got := []int{status("/repos/otter/kettle"), status("/repos/otter/kettle/commits"), status("/repos/o/other/commits"), status("/repos/otter/kettle/commits"), status("/repos/otter/kettle/commits")}
	if want := []int{200, 500, 200, 500, 200}; !slices.Equal(got, want) {
		t.Errorf("times: %v, want %v", got, want)
	}

	w.SetFault(nil, All, BadGateway, 0)
	w.SetFault(nil, Participation, Pending, 0)
	w.SetFault(other, All, NotFound, 0)
	got = []int{status("/repos/otter/kettle"), status("/repos/otter/kettle/stats/participation"), status("/repos/o/other/stats/participation"), status("/pypi/kettle-lib/json")}
	if want := []int{502, 202, 404, 200}; !slices.Equal(got, want) {
		t.Errorf("order: %v, want %v", got, want)
	}
	w.SetFault(nil, All, NoFault, 0)
	w.SetFault(other, All, NoFault, 0)
	w.SetProjectFault(p, ProjectJSON, Unavailable, 0)
	w.SetProjectFault(nil, Index, GatewayTimeout, 0)
	got = []int{status("/repos/o/other"), status("/pypi/kettle-lib/json"), status("/simple/kettle-lib/"), status("/simple/")}
	if want := []int{200, 503, 200, 504}; !slices.Equal(got, want) {
		t.Errorf("projects: %v, want %v", got, want)
	}
	w.ClearFaults()
	w.SetFault(r, All, "no such", 0)
	if got := status("/repos/otter/kettle"); got != 500 {
		t.Error("unknown fault:", got)
	}
}

func TestControl(t *testing.T) {
	w, _, _ := small(t, Options{})
	for _, tc := range []struct {
		path   string
		status int
		want   string
	}{
		{"/_sim/fault?repo=otter/kettle&fault=451&times=1", 200, `"fault":"451"`},
		{"/_sim/fault?repo=*&fault=502&endpoint=commits", 200, ``},
		{"/_sim/fault?project=kettle.lib&fault=slow:5ms", 200, ``},
		{"/_sim/fault?project=*&fault=slow", 200, `"slow:2s"`},
		{"/_sim/fault?repo=otter/kettle&fault=none", 200, ``},
		{"/_sim/fault?repo=otter/kettle&fault=nope", 400, "endless-headers"},
		{"/_sim/fault?repo=otter/kettle&fault=slow:99h", 400, "endless-headers"},
		{"/_sim/fault?repo=otter/kettle", 400, "endless-headers"},
		{"/_sim/fault?fault=500", 400, "repo="},
		{"/_sim/fault?repo=a/b&project=c&fault=500", 400, "either"},
		{"/_sim/fault?repo=a/b&fault=500", 404, "no repository"},
		{"/_sim/fault?project=a&fault=500", 404, "no project"},
		{"/_sim/fault?repo=*&fault=500&endpoint=project", 400, "participation"},
		{"/_sim/fault?repo=*&fault=500&times=-1", 400, "times"},
		{"/_sim/faults", 200, "403-too-large"},
		{"/_sim/advance?days=0.5", 200, "2026-03-19T00:00:00Z"},
		{"/_sim/advance?days=-1", 400, "greater than 0"},
		{"/_sim/advance?days=NaN", 400, "greater than 0"},
		{"/_sim/advance?days=1e9", 400, "3650"},
		{"/_sim/advance", 400, "days"},
		{"/_sim/fault?repo=otter/kettle&fault=stale&endpoint=contributors", 200, `"stale:1h0m0s"`},
		{"/_sim/fault?repo=otter/kettle&fault=stale:99999h", 400, "endless-headers"},
		{"/_sim/fault?repo=*&fault=500&endpoint=graphql&times=1", 200, ``},
		{"/_sim/batches?heavy=50&limit=80", 200, `{"heavy":50,"limit":80}`},
		{"/_sim/batches?heavy=x", 400, "heavy"},
		{"/_sim/batches?limit=-1", 400, "limit"},
		{"/_sim/credential?secret=s&kind=actions&limit=7&revoked=true", 200, `"violations":0`},
		{"/_sim/credential?secret=s&kind=nope", 400, "kind"},
		{"/_sim/credential?secret=s&points=x", 400, "points"},
		{"/_sim/credential", 400, "secret"},
		{"/_sim/stats", 200, `"violations":0`},
		{"/_sim/reset", 200, `"requests":0`},
		{"/_sim/paths", 200, "{}"},
		{"/_sim/", 404, "/_sim/stats"},
	} {
		if a := ask(t, w, tc.path); a.status != tc.status || !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %d %s", tc.path, a.status, a.body)
		}
	}
	req := httptest.NewRequest("POST", "/_sim/advance", strings.NewReader(url.Values{"days": {"1"}}.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	if rec.Code != 200 || !w.Now().Equal(noon().Add(36*time.Hour)) {
		t.Error(rec.Code, w.Now())
	}
	rec = httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("DELETE", "/_sim/stats", nil))
	if rec.Code != 405 {
		t.Error(rec.Code)
	}
}

func TestAdvanceIsBounded(t *testing.T) {
	w := New(Options{Now: noon})
	w.Advance(-day)
	w.Advance(1 << 62)
	w.Advance(1 << 62)
	if got := w.Now().Sub(noon()); got != maxAdvance {
		t.Error(got)
	}
}

func TestPathCounts(t *testing.T) {
	w, _, _ := small(t, Options{})
	for i := range 3 {
		ask(t, w, "/repos/otter/kettle/commits?page="+strconv.Itoa(i))
	}
	if got := w.PathCounts(); len(got) != 1 || got["/repos/otter/kettle/commits"] != 3 {
		t.Error(got)
	}
}
