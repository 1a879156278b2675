package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pkgmetad/internal/record"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go/jetstream"
)

// numbered returns writes of so many new records.
func numbered(count int) (writes []record.Write) {
	for i := range count {
		writes = append(writes, record.Write{Name: fmt.Sprintf("entry/%d", i+1), Data: fmt.Append(nil, "data of ", i+1)})
	}
	return writes
}

// published publishes, and returns the last sequence.
func published(t testing.TB, n *Node, writes ...record.Write) uint64 {
	t.Helper()
	last, err := n.Publish(patient(t), writes)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func TestPublish(t *testing.T) {
	ctx := patient(t)
	n := single(t)
	empty, err := n.State(ctx)
	if err != nil || empty.Count != 0 || empty.Last != empty.First-1 || time.Since(time.UnixMicro(int64(empty.First))) > time.Minute {
		t.Fatalf("%+v, error %v", empty, err)
	}
	last := published(t, n, numbered(1200)...) // more than are in flight at a time
	state, err := n.State(ctx)
	if diff := cmp.Diff(State{ID: empty.ID, Begin: empty.First, First: empty.First, Last: empty.First + 1199, Count: 1200}, state); diff != "" || err != nil || last != state.Last {
		t.Fatalf("last %d, error %v, -want +got\n%s", last, err, diff)
	}
	m, found, err := n.At(ctx, state.First+6)
	want := record.Message{Name: "entry/7", Data: []byte("data of 7"), Sequence: state.First + 6}
	if diff := cmp.Diff(want, m, cmpopts.IgnoreFields(m, "Time")); diff != "" || !found || err != nil || time.Since(m.Time) > time.Minute || m.Time.Location() != time.UTC {
		t.Errorf("%v %v %v, -want +got\n%s", m.Time, found, err, diff)
	}

	last = published(t, n, record.Write{Name: "entry/7", Data: []byte("again"), Expect: m.Sequence})
	again, found, err := n.Last(ctx, "entry/7")
	if string(again.Data) != "again" || again.Sequence != last || !found || err != nil {
		t.Errorf("%+v %v %v", again, found, err)
	}
	if m, found, err = n.At(ctx, state.First+6); found || err != nil {
		t.Errorf("what was replaced is still there: %+v, error %v", m, err)
	}
	if m, found, err = n.Last(ctx, "entry/none"); found || err != nil {
		t.Errorf("%+v, error %v", m, err)
	}
	if last, err := n.Publish(ctx, nil); last != 0 || err != nil {
		t.Errorf("nothing published: %d, %v", last, err)
	}
}

func TestPublishConflict(t *testing.T) {
	ctx := patient(t)
	n := single(t)
	one := published(t, n, record.Write{Name: "entry/1", Data: []byte("one")})
	two := published(t, n, record.Write{Name: "entry/2", Data: []byte("two")})
	last, err := n.Publish(ctx, []record.Write{
		{Name: "entry/2", Data: []byte("two"), Expect: one}, // the same data are no excuse
		{Name: "entry/3", Data: []byte("three")},
		{Name: "entry/1", Data: []byte("1")},
		{Name: "entry/4", Expect: two},
		{Name: "entry/5", Expect: 5}, // of another stream
	})
	var conflict *record.Conflict
	if !errors.As(err, &conflict) || last != two+1 {
		t.Fatalf("last %d, error %v", last, err)
	}
	if diff := cmp.Diff(&record.Conflict{Name: "entry/2", Sequence: two, Others: 3}, conflict); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, want := range map[string]string{"entry/1": "one", "entry/2": "two", "entry/3": "three", "entry/4": "", "entry/5": ""} {
		if m, _, err := n.Last(ctx, name); string(m.Data) != want || err != nil {
			t.Errorf("%s is %q, error %v", name, m.Data, err)
		}
	}
}

// An acknowledgement that is lost is not a conflict with oneself.
func TestPublishDoubtful(t *testing.T) {
	n := single(t)
	published(t, n, record.Write{Name: "entry/1", Data: []byte("taken")})
	sequence := published(t, n, record.Write{Name: "entry/2", Data: []byte("another's")})
	p := publication{node: n, records: n.found.Load().records, doubtful: map[int]bool{0: true, 1: true}, writes: []record.Write{
		{Name: "entry/1", Data: []byte("taken")}, {Name: "entry/2", Data: []byte("own")}, {Name: "entry/3"},
	}}
	again, err := p.round(patient(t), []int{0, 1, 2})
	if len(again) != 0 || err != nil || p.last != sequence+1 {
		t.Errorf("again %v, last %d, error %v", again, p.last, err)
	}
	if diff := cmp.Diff(&record.Conflict{Name: "entry/2", Sequence: sequence}, p.conflict); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPublishRefuses(t *testing.T) {
	n := single(t)
	for want, writes := range map[string][]record.Write{
		"entry/1 is there twice":        {{Name: "entry/1"}, {Name: "entry/1"}},
		"is too long":                   {{Name: strings.Repeat("é", 1000)}},
		"and the cluster takes 8387584": {{Name: "entry/1", Data: make([]byte, maxPayload)}},
	} {
		if _, err := n.Publish(patient(t), writes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, not one with %q", err, want)
		}
	}
	published(t, n, record.Write{Name: strings.Repeat("n", 3000), Data: make([]byte, maxPayload-headerRoom)})
}

// A followed is a Follow under way.
type followed struct {
	t      testing.TB
	cancel context.CancelFunc
	ended  chan error

	mu       sync.Mutex
	messages []record.Message
	batches  []int
	caughtUp []uint64 // where it was then
	fail     error    // of apply
}

// following follows until the test ends.
func following(t testing.TB, n *Node, id string, after uint64) *followed {
	ctx, cancel := context.WithCancel(context.Background())
	f := &followed{t: t, cancel: cancel, ended: make(chan error, 1)}
	last := after
	go func() {
		f.ended <- n.Follow(ctx, id, after, func(batch []record.Message) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, m := range batch {
				if m.Sequence <= last {
					t.Errorf("message %d comes after %d", m.Sequence, last)
				}
				last = m.Sequence
			}
			f.messages, f.batches = append(f.messages, batch...), append(f.batches, len(batch))
			return f.fail
		}, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.caughtUp = append(f.caughtUp, last)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-f.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v", err)
		}
	})
	return f
}

