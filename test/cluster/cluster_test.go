// Package cluster runs the built program as several hosts that share their records, breaks
// them, and checks that nothing which any of them ever told a reader is lost, that all of them
// serve the same in the end, and that no credential was used by two at once. The tests see
// what readers and operators see: HTTP, the commands, the log; and what GitHub and PyPI do:
// the requests.
//
// What takes long is left out unless PKGMETAD_HOSTS names it: see test/hosts.
//
//	cluster_test.go   what all tests use
//	world_test.go     the hosts of a site, and the world that they ask
//	host_test.go      one host: its process, its log, what it serves
//	reader_test.go    readers of all hosts: the feeds, and whether the API answers
//	same_test.go      whether all hosts serve the same, and what GitHub and PyPI say
//	*_test.go         one subject each
package cluster

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pkgmetad/test/program"
)

const patience = program.Patience

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// long skips the test unless PKGMETAD_HOSTS names it.
func long(t *testing.T, name string) {
	t.Helper()
	if wanted := strings.Split(os.Getenv("PKGMETAD_HOSTS"), ","); !slices.Contains(wanted, name) && !slices.Contains(wanted, "all") {
		t.Skipf("skipped, as it takes long: test/hosts %s", name)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until there is nothing wrong, and returns how long that took.
func eventually(t *testing.T, within time.Duration, wrong func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := wrong()
		took := time.Since(began)
		if err == nil {
			return took
		}
		if took > within {
			t.Fatalf("still so after %s: %v", took.Round(time.Second), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// ports returns so many ports that are free on loopback, as are those a thousand above.
func ports(t *testing.T, count int) (all []int) {
	t.Helper()
	var held []net.Listener // so that none is returned twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for len(all) < count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		held = append(held, l)
		port := l.Addr().(*net.TCPAddr).Port
		above, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1000))
		if err != nil {
			continue
		}
		held = append(held, above)
		all = append(all, port)
	}
	return all
}

// quantile returns the value that a share of all do not exceed.
func quantile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(share*float64(len(all))), len(all)-1)]
}
