package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// trial is a configuration whose upstreams are simulated, and its catalogue.
type trial struct {
	t     *testing.T
	world *sim.World
	cfg   *config.Config
	log   *lines

	connections connections // to the simulated upstreams
}

// connections are the open ones of a server.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]chan struct{} // guarded by mu; each is closed when the connection is
}

func (c *connections) follow(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]chan struct{}{}
		}
		c.open[conn] = make(chan struct{})
	case http.StateClosed:
		close(c.open[conn])
		delete(c.open, conn)
	}
}

// closed returns a channel for each connection that is open now, which is closed when
// the connection is.
func (c *connections) closed() (all []<-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, closed := range c.open {
		all = append(all, closed)
	}
	return all
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newTrial(t *testing.T) *trial { return newTrialOver(t, sim.New(sim.Options{NoSecondary: true})) }

// newTrialOver is a trial over a world that is empty yet.
func newTrialOver(t *testing.T, world *sim.World) *trial {
	for _, name := range []string{"one", "two"} {
		world.AddRepo(&sim.Repo{FullName: "acme/" + name, Stars: 5, Commits: []sim.Commit{{At: time.Now().Add(-time.Hour), Author: "ada"}}})
	}
	x := &trial{t: t, world: world, log: new(lines)}
	server := httptest.NewUnstartedServer(world.Handler())
	server.Config.ConnState = x.connections.follow
	server.Start()
	t.Cleanup(func() {
		server.Close()
		_ = world.Close()
	})
	folder := t.TempDir()
	cfg := config.Default()
	cfg.Store.Path = filepath.Join(folder, "test.db")
	cfg.Store.LockWait = 100 * time.Millisecond
	cfg.Catalogue.Path = filepath.Join(folder, "catalogue.yaml")
	cfg.HTTP.Listen = "127.0.0.1:0"
	cfg.GitHub.BaseURL, cfg.PyPI.BaseURL = server.URL+"/", server.URL+"/"
	cfg.GitHub.Token = config.NewSecret("canary")
	var err error
	if cfg.Schedule.Cron, err = config.ParseSchedule("@yearly", time.UTC); err != nil {
		t.Fatal(err)
	}
	x.cfg = cfg
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one}]\n")
	return x
}

func (x *trial) catalogue(text string) {
	x.t.Helper()
	if err := os.WriteFile(x.cfg.Catalogue.Path, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

func (x *trial) options() Options {
	return Options{Config: x.cfg, Version: "test", Log: zerolog.New(x.log)}
}

// start runs a daemon until the test ends. ended gives what Run returned.
func (x *trial) start() (d *Daemon, ended <-chan error) {
	x.t.Helper()
	return x.startWith(x.options())
}

// startWith is start with other options.
func (x *trial) startWith(o Options) (d *Daemon, ended <-chan error) {
	x.t.Helper()
	d, err := New(o)
	if err != nil {
		x.t.Fatal(err)
	}
	return d, x.run(d)
}

// run runs a daemon that was made until the test ends.
func (x *trial) run(d *Daemon) (ended <-chan error) {
	end := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { end <- d.Run() })
	x.t.Cleanup(func() { d.Stop(); running.Wait() })
	return end
}

// startAndStop has a daemon start, and stop before its first pass.
func (x *trial) startAndStop() {
	x.t.Helper()
	d, err := New(x.options())
	if err != nil {
		x.t.Fatal(err)
	}
	d.Stop()
	if err := d.Run(); err != nil {
		x.t.Errorf("it ended with: %v", err)
	}
}

// stop stops a daemon, which has to end without an error.
func (x *trial) stop(d *Daemon, ended <-chan error) {
	x.t.Helper()
	d.Stop()
	if err := <-ended; err != nil {
		x.t.Errorf("it ended with: %v", err)
	}
}

// get asks the daemon for a path, and decodes what a 200 answers.
func (x *trial) get(d *Daemon, path string) (status int, body map[string]any) {
	x.t.Helper()
	resp, err := http.Get("http://" + d.Address().String() + path)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			x.t.Fatal(err)
		}
	}
	return resp.StatusCode, body
}

// until asks the daemon for a path until what it answers holds.
func (x *trial) until(d *Daemon, path string, holds func(map[string]any) bool) {
	x.t.Helper()
	var body map[string]any
	x.waitFor("what "+path+" should answer", func() bool {
		_, body = x.get(d, path)
		return body != nil && holds(body)
	})
}

