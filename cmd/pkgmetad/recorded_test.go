package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordedFolder holds answers that the real GitHub and PyPI gave, and a
// server for them. They are others' work and not in this repository.
const recordedFolder = "../../../shared"

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
		if err := c.Wait(); err != nil && name != "python3" {
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

// TestRecordedAnswers drives the built program over answers that the real
// upstreams once gave.
func TestRecordedAnswers(t *testing.T) {
	answers := filepath.Join(recordedFolder, "recorded", "upstream.json")
	if _, err := os.Stat(answers); err != nil {
		t.Skipf("the recorded answers of GitHub and PyPI are not on this machine (%v); the simulator's tests cover the same ground", err)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skipf("no python3 to serve the recorded answers with: %v", err)
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "pkgmetad")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	replay, _ := start(t, false, "python3", filepath.Join(recordedFolder, "tools", "replay.py"), answers)
	if !replay.Scan() {
		t.Fatal("the server of recorded answers did not start")
	}
	upstreams := replay.Text()
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
packages:
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
`)
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

	weeks := make([]any, 52)
	for i := range weeks {
		weeks[i] = 0.0
	}
	first := map[string]map[string]any{}
	for slug, want := range map[string]map[string]any{
		"dj-paginator": {
			"category": "https://packages.example.org/api/v4/categories/1/", "grids": []any{"https://packages.example.org/api/v4/grids/4/"},
			"id": 10.0, "title": "DJ Paginator", "slug": "dj-paginator", "last_updated": "2015-03-30T20:08:33Z",
			"repo_url": "http://www.github.com/pydanny/dj-paginator.git/", "pypi_version": "1.14.0", "created": "2015-08-01T10:11:12.131415Z",
			"repo_forks": 4.0, "repo_description": "Django + Pagination made easy.", "pypi_url": "https://pypi.python.org/pypi/Django_Crispy.forms/1.0/",
			"documentation_url": "", "repo_watchers": 36.0, "commits_over_52": weeks, "participants": []any{"audreyfeldroy", "pydanny"},
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
	} {
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
	before := statuses(t, upstreams)
	out, err := exec.Command(program, "refresh", "--config", config, "--all").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("0 fresh, 4 unchanged")) || !bytes.Contains(out, []byte("2 gone")) || !bytes.Contains(out, []byte("GitHub: 5 requests, 1 charged")) {
		t.Errorf("refresh --all: %v\n%s", err, out)
	}
	for path, count := range statuses(t, upstreams) {
		if was := before[path]; count["200"] != was["200"] && !strings.HasPrefix(path, "GET /simple/") || was["200"] > 0 && count["304"] != was["304"]+1 {
			t.Errorf("%s: %v, then %v; want one 304 more", path, was, count)
		}
	}
	for slug, was := range first {
		now := getJSON(t, base+slug+"/")
		if slug == "dj-paginator" && now["last_fetched"] == was["last_fetched"] {
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
	var stats struct {
		UserAgents map[string]int `json:"user_agents"`
	}
	decode(t, upstreams+"/_replay/stats", &stats)
	for agent := range stats.UserAgents {
		if !strings.HasPrefix(agent, "pkgmetad/") && !strings.HasPrefix(agent, "Go-http-client") || strings.HasPrefix(agent, "pkgmetad/") && !strings.Contains(agent, "ops@example.org") {
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

// statuses returns how often each request was answered with each status.
func statuses(t *testing.T, upstreams string) map[string]map[string]int {
	t.Helper()
	var stats struct {
		Requests map[string]map[string]int
	}
	decode(t, upstreams+"/_replay/stats", &stats)
	return stats.Requests
}

func decode(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
