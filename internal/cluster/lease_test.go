package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// try tries a lease, which has to end as said.
func try(t *testing.T, l *Lease, value string, held bool, previous string) {
	t.Helper()
	got, had, err := l.Try(patient(t), []byte(value))
	if got != held || string(had) != previous || err != nil || l.Held() != held {
		t.Fatalf("held %v and after that %v, previous %q, error %v; not %v, %q", got, l.Held(), had, err, held, previous)
	}
}

func TestLease(t *testing.T) {
	n := single(t)
	one, two := n.Lease("scheduler", time.Minute), n.Lease("scheduler", time.Minute)
	other := n.Lease("github.com/token", time.Minute)
	try(t, one, "1", true, "")
	try(t, two, "2", false, "1")
	try(t, other, "o", true, "")
	try(t, one, "1 again", true, "1")
	try(t, two, "2", false, "1 again")
	if err := two.Release(patient(t), nil); err != nil { // which it does not have
		t.Fatal(err)
	}
	try(t, one, "1", true, "1 again")

	all, err := n.Leases(patient(t))
	want := []Held{{Name: "github.com/token", Host: "a", Value: []byte("o")}, {Name: "scheduler", Host: "a", Value: []byte("1")}}
	if diff := cmp.Diff(want, all, cmpopts.IgnoreFields(Held{}, "Since")); diff != "" || err != nil || time.Since(all[0].Since) > time.Minute {
		t.Errorf("error %v, -want +got\n%s", err, diff)
	}

	if err := one.Release(patient(t), []byte("last")); err != nil || one.Held() {
		t.Fatalf("held %v, error %v", one.Held(), err)
	}
	if all, err = n.Leases(patient(t)); len(all) != 2 || all[1].Host != "" || err != nil {
		t.Errorf("%+v, error %v", all, err)
	}
	try(t, two, "2", true, "last")
	try(t, one, "1", false, "2")
}

// A host that was killed, and starts again, has at once what it held. Another one has to wait.
func TestLeaseAfterKill(t *testing.T) {
	n := single(t)
	for name, held := range map[string]leaseRecord{
		"of another folder":   {Host: "a", Home: "elsewhere", Token: "earlier.1"},
		"of no folder":        {Host: "a", Token: "earlier.1"},
		"of another host":     {Host: "b", Home: n.home, Token: "earlier.1"},
		"of this very start":  {Host: "a", Home: n.home, Token: n.id + ".1"},
		"of an earlier start": {Host: "a", Home: n.home, Token: "earlier.1"},
	} {
		held.TTL, held.Value = time.Minute, []byte("before")
		if _, err := n.putState(patient(t), leasePrefix+escape(name), held, nil); err != nil {
			t.Fatal(err)
		}
		try(t, n.Lease(name, time.Minute), "after", name == "of an earlier start", "before")
	}
	try(t, n.Lease("of an earlier start", time.Minute), "2", false, "after")
}

func TestHome(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	first, err := readHome(folder)
	if err != nil || first == "" {
		t.Fatalf("%q, error %v", first, err)
	}
	if again, err := readHome(folder); again != first || err != nil {
		t.Errorf("%q, error %v, not %q again", again, err, first)
	}
	if other, err := readHome(t.TempDir()); other == first || err != nil {
		t.Errorf("%q of another folder, error %v", other, err)
	}
	if none, err := readHome(""); none != "" || err != nil {
		t.Errorf("%q without a folder, error %v", none, err)
	}
	if err := os.WriteFile(filepath.Join(folder, homeFile), nil, 0o600); err != nil { // as a power cut may leave it
		t.Fatal(err)
	}
	if anew, err := readHome(folder); anew == "" || anew == first || err != nil {
		t.Errorf("%q of an empty file, error %v", anew, err)
	}
}

// A lease whose holder does not renew it is told as late, and not before.
func TestLeaseLate(t *testing.T) {
	n := single(t)
	x, y := n.Lease("x", 500*time.Millisecond), n.Lease("y", time.Hour)
	try(t, x, "", true, "")
	try(t, y, "", true, "")
	eventually(t, "the lease is late", func() bool {
		began := time.Now()
		all, err := n.Leases(patient(t))
		if err != nil || len(all) != 2 || all[1].Late {
			t.Fatalf("%+v, error %v", all, err)
		}
		if all[0].Late && x.Held() {
			t.Fatalf("late, and held, after %s", time.Since(began))
		}
		return all[0].Late
	})
	if err := x.Release(patient(t), nil); err != nil {
		t.Fatal(err)
	}
	if all, err := n.Leases(patient(t)); err != nil || all[0].Late {
		t.Errorf("it was given back: %+v, error %v", all, err)
	}
}

