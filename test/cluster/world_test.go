package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// options say how a site differs from that of most tests.
type options struct {
	sim      sim.Options
	packages int               // 0: 60
	stale    time.Duration     // age at which a source is due again; 0: never, in a test's time
	tokens   map[string]string // of hosts that share one; the others have one each
	workers  int               // of a host; 0: 8
	pypi     int               // requests to PyPI in flight; 0: 8
	gitHub   int               // one package of so many names no project of PyPI; 0: none
	alone    bool              // one host, which is not one of several
	netns    bool              // each host in a network namespace of its own, with TLS
	tls      bool
}

// A site is what several hosts serve together: their folders, and the world that they ask.
type site struct {
	options
	folder   string
	world    *sim.World
	upstream string
	servers  []string // "a: 127.0.0.1:6222"
	hosts    []*host
	readers  *readers
	network  *network // nil on loopback
}

// newSite makes a site with three hosts, a, b and c, each of which runs a server, or with one alone. None
// is started.
func newSite(t *testing.T, o options) *site {
	t.Helper()
	folder, err := os.MkdirTemp(t.ArtifactDir(), "")
	must(t, err)
	s := &site{options: o, folder: folder}
	if s.packages == 0 {
		s.packages = 60
	}
	if s.stale == 0 {
		s.stale = 24 * time.Hour
	}
	if s.workers == 0 {
		s.workers = 8
	}
	if s.pypi == 0 {
		s.pypi = 8
	}
	o.sim.Limit, o.sim.PointLimit, o.sim.NoSecondary, o.sim.NoPending = 1<<30, 1<<30, true, true
	s.world = sim.Generate(7, s.packages, o.sim)
	sim.Documented(s.world)
	listen := "127.0.0.1:0"
	if s.netns {
		s.network, s.tls = newNetwork(t), true
		listen = s.network.outside + ":0"
	}
	s.serveWorld(t, listen)
	s.readers = newReaders(s)
	must(t, os.WriteFile(filepath.Join(s.folder, "secret"), []byte(strings.Repeat("secret-", 5)), 0o600))
	s.list(t, few)
	names := []string{"a", "b", "c"}
	if s.alone {
		names = names[:1]
	}
	free := ports(t, len(names))
	for i, name := range names {
		address := fmt.Sprintf("127.0.0.1:%d", free[i])
		if s.network != nil {
			address = s.network.address(i) + ":6222"
		}
		s.servers = append(s.servers, fmt.Sprintf("%s: %q", name, address))
	}
	if s.tls {
		writeCertificate(t, s.folder, "hosts")
	}
	for _, name := range names {
		s.add(t, name, s.workers)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range s.hosts {
				t.Logf("the log of %s ends with:\n%s", h.name, h.tail(25))
			}
		}
	})
	return s
}

func (s *site) serveWorld(t *testing.T, listen string) {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	must(t, err)
	server := &http.Server{Handler: s.world.Handler()}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		_ = s.world.Close() // ends what stalls
		_ = server.Close()
	})
	s.upstream = "http://" + l.Addr().String() + "/"
}

// few is how many packages the catalogue lists before the hosts have joined.
const few = 3

// list writes the catalogue with its first packages; 0 for all. It returns how many it lists.
func (s *site) list(t *testing.T, packages int) int {
	t.Helper()
	c := s.world.Catalogue()
	if packages > 0 && packages < len(c.Packages) {
		c.Packages = c.Packages[:packages]
	}
	if s.gitHub > 0 {
		c.Packages = slices.Clone(c.Packages)
		for i := 0; i < len(c.Packages); i += s.gitHub {
			if s.gitHub == 1 || c.Packages[i].RepoURL != nil {
				c.Packages[i].PyPIURL = nil
			}
		}
	}
	var b bytes.Buffer
	must(t, c.WriteNDJSON(&b))
	path := filepath.Join(s.folder, "catalogue.ndjson")
	must(t, os.WriteFile(path+".new", b.Bytes(), 0o600))
	must(t, os.Rename(path+".new", path))
	return len(c.Packages)
}

// add adds a host. One that is not among the servers only connects.
func (s *site) add(t *testing.T, name string, workers int) *host {
	t.Helper()
	h := s.make(t, name, workers, filepath.Join(s.folder, name), "", "")
	s.hosts = append(s.hosts, h)
	return h
}

// make makes a host that is not one of the site's, with another secret or certificate, if they
// are not "".
func (s *site) make(t *testing.T, name string, workers int, folder, secret, certificate string) *host {
	t.Helper()
	h := &host{
		name: name, site: s, folder: folder, program: program.Path(), workers: workers, stale: s.stale, empty: true,
		secret: cmp.Or(secret, "../secret"), certificate: cmp.Or(certificate, "hosts"),
	}
	h.listen = fmt.Sprintf("127.0.0.1:%d", ports(t, 1)[0])
	if s.network != nil {
		h.listen = s.network.host(t, h, len(s.hosts)) + ":8080"
	}
	must(t, os.MkdirAll(h.path("store"), 0o700))
	must(t, os.WriteFile(h.path("token"), []byte(cmp.Or(s.tokens[name], "token-of-"+name)), 0o600))
	h.configure(t)
	return h
}

// startAll starts all hosts, and waits until each serves and all are where the others are.
func (s *site) startAll(t *testing.T) {
	t.Helper()
	for _, h := range s.hosts {
		h.begin(t)
	}
	for _, h := range s.hosts {
		h.serving(t)
	}
	for _, h := range s.hosts {
		h.joined(t)
	}
}

// extend has the hosts take the catalogue over with its first packages, 0 for all, and
// returns how many there are.
func (s *site) extend(t *testing.T, packages int) int {
	t.Helper()
	n := s.list(t, packages)
	s.running()[0].reload(t)
	return n
}

// stopAll stops all hosts in order.
func (s *site) stopAll(t *testing.T) {
	t.Helper()
	for _, h := range s.running() {
		h.signalStop(t)
	}
	for _, h := range s.running() {
		h.stopped(t)
	}
}

// running returns the hosts that have a process.
func (s *site) running() []*host {
	return slices.DeleteFunc(slices.Clone(s.hosts), func(h *host) bool { return !h.alive() })
}

// asking waits until a host asks GitHub, and returns it.
func (s *site) asking(t *testing.T) *host {
	t.Helper()
	before := s.asked()
	var busiest *host
	eventually(t, patience, func() error {
		most := int64(4) // more than a moment's
		for name, n := range s.asked() {
			if h := s.named(name); n-before[name] > most && h != nil && h.alive() {
				busiest, most = h, n-before[name]
			}
		}
		if busiest == nil {
			return fmt.Errorf("no host asks GitHub")
		}
		return nil
	})
	return busiest
}

// asked returns how often each host has asked GitHub.
func (s *site) asked() map[string]int64 {
	all := map[string]int64{}
	for _, c := range s.world.Stats().Credentials {
		for host, n := range c.Hosts {
			all[host] += n
		}
	}
	return all
}

func (s *site) named(name string) *host {
	for _, h := range s.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// polite fails the test if GitHub or PyPI was asked as it must not be, such as by two hosts
// with one credential at once.
func (s *site) polite(t *testing.T) {
	t.Helper()
	if stats := s.world.Stats(); stats.Violations > 0 {
		t.Errorf("%d requests were violations: %v, the last of them %v", stats.Violations, stats.ViolationKinds, stats.LastViolations)
	}
}

// charged returns how many requests the services have charged for.
func (s *site) charged() int64 {
	stats := s.world.Stats()
	return stats.GitHub.Charged + stats.PyPI.Charged
}
