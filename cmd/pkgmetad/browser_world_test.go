package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/config"
	"pkgmetad/internal/sim"
)

// What the catalogue of the site says beside what is generated. The hostile
// texts come from where anybody can write what they like.
const (
	hostileText  = `<script>document.title="pwned"</script><img src=http://evil.invalid/x.png onerror=alert(1)>`
	hostileTitle = `Hostile "><svg onload=alert(2)> & {{.}}`
	hostileLink  = "javascript:alert(3)"
	wide         = "averylongnamewithoutanyplacetobreakit_averylongnamewithoutanyplacetobreakit_averylongname"
)

// livelyWeeks are the commits a week of the lively package, oldest first.
func livelyWeeks() []int {
	weeks := make([]int, 52)
	for i := range weeks {
		weeks[i] = i * i * 7 % 23 * (i % 4)
	}
	return weeks
}

// livelyReleased is the week, of those, in which it has a release.
const livelyReleased = 50

// browserWorld declares one package of each kind that a page looks different
// for, among generated ones.
func browserWorld(t *testing.T) *sim.World {
	w := sim.Generate(7, 16, sim.Options{NoPending: true})
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	sim.Documented(w)
	created := time.Date(2019, 3, 1, 12, 0, 0, 0, time.UTC)
	w.AddCategory(sim.Category{ID: 90, Slug: "tools", Title: "Tool", TitlePlural: "Tools", Description: hostileText, ShowPyPI: true, Created: created, Modified: created})
	w.AddGrid(sim.Grid{ID: 91, Slug: "kinds", Title: "Kinds", Description: hostileText, Created: created, Modified: created})
	entry := func(id int, slug, title, repo, project string) sim.Package {
		p := sim.Package{ID: id, Slug: slug, Title: title, Category: "tools", Grids: []string{"kinds"}, Created: created}
		if repo != "" {
			p.RepoURL = new(repo)
		}
		if project != "" {
			p.PyPIURL = new("https://pypi.org/project/" + project + "/")
		}
		return p
	}
	// Midweek, so that a midnight during the test moves no commit to another week.
	today := time.Now().UTC().Truncate(24 * time.Hour)
	commits := func(weeks []int) (all []sim.Commit) {
		for i, n := range weeks {
			for j := range n {
				all = append(all, sim.Commit{
					At:     today.Add(-time.Duration(len(weeks)-i)*7*24*time.Hour + 84*time.Hour + time.Duration(j)*time.Minute),
					Author: fmt.Sprintf("person-%d", j%60),
				})
			}
		}
		return all
	}
	repo := func(name, description string, weeks []int) *sim.Repo {
		return w.AddRepo(&sim.Repo{FullName: name, Description: &description, Stars: 1234, Forks: 56, Commits: commits(weeks), Created: created, Unlisted: true})
	}
	project := func(name string, versions int) *sim.Project {
		p := &sim.Project{Name: name, Summary: name, License: "MIT", Classifiers: []string{"Development Status :: 5 - Production/Stable"}, RequiresPython: ">=3.9", Unlisted: true}
		for i := range versions {
			p.Releases = append(p.Releases, sim.Release{
				Version: fmt.Sprintf("%d.%d", i/10, i%10), Yanked: i%7 == 3,
				Files: []sim.File{{Uploaded: created.Add(time.Duration(i) * 30 * 24 * time.Hour), Size: 1000}},
			})
		}
		return w.AddProject(p)
	}

	repo("people/lively", "A package that much happens to.", livelyWeeks())
	lively := project("lively", 41)
	for _, version := range []string{"1.11", "2.0", "2.1", "2.2", "3.0", "3.1", "3.2", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2"} {
		lively.Classifiers = append(lively.Classifiers, "Framework :: Django :: "+version)
	}
	lively.Releases = append(lively.Releases, sim.Release{Version: "4.1", Files: []sim.File{{Uploaded: today.AddDate(0, 0, 3-7*(52-livelyReleased)), Size: 1000}}})
	w.AddPackage(entry(901, "lively", "Lively", "https://github.com/people/lively", "lively"))

	repo("people/hostile", hostileText, []int{0, 3, 1}).Stars = 7
	project("hostile", 2).License = hostileText
	p := entry(902, "hostile", hostileTitle, "https://github.com/people/hostile", "hostile")
	p.DocumentationURL = new(hostileLink)
	w.AddPackage(p)

	w.AddPackage(entry(903, "gone", "Gone", "https://github.com/people/gone", ""))

	w.SetFault(repo("people/failing", "Never seen.", []int{1}), sim.All, sim.BadGateway, 0)
	w.SetProjectFault(project("failing", 1), sim.All, sim.BrokenJSON, 0)
	w.AddPackage(entry(904, "failing", "Failing", "https://github.com/people/failing", "failing"))

	w.AddPackage(entry(905, "elsewhere", "Elsewhere", "https://codeberg.org/people/elsewhere", "elsewhere"))
	project("elsewhere", 1).Releases[0].Yanked = true

	repo("people/"+wide, strings.Repeat(wide, 4), []int{20_000 / 365, 2, 0, 1}).Archived = true
	w.Rename("people/"+wide, "people/"+wide+"-renamed")
	w.AddPackage(entry(906, "wide", wide, "https://github.com/people/"+wide, ""))

	w.SetFault(repo("people/counting", "Its weeks are being counted.", []int{5}), sim.Participation, sim.Pending, 0)
	w.AddPackage(entry(907, "counting", "Counting", "https://github.com/people/counting", ""))
	return w
}