// until waits until it has caught up at a sequence.
func (f *followed) until(sequence uint64) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("follows to %d", sequence), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.Contains(f.caughtUp, sequence)
	})
}

// end returns with what it has ended by itself.
func (f *followed) end() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		f.ended <- context.Canceled // for the cleanup
		return err
	case <-time.After(30 * time.Second):
		f.t.Fatal("Follow does not end")
		return nil
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	n := single(t)
	first := published(t, n, record.Write{Name: "meta/origin", Data: []byte("x")})
	last := published(t, n, numbered(1100)...)
	all, tail := following(t, n, "", 0), following(t, n, "", last-10)
	end := following(t, n, "", last)
	all.until(last)
	tail.until(last)
	end.until(last)
	if len(all.messages) != 1101 || len(tail.messages) != 10 || len(end.messages) != 0 || slices.Max(all.batches) > batchMessages || len(all.batches) > 1000 {
		t.Errorf("%d, %d and %d messages, in batches of %v", len(all.messages), len(tail.messages), len(end.messages), all.batches)
	}
	if diff := cmp.Diff(record.Message{Name: "meta/origin", Data: []byte("x"), Sequence: first}, all.messages[0], cmpopts.IgnoreFields(record.Message{}, "Time")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	// A later message takes the place of an earlier one, for who comes later.
	last = published(t, n, record.Write{Name: "meta/origin", Data: []byte("y"), Expect: first})
	for _, f := range []*followed{all, tail, end} {
		f.until(last)
	}
	late := following(t, n, "", 0)
	late.until(last)
	if len(late.messages) != 1101 || late.messages[0].Name != "entry/1" || late.messages[1100].Name != "meta/origin" {
		t.Errorf("%d messages from %s to %s", len(late.messages), late.messages[0].Name, late.messages[len(late.messages)-1].Name)
	}
}

