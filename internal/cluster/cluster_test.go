package cluster

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// started returns a Node that is closed with the test.
func started(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Log.GetLevel() == zerolog.TraceLevel {
		o.Log = zerolog.Nop()
	}
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
	n := started(t, Options{Name: "a", Servers: map[string]string{"a": "127.0.0.1:0"}, Secret: []byte("secret"), Folder: t.TempDir()})
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
	names := map[string]string{}
	for i, address := range addresses {
		names[string(rune('a'+i))] = address
	}
	for i := range count {
		all = append(all, Options{Name: string(rune('a' + i)), Servers: names, Secret: []byte("secret"), Folder: t.TempDir()})
	}
	return all
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}

func TestSmoke(t *testing.T) {
	n := single(t)
	s, err := n.State(patient(t))
	fmt.Println(s, err, n.Reach())
}
