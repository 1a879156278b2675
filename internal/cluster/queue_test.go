package cluster

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keysOf returns the keys of items, in order.
func keysOf(items []Item) (keys []string) {
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

func TestQueue(t *testing.T) {
	ctx := patient(t)
	n := single(t)
	offer := func(want int, keys ...string) {
		t.Helper()
		if offered, err := n.Offer(ctx, "github", keys, 7); offered != want || err != nil {
			t.Fatalf("%d offered, not %d; error %v", offered, want, err)
		}
	}
	pull := func(class string, count int) []Item {
		t.Helper()
		items, err := n.Pull(ctx, class, count)
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	pending := func(want Backlog) {
		t.Helper()
		var got Backlog
		eventually(t, "as much is pending as it should", func() bool {
			var err error
			if got, err = n.Pending(ctx, "github"); err != nil {
				t.Fatal(err)
			}
			return got == want
		})
	}
	offer(3, "github.com/b/b", "github.com/a/a", "github.com/c/c")
	offer(1, "github.com/c/c", "github.com/d/d", "github.com/a/a")
	pending(Backlog{Waiting: 4})

	items := pull("github", 3)
	if diff := cmp.Diff([]string{"github.com/b/b", "github.com/a/a", "github.com/c/c"}, keysOf(items)); diff != "" || items[0].Sequence != 7 {
		t.Errorf("sequence %d, -want +got\n%s", items[0].Sequence, diff)
	}
	pending(Backlog{Waiting: 1, Taken: 3})
	offer(0, "github.com/a/a") // it is being worked on
	if others := pull("pypi", 3); len(others) != 0 {
		t.Errorf("the other class has %q", keysOf(others))
	}
	if err := n.Working(items); err != nil {
		t.Error(err)
	}

	for _, item := range items[1:] {
		if err := item.Ack(); err != nil {
			t.Error(err)
		}
	}
	pending(Backlog{Waiting: 1, Taken: 1})
	if err := n.Working(items[1:]); err != nil {
		t.Errorf("some are done meanwhile: %v", err)
	}
	offer(1, "github.com/a/a", "github.com/b/b") // done, so due again; and still worked on
	if err := items[0].Nak(0); err != nil {
		t.Error(err)
	}
	var rest []string
	eventually(t, "what was given back comes again", func() bool {
		rest = append(rest, keysOf(pull("github", 10))...)
		return len(rest) == 3
	})
	slices.Sort(rest)
	if diff := cmp.Diff([]string{"github.com/a/a", "github.com/b/b", "github.com/d/d"}, rest); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, err := n.Pull(ctx, "gitlab", 1); err == nil {
		t.Error("a class that does not exist has a queue")
	}
}

// Whoever waits gets what comes.
func TestPullWaits(t *testing.T) {
	n := single(t)
	got := make(chan []Item)
	go func() {
		items, err := n.Pull(patient(t), "pypi", 10)
		if err != nil {
			t.Error(err)
		}
		got <- items
	}()
	eventually(t, "somebody waits", func() bool {
		info, err := n.found.Load().queues["pypi"].Info(patient(t))
		return err == nil && info.NumWaiting > 0
	})
	if offered, err := n.Offer(patient(t), "pypi", []string{"pypi:a"}, 1); offered != 1 || err != nil {
		t.Fatalf("%d offered, error %v", offered, err)
	}
	if items := <-got; len(items) != 1 || items[0].Key != "pypi:a" {
		t.Errorf("got %q", keysOf(items))
	}
}