// passed waits until so many passes have ended. The status, which is made anew every two
// seconds, may have fewer.
func (x *trial) passed(d *Daemon, n int) {
	x.t.Helper()
	x.waitFor(fmt.Sprint(n, " passes"), func() bool {
		passes, err := d.refresher.store.Passes(time.Time{})
		return err == nil && len(passes) == n
	})
}

// waitFor waits until something is there, of which nothing tells.
func (x *trial) waitFor(what string, there func() bool) {
	x.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !there(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited for %s in vain; the log:\n%s", what, x.log)
		}
	}
}

func stars(n float64) func(map[string]any) bool {
	return func(body map[string]any) bool { return body["repo_watchers"] == n }
}

// TestLife: a daemon fetches and serves, keeps what it knows over a restart, and
// lets go of everything when it stops.
func TestLife(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	x.passed(d, 1)
	if _, err := New(x.options()); err == nil || !strings.Contains(err.Error(), "test.db") {
		t.Errorf("a second daemon on the same store: %v", err)
	}
	x.stop(d, ended)
	if _, err := os.Stat(controlPath(x.cfg)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket is still there: %v", err)
	}

	d, ended = x.start()
	if status, body := x.get(d, "/api/v4/packages/one/"); status != 200 || !stars(5)(body) {
		t.Errorf("after a restart: %d, %v", status, body)
	}
	x.stop(d, ended)
	if n := strings.Count(x.log.String(), "catalogue as before"); n != 1 {
		t.Errorf("a restart reads an unchanged catalogue again:\n%s", x.log)
	}
}

// TestStoppedBeforeItRuns: a signal may come while New works.
func TestStoppedBeforeItRuns(t *testing.T) {
	x := newTrial(t)
	x.startAndStop()
	if s := x.world.Stats(); s.Requests != 0 {
		t.Errorf("it made %d requests", s.Requests)
	}
	x.stop(x.start()) // all is let go
}