// A holder that hangs has lost the lease before another has it.
func TestLeaseExpires(t *testing.T) {
	n := single(t)
	const ttl = 500 * time.Millisecond
	one, two := n.Lease("x", ttl), n.Lease("x", ttl)
	began := time.Now()
	try(t, one, "budget", true, "")
	since := one.seen.Since
	var ended time.Time // when one was first seen without it
	eventually(t, "the second has it", func() bool {
		held, previous, err := two.Try(patient(t), []byte("2"))
		if err != nil || string(previous) != "budget" {
			t.Fatalf("previous %q, error %v", previous, err)
		}
		if !one.Held() && ended.IsZero() {
			ended = time.Now()
		}
		return held
	})
	if took := time.Since(began); ended.IsZero() || took < ttl {
		t.Errorf("taken after %s, still held %v", took, one.Held())
	}
	if age := two.Age(); age < ttl*4/5 || age > time.Since(began) {
		t.Errorf("what the first left is %s old", age)
	}
	if early := ended.Sub(began); early < ttl*4/5 {
		t.Errorf("not held any more after %s", early)
	}
	try(t, one, "1", false, "2")
	if one.seen.Since == since {
		t.Error("since when it is held has not changed")
	}
}

// A change that Run told of.
type change struct {
	held     bool
	previous string
}

// running runs a lease until stop is called, which waits for its end.
func running(l *Lease, value string) (changes chan change, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	changes = make(chan change, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx, func() []byte { return []byte(value) }, func(held bool, previous []byte) { changes <- change{held, string(previous)} })
	}()
	return changes, func() { cancel(); <-done }
}

func told(t *testing.T, changes chan change, want change) {
	t.Helper()
	select {
	case got := <-changes:
		if got != want {
			t.Fatalf("told %+v, not %+v", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("not told: %+v", want)
	}
}

func TestLeaseRun(t *testing.T) {
	n := single(t)
	one, two := n.Lease("x", time.Minute), n.Lease("x", time.Minute)
	first, stop := running(one, "1")
	told(t, first, change{true, ""})
	second, stopSecond := running(two, "2")
	eventually(t, "the second knows of the first", func() bool {
		two.mu.Lock()
		defer two.mu.Unlock()
		return two.seen.Host == "a"
	})
	stop()
	told(t, first, change{false, ""})
	told(t, second, change{true, "1"}) // long before a minute is over
	stopSecond()
	told(t, second, change{false, ""})
}

// Run renews, and is told at once when it can't.
func TestLeaseRunRenews(t *testing.T) {
	t.Parallel()
	n := single(t)
	const ttl = 600 * time.Millisecond
	one := n.Lease("x", ttl)
	changes, stop := running(one, "1")
	defer stop()
	told(t, changes, change{true, ""})
	other := n.Lease("x", ttl)
	for began := time.Now(); time.Since(began) < 3*ttl; time.Sleep(ttl / 10) {
		if held, _, err := other.Try(patient(t), nil); held || err != nil || !one.Held() {
			t.Fatalf("held by the other %v, error %v; by the first %v", held, err, one.Held())
		}
	}
	if err := n.server.current().ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	told(t, changes, change{false, ""})
}

// Of many that try at once, one has it.
func TestLeaseRace(t *testing.T) {
	n := single(t)
	var held atomic.Int32
	done := make(chan error)
	const count = 8
	for range count {
		l := n.Lease("x", time.Minute)
		go func() {
			ok, _, err := l.Try(patient(t), nil)
			if ok != l.Held() {
				err = errors.Join(err, fmt.Errorf("held %v, then %v", ok, l.Held()))
			}
			if ok {
				held.Add(1)
			}
			done <- err
		}()
	}
	for range count {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if held.Load() != 1 {
		t.Errorf("%d hold it", held.Load())
	}
}
