package cluster

import (
	"strings"
	"sync"
	"testing"

	"pkgmetad/internal/record"
)

// recordStreams returns the names of the streams that records are, or were, in.
func recordStreams(t *testing.T, n *Node) (names []string) {
	t.Helper()
	for name := range n.js.StreamNames(patient(t)).Name() {
		if strings.HasPrefix(name, recordsName) {
			names = append(names, name)
		}
	}
	return names
}

// Hosts that begin at once on servers which are not theirs use one stream.
func TestChooseAtOnce(t *testing.T) {
	url := "nats://me:hunter2@" + foreign(t)
	nodes := make([]*Node, 6)
	var group sync.WaitGroup
	for i := range nodes {
		nodes[i] = started(t, Options{Name: string(rune('a' + i)), URLs: []string{url}})
		group.Go(func() {
			if err := nodes[i].Wait(patient(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	ids := map[string]bool{}
	for _, n := range nodes {
		state, err := n.State(patient(t))
		if err != nil {
			t.Fatal(err)
		}
		ids[state.ID] = true
	}
	if names := recordStreams(t, nodes[0]); len(ids) != 1 || len(names) != 1 {
		t.Errorf("the hosts use %v of %q", ids, names)
	}
}

// What is left when the stream of the state is removed is used on, and what was
// removed is not made again with what it once was.
func TestChooseAgain(t *testing.T) {
	ctx := patient(t)
	url := "nats://me:hunter2@" + foreign(t)
	state := func() State {
		t.Helper()
		n := started(t, Options{Name: "a", URLs: []string{url}})
		state, err := n.State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	n := started(t, Options{Name: "b", URLs: []string{url}})
	last := published(t, n, record.Write{Name: "entry/1"})
	first := state()
	if err := n.js.DeleteStream(ctx, stateName); err != nil {
		t.Fatal(err)
	}
	if again := state(); again != first || again.Last != last {
		t.Errorf("%+v, not %+v", again, first)
	}
	if err := n.js.DeleteStream(ctx, n.found.Load().records.name); err != nil {
		t.Fatal(err)
	}
	if other := state(); other.ID == first.ID || other.First <= last || other.Count != 0 {
		t.Errorf("%+v, after %+v", other, first)
	}
}

func TestPlaces(t *testing.T) {
	r := records{base: 1000}
	if r.sequence(7) != 1007 || r.place(1007) != 7 || r.place(0) != 0 {
		t.Errorf("%d, %d and %d", r.sequence(7), r.place(1007), r.place(0))
	}
	for _, other := range []uint64{1, 999, 1000} { // of another stream
		if r.place(other) < 1<<62 {
			t.Errorf("sequence %d has place %d", other, r.place(other))
		}
	}
	for _, name := range []string{"PKGMETAD_WORK", "PKGMETAD_RECORDS_", "PKGMETAD_RECORDS_x", "PKGMETAD_RECORDS_18446744073709551615", "OTHER"} {
		if base, err := baseOf(name); err == nil {
			t.Errorf("stream %s has base %d", name, base)
		}
	}
}
