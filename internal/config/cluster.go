package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pkgmetad/internal/strict"
)

// Cluster says which hosts share their records. The zero Cluster is that of a host that
// is alone.
type Cluster struct {
	Name       string            `yaml:"name"`        // of this host; never "" once loaded, if enabled
	Servers    map[string]string `yaml:"servers"`     // host:port of each host that runs a server, by the host's name
	SecretFile string            `yaml:"secret_file"` // absolute once loaded; "" for none
	TLS        TLS               `yaml:"tls"`
	URL        []Secret          `yaml:"url"` // in place of Servers: a cluster that somebody else runs; may hold passwords

	Secret Secret `of:"secret_file"` // what all hosts know; empty without Servers if none is given, or where only a daemon gets it, see Ready
}

// Enabled reports whether this host is one of several.
func (c *Cluster) Enabled() bool { return len(c.Servers) > 0 || len(c.URL) > 0 }

// Member reports whether this host runs one of the servers. Any other only connects.
func (c *Cluster) Member() bool {
	_, is := c.Servers[c.Name]
	return is
}

// Ready returns an error, which says what to do, if a daemon cannot take part in its
// cluster: systemd gives some secrets to the daemon alone, so that [Load] lets commands
// beside it get on without.
func (c *Cluster) Ready() error {
	if len(c.Servers) > 0 && c.Secret.Empty() {
		return errors.New("cluster: " + noClusterSecret)
	}
	_, err := c.TLSConfig()
	return err
}

// Role says what this host is in its cluster, for people.
func (c *Cluster) Role() string {
	names := strings.Join(slices.Sorted(maps.Keys(c.Servers)), ", ")
	switch {
	case c.Member():
		return fmt.Sprintf("this host is %s, one of the servers of its cluster (%s)", c.Name, names)
	case len(c.Servers) > 0:
		return fmt.Sprintf("this host is %s, which only connects to the servers of its cluster (%s)", c.Name, names)
	}
	return fmt.Sprintf("this host is %s, which connects to a cluster that is run elsewhere", c.Name)
}

const (
	// ConnectPort is how far above the port of a server, which is for servers alone, the
	// one is at which it serves hosts that only connect.
	ConnectPort = 1000

	maxServers      = 5 // beyond this, one more costs more than it is worth
	minSecret       = 16
	noClusterSecret = "the secret that all hosts of the cluster know is not here; write it into a file that secret_file names, or give the service the systemd credential cluster-secret (/etc/credstore/pkgmetad.cluster-secret)"
)

// hostLabel is what may be the name of a host: it becomes part of subjects and of the
// names of files.
var hostLabel = regexp.MustCompile(`^[-A-Za-z0-9_]{1,64}$`)

// cluster checks the section. It counts as absent if it says nothing.
func (c *check) cluster() {
	cl := &c.cfg.Cluster
	if !c.hasCluster() {
		return
	}
	switch {
	case len(cl.Servers) > 0 && len(cl.URL) > 0:
		c.problem(&cl.URL, cl, "cluster.url", "is in place of cluster.servers; keep one of the two")
	case !cl.Enabled() && !c.ps.Has("cluster.servers", "cluster.url"):
		c.problem(cl, nil, "cluster", "needs servers, the hosts that run a server, such as {a: 10.0.0.1:6222, b: 10.0.0.2:6222, c: 10.0.0.3:6222}, or url, a cluster that somebody else runs")
	}
	c.clusterName()
	c.servers()
	c.clusterURLs()
	c.clusterSecret()
	c.clusterTLS()
	if c.cfg.HTTP.PublicURL == "" {
		c.problem(&c.cfg.HTTP.PublicURL, cl, "http.public_url", "is required in a cluster, where links must be the same on every host; write the address that clients use, such as https://packages.example.org")
	}
	if c.cfg.Store.KeepDeletions != Default().Store.KeepDeletions {
		c.warn("store.keep_deletions", "has no effect in a cluster, which lists every package that left the catalogue")
	}
}

// hasCluster reports whether the section says anything, right or wrong.
func (c *check) hasCluster() bool {
	cl := &c.cfg.Cluster
	return cl.Enabled() || cl.Name != "" || cl.SecretFile != "" || cl.TLS != TLS{} || c.ps.Has("cluster.servers", "cluster.url")
}

func (c *check) clusterName() {
	cl := &c.cfg.Cluster
	const wanted = "up to 64 letters, digits, hyphens and underscores"
	if cl.Name != "" {
		if !hostLabel.MatchString(cl.Name) {
			c.problem(&cl.Name, nil, "cluster.name", "%s is not a name; write %s", strict.Quote(cl.Name), wanted)
		}
		return
	}
	host, err := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	if err != nil || !hostLabel.MatchString(host) {
		c.problem(&cl.Name, cl, "cluster.name", "is required, because the name of this machine, %s, cannot be used; write %s", strict.Quote(host), wanted)
		return
	}
	cl.Name = host
}

