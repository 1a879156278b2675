package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/record"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if options := os.Getenv(hostEnv); options != "" {
		if err := beHost(options); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		_ = flag.Set("test.parallel", "4") // those that are parallel wait for elections, more than they compute
	}
	goleak.VerifyTestMain(m,
		// nats-server leaves these behind where it is stopped while it makes a stream.
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}

// logged is what was logged, for tests to look into.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// patient returns a context for what ends soon unless something is wrong.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// started returns a Node that is closed with the test.
func started(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := Start(patient(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// single returns a Node that is a cluster by itself, and ready.
func single(t testing.TB) *Node {
	t.Helper()
	n := started(t, Options{Name: "a", Servers: map[string]string{"a": "127.0.0.1:0"}, Secret: []byte(rand.Text()), Folder: t.TempDir()})
	if err := n.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	return n
}

// servers returns the options of so many hosts with a server each.
func servers(t testing.TB, count int) (all []Options) {
	t.Helper()
	addresses, err := FreeAddresses(count)
	if err != nil {
		t.Fatal(err)
	}
	names, secret := map[string]string{}, rand.Text()
	for i, address := range addresses {
		names[string(rune('a'+i))] = address
	}
	for i := range count {
		all = append(all, Options{Name: string(rune('a' + i)), Servers: names, Secret: []byte(secret), Folder: t.TempDir()})
	}
	return all
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within two minutes: " + what)
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Name: "a", Servers: map[string]string{"a": "127.0.0.1:0"}, Secret: []byte("s"), Folder: "f"}
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string // of the error
	}{
		{"name", func(o *Options) { o.Name = "a b" }, `not "a b"`},
		{"no name", func(o *Options) { o.Name = "" }, `not ""`},
		{"nothing to connect to", func(o *Options) { o.Servers = nil }, "neither servers nor"},
		{"both", func(o *Options) { o.URLs = []string{"nats://x"} }, "both servers and"},
		{"secret", func(o *Options) { o.Secret = nil }, "need a secret"},
		{"port", func(o *Options) { o.Servers = map[string]string{"a": "127.0.0.1:70000"} }, "address of server a: port"},
		{"high port", func(o *Options) { o.Servers = map[string]string{"a": "127.0.0.1:65000"} }, "1000 above"},
		{"host", func(o *Options) { o.Servers = map[string]string{"a": ":1"} }, "has no host"},
		{"no port", func(o *Options) { o.Servers = map[string]string{"a": "x"} }, "missing port"},
		{"URL", func(o *Options) { *o = Options{Name: "a", URLs: []string{"nats://me:hunter2@x:y"}} }, "URL 1"},
		{"scheme", func(o *Options) { *o = Options{Name: "a", URLs: []string{"nats://x", "http://me:hunter2@x"}} }, "URL 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good
			test.change(&o)
			_, err := Start(patient(t), o)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q, not one with %q", err, test.want)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	o := servers(t, 1)[0]
	l, err := net.Listen("tcp", o.Servers["a"])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	three := servers(t, 3)[0]
	three.Servers["a"] = o.Servers["a"]
	if _, err = Start(patient(t), three); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error %v, not that of an address that is in use", err)
	}
}

// A host that is alone starts, says what it lacks, and stops.
func TestOthersAway(t *testing.T) {
	t.Parallel()
	var log logged
	o := servers(t, 3)[0]
	o.Log = zerolog.New(&log)
	n := started(t, o)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := n.Publish(ctx, []record.Write{{Name: "entry/1"}})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "publish 1 records: wait for the cluster: no majority of the servers answers (1 of 3 reached)") {
		t.Errorf("error %v", err)
	}
	if r := n.Reach(); !r.Connected || r.Quorum || r.Servers != 1 || r.All != 3 || r.Err == "" {
		t.Errorf("%+v", r)
	}
	if n.Warnings() != nil || n.Name() != "a" {
		t.Errorf("%q of %s", n.Warnings(), n.Name())
	}
	eventually(t, "the log tells", func() bool {
		return strings.Contains(log.String(), `"error":"1 of 3 servers are reached, this host's included, and it takes 2; the first time ever, all servers have to be there","message":"waits for the other hosts"`)
	})
}

// A server that gets others begins anew with them, and so does one that loses them:
// what it had when it was alone is not found again.
func TestAloneAndTogether(t *testing.T) {
	t.Parallel()
	three := servers(t, 3)
	one := three[0]
	one.Servers = map[string]string{"a": one.Servers["a"]}
	alone := func() State {
		n, err := Start(patient(t), one)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		published(t, n, numbered(3)...)
		state, err := n.State(patient(t))
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	before := alone()
	nodes := together(t, three)
	state, err := nodes[1].State(patient(t))
	if err != nil || state.Count != 0 || state.First <= before.Last {
		t.Errorf("%+v, after %+v; error %v", state, before, err)
	}
	last := published(t, nodes[0], numbered(2)...)
	if err := nodes[0].Close(); err != nil {
		t.Error(err)
	}
	nodes[0] = nil
	if again := alone(); again.Count != 3 || again.First <= last {
		t.Errorf("%+v, after %d", again, last)
	}
}

// A host without a server finds another's, also after that was away.
func TestWithoutServer(t *testing.T) {
	t.Parallel()
	ctx := patient(t)
	var log logged
	o := servers(t, 1)[0]
	first, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	reader := started(t, Options{Name: "reader", Servers: o.Servers, Secret: o.Secret, Log: zerolog.New(&log)})
	f := following(t, reader, "", 0)
	last, err := reader.Publish(ctx, []record.Write{{Name: "entry/1", Data: []byte("one")}})
	if err != nil {
		t.Fatal(err)
	}
	f.until(last)

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reader is cut off", func() bool { return !reader.Reach().Quorum })
	if r := reader.Reach(); r.Connected || r.All != 1 || !strings.Contains(log.String(), "cut off from the other hosts") {
		t.Errorf("%+v, and the log says %s", r, log.String())
	}
	if last, err = started(t, o).Publish(ctx, []record.Write{{Name: "entry/1", Data: []byte("two"), Expect: last}}); err != nil {
		t.Fatal(err)
	}
	f.until(last)
	eventually(t, "the log tells of the return", func() bool { return strings.Contains(log.String(), "reaches the other hosts again, after ") })
	if r := reader.Reach(); !r.Connected || !r.Quorum || r.Err != "" || time.Since(r.Since) > time.Minute {
		t.Errorf("%+v", r)
	}
}

func TestBroadcast(t *testing.T) {
	n := single(t)
	got := make(chan string, 10)
	stop, err := n.Listen("credentials", func(data []byte) { got <- string(data) })
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Broadcast("others", []byte("not for it")); err != nil {
		t.Fatal(err)
	}
	if err := n.Broadcast("credentials", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if one := <-got; one != "one" {
		t.Errorf("got %q", one)
	}
	stop()
	if err := n.Broadcast("credentials", []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := n.conn.FlushTimeout(time.Second); err != nil || len(got) > 0 {
		t.Errorf("%d messages after the end, error %v", len(got), err)
	}
}

func TestHosts(t *testing.T) {
	ctx := patient(t)
	n := single(t)
	announcing, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	var said atomic.Value
	said.Store(`{"stopping":false}`)
	go func() {
		defer close(done)
		n.Announce(announcing, func() []byte { return []byte(said.Load().(string)) })
	}()
	hosts := func() []Host {
		all, err := n.Hosts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	eventually(t, "the host is there", func() bool { return len(hosts()) == 1 })
	said.Store(`{"stopping":true}`)
	stop()
	<-done
	all := hosts()
	if len(all) != 1 || all[0].Name != "a" || string(all[0].Said) != `{"stopping":true}` || all[0].Ago > time.Minute || time.Since(all[0].At) > time.Minute {
		t.Errorf("%+v", all)
	}
}

// foreign returns the URL of a server that is not pkgmetad's, and takes a password.
func foreign(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: "me", Password: "hunter2", NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s.Addr().String()
}

func TestForeign(t *testing.T) {
	var log logged
	address := foreign(t)
	one := started(t, Options{Name: "one", URLs: []string{"nats://me:hunter2@" + address}, Log: zerolog.New(&log)})
	if err := one.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	two := started(t, Options{Name: "two", URLs: []string{"nats://me:hunter2@" + address}})
	if err := two.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	following(t, two, "", 0).until(published(t, one, numbered(10)...))
	eventually(t, "the cluster is reached", func() bool { return one.Reach().Quorum })
	if r := one.Reach(); !r.Connected || r.Servers != 1 || r.All != 1 {
		t.Errorf("%+v", r)
	}
	warnings := strings.Join(one.Warnings(), "\n")
	if len(one.Warnings()) != 4 || !strings.Contains(warnings, "stream PKGMETAD_WORK has 1 replica and not 3") || !strings.Contains(warnings, "power cut") {
		t.Errorf("warnings %s", warnings)
	}

	refused := started(t, Options{Name: "three", URLs: []string{"nats://me:guess@" + address}, Log: zerolog.New(&log)})
	eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "the cluster refuses this host") })
	eventually(t, "the reach tells", func() bool { return refused.Reach().Err == otherUser })
	if r := refused.Reach(); r.Connected || r.Quorum {
		t.Errorf("%+v", r)
	}
	if said := log.String(); strings.Contains(said, "hunter2") || strings.Contains(said, "guess") || !strings.Contains(said, "has 1 replica") {
		t.Errorf("the log says %s", said)
	}
}

// A stream of that name that somebody else made is not touched.
func TestForeignStream(t *testing.T) {
	address := foreign(t)
	conn, err := nats.Connect("nats://me:hunter2@" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(patient(t), jetstream.StreamConfig{Name: workName, Subjects: []string{"mine"}}); err != nil {
		t.Fatal(err)
	}
	n := started(t, Options{Name: "one", URLs: []string{"nats://me:hunter2@" + address}})
	eventually(t, "it is told", func() bool {
		return strings.Contains(n.Reach().Err, "if somebody else made or changed it, give pkgmetad an account of its own")
	})
}

// TestAcknowledgedIsOnDisk: what is acknowledged has reached the disk. No other test takes power away.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	for _, servers := range []map[string]string{{"a": "127.0.0.1:6222"}, {"a": "127.0.0.1:6222", "b": "127.0.0.1:6223", "c": "127.0.0.1:6224"}} {
		options, err := serverOptions(Options{Name: "a", Servers: servers, Folder: t.TempDir()})
		if err != nil || !options.SyncAlways {
			t.Errorf("of %d servers: sync always is %v, error %v", len(servers), options.SyncAlways, err)
		}
	}
}
