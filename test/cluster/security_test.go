package cluster

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSecurity has hosts with a wrong secret, without a certificate or with that of somebody
// else, and strangers who know NATS, try what they can. They are refused, that is logged once
// or twice and no more, and nothing of the records is told.
func TestSecurity(t *testing.T) {
	long(t, "security")
	s := newSite(t, options{packages: 30, tls: true})
	s.startAll(t)
	packages := s.extend(t, 0)
	s.allDone(t, packages)
	writeCertificate(t, s.folder, "strangers")
	must(t, os.WriteFile(filepath.Join(s.folder, "wrong"), []byte(strings.Repeat("wrong-", 5)), 0o600))

	for i, x := range []struct{ what, secret, certificate string }{
		{"a wrong secret", "../wrong", ""},
		{"somebody else's certificate", "", "strangers"},
		{"no certificate", "", "none"},
	} {
		for _, place := range []string{"x", "c"} { // one that only connects, and one in the place of a server
			stranger := s.make(t, place, 1, filepath.Join(s.folder, fmt.Sprintf("stranger-%d-%s", i, place)), x.secret, x.certificate)
			if place == "c" {
				s.hosts[2].stop(t)
			}
			s.refused(t, stranger, x.what)
			if place == "c" {
				s.hosts[2].start(t)
				s.hosts[2].joined(t)
			}
		}
	}
	s.strangers(t)
	s.allDone(t, packages)
	answers := s.same(t)
	s.polite(t)
	s.stopAll(t)
	t.Logf("refused: hosts with a wrong secret, with somebody else's certificate, and with none, as servers and as others; strangers on all ports; %d answers the same afterwards", answers)
}

var serious = regexp.MustCompile(`"level":"(?:warn|error)"`)

// refused starts a host that is no member, and sees that it gets nothing, says why, and that
// nobody's log is flooded.
func (s *site) refused(t *testing.T, stranger *host, what string) {
	t.Helper()
	marks := map[*host]int64{}
	for _, h := range s.running() {
		marks[h] = h.mark()
	}
	stranger.begin(t)
	const tries = 20 * time.Second
	select {
	case <-stranger.ended:
		t.Errorf("%s: the host %s ended (%s), and did not wait to be let in:\n%s", what, stranger.name, stranger.process.ProcessState, stranger.tail(10))
		return
	case <-time.After(tries):
	}
	if log := stranger.logged(0); strings.Contains(log, "joined the cluster") || strings.Contains(log, "what the others have") {
		t.Errorf("%s: the host %s was let in:\n%s", what, stranger.name, stranger.tail(10))
	}
	var status struct{ Packages int }
	must(t, stranger.read(t.Context(), "/status/", &status))
	if status.Packages > 0 {
		t.Errorf("%s: the host %s got %d packages", what, stranger.name, status.Packages)
	}
	lines := []string{}
	for h, mark := range marks {
		n := 0
		for line := range strings.SplitSeq(h.logged(mark), "\n") {
			if serious.MatchString(line) {
				n++
				lines = append(lines, h.name+": "+line)
			}
		}
		if n > 5 {
			t.Errorf("%s: the host %s logged %d lines in %s:\n%s", what, h.name, n, tries, strings.Join(lines, "\n"))
		}
	}
	own := 0
	for line := range strings.SplitSeq(stranger.logged(0), "\n") {
		if serious.MatchString(line) || strings.Contains(line, "waits for the other hosts") {
			own++
			lines = append(lines, "the stranger: "+line)
		}
	}
	t.Logf("%s, as %s:\n%s", what, stranger.name, strings.Join(lines, "\n"))
	if own == 0 || own > 8 {
		t.Errorf("%s: the host %s itself logged %d lines of it", what, stranger.name, own)
	}
	stranger.kill(t)
}

// strangers connects to all ports of all servers as a client of NATS does.
func (s *site) strangers(t *testing.T) {
	t.Helper()
	marks := map[*host]int64{}
	for _, h := range s.hosts {
		marks[h] = h.mark()
	}
	for _, server := range s.servers {
		_, address, _ := strings.Cut(server, ": ")
		host, text, err := net.SplitHostPort(strings.Trim(address, `"`))
		must(t, err)
		var port int
		_, err = fmt.Sscan(text, &port)
		must(t, err)
		for _, p := range []int{port, port + 1000} {
			for _, says := range []string{
				"", "CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPING\r\n",
				"CONNECT {\"user\":\"pkgmetad-host\",\"pass\":\"guess\"}\r\nSUB pkg.> 1\r\nPING\r\n", "GET / HTTP/1.0\r\n\r\n",
			} {
				if told := tell(t, net.JoinHostPort(host, fmt.Sprint(p)), says); strings.Contains(told, "pkgmetad") || strings.Contains(told, "github.com") || strings.Contains(told, "PONG") {
					t.Errorf("port %d tells a stranger who says %q: %q", p, says, told)
				}
			}
		}
	}
	for h, mark := range marks {
		n := 0
		for line := range strings.SplitSeq(h.logged(mark), "\n") {
			if serious.MatchString(line) {
				if n++; n <= 3 {
					t.Logf("host %s says of strangers: %s", h.name, line)
				}
			}
		}
		if n > 8 {
			t.Errorf("the host %s logged %d lines of 8 strangers", h.name, n)
		}
	}
}

// tell says something to an address, and returns what that answers.
func tell(t *testing.T, address, says string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(3*time.Second)))
	_, _ = io.WriteString(conn, says) // it may have hung up
	told, _ := io.ReadAll(io.LimitReader(conn, 1<<16))
	return string(told)
}
