package cluster

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// TestLeaderless: where a stream has lost its majority, any server answers for it, and has
// its peers in the answer as if they followed. That is no leader.
func TestLeaderless(t *testing.T) {
	peer := func(offline bool, active time.Duration) *jetstream.PeerInfo {
		return &jetstream.PeerInfo{Offline: offline, Active: active}
	}
	for name, test := range map[string]struct {
		cluster   *jetstream.ClusterInfo
		following int
	}{
		"one server alone":         {nil, 1},
		"all follow":               {&jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer(false, time.Second), peer(false, 0)}}, 3},
		"one is offline":           {&jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer(true, 0), peer(false, 0)}}, 2},
		"none has said anything":   {&jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer(false, fresh), peer(false, time.Hour)}}, 1},
		"a replica without leader": {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{peer(false, 0), peer(true, 0), peer(false, time.Minute)}}, 2},
	} {
		if got := followers(test.cluster); got != test.following {
			t.Errorf("%s: %d follow", name, got)
		}
	}
}

// TestHostsWhileTheySpeak: who says something anew while the hosts are read is not left out.
func TestHostsWhileTheySpeak(t *testing.T) {
	n := single(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	put := func(name string) {
		if _, err := n.putState(patient(t), hostPrefix+name, map[string]int{}, nil); err != nil {
			t.Error(err)
		}
	}
	put("a")
	put("b")
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				put([]string{"a", "b"}[i%2])
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for range 30 {
		if all, err := n.Hosts(patient(t)); err != nil || len(all) != 2 {
			t.Fatalf("%+v, error %v", all, err)
		}
	}
}

// Where the embedded server has ended and does not start again, the host knows that it is cut
// off, and for no longer than that lasts.
func TestServerDoesNotStart(t *testing.T) {
	t.Parallel()
	o := servers(t, 1)[0]
	o.retry = 100 * time.Millisecond
	n := started(t, o)
	eventually(t, "a majority", func() bool { return n.Reach().Quorum })
	host, port, err := splitAddress(o.Servers[o.Name])
	if err != nil {
		t.Fatal(err)
	}
	n.server.stop()
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(clientPort(port))))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to know", func() bool { r := n.Reach(); return !r.Quorum && !r.Connected })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a majority again", func() bool { return n.Reach().Quorum })
}

// TestCannotListen: a host that cannot listen where cluster.servers says so is told what to
// look at.
func TestCannotListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for address, want := range map[string]string{
		l.Addr().String(): "another host of the same name",
		"192.0.2.1:6222":  "this machine has no such address",
	} {
		_, err := Start(t.Context(), Options{Name: "a", Servers: map[string]string{"a": address, "b": "127.0.0.1:1"}, Secret: []byte("secret"), Folder: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), "cluster.servers has a, this host, at "+address) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestServersThatAreMissing: a list of servers that is longer than that of the others is told of
// in words of the configuration, not of NATS.
func TestServersThatAreMissing(t *testing.T) {
	n := &Node{server: &embedded{}}
	err := fmt.Errorf("more replicas of stream X: %w", &jetstream.APIError{Code: 400, ErrorCode: 10005, Description: "no suitable peers for placement"})
	said := n.absence(Reach{Servers: 3, All: 4}, err)
	if want := "cluster.servers has 4 servers here, and not all of them take part; the list has to be the same on all hosts"; said != want {
		t.Errorf("it says %q", said)
	}
}

// TestMissingBesideARefusal: that servers are missing is told also where somebody was refused
// lately, who may be a stranger.
func TestMissingBesideARefusal(t *testing.T) {
	log := newServerLog(zerolog.Nop())
	log.Errorf("10.0.0.9:40000 - rid:7 - authentication error")
	said := (&Node{server: &embedded{log: log}}).absence(Reach{Servers: 1, All: 3}, errNoLeader)
	if !strings.HasPrefix(said, "1 of 3 servers are reached, this host's included, and it takes 2; 10.0.0.9 was refused, because") {
		t.Errorf("it says %q", said)
	}
}

// TestRefusal: who is refused is told which key of the configuration it is.
func TestRefusal(t *testing.T) {
	if said := (&Options{Servers: map[string]string{"a": "127.0.0.1:6222"}}).refused(); !strings.Contains(said, "cluster.secret_file") || strings.Contains(said, "cluster.url") {
		t.Errorf("of servers: %s", said)
	}
	if said := (&Options{URLs: []string{"nats://127.0.0.1"}}).refused(); !strings.Contains(said, "cluster.url") || strings.Contains(said, "cluster.secret_file") {
		t.Errorf("of a cluster that is run elsewhere: %s", said)
	}
}