// A consumer that is lost is made anew, where the last one was.
func TestFollowResumes(t *testing.T) {
	ctx := patient(t)
	n := single(t)
	f := following(t, n, "", 0)
	last := published(t, n, numbered(100)...)
	f.until(last)
	for name := range n.found.Load().records.ConsumerNames(ctx).Name() {
		if err := n.found.Load().records.DeleteConsumer(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	f.until(published(t, n, record.Write{Name: "meta/a"}))
	if len(f.messages) != 101 {
		t.Errorf("%d messages", len(f.messages))
	}
}

func TestFollowApplyFails(t *testing.T) {
	n := single(t)
	f := following(t, n, "", 0)
	f.fail = errors.New("the disk is full")
	published(t, n, record.Write{Name: "meta/a"})
	if err := f.end(); !errors.Is(err, f.fail) {
		t.Errorf("Follow ended with %v", err)
	}
}

func TestFollowDiverged(t *testing.T) {
	t.Parallel()
	ctx := patient(t)
	n := single(t)
	n.doubt = 100 * time.Millisecond
	last := published(t, n, numbered(3)...)
	state, err := n.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var diverged *Diverged
	if err := following(t, n, state.ID, last+1).end(); !errors.As(err, &diverged) {
		t.Fatalf("Follow ended with %v", err)
	}
	if diff := cmp.Diff(&Diverged{ID: state.ID, WantID: state.ID, Last: last, Applied: last + 1}, diverged); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := following(t, n, "another", last).end(); !errors.As(err, &diverged) || diverged.WantID != "another" || diverged.ID != state.ID {
		t.Errorf("Follow ended with %v", err)
	}

	// The stream is made anew under a follower.
	f := following(t, n, state.ID, 0)
	f.until(last)
	if err := n.js.DeleteStream(ctx, n.found.Load().records.name); err != nil {
		t.Fatal(err)
	}
	if err := f.end(); !errors.As(err, &diverged) || diverged.WantID != state.ID || diverged.ID == state.ID {
		t.Errorf("Follow ended with %v", err)
	}
	if again, err := n.State(ctx); err != nil || again.First <= last {
		t.Errorf("the new stream %+v begins before the end of the old one, %d; error %v", again, last, err)
	}
}

func TestScan(t *testing.T) {
	n := single(t)
	first := published(t, n, record.Write{Name: "meta/origin", Data: []byte("x")})
	published(t, n, numbered(1100)...)
	last := published(t, n, record.Write{Name: "meta/origin", Data: []byte("y"), Expect: first})
	got := map[string]uint64{}
	if err := n.Scan(patient(t), func(name string, sequence uint64, at time.Time) error {
		if got[name] = sequence; time.Since(at) > time.Minute {
			t.Errorf("%s at %s", name, at)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1101 || got["entry/1"] != first+1 || got["meta/origin"] != last {
		t.Errorf("%d names, entry/1 at %d, meta/origin at %d", len(got), got["entry/1"], got["meta/origin"])
	}
	stop := errors.New("enough")
	if err := n.Scan(patient(t), func(string, uint64, time.Time) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

func TestScanNothing(t *testing.T) {
	if err := single(t).Scan(patient(t), func(string, uint64, time.Time) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
}

// An answering stream gives the same answer always.
type answering struct {
	jetstream.Stream
	info *jetstream.StreamInfo
}

func (a answering) Info(context.Context, ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	return a.info, nil
}

// While there is no leader, another replica answers with what it has: that is none.
func TestLeaderInfo(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name     string
		replicas int
		cluster  *jetstream.ClusterInfo
		want     error
	}{
		{"alone", 1, nil, nil},
		{"one replica in a cluster", 1, &jetstream.ClusterInfo{Leader: "a"}, nil},
		{"the leader", 3, &jetstream.ClusterInfo{Leader: "a", LeaderSince: &now}, nil},
		{"no leader", 3, &jetstream.ClusterInfo{}, errNoLeader},
		{"not the leader", 3, &jetstream.ClusterInfo{Leader: "a"}, errNoLeader},
		{"not in the cluster yet", 3, nil, errNoLeader},
	} {
		info := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Replicas: test.replicas}, Cluster: test.cluster}
		if got, err := leaderInfo(patient(t), answering{info: info}); !errors.Is(err, test.want) || err == nil && got != info {
			t.Errorf("%s: error %v, not %v", test.name, err, test.want)
		}
	}
	if !temporary(errNoLeader) {
		t.Error("it is not asked again")
	}
}

// Who reads from a server that lags has not caught up when that has nothing more.
func TestFollowerLags(t *testing.T) {
	calls := 0
	f := follower{least: 10, caughtUp: func() { calls++ }}
	for _, step := range []struct {
		after, pending uint64
		calls          int
	}{{9, 0, 0}, {10, 1, 0}, {10, 0, 1}, {11, 0, 2}, {12, 3, 2}} {
		f.after = step.after
		if f.there(step.pending); calls != step.calls {
			t.Errorf("at %d with %d pending: called %d times, not %d", step.after, step.pending, calls, step.calls)
		}
	}
}

func TestOlderThan(t *testing.T) {
	for version, want := range map[string]bool{"2.9.10": true, "2.11.4": true, "1.99.0": true, "2.12.0": false, "2.15.2": false, "3.0.0": false, "": false, "x": false} {
		if got := olderThan(version, 2, 12); got != want {
			t.Errorf("%q is older: %v", version, got)
		}
	}
}

// At asks the stream's leader for the message with a sequence; false if there is
// none, or none any more: a later message of its name replaces it.
func (n *Node) At(ctx context.Context, sequence uint64) (record.Message, bool, error) {
	return n.message(ctx, fmt.Sprintf("ask for message %d", sequence), func(ctx context.Context, records *records) (*jetstream.RawStreamMsg, error) {
		if sequence <= records.base {
			return nil, jetstream.ErrMsgNotFound
		}
		return records.GetMsg(ctx, records.place(sequence))
	})
}
