package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start runs a program until the test ends, and returns a reader of what it
// writes: of stdout, or of stderr. stop ends it in order.
func start(t *testing.T, stderr bool, name string, args ...string) (lines *bufio.Scanner, stop func()) {
	t.Helper()
	lines, _, stop = startProcess(t, stderr, name, args...)
	return lines, stop
}

// startProcess is start, with the process to send signals to.
func startProcess(t *testing.T, stderr bool, name string, args ...string) (lines *bufio.Scanner, process *os.Process, stop func()) {
	t.Helper()
	c := exec.Command(name, args...)
	pipe, err := c.StdoutPipe()
	if stderr {
		c.Stdout = nil
		pipe, err = c.StderrPipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Env = append(os.Environ(), "GITHUB_TOKEN=canary-token")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = c.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, pipe)
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
	t.Cleanup(stop)
	return bufio.NewScanner(pipe), c.Process, stop
}

func getJSON(t *testing.T, url string) (v map[string]any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatalf("%s: %s: %v", url, resp.Status, err)
	}
	return v
}

// replayed is a set of answers of GitHub and PyPI, and what the program makes of them.
type replayed struct {
	name     string
	answers  []string // files
	packages string   // of the catalogue; those that are gone or unknown have the slugs missing and nowhere
	want     map[string]map[string]any
	full     string // slug of a package with a repository and a project
	summary  string // of a second pass, about GitHub
}

// commits are the counts of 52 weeks; those of weeks that are not given are 0.
func commits(weeks map[int]float64) []any {
	counts := make([]any, 52)
	for i := range counts {
		counts[i] = weeks[i]
	}
	return counts
}

