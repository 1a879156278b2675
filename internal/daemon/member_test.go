package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/github"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/store"
)

// clusterOf returns the configurations of hosts that share what x asks and its catalogue, each
// with a credential of its own. The first n of them run servers.
func (x *trial) clusterOf(n int, names ...string) (hosts []*config.Config) {
	x.t.Helper()
	addresses, err := cluster.FreeAddresses(n)
	if err != nil {
		x.t.Fatal(err)
	}
	servers := map[string]string{}
	for i, address := range addresses {
		servers[names[i]] = address
	}
	for _, name := range names {
		cfg := *x.cfg
		cfg.Store.Path = filepath.Join(x.t.TempDir(), name+".db")
		cfg.HTTP.PublicURL = "https://packages.example.org"
		cfg.GitHub.Token = config.NewSecret("canary-of-" + name)
		cfg.Cluster = config.Cluster{Name: name, Servers: servers, Secret: config.NewSecret("a secret of all hosts")}
		hosts = append(hosts, &cfg)
	}
	return hosts
}

// host starts a daemon.
func (x *trial) host(cfg *config.Config) (*Daemon, <-chan error) {
	x.t.Helper()
	o := x.options()
	o.Config = cfg
	o.Load = func() (*config.Config, error) { next := *cfg; return &next, nil }
	return x.startWith(o)
}

func (x *trial) repo(name string, stars int) {
	x.world.AddRepo(&sim.Repo{FullName: name, Stars: stars, Commits: []sim.Commit{{At: time.Now().Add(-time.Hour), Author: "ada"}}})
}

// agrees waits until a host has a package with so many stars.
func (x *trial) agrees(d *Daemon, slug string, want float64) {
	x.t.Helper()
	x.waitLong(fmt.Sprintf("%s of %s to have %g stars", slug, d.cfg.Cluster.Name, want), func() bool {
		_, body := x.get(d, "/api/v4/packages/"+slug+"/")
		return body != nil && body["repo_watchers"] == want
	})
}

// waitLong is waitFor with time for an election.
func (x *trial) waitLong(what string, there func() bool) {
	x.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited for %s in vain; the log:\n%s", what, x.log)
		}
	}
}

// TestOneServer: one host that runs a server, and one that only connects and only reads. What
// the first fetches, the second serves; what the catalogue of either changes, both have.
func TestOneServer(t *testing.T) {
	x := newTrial(t)
	cfgs := x.clusterOf(1, "a", "r")
	cfgs[1].Refresh.Workers = 0
	a, aEnded := x.host(cfgs[0])
	r, rEnded := x.host(cfgs[1])
	x.agrees(a, "one", 5)
	x.agrees(r, "one", 5)

	if err := r.refresher.member.mayRefresh(); err == nil || !strings.Contains(err.Error(), "refresh.workers is 0") {
		t.Errorf("a refresh on a host that only reads: %v", err)
	}
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one}, {slug: two, repo_url: https://github.com/acme/two}]\n")
	if err := r.Reload(false); err != nil { // on the other one than the first file came from
		t.Fatal(err)
	}
	x.agrees(a, "two", 5)
	x.agrees(r, "two", 5)
	x.waitLong("the same change", func() bool { return a.refresher.store.Sequence() == r.refresher.store.Sequence() })
	for _, path := range []string{"/api/v4/packages/one/", "/api/v4/packages/?limit=10", "/changes/?since=0"} {
		if diff := cmp.Diff(x.answer(a, path), x.answer(r, path)); diff != "" {
			t.Errorf("%s differs (-a +r):\n%s", path, diff)
		}
	}
	x.stop(r, rEnded)
	x.stop(a, aEnded)
	if strings.Contains(x.log.String(), "canary") || strings.Contains(x.log.String(), "a secret of all hosts") {
		t.Error("the log has a secret")
	}

	// Without the section, what each has is a complete store.
	alone := *cfgs[1]
	alone.Cluster, alone.Refresh.Workers, alone.HTTP.PublicURL = config.Cluster{}, 8, ""
	d, _ := x.host(&alone)
	if status, body := x.get(d, "/api/v4/packages/two/"); status != http.StatusOK || body["repo_watchers"] != 5.0 {
		t.Errorf("alone again: %d %v", status, body)
	}
}

