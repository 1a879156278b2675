package search

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// standings records how an index stands whenever it waits for a time.
type standings struct {
	mu  sync.Mutex
	all []State
}

func watch(x *Index, then func(waits int)) *standings {
	s := new(standings)
	x.sleep = func(ctx context.Context, _ time.Duration) error {
		s.mu.Lock()
		s.all = append(s.all, x.State())
		n := len(s.all)
		s.mu.Unlock()
		then(n)
		return ctx.Err()
	}
	return s
}

func (s *standings) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var told []string
	for _, state := range s.all {
		word := string(state.Standing)
		if state.Err != nil {
			word += ": " + state.Err.Error()
		}
		told = append(told, word)
	}
	return strings.Join(told, "\n")
}

func wantState(t *testing.T, x *Index, standing Standing, sequence uint64) {
	t.Helper()
	got := x.State()
	if got.Standing != standing || got.Sequence != sequence || got.Since.IsZero() || (got.Err != nil) != (standing == Failing || standing == Unavailable) {
		t.Errorf("state %+v, want %s at %d", got, standing, sequence)
	}
}

// TestStateOfBuilding: until all of the store is indexed, the index says that it is
// behind, after a restart as well.
func TestStateOfBuilding(t *testing.T) {
	source := newSource()
	const n = 2*batchSize + 1
	for i := range n {
		source.put(pkg(i+1, fmt.Sprint("p", i), "all of them", i))
	}
	dir := filepath.Join(t.TempDir(), "search")
	x := open(t, dir, source)
	wantState(t, x, Behind, 0)
	s := watch(x, func(int) {})
	stop := run(t, x)
	source.idle()
	wantState(t, x, Current, n)
	if got := s.String(); got != "behind\nbehind" {
		t.Errorf("while it was built it was\n%s", got)
	}

	var changed []record.Package
	for i := range n {
		changed = append(changed, pkg(i+1, fmt.Sprint("changed", i), "all of them", i))
	}
	s.all = nil
	source.put(changed...)
	source.idle()
	wantState(t, x, Current, 2*n)
	if got := s.String(); got != "current\nbehind\nbehind" || s.all[1].Sequence != n+batchSize || s.all[1].Since.Before(s.all[0].Since) {
		t.Errorf("while it caught up it was %+v", s.all)
	}
	stop()
	x.Close()

	source.put(pkg(1, "again", "", 1))
	x = open(t, dir, source)
	wantState(t, x, Behind, 0)
	run(t, x)
	source.idle()
	wantState(t, x, Current, 2*n+1)
}

// TestStateOfFailures: whatever keeps the index from following is told, from the
// first failure until it has caught up.
func TestStateOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(x *Index, source *fakeSource)
		want []string // the standing at each wait
		says string
	}{
		"reading the store": {func(x *Index, source *fakeSource) {
			source.change(func() { source.fails = 3; source.sequence++ })
		}, []string{"current", "failing", "failing", "failing"}, "the disk is gone"},
		"writing the index": {func(x *Index, source *fakeSource) {
			source.change(func() {})
			scorch.RegistryAsyncErrorCallbacks[asyncCallback](scorch.NewScorchError("persister", "no space left on device", scorch.ErrPersist), x.storePath())
		}, []string{"failing"}, "no space left on device"},
		"a store of which the feed does not reach back": {func(x *Index, source *fakeSource) {
			source.change(func() { source.fails, source.err = 1, store.ErrForgotten; source.sequence++ })
		}, []string{"current", "behind"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			source := newSource(pkg(1, "alpha", "", 1))
			x := open(t, filepath.Join(t.TempDir(), "search"), source)
			s := watch(x, func(int) {})
			run(t, x)
			source.idle()
			c.fail(x, source)
			source.idle()
			wantState(t, x, Current, source.sequence)
			var got []string
			var since []time.Time
			for _, state := range s.all {
				got = append(got, string(state.Standing))
				if state.Standing == Failing {
					since = append(since, state.Since)
					if !strings.Contains(state.Err.Error(), c.says) {
						t.Errorf("it says %v", state.Err)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("it was %q, want %q", got, c.want)
			}
			for _, at := range since {
				if at != since[0] {
					t.Errorf("the failure began at %v", since)
				}
			}
		})
	}
}

// TestStateOfUnavailable: an index that cannot be opened says why.
func TestStateOfUnavailable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "search")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	source := newSource(pkg(1, "alpha", "", 1))
	x, err := Open(dir, source, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	wantState(t, x, Unavailable, 0)
	s := watch(x, func(waits int) {
		if waits == 2 {
			os.Remove(dir)
		}
	})
	stop := run(t, x)
	defer stop()
	source.idle()
	wantState(t, x, Current, 1)
	if got := s.String(); strings.Count(got, "unavailable: ") != 2 || !strings.Contains(got, "not a directory") {
		t.Errorf("before that it was\n%s", got)
	}
}

// TestFullDisk: an index that cannot be written to says so, finds what it had, and
// catches up when there is space again.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	source := newSource(pkg(1, "alpha", "", 1))
	x := open(t, filepath.Join(dir, "search"), source)
	failed := make(chan struct{})
	once := sync.OnceFunc(func() { close(failed) })
	x.sleep = func(ctx context.Context, _ time.Duration) error {
		if state := x.State(); state.Standing == Failing || state.Standing == Unavailable {
			once()
		}
		return sleep(ctx, time.Millisecond)
	}
	run(t, x)
	source.idle()
	wantState(t, x, Current, 1)

	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	source.put(pkg(2, "beta", "", 1))
	<-failed
	if state := x.State(); state.Err == nil || !strings.Contains(state.Err.Error(), "no space left on device") {
		t.Errorf("it says %+v", state)
	}
	if _, err := x.Search(t.Context(), "beta", 20); err != nil && !errors.Is(err, ErrNotReady) {
		t.Errorf("Search: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	source.idle()
	wantState(t, x, Current, 2)
	wantIDs(t, x, "beta", 2)
}