// A site is the daemon over that world, its first pass done.
type site struct {
	url    string // scheme and host
	client *http.Client
}

func startSite(t *testing.T) *site {
	t.Helper()
	world := browserWorld(t)
	upstreams, err := startSim("127.0.0.1:0", world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := upstreams.stop(); err != nil {
			t.Error(err)
		}
	})
	folder := t.TempDir()
	cfg := config.Default()
	cfg.Store.Path = filepath.Join(folder, "test.db")
	cfg.Catalogue.Path = filepath.Join(folder, "catalogue.yaml")
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.GitHub.BaseURL, cfg.PyPI.BaseURL = upstreams.url, upstreams.url
	cfg.GitHub.Token, cfg.GitHub.TokenSource = config.NewSecret("test"), "the test"
	cfg.GitHub.Strategy = "rest" // what is being computed, and gone, is seen there
	cfg.PyPI.Contact = "test@example.org"
	cfg.Refresh.PendingWait = 0
	if cfg.Schedule.Cron, err = config.ParseSchedule("@every 24h", time.UTC); err != nil { // the first pass is the only one
		t.Fatal(err)
	}
	if err := writeCatalogue(cfg.Catalogue.Path, world); err != nil {
		t.Fatal(err)
	}

	cfg.Log = config.Log{Level: "info", Format: "json"}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, cfg, nil, t.Output(), func(a net.Addr) { ready <- a })
	}()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	var address net.Addr
	select {
	case address = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal("the daemon ended")
	}
	s := &site{url: "http://" + address.String(), client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	s.awaitFirstPass(t)
	return s
}

// awaitFirstPass asks until what fails has failed, what is there is found, and
// the status tells of a pass that has ended. It asks for the status last, which
// stays as it is for some seconds.
func (s *site) awaitFirstPass(t *testing.T) {
	t.Helper()
	asked, stopped := 0, time.Now().Add(30*time.Second)
	until := func(what string, done func() bool) {
		t.Helper()
		for ; !done(); time.Sleep(20 * time.Millisecond) {
			if asked++; time.Now().After(stopped) {
				t.Fatalf("no first pass: %s, asked %d times", what, asked)
			}
		}
	}
	until("nothing failed", func() bool {
		var status struct{ GitHub, PyPI struct{ Failures int } }
		s.json(t, "/status/packages/failing/", &status)
		return status.GitHub.Failures > 0 && status.PyPI.Failures > 0
	})
	until("nothing is found", func() bool {
		var found []any
		s.json(t, "/api/v4/search/?q=happens", &found)
		return len(found) > 0
	})
	until("no pass ended", func() bool {
		var status struct {
			Running  *time.Time      `json:"running_since"`
			Passes   []any           `json:"passes"`
			Snapshot json.RawMessage `json:"snapshot"`
		}
		s.json(t, "/status/", &status)
		return status.Running == nil && len(status.Passes) > 0 && string(status.Snapshot) != "null"
	})
}

// get asks as accept says, and returns the answer with its body.
func (s *site) get(t *testing.T, path, accept string) (*http.Response, []byte) {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Accept", accept)
	resp, err := s.client.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return resp, body
}

// json reads what a program is answered.
func (s *site) json(t *testing.T, path string, v any) {
	t.Helper()
	resp, body := s.get(t, path, "application/json")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