// answer returns what decides whether two hosts answer the same.
func (x *trial) answer(d *Daemon, path string) []string {
	x.t.Helper()
	resp, err := http.Get("http://" + d.Address().String() + path)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		x.t.Fatal(err)
	}
	_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
	return []string{resp.Status, resp.Header.Get("ETag"), text}
}

// TestStoreBecomesReplica: the store that a host has is what all have, and what another host
// had before is kept beside.
func TestStoreBecomesReplica(t *testing.T) {
	x := newTrial(t)
	cfgs := x.clusterOf(1, "a", "b")
	before := *cfgs[0]
	before.Cluster = config.Cluster{}
	d, ended := x.host(&before)
	x.agrees(d, "one", 5)
	x.waitLong("the pass to end", func() bool {
		passes, err := d.refresher.store.Passes(time.Time{})
		return err == nil && len(passes) > 0
	})
	want := x.answer(d, "/api/v4/packages/one/")
	x.stop(d, ended)

	other := *cfgs[1]
	other.Cluster = config.Cluster{}
	b, bEnded := x.host(&other)
	x.agrees(b, "one", 5)
	x.stop(b, bEnded)

	a, _ := x.host(cfgs[0])
	x.waitLong("the first to follow", a.refresher.member.caughtUp.Load)
	b, _ = x.host(cfgs[1])
	x.waitLong("the other to follow", b.refresher.member.caughtUp.Load)
	for _, host := range []*Daemon{a, b} {
		if diff := cmp.Diff(want, x.answer(host, "/api/v4/packages/one/")); diff != "" {
			t.Errorf("%s answers otherwise than the first did alone:\n%s", host.cfg.Cluster.Name, diff)
		}
		passes, err := host.refresher.store.Passes(time.Time{})
		if err != nil || len(passes) == 0 {
			t.Errorf("%s has forgotten its passes: %v", host.cfg.Cluster.Name, err)
		}
		kept, err := store.Open(host.cfg.Store.Path+keptSuffix, store.Options{ReadOnly: true, Render: storeOptions(x.cfg, openAsIs).Render})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kept.PackageBySlug("one"); err != nil {
			t.Errorf("%s has not kept what it had: %v", host.cfg.Cluster.Name, err)
		}
		_ = kept.Close()
	}
}