// servers checks the names and addresses of the hosts that run a server.
func (c *check) servers() {
	cl := &c.cfg.Cluster
	taken := make(map[string]string) // who listens at an address
	for _, name := range slices.Sorted(maps.Keys(cl.Servers)) {
		key := "cluster.servers." + strict.KeyLabel(name)
		if !hostLabel.MatchString(name) {
			c.problem(strict.Entry{Map: &cl.Servers, Key: name, OfKey: true}, cl, key, "is not the name of a host; write up to 64 letters, digits, hyphens and underscores, then a colon, a space and its address")
			continue
		}
		report := func(format string, args ...any) {
			c.problem(strict.Entry{Map: &cl.Servers, Key: name}, cl, key, format, args...)
		}
		host, port, err := splitServer(cl.Servers[name])
		if err != nil {
			report("%s", err)
			continue
		}
		for _, p := range []int{port, port + ConnectPort} {
			at := net.JoinHostPort(host, strconv.Itoa(p))
			if other, is := taken[at]; is {
				report("collides with %s at %s: each server listens on its port, and %d above for hosts that only connect; write another port", other, at, ConnectPort)
				break
			}
			taken[at] = name
		}
		if name == cl.Name {
			c.notAlsoHTTP(report, host, port)
		}
	}
	switch n := len(cl.Servers); {
	case n == 2:
		c.warn("cluster.servers", "two servers survive the loss of neither, so that they are worse than one; write three, one of which may then be lost")
	case n > 0 && n%2 == 0:
		c.warn("cluster.servers", "%d servers survive the loss of no more than %d do, %d; leave one out, which then only connects", n, n-1, (n-1)/2)
	}
	if n := len(cl.Servers); n > maxServers {
		c.warn("cluster.servers", "%d servers are more than are of use: each change waits for most of them; leave out all but %d, which then only connect", n, maxServers)
	}
}

// notAlsoHTTP reports an address of this host's server at which it also serves the API, or
// its metrics.
func (c *check) notAlsoHTTP(report func(format string, args ...any), host string, port int) {
	h := &c.cfg.HTTP
	for _, other := range []struct{ key, address string }{{"http.listen", h.Listen}, {"http.admin_listen", h.AdminListen}} {
		listens, digits, err := net.SplitHostPort(other.address)
		number, portErr := strconv.Atoi(digits)
		if err != nil || portErr != nil || !isEverywhere(listens) && oneForm(listens) != host {
			continue
		}
		if number == port || number == port+ConnectPort {
			report("collides with %s: this host listens on port %d, and on %d for hosts that only connect; write another port in one of the two", other.key, port, port+ConnectPort)
		}
	}
}

// splitServer returns the host, in one form, and the port of a server's address.
func splitServer(address string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(digits, 10, 16)
	problem := ""
	switch {
	case err != nil:
		problem = strict.Quote(address) + " is not an address with a port"
	case isEverywhere(host):
		problem = strict.Quote(address) + " is every address of a machine, not the one at which the other hosts reach it"
	case !isHost(host):
		problem = strict.Quote(host) + " is not a host"
	case portErr != nil || number < 1 || number > 65535-ConnectPort:
		problem = fmt.Sprintf("%s is not a port from 1 to %d (the one %d above it is used, too)", strict.Quote(digits), 65535-ConnectPort, ConnectPort)
	default:
		return oneForm(host), int(number), nil
	}
	return "", 0, errors.New(problem + "; write host:port, such as 10.0.0.1:6222 or \"[fd00::1]:6222\"")
}

func isEverywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// oneForm returns the form of a host in which two that are the same are equal.
func oneForm(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	if host = strings.ToLower(host); host == "localhost" {
		return "127.0.0.1"
	}
	return host
}

// clusterURLs checks the addresses of a cluster that somebody else runs. They may hold
// passwords, so that none is repeated.
func (c *check) clusterURLs() {
	cl := &c.cfg.Cluster
	for i := range cl.URL {
		report := func(format string, args ...any) {
			c.problem(&cl.URL[i], &cl.URL, fmt.Sprintf("cluster.url[#%d]", i+1), format, args...)
		}
		u, err := url.Parse(cl.URL[i].Reveal())
		switch {
		case err != nil, u.Scheme != "nats" && u.Scheme != "tls", !isHost(u.Hostname()), u.Port() != "" && !isPort(u.Port()), u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
			report("is not the URL of a NATS server; write it like tls://nats.example.org:4222")
		case u.Scheme == "nats" && cl.TLS == TLS{} && reachable(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "4222"))):
			report("goes to another machine unencrypted; write it with tls:// in place of nats://, or give cluster.tls")
		}
	}
}

// secretLike matches what programs make as a secret.
var secretLike = regexp.MustCompile(`^[-A-Za-z0-9+/_]{16,}={0,2}$`)

// clusterSecret finds the secret that all hosts know.
func (c *check) clusterSecret() {
	cl := &c.cfg.Cluster
	at := place{noun: "secret", file: &cl.SecretFile, key: "cluster.secret_file", credential: "cluster-secret"}
	if given := cl.SecretFile; secretLike.MatchString(given) {
		if _, err := os.Stat(c.under(given)); errors.Is(err, os.ErrNotExist) {
			cl.SecretFile = ""
			c.problem(&cl.SecretFile, nil, at.key, "names no file; if it is the secret itself, write that into a file of its own, and the file's path here")
			return
		}
	}
	secret, source := c.secret(at)
	provided := credentialsFolder + "/" + at.credential
	switch {
	case len(secret.Reveal()) >= minSecret:
		cl.Secret = secret
	case !secret.Empty():
		message := fmt.Sprintf("what it holds has %d characters, less than %d, and can be guessed; write one that openssl rand -hex 32 makes", len(secret.Reveal()), minSecret)
		if source == at.key {
			c.problem(at.file, nil, at.key, "%s", message)
		} else {
			c.ps.Add(strict.Position{}, source, "%s", message)
		}
	case cl.SecretFile != "" || len(cl.Servers) == 0 || c.ps.Has(provided):
		// Told already, or not needed.
	case c.env("CREDENTIALS_DIRECTORY") != "":
		c.problem(at.file, cl, at.key, "%s", noClusterSecret)
	default: // a command beside the service, which gets on without
		c.warn(at.key, "%s", noClusterSecret)
	}
}