var replays = []replayed{{
	name:    "invented",
	answers: []string{"../../github/testdata/answers.json", "../../pypi/testdata/answers.json"},
	packages: `
  - id: 10
    slug: kelp
    title: Kelp
    category: apps
    grids: [forms]
    repo_url: http://www.github.com/tidepool/kelp.git/
    pypi_url: https://pypi.python.org/pypi/Tide_Forms/1.0/
    documentation_url: ""
    created: 2015-08-01T10:11:12.131415Z
  - id: 11
    slug: missing
    repo_url: https://github.com/tidepool/mirage
    pypi_url: sand-dune
    created: 2020-01-01
  - id: 12
    slug: pebble
    pypi_url: https://pypi.org/project/pebble-press/
    created: 2020-01-01
  - id: 13
    slug: nowhere
    pypi_url: https://pypi.org/project/mirage/
    created: 2020-01-01
`,
	full:    "kelp",
	summary: "GitHub: 3 requests, 1 charged",
	want: map[string]map[string]any{
		"kelp": {
			"category": "https://packages.example.org/api/v4/categories/1/", "grids": []any{"https://packages.example.org/api/v4/grids/4/"},
			"id": 10.0, "title": "Kelp", "slug": "kelp", "last_updated": "2026-01-20T08:29:58Z",
			"repo_url": "http://www.github.com/tidepool/kelp.git/", "pypi_version": "1.10.0", "created": "2015-08-01T10:11:12.131415Z",
			"repo_forks": 31.0, "repo_description": "Forms that sway with the tide — for Django.", "pypi_url": "https://pypi.python.org/pypi/Tide_Forms/1.0/",
			"documentation_url": "", "repo_watchers": 2718.0, "commits_over_52": commits(map[int]float64{3: 5, 50: 2, 51: 11}),
			"participants": []any{"diver000", "diver001", "diver002", "otter", "heron[bot]"},
		},
		"missing": {
			"category": nil, "grids": []any{}, "id": 11.0, "title": "missing", "slug": "missing", "last_updated": nil,
			"repo_url": "https://github.com/tidepool/mirage", "pypi_version": "0.0.10", "created": "2020-01-01T00:00:00Z",
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "sand-dune", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
		"pebble": {
			"category": nil, "grids": []any{}, "id": 12.0, "title": "pebble", "slug": "pebble", "last_updated": nil,
			"repo_url": nil, "pypi_version": "1.0.0", "created": "2020-01-01T00:00:00Z",
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "https://pypi.org/project/pebble-press/", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
		"nowhere": {
			"category": nil, "grids": []any{}, "id": 13.0, "title": "nowhere", "slug": "nowhere", "last_updated": nil,
			"repo_url": nil, "pypi_version": nil, "created": "2020-01-01T00:00:00Z", "last_fetched": nil,
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "https://pypi.org/project/mirage/", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
	},
}, {
	// What GitHub and PyPI themselves once answered. It is others' work and not in this
	// repository.
	name:    "recorded",
	answers: []string{"../../../shared/recorded/upstream.json"},
	packages: `
  - id: 10
    slug: dj-paginator
    title: DJ Paginator
    category: apps
    grids: [forms]
    repo_url: http://www.github.com/pydanny/dj-paginator.git/
    pypi_url: https://pypi.python.org/pypi/Django_Crispy.forms/1.0/
    documentation_url: ""
    created: 2015-08-01T10:11:12.131415Z
  - id: 11
    slug: missing
    repo_url: https://github.com/djangopackages/does-not-exist
    pypi_url: nango
    created: 2020-01-01
  - id: 12
    slug: minify
    pypi_url: https://pypi.org/project/django-minify-html/
    created: 2020-01-01
  - id: 13
    slug: nowhere
    pypi_url: https://pypi.org/project/never-recorded/
    created: 2020-01-01
`,
	full:    "dj-paginator",
	summary: "GitHub: 3 requests, 1 charged",
	want: map[string]map[string]any{
		"dj-paginator": {
			"category": "https://packages.example.org/api/v4/categories/1/", "grids": []any{"https://packages.example.org/api/v4/grids/4/"},
			"id": 10.0, "title": "DJ Paginator", "slug": "dj-paginator", "last_updated": "2015-03-30T20:08:33Z",
			"repo_url": "http://www.github.com/pydanny/dj-paginator.git/", "pypi_version": "1.14.0", "created": "2015-08-01T10:11:12.131415Z",
			"repo_forks": 4.0, "repo_description": "Django + Pagination made easy.", "pypi_url": "https://pypi.python.org/pypi/Django_Crispy.forms/1.0/",
			"documentation_url": "", "repo_watchers": 36.0, "commits_over_52": commits(nil), "participants": []any{"audreyfeldroy", "pydanny"},
		},
		"missing": {
			"category": nil, "grids": []any{}, "id": 11.0, "title": "missing", "slug": "missing", "last_updated": nil,
			"repo_url": "https://github.com/djangopackages/does-not-exist", "pypi_version": "0.1.2", "created": "2020-01-01T00:00:00Z",
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "nango", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
		"minify": {
			"category": nil, "grids": []any{}, "id": 12.0, "title": "minify", "slug": "minify", "last_updated": nil,
			"repo_url": nil, "pypi_version": "1.0.0", "created": "2020-01-01T00:00:00Z",
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "https://pypi.org/project/django-minify-html/", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
		"nowhere": {
			"category": nil, "grids": []any{}, "id": 13.0, "title": "nowhere", "slug": "nowhere", "last_updated": nil,
			"repo_url": nil, "pypi_version": nil, "created": "2020-01-01T00:00:00Z", "last_fetched": nil,
			"repo_forks": 0.0, "repo_description": "", "pypi_url": "https://pypi.org/project/never-recorded/", "documentation_url": nil, "repo_watchers": 0.0, "commits_over_52": []any{}, "participants": []any{},
		},
	},
}}

// TestRecordedAnswers drives the built program over invented answers of the shape that
// GitHub and PyPI give, and over recorded ones where this machine has them.
func TestRecordedAnswers(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "pkgmetad")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, r := range replays {
		t.Run(r.name, func(t *testing.T) {
			if _, err := os.Stat(r.answers[0]); r.name == "recorded" && err != nil {
				t.Skipf("the recorded answers are not on this machine (%v); the invented ones check the same", err)
			}
			r.test(t, program)
		})
	}
}

func (r replayed) test(t *testing.T, program string) {
	replay, upstreams := newReplay(t, r.answers...)
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yaml")
	write(t, config, `
store: {path: test.db}
http: {listen: "127.0.0.1:0", public_url: "https://packages.example.org"}
catalogue: {path: catalogue.yaml}
github: {base_url: "`+upstreams+`"}
pypi: {base_url: "`+upstreams+`", contact: ops@example.org}
`)
	write(t, filepath.Join(folder, "catalogue.yaml"), `
categories:
  - {id: 1, slug: apps, title: App}
grids:
  - {id: 4, slug: forms, title: Forms}
packages:`+r.packages)
	log, stop := start(t, true, program, "serve", "--config", config)
	base, passed := "", false
	var all strings.Builder
	for !passed && log.Scan() {
		all.WriteString(log.Text() + "\n")
		var line struct{ Listen, Message string }
		_ = json.Unmarshal(log.Bytes(), &line)
		if line.Listen != "" {
			base = "http://" + line.Listen + "/api/v4/packages/"
		}
		passed = line.Message == "pass done"
	}
	if base == "" || !passed {
		t.Fatalf("no first pass:\n%s", all.String())
	}
	logged := make(chan string)
	go func() { // a daemon whose log nobody reads would stand still
		var rest strings.Builder
		for log.Scan() {
			rest.WriteString(log.Text() + "\n")
		}
		logged <- rest.String()
	}()

	first := map[string]map[string]any{}
	for slug, want := range r.want {
		got := getJSON(t, base+slug+"/")
		first[slug] = getJSON(t, base+slug+"/")
		for _, field := range []string{"modified", "last_fetched"} {
			if _, stated := want[field]; stated {
				continue
			}
			text, _ := got[field].(string)
			at, err := time.Parse(time.RFC3339Nano, text)
			if age := time.Since(at); err != nil || age < 0 || age > time.Minute {
				t.Errorf("%s: %s is %q", slug, field, text)
			}
			delete(got, field)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", slug, diff)
		}
	}

	// All of it once more: nothing has changed, and nothing is charged.
	before := replay.counts()
	out, err := exec.Command(program, "refresh", "--config", config, "--all").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("0 fresh, 4 unchanged")) || !bytes.Contains(out, []byte("2 gone")) || !bytes.Contains(out, []byte(r.summary)) {
		t.Errorf("refresh --all: %v\n%s", err, out)
	}
	for path, count := range replay.counts() {
		more := 1
		if strings.Contains(path, "/contributors") || strings.Contains(path, "/stats/") {
			more = 0 // nothing was pushed
		}
		if was := before[path]; count[200] != was[200] && !strings.HasPrefix(path, "/simple/") || was[200] > 0 && count[304] != was[304]+more {
			t.Errorf("%s: %v, then %v; want %d 304 more", path, was, count, more)
		}
	}
	for slug, was := range first {
		now := getJSON(t, base+slug+"/")
		if slug == r.full && now["last_fetched"] == was["last_fetched"] {
			t.Errorf("%s: last_fetched did not move with a success", slug)
		}
		delete(now, "last_fetched")
		delete(was, "last_fetched")
		if diff := cmp.Diff(was, now); diff != "" {
			t.Errorf("%s changed (-before +after):\n%s", slug, diff)
		}
	}

	shown, err := exec.Command(program, "show", "--config", config, "missing").CombinedOutput()
	if err != nil || !bytes.Contains(shown, []byte("gone")) || !bytes.Contains(shown, []byte("HTTP 404")) {
		t.Errorf("show: %v\n%s", err, shown)
	}
	for _, agent := range replay.userAgents() {
		if !strings.HasPrefix(agent, "pkgmetad/") || !strings.Contains(agent, "ops@example.org") {
			t.Errorf("User-Agent %q", agent)
		}
	}
	interrupted := make(chan struct{})
	go func() { stop(); close(interrupted) }()
	rest := <-logged
	<-interrupted
	if s := all.String() + rest + string(out) + string(shown); strings.Contains(s, "canary") {
		t.Errorf("the token is in the output:\n%s", s)
	}
}

// replay serves recorded answers on one address for GitHub and PyPI: 304 to a request
// that names the ETag, and 404 to what was not recorded.
type replay struct {
	answers map[string]recordedAnswer // by path and query

	mu     sync.Mutex
	asked  map[string]map[int]int // path and query -> status -> requests
	agents map[string]bool
	used   int // of GitHub's budget
}

type recordedAnswer struct {
	Path   string
	Status int
	Header map[string]string `json:"headers"`
	Body   json.RawMessage   // the body, or a string that holds it
}

func newReplay(t *testing.T, files ...string) (*replay, string) {
	t.Helper()
	p := &replay{answers: map[string]recordedAnswer{}, asked: map[string]map[int]int{}, agents: map[string]bool{}}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var answers []recordedAnswer
		if err := json.Unmarshal(data, &answers); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, a := range answers {
			var text string
			if json.Unmarshal(a.Body, &text) == nil {
				a.Body = json.RawMessage(text)
			}
			p.answers[a.Path] = a
		}
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.RequestURI()
	a, known := p.answers[path]
	if !known {
		a = recordedAnswer{Status: http.StatusNotFound, Header: map[string]string{"Content-Type": "application/json"}, Body: json.RawMessage(`{"message":"Not Found"}`)}
	}
	for k, v := range a.Header {
		w.Header().Set(k, strings.ReplaceAll(v, "https://api.github.com", "http://"+r.Host))
	}
	if tag := a.Header["ETag"]; tag != "" && tag == r.Header.Get("If-None-Match") {
		a.Status, a.Body = http.StatusNotModified, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked[path] == nil {
		p.asked[path] = map[int]int{}
	}
	p.asked[path][a.Status]++
	p.agents[r.UserAgent()] = true
	if strings.HasPrefix(path, "/repos") {
		if a.Status != http.StatusNotModified {
			p.used++
		}
		w.Header().Set("X-RateLimit-Limit", "5000")
		w.Header().Set("X-RateLimit-Used", strconv.Itoa(p.used))
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(5000-p.used))
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client may have gone
}

// counts returns how often each path was answered with each status.
func (p *replay) counts() map[string]map[int]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := map[string]map[int]int{}
	for path, c := range p.asked {
		counts[path] = maps.Clone(c)
	}
	return counts
}

func (p *replay) userAgents() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.agents))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