// TestFailedStart: what New had opened is closed again, and its error says what is wrong.
func TestFailedStart(t *testing.T) {
	x := newTrial(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	x.cfg.HTTP.Listen = taken.Addr().String()
	if _, err := New(x.options()); err == nil || !strings.Contains(err.Error(), "another program uses this port") {
		t.Errorf("its port is taken: %v", err)
	}
	x.cfg.HTTP.Listen = "127.0.0.1:0"
	if err := os.Mkdir(controlPath(x.cfg), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(controlPath(x.cfg), "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(x.options()); err == nil || !strings.Contains(err.Error(), "control socket") {
		t.Errorf("a folder has the name of its socket: %v", err)
	}
	if err := os.RemoveAll(controlPath(x.cfg)); err != nil {
		t.Fatal(err)
	}
	x.stop(x.start())
}

// TestCatalogueAtStart: a bad file is fatal only where there is nothing to go on with.
func TestCatalogueAtStart(t *testing.T) {
	x := newTrial(t)
	const good, bad = "packages: [{slug: one}]\n", "packages: [{slug: one}, {slug: one}]\n"
	x.catalogue(bad)
	if _, err := New(x.options()); !errors.Is(err, ErrNoCatalogue) || !strings.Contains(err.Error(), "catalogue.yaml:1:") {
		t.Errorf("a bad catalogue, the first one: %v", err)
	}
	x.catalogue(good)
	x.stop(x.start())
	x.catalogue(bad)
	d, ended := x.start()
	if status, _ := x.get(d, "/api/v4/packages/one/"); status != 200 {
		t.Errorf("the earlier catalogue does not go on: %d", status)
	}
	x.stop(d, ended)
	if !strings.Contains(x.log.String(), "stays as it was") {
		t.Errorf("the log does not tell of the bad catalogue:\n%s", x.log)
	}
}

// TestReload: a good catalogue is served and fetched, a bad one changes nothing.
func TestReload(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	x.catalogue("packages: [{slug: two}, {slug: two}]\n")
	if err := d.Reload(false); err == nil || !strings.Contains(err.Error(), "stays as it was") || !strings.Contains(err.Error(), "catalogue.yaml:1:") {
		t.Errorf("a bad catalogue: %v", err)
	}
	if status, _ := x.get(d, "/api/v4/packages/one/"); status != 200 {
		t.Errorf("the earlier catalogue does not go on: %d", status)
	}
	x.catalogue("packages: [{slug: two, repo_url: https://github.com/acme/two}]\n")
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	if status, _ := x.get(d, "/api/v4/packages/one/"); status != 404 {
		t.Errorf("what is no longer listed is still served: %d", status)
	}
	if d.scheduler.resume.Load() == 0 {
		t.Error("nobody asked for a pass over what is new")
	}
	x.until(d, "/snapshot/packages.ndjson", func(body map[string]any) bool { return body["slug"] == "two" })
	x.stop(d, ended)
	if err := d.Reload(false); err != nil {
		t.Errorf("a reload of a daemon that has stopped: %v", err)
	}
}

// TestBrokenListener: a daemon that can no longer serve ends, and says why.
func TestBrokenListener(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	_ = d.listener.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve 127.0.0.1:") {
		t.Errorf("it ended with: %v", err)
	}
	x.stop(x.start())
}

// TestRefreshWithAndWithoutDaemon: both ends of a refresh on demand tell the same.
func TestRefreshWithAndWithoutDaemon(t *testing.T) {
	x := newTrial(t)
	if Dial(t.Context(), x.cfg) != nil {
		t.Error("somebody answers, and no daemon runs")
	}
	var told []string
	progress := func(p fetcher.Progress) { told = append(told, string(p.Key)+" "+p.Outcome) }
	report, err := Refresh(t.Context(), x.options(), Selection{}, progress)
	if err != nil || report.Fresh != 1 || strings.Join(told, ", ") != "github.com/acme/one fresh" {
		t.Errorf("without a daemon: %+v, %v; progress %q", report, err, told)
	}

	d, ended := x.start()
	client := Dial(t.Context(), x.cfg)
	told = nil
	report, err = client.Refresh(t.Context(), Selection{Slugs: []string{"one"}}, progress)
	if err != nil || report.Unchanged != 1 || strings.Join(told, ", ") != "github.com/acme/one unchanged" {
		t.Errorf("by the daemon: %+v, %v; progress %q", report, err, told)
	}
	if _, err := client.Refresh(t.Context(), Selection{Slugs: []string{"nothing"}}, progress); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a package that is not there: %v", err)
	}
	if p, rendering, err := client.Show(t.Context(), "one"); err != nil || p.Repo.Stars != 5 || rendering.Name() != Rendering(x.cfg).Name() {
		t.Errorf("show: %+v, %+v, %v", p, rendering, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if report, err := client.Refresh(cancelled, Selection{All: true}, progress); err != nil || !report.Cancelled {
		t.Errorf("cancelled: %+v, %v", report, err)
	}
	resp, err := client.http.Post("http://daemon/refresh", "application/json", strings.NewReader("{"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("half a request: %s: %s", resp.Status, text)
	}
	x.stop(d, ended)
}

// TestEnterpriseServer: the API of another host is asked about the repositories of
// that host alone, in every form of their URL.
func TestEnterpriseServer(t *testing.T) {
	x := newTrial(t)
	server := httptest.NewServer(http.StripPrefix("/api/v3", x.world.Handler()))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	name, _, _ := strings.Cut(host, ":")
	for file, want := range map[string]map[string]float64{
		"github: {base_url: " + server.URL + "/api/v3/}":                         {"web": 5, "public": 0},
		"github: {base_url: " + server.URL + "/api/v3/, url_host: " + name + "}": {"ssh": 5, "web": 5, "public": 0},
		"github: {base_url: " + server.URL + "/api/v3/, url_host: github.com}":   {"web": 0, "ssh": 0, "public": 5},
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte("store: {path: test.db}\ncatalogue: {path: c.yaml}\n"+file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		cfg.HTTP.Listen, cfg.PyPI.BaseURL = x.cfg.HTTP.Listen, x.cfg.PyPI.BaseURL
		x.cfg = cfg
		x.catalogue("packages: [{slug: web, repo_url: \"https://" + host + "/acme/one\"}, {slug: ssh, repo_url: \"git@" + name + ":acme/one.git\"}, {slug: public, repo_url: \"https://github.com/acme/one\"}]\n")
		d, ended := x.start()
		x.passed(d, 1)
		for slug, n := range want {
			if _, body := x.get(d, "/api/v4/packages/"+slug+"/"); !stars(n)(body) {
				t.Errorf("%s: %s has %v stars, not %v", file, slug, body["repo_watchers"], n)
			}
		}
		x.stop(d, ended)
	}
}

// TestReloadConfiguration: what a reload can change it changes, what takes a restart it
// names, and a bad file changes nothing.
func TestReloadConfiguration(t *testing.T) {
	x := newTrial(t)
	schedule := func(spec string) config.Schedule {
		cron, err := config.ParseSchedule(spec, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return config.Schedule{Refresh: spec, TimeZone: time.UTC, Cron: cron}
	}
	next, bad := *x.cfg, errors.New("config.yaml:3:1: no such key")
	next.Schedule = schedule("@hourly")
	next.Refresh.StaleAfter = time.Hour
	next.HTTP.Listen, next.HTTP.MaxLimit, next.Log.Level = "127.0.0.1:1", 5, "debug"
	fail := true
	level := zerolog.NoLevel
	o := x.options()
	o.Load = func() (*config.Config, error) {
		if fail {
			return nil, bad
		}
		read := next
		read.GitHub.Token = config.NewSecret(read.GitHub.Token.Reveal()) // as a file gives it: another value of the same text
		return &read, nil
	}
	o.SetLogLevel = func(l zerolog.Level) { level = l }
	d, ended := x.startWith(o)
	x.until(d, "/api/v4/packages/one/", stars(5))
	client, index := d.refresher.settings.Load().github, d.refresher.settings.Load().pypi

	if err := d.Reload(false); !errors.Is(err, bad) {
		t.Errorf("a bad configuration: %v", err)
	}
	if due := time.Until(d.scheduler.next(time.Now())); due < time.Hour {
		t.Errorf("a bad configuration has changed the schedule: next in %s", due)
	}
	x.until(d, "/status/", func(body map[string]any) bool {
		reload, _ := body["reload"].(map[string]any)
		return reload["error"] == bad.Error()
	})

	fail = false
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	cfg := d.refresher.cfg()
	if due := time.Until(d.scheduler.next(time.Now())); due > time.Hour || cfg.Refresh.StaleAfter != time.Hour || level != zerolog.DebugLevel {
		t.Errorf("next in %s, stale after %s, log level %s", due, cfg.Refresh.StaleAfter, level)
	}
	if cfg.HTTP.MaxLimit != 1000 || cfg.HTTP.Listen != "127.0.0.1:0" || !strings.Contains(x.log.String(), "after a restart: http.listen, http.max_limit") {
		t.Errorf("what takes a restart: %+v\n%s", cfg.HTTP, x.log)
	}
	if d.refresher.settings.Load().github != client {
		t.Error("the client of GitHub has forgotten what it knew, and none of its settings has changed")
	}
	next.GitHub.Token = config.NewSecret("canary-two")
	x.passed(d, 1)
	before := x.connections.closed()
	if err := d.Reload(false); err != nil || d.refresher.settings.Load().github == client || len(before) == 0 {
		t.Errorf("another token: %v; %d connections before it", err, len(before))
	}
	for _, closed := range before {
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("a connection of the client that was replaced stays open")
		}
	}
	next.PyPI.IndexAbove = 7
	if err := d.Reload(false); err != nil || d.refresher.settings.Load().pypi != index {
		t.Errorf("the client of PyPI is another one, and none of its settings has changed: %v", err)
	}
	next.PyPI.Rate = 7
	if err := d.Reload(false); err != nil || d.refresher.settings.Load().pypi == index {
		t.Errorf("another rate: %v", err)
	}
	x.stop(d, ended)
	if strings.Contains(x.log.String(), "canary") {
		t.Error("a token is in the log")
	}
}

// TestIntervalsOfTheCatalogue: a stale_after that the catalogue comes to give a package
// counts at once, and for no other. Who reads a package is counted.
func TestIntervalsOfTheCatalogue(t *testing.T) {
	x := newTrial(t)
	catalogue := func(age string) {
		x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one" + age + "}, {slug: two, repo_url: https://github.com/acme/two}]\n")
	}
	catalogue("")
	d, ended := x.start()
	x.until(d, "/status/", func(body map[string]any) bool { return len(body["passes"].([]any)) == 1 })
	x.get(d, "/api/v4/packages/one/")
	x.get(d, "/api/v4/packages/?limit=5")
	x.get(d, "/status/packages/two/")
	_, body := x.get(d, "/api/v4/packages/one/")
	id := int(body["id"].(float64))
	if reads := d.refresher.reads.All(); len(reads) != 1 || reads[id] != 2 {
		t.Errorf("package %d was read twice, and no other; the counts are %v", id, reads)
	}
	for _, name := range []string{"one", "two"} {
		repo := x.world.Repo("acme/" + name)
		x.world.Edit(func() { repo.Stars = 6 })
	}
	catalogue(", stale_after: 1s") // the shortest
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	var report record.Pass
	var err error
	x.waitFor("one to be a second old", func() bool {
		report, err = d.refresher.pass(t.Context()) // the reload has one run within a minute
		return err != nil || report.Asked > 0
	})
	if err != nil || report.Asked != 1 {
		t.Errorf("asked: %+v, %v", report, err)
	}
	if _, body := x.get(d, "/api/v4/packages/one/"); !stars(6)(body) {
		t.Errorf("one was not fetched: %v", body)
	}
	x.stop(d, ended)
}

// TestReloadBackupsAndPings: copies and pings go by the configuration in force, and a
// folder that cannot be written to is told of at once.
func TestReloadBackupsAndPings(t *testing.T) {
	x := newTrial(t)
	pinged := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { pinged <- r.URL.Path }))
	defer hook.Close()
	next, o := *x.cfg, x.options()
	o.Load = func() (*config.Config, error) { read := next; return &read, nil }
	d, ended := x.startWith(o)
	x.until(d, "/api/v4/packages/one/", stars(5))
	reload := func() {
		t.Helper()
		if err := d.Reload(false); err != nil {
			t.Fatal(err)
		}
		d.refresher.passes(t.Context())
	}

	for _, path := range []string{"/canary-one", "/canary-two"} { // as when the file holds another URL
		next.Notify.PingURL = config.NewSecret(hook.URL + path)
		reload()
		if got := <-pinged; got != path {
			t.Errorf("pinged %s, not %s", got, path)
		}
	}
	next.Notify.PingURL = config.Secret{}
	reload()

	next.Store.Backup = config.Backup{Folder: filepath.Join(filepath.Dir(x.cfg.Store.Path), "not yet", "backups"), Keep: 2}
	var err error
	if next.Store.Backup.Schedule, err = config.ParseSchedule("@daily", time.UTC); err != nil {
		t.Fatal(err)
	}
	if err := d.Reload(false); err == nil || !strings.Contains(err.Error(), "store.backup.folder") {
		t.Errorf("a folder that is not there: %v", err)
	}
	next.Store.Backup.Folder = filepath.Join(filepath.Dir(x.cfg.Store.Path), "backups")
	reload()
	x.waitFor("a backup", func() bool { return x.logged("backup made") > 0 })
	x.stop(d, ended)
	if len(pinged) > 0 {
		t.Errorf("%s was pinged, and no URL is configured", <-pinged)
	}
	if text := x.log.String(); strings.Contains(text, "after a restart") || strings.Contains(text, "canary") {
		t.Errorf("the log:\n%s", text)
	}
}

// TestRemovals: a catalogue that was cut short removes nothing, at a reload and at a
// start, until an operator says that it may.
func TestRemovals(t *testing.T) {
	x := newTrial(t)
	catalogue := func(packages int) {
		text := "packages:\n"
		for i := range packages {
			text += fmt.Sprintf("- {slug: p%d}\n", i)
		}
		x.catalogue(text)
	}
	served := func(d *Daemon, want float64) {
		t.Helper()
		if _, body := x.get(d, "/api/v4/packages/"); body["count"] != want {
			t.Errorf("%v packages are served, not %v", body["count"], want)
		}
	}
	catalogue(75)
	d, ended := x.start()
	catalogue(60) // a fifth may go
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	catalogue(47)
	if err := d.Reload(false); err == nil || !strings.Contains(err.Error(), "lacks 13 of the 60 packages") {
		t.Errorf("thirteen of sixty go: %v", err)
	}
	served(d, 60)
	catalogue(50) // ten may always go
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	served(d, 50)
	catalogue(39)
	if err := d.Reload(false); err == nil || !strings.Contains(err.Error(), "lacks 11 of the 50 packages") || !strings.Contains(err.Error(), "--allow-removals") {
		t.Errorf("eleven of fifty go: %v", err)
	}
	served(d, 50)
	x.stop(d, ended)
	d, ended = x.start()
	served(d, 50)
	refused := func(body map[string]any) string {
		reload, _ := body["reload"].(map[string]any)
		text, _ := reload["error"].(string)
		return text
	}
	// A start tells of it as a reload does.
	x.until(d, "/status/", func(body map[string]any) bool { return strings.Contains(refused(body), "lacks 11 of the 50 packages") })
	if !d.refresher.outdated() {
		t.Error("the start refused the catalogue, and the metric says that it is in force")
	}
	if err := d.Reload(true); err != nil {
		t.Fatal(err)
	}
	served(d, 39)
	x.until(d, "/status/", func(body map[string]any) bool { return refused(body) == "" })
	x.stop(d, ended)
}