// TestDivergedReplica: a store that has something else than the stream is built anew, and
// readers are served meanwhile.
func TestDivergedReplica(t *testing.T) {
	x := newTrial(t)
	a, ended := x.host(x.clusterOf(1, "a")[0])
	x.agrees(a, "one", 5)
	m, s := a.refresher.member, a.refresher.store
	m.looked.Store(time.Now().UnixNano())

	// A message that the stream has not: such as of a stream whose disks were rolled back.
	known, _, err := s.MessageKnown("entry/1")
	if err != nil || known == 0 {
		t.Fatal(known, err)
	}
	p, err := s.Package(1)
	if err != nil {
		t.Fatal(err)
	}
	forged := fmt.Sprintf(`{"v":1,"value":{"id":1,"slug":"forged","title":"x","repo_key":%q,"modified":"2020-01-01T00:00:00Z"}}`, p.RepoKey)
	if err := s.Apply([]record.Message{{Name: "entry/1", Data: []byte(forged), Sequence: s.Applied() + 1, Time: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PackageBySlug("forged"); err != nil {
		t.Fatal(err)
	}
	m.compareSoon()
	x.waitLong("it to be mended", func() bool {
		if answer := x.answer(a, "/api/v4/packages/?limit=10"); answer[0] != "200 OK" {
			t.Errorf("meanwhile, it answers %q", answer)
		}
		_, err := s.PackageBySlug("one")
		return err == nil
	})
	if _, err := s.PackageBySlug("forged"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was forged is still there: %v", err)
	}
	if n := x.logged("built anew"); n == 0 {
		t.Error("nobody was told")
	}
	x.stop(a, ended)
}

// TestThreeHosts: three hosts share the work; one is lost, and the others go on; one comes with
// nothing, and has all.
func TestThreeHosts(t *testing.T) {
	x := newTrial(t)
	catalogue := "packages:\n"
	for i := range 120 {
		name := fmt.Sprintf("acme/p%03d", i)
		x.repo(name, 7)
		catalogue += fmt.Sprintf("- {slug: p%03d, repo_url: https://github.com/%s}\n", i, name)
	}
	x.catalogue(catalogue)
	cfgs := x.clusterOf(3, "a", "b", "c")
	var hosts []*Daemon
	var ends []<-chan error
	for _, cfg := range cfgs {
		d, ended := x.host(cfg)
		hosts, ends = append(hosts, d), append(ends, ended)
	}
	for _, d := range hosts {
		x.agrees(d, "p119", 7)
	}
	fresh := func(d *Daemon) bool {
		_, body := x.get(d, "/status/")
		github, _ := body["github"].(map[string]any)
		return github != nil && github["never_fetched"] == 0.0
	}
	for _, d := range hosts {
		x.waitLong("all to be fetched", func() bool { return fresh(d) })
	}
	scheduler := func() *Daemon {
		for _, d := range hosts {
			if d.refresher.member.scheduler.Held() {
				return d
			}
		}
		return nil
	}
	x.waitLong("somebody to say what is due", func() bool { return scheduler() != nil })
	paused := scheduler()
	paused.pause() // then another host says what is due
	x.waitLong("another to do so", func() bool { d := scheduler(); return d != nil && d != paused })
	paused.resume()

	x.stop(hosts[2], ends[2])
	if err := os.RemoveAll(filepath.Dir(cfgs[2].Store.Path)); err != nil { // its disk is lost
		t.Fatal(err)
	}
	x.repo("acme/late", 9)
	x.catalogue(catalogue + "- {slug: late, repo_url: https://github.com/acme/late}\n")
	if err := hosts[0].Reload(false); err != nil {
		t.Fatal(err)
	}
	x.agrees(hosts[1], "late", 9)

	if err := os.MkdirAll(filepath.Dir(cfgs[2].Store.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	c, _ := x.host(cfgs[2])
	x.agrees(c, "late", 9)
	x.waitLong("the newcomer to be where the others are", func() bool {
		return c.refresher.store.Sequence() == hosts[0].refresher.store.Sequence() && hosts[1].refresher.store.Sequence() == hosts[0].refresher.store.Sequence()
	})
	for _, path := range []string{"/changes/?since=0&limit=1000", "/api/v4/packages/?limit=200"} {
		want := x.answer(hosts[0], path)
		for _, d := range []*Daemon{hosts[1], c} {
			if diff := cmp.Diff(want, x.answer(d, path)); diff != "" {
				t.Errorf("%s of %s differs:\n%s", path, d.cfg.Cluster.Name, diff)
			}
		}
	}
	if n := x.world.Stats().Violations; n != 0 {
		t.Errorf("%d violations: %+v", n, x.world.Stats())
	}
}

// TestStopOfAMemberWithinAPass: what has arrived is stored, which takes the stream that the
// store follows, and the stop waits for nothing else.
func TestStopOfAMemberWithinAPass(t *testing.T) {
	world := sim.New(sim.Options{NoSecondary: true, Latency: 50 * time.Millisecond})
	x := newTrialOver(t, world)
	var text strings.Builder
	text.WriteString("packages:\n")
	const packages = 500
	for i := range packages {
		world.AddRepo(&sim.Repo{FullName: fmt.Sprintf("acme/n%d", i), Stars: 5})
		fmt.Fprintf(&text, "- {slug: n%d, repo_url: https://github.com/acme/n%[1]d}\n", i)
	}
	x.catalogue(text.String())
	x.cfg.GitHub.Strategy = "rest" // one after the other
	x.cfg.Refresh.Workers = 2
	d, ended := x.host(x.clusterOf(1, "a")[0])
	s := d.refresher.store
	fetched := func() (n int) {
		all, _, err := s.Packages(0, packages)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Repo.Stars > 0 {
				n++
			}
		}
		return n
	}
	x.waitFor("the first answers", func() bool { return fetched() > 0 })
	began := time.Now()
	x.stop(d, ended)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if log := x.log.String(); strings.Contains(log, `"level":"error"`) || !strings.Contains(log, `"abandoned":`) {
		t.Errorf("the pass was not cut short, or something failed:\n%s", log)
	}
}

// TestStoreOfMostPackages: whichever host comes first, what is published is the store of the one
// that has most packages.
func TestStoreOfMostPackages(t *testing.T) {
	x := newTrial(t)
	cfgs := x.clusterOf(3, "a", "b", "c")
	before := *cfgs[2]
	before.Cluster = config.Cluster{}
	d, ended := x.host(&before)
	x.agrees(d, "one", 5)
	x.stop(d, ended)
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(other, []byte("packages: [{slug: two, repo_url: https://github.com/acme/two}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfgs[0].Catalogue.Path, cfgs[1].Catalogue.Path = other, other

	c, _ := x.host(cfgs[2])
	x.waitLong("it to wait for the others", func() bool { return x.logged("waits for the other hosts") > 0 }) // and so to ask them less often than they do
	a, _ := x.host(cfgs[0])
	b, _ := x.host(cfgs[1])
	for _, d := range []*Daemon{a, b, c} {
		x.waitLong("it to follow", d.refresher.member.caughtUp.Load)
		if _, err := d.refresher.store.PackageBySlug("one"); err != nil {
			t.Errorf("host %s: %v", d.cfg.Cluster.Name, err)
		}
	}
}

// TestCatalogueNotTakenOver: a host that is cut off says that, not that others were first.
func TestCatalogueNotTakenOver(t *testing.T) {
	for _, c := range []struct {
		reach cluster.Reach
		want  string
	}{
		{cluster.Reach{}, "take the catalogue over: this host is cut off from the others, so nothing was changed; why"},
		{cluster.Reach{Quorum: true}, "take the catalogue over: it was not this host's turn within 1m0s, so nothing was changed; why"},
	} {
		if err := notItsTurn(c.reach, "why"); err.Error() != c.want {
			t.Errorf("%v", err)
		}
	}
}

// TestOfferWaits: who is told that something is due offers it once its store knows of that.
func TestOfferWaits(t *testing.T) {
	x := newTrial(t)
	a, _ := x.host(x.clusterOf(1, "a")[0])
	x.agrees(a, "one", 5)
	m := a.refresher.member
	next := m.store.Applied() + 1
	offered := make(chan uint64, 1)
	go func() {
		m.offerWith(t.Context(), strconv.AppendUint(nil, next, 10))
		offered <- m.store.Applied()
	}()
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one}, {slug: two, repo_url: https://github.com/acme/two}]\n")
	if err := a.Reload(false); err != nil {
		t.Fatal(err)
	}
	if at := <-offered; at < next {
		t.Errorf("offered at %d, and told of %d", at, next)
	}
}

// TestAppetite: a host takes no more work than it may do.
func TestAppetite(t *testing.T) {
	x := newTrial(t)
	x.cfg.GitHub.Reserve = 0
	a, _ := x.host(x.clusterOf(1, "a")[0])
	x.agrees(a, "one", 5)
	m := a.refresher.member
	x.waitLong("this host to ask PyPI", func() bool { return !a.refresher.settings.Load().hold(cluster.ClassPyPI).Elsewhere })
	take := func(class string) int {
		for _, l := range m.lines {
			if l.class == class {
				return l.appetite(t.Context())
			}
		}
		t.Fatalf("there is no class %s", class)
		return 0
	}
	next := *a.refresher.settings.Load()
	rated := *next.cfg
	next.cfg, rated.PyPI.Rate = &rated, 3
	a.refresher.settings.Store(&next)
	if n := take(cluster.ClassPyPI); n != 60 {
		t.Errorf("at 3 a second, of 20 seconds: %d projects", n)
	}

	gh := next.github
	window := github.Left{Limit: 5000, Remaining: 7, Reset: time.Now().Unix() + 7200, ResetSeconds: 7200}
	left := github.Allowance{Requests: window, Points: window}
	left.Points.Remaining = 0
	gh.Learn(gh.Credentials()[0].Fingerprint, left, 0)
	if n := take(cluster.ClassGitHub); n != 7 {
		t.Errorf("with 7 requests left: %d repositories", n)
	}
	left.Requests.Remaining = 0
	gh.Learn(gh.Credentials()[0].Fingerprint, left, 0)
	if n := take(cluster.ClassGitHub); n != 0 {
		t.Errorf("with nothing left: %d repositories", n)
	}
}
