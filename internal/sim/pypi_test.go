package sim

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type projectBody struct {
	Info struct {
		Name           string  `json:"name"`
		Version        string  `json:"version"`
		Yanked         bool    `json:"yanked"`
		RequiresPython *string `json:"requires_python"`
	} `json:"info"`
	LastSerial int64 `json:"last_serial"`
	Releases   map[string][]struct {
		Filename string    `json:"filename"`
		Uploaded time.Time `json:"upload_time_iso_8601"`
		Naive    string    `json:"upload_time"`
		Yanked   bool      `json:"yanked"`
	} `json:"releases"`
	URLs []any `json:"urls"`
}

type indexBody struct {
	Meta struct {
		Serial int64 `json:"_last-serial"`
	} `json:"meta"`
	Projects []struct {
		Name   string `json:"name"`
		Serial int64  `json:"_last-serial"`
	} `json:"projects"`
}

func TestProjectJSON(t *testing.T) {
	w, _, p := small(t, Options{})
	a := ask(t, w, "/pypi/kettle.LIB/json")
	got := decode[projectBody](t, a)
	if got.Info.Name != "Kettle_Lib" || got.Info.Version != "0.10" || len(got.Releases) != 3 || len(got.URLs) != 2 || got.LastSerial != p.Serial {
		t.Errorf("%+v", got)
	}
	f := got.Releases["0.10"][0]
	if f.Filename != "kettle_lib-0.10-py3-none-any.whl" || !f.Uploaded.Equal(at(50)) || f.Naive != at(50).Format("2006-01-02T15:04:05") {
		t.Errorf("%+v", f)
	}
	h := a.header
	if h.Get("Cache-Control") != "max-age=900, public" || h.Get("Last-Modified") != "" || h.Get("X-PyPI-Last-Serial") != "20000000" || !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(h.Get("ETag")) {
		t.Errorf("%v", h)
	}
	if a := ask(t, w, "/pypi/kettle-lib/json", "If-None-Match", h.Get("ETag")); a.status != 304 || a.body != "" || a.header.Get("X-PyPI-Last-Serial") == "" {
		t.Error(a)
	}
	z := ask(t, w, "/pypi/kettle-lib/json", "Accept-Encoding", "br, gzip")
	r, err := gzip.NewReader(strings.NewReader(z.body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || string(plain) != a.body || z.header.Get("ETag") == h.Get("ETag") || z.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("gzip: %v, %v", err, z.header)
	}
	if z := ask(t, w, "/pypi/kettle-lib/json", "Accept-Encoding", "gzip;q=0"); z.body != a.body {
		t.Error("gzip though it was refused")
	}
}

func TestLatestVersion(t *testing.T) {
	up := []File{{Uploaded: at(9)}}
	for _, tc := range []struct {
		name     string
		releases []Release
		set      string
		want     string
		yanked   bool
	}{
		{"final before pre-release", []Release{{Version: "2.0b1", Files: up}, {Version: "1.9", Files: up}}, "", "1.9", false},
		{"not yanked before final", []Release{{Version: "2.0b1", Files: up}, {Version: "1.9", Files: up, Yanked: true}}, "", "2.0b1", false},
		{"all yanked", []Release{{Version: "1.0", Files: up, Yanked: true}, {Version: "1.1a1", Files: up, Yanked: true}}, "", "1.0", true},
		{"pre-releases alone", []Release{{Version: "0.1.dev3", Files: up}, {Version: "0.1a1", Files: up}}, "", "0.1a1", false},
		{"epoch", []Release{{Version: "2019.1", Files: up}, {Version: "1!0.1", Files: up}}, "", "1!0.1", false},
		{"no files", []Release{{Version: "1.0", Files: up}, {Version: "1.1"}}, "", "1.1", false},
		{"set", []Release{{Version: "1.0", Files: up}, {Version: "1.1"}}, "1.0", "1.0", false},
		{"invalid", []Release{{Version: "final-really", Files: up}, {Version: "0.1", Files: up}}, "", "0.1", false},
		{"not yet uploaded", []Release{{Version: "1.0", Files: up}, {Version: "2.0", Files: []File{{Uploaded: at(-1)}}}}, "", "1.0", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := New(Options{Now: noon})
			w.AddProject(&Project{Name: "x", Releases: tc.releases, Latest: tc.set})
			got := decode[projectBody](t, ask(t, w, "/pypi/x/json"))
			if got.Info.Version != tc.want || got.Info.Yanked != tc.yanked {
				t.Errorf("%+v", got.Info)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	for status, want := range map[Status][3]int{ // JSON API, project page, names in the index
		Active: {200, 200, 1}, "": {200, 200, 1}, Archived: {200, 200, 1}, Quarantined: {404, 200, 0}, Deleted: {404, 404, 0},
	} {
		w, _, p := small(t, Options{})
		w.Edit(func() { p.Status = status })
		accept := []string{"Accept", simpleType}
		page := ask(t, w, "/simple/kettle-lib/", accept...)
		index := decode[indexBody](t, ask(t, w, "/simple/", accept...))
		got := [3]int{ask(t, w, "/pypi/kettle-lib/json").status, page.status, len(index.Projects)}
		if got != want {
			t.Errorf("%q: %v, want %v", status, got, want)
		}
		if page.status == 200 {
			body := decode[struct {
				Meta struct {
					Status string `json:"project-status"`
				} `json:"meta"`
				Status struct {
					Status string `json:"status"`
				} `json:"project-status"`
				Files []any `json:"files"`
			}](t, page)
			if s := string(p.statusName()); body.Status.Status != s || body.Meta.Status != s || (len(body.Files) == 0) != (status == Quarantined) {
				t.Errorf("%q: %s", status, page.body)
			}
		}
	}
	w := New(Options{Now: noon})
	w.AddProject(&Project{Name: "bare"})
	if a := ask(t, w, "/pypi/bare/json"); a.status != 404 || a.body != `{"message": "Not Found"}` {
		t.Error(a)
	}
}

func TestSerials(t *testing.T) {
	w, _, p := small(t, Options{})
	serial := func() int64 { return decode[projectBody](t, ask(t, w, "/pypi/kettle-lib/json")).LastSerial }
	last := serial()
	grows := func(what string, want bool) {
		t.Helper()
		now := serial()
		if (now > last) != want {
			t.Errorf("%s: %d after %d", what, now, last)
		}
		index := decode[indexBody](t, ask(t, w, "/simple/", "Accept", simpleType))
		if index.Projects[0].Serial != now || index.Projects[0].Name != "Kettle_Lib" || index.Meta.Serial != now {
			t.Errorf("%s: %+v, want %d", what, index, now)
		}
		last = now
	}
	w.Edit(func() {})
	grows("nothing", false)
	w.Edit(func() { p.Summary = "new" })
	grows("summary", true)
	w.Edit(func() { p.Releases[1].Yanked = true })
	grows("yank", true)
	w.Edit(func() { p.Status = Archived })
	grows("archived", false)
	w.Edit(func() { p.Releases = append(p.Releases, Release{Version: "2", Files: []File{{Uploaded: at(-2)}}}) })
	grows("announced", true)
	w.Advance(3 * day)
	grows("released", true)
	w.Edit(func() { p.Summary = "newer" })
	grows("summary, later", true)
	w.Edit(func() { p.Serial = last + 1000; p.Summary = "newest" })
	if serial() != last+1000 {
		t.Errorf("set to %d, got %d", last+1000, serial())
	}
	grows("set", true)
	w.Edit(func() { p.Summary = "" })
	grows("summary, after it was set", true)
}

// A release in quarantine is in neither API, and the serial grows when it goes and when it comes
// back. With all of them gone the project is still active, without files.
func TestQuarantinedReleases(t *testing.T) {
	w, _, p := small(t, Options{})
	before := decode[projectBody](t, ask(t, w, "/pypi/kettle-lib/json"))
	w.Edit(func() { p.Releases[1].Quarantined = true })
	one := decode[projectBody](t, ask(t, w, "/pypi/kettle-lib/json"))
	if _, there := one.Releases["0.10"]; there || one.Info.Version != "0.9" || one.LastSerial <= before.LastSerial {
		t.Errorf("one: %+v", one)
	}
	w.Edit(func() {
		for i := range p.Releases {
			p.Releases[i].Quarantined = true
		}
	})
	if a := ask(t, w, "/pypi/kettle-lib/json"); a.status != 404 {
		t.Error("all:", a.status)
	}
	page := ask(t, w, "/simple/kettle-lib/", "Accept", simpleType)
	if page.status != 200 || !strings.Contains(page.body, `"files":[]`) || !strings.Contains(page.body, `"project-status":{"status":"active"}`) {
		t.Error("all:", page)
	}
	if index := decode[indexBody](t, ask(t, w, "/simple/", "Accept", simpleType)); len(index.Projects) != 1 {
		t.Errorf("all: %+v", index)
	}
	w.Edit(func() {
		for i := range p.Releases {
			p.Releases[i].Quarantined = false
		}
	})
	if back := decode[projectBody](t, ask(t, w, "/pypi/kettle-lib/json")); back.Info.Version != "0.10" || back.LastSerial <= one.LastSerial {
		t.Errorf("back: %+v", back)
	}
}

// A cache that lags behind gives an older release, with an older serial than the index has.
func TestStaleAnswers(t *testing.T) {
	clock := noon()
	w, r, p := small(t, Options{Now: func() time.Time { return clock }})
	w.Edit(func() { p.Releases = append(p.Releases, Release{Version: "2", Files: []File{{Uploaded: at(-1)}}}) })
	clock = clock.Add(day + time.Minute)
	w.SetProjectFault(p, ProjectJSON, Stale(time.Hour), 2)
	index := decode[indexBody](t, ask(t, w, "/simple/", "Accept", simpleType)).Projects[0].Serial
	for i, want := range []string{"0.10", "0.10", "2"} {
		got := decode[projectBody](t, ask(t, w, "/pypi/kettle-lib/json"))
		if got.Info.Version != want || (got.LastSerial < index) != (want != "2") {
			t.Errorf("answer %d: %s, serial %d, the index has %d", i, got.Info.Version, got.LastSerial, index)
		}
	}
	w.Edit(func() { r.Commits = append(r.Commits, Commit{At: clock.Add(-time.Minute), Author: "new"}) })
	w.SetFault(r, Contributors, Stale(time.Hour), 1)
	for i, want := range []int{2, 3} {
		if got := decode[[]person](t, asGitHub(t, w, "/repos/otter/kettle/contributors")); len(got) != want {
			t.Errorf("answer %d: %+v", i, got)
		}
	}
}

// The index may be made anew only now and then.
func TestIndexAge(t *testing.T) {
	clock := noon()
	w, _, p := small(t, Options{IndexAge: 30 * time.Minute, Now: func() time.Time { return clock }})
	serial := func() int64 {
		return decode[indexBody](t, ask(t, w, "/simple/", "Accept", simpleType)).Projects[0].Serial
	}
	w.Edit(func() {
		p.Releases = append(p.Releases, Release{Version: "2", Files: []File{{Uploaded: noon().Add(time.Minute)}}})
	})
	before := serial()
	clock = clock.Add(29 * time.Minute)
	if got := serial(); got != before {
		t.Error("within the half hour:", got)
	}
	clock = clock.Add(time.Minute)
	if got := serial(); got <= before {
		t.Error("after it:", got)
	}
}

func TestPyPIRedirects(t *testing.T) {
	w, _, _ := small(t, Options{})
	for path, want := range map[string]string{
		"/pypi/Kettle_Lib/json/": "http://sim/pypi/Kettle_Lib/json",
		"/simple/Kettle_Lib":     "http://sim/simple/kettle-lib/",
		"/simple/Kettle_Lib/":    "http://sim/simple/kettle-lib/",
		"/simple/kettle-lib":     "http://sim/simple/kettle-lib/",
	} {
		if a := ask(t, w, path); a.status != 301 || a.header.Get("Location") != want {
			t.Errorf("%s: %d to %q", path, a.status, a.header.Get("Location"))
		}
	}
	if a := ask(t, w, "/simple"); a.status != 301 && a.status != 307 {
		t.Error("/simple", a.status)
	}
}

func TestPyPIManners(t *testing.T) {
	w, _, _ := small(t, Options{})
	for agent, want := range map[string]int{"": 406, "Go-http-client/1.1": 406, "curl/8.0": 200, "pkgmetad/1 (+https://example.org)": 200} {
		if a := ask(t, w, "/pypi/kettle-lib/json", "User-Agent", agent); a.status != want {
			t.Errorf("%q: %d", agent, a.status)
		}
	}
	ask(t, w, "/pypi/kettle-lib/json", "Authorization", "Bearer secret")
	want := map[string]int64{BadUserAgent: 3, LeakedCredential: 1}
	if got := w.Stats().ViolationKinds; !cmp.Equal(got, want) {
		t.Error(got)
	}
}

func TestSimpleHTML(t *testing.T) {
	w, _, _ := small(t, Options{})
	if a := ask(t, w, "/simple/kettle-lib/"); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, `content="active"`) || !strings.Contains(a.body, "Kettle_Lib-0.9.tar.gz") {
		t.Error(a)
	}
	if a := ask(t, w, "/simple/"); !strings.Contains(a.body, `<a href="/simple/kettle-lib/">Kettle_Lib</a>`) {
		t.Error(a)
	}
}

func TestCompressedBombUnpacks(t *testing.T) {
	r, err := gzip.NewReader(bytes.NewReader(bomb()))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != 256<<20 || len(bomb()) > 1<<20 {
		t.Errorf("%d bytes become %d, %v", len(bomb()), n, err)
	}
}
