package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pkgmetad/internal/record"
)

const (
	batchMessages = 500                  // of one call of apply
	batchBytes    = 8 << 20              // of one call, and one message more
	batchWait     = 5 * time.Millisecond // for messages that are on their way
	checkEvery    = 5 * time.Second      // how often a follower that gets nothing looks whether there is something
)

// Diverged is the error of [Node.Follow] when the stream is not, or no longer, the
// one that was followed: it was made anew, or its servers' disks have gone back to
// an older state. What this host has of it is to be built anew.
type Diverged struct {
	ID, WantID    string // of the stream, and of the one that was followed
	Last, Applied uint64 // where the stream ends, and where this host is
}

func (d *Diverged) Error() string {
	if d.ID != d.WantID {
		return fmt.Sprintf("the stream of the records was made anew: it is %s, and this host follows %s", d.ID, d.WantID)
	}
	return fmt.Sprintf("the stream of the records ends at %d, and this host has applied %d of it: the servers' disks are older than its own", d.Last, d.Applied)
}

// Follow hands apply the messages after a sequence, in order, in batches of up to
// 500, until ctx ends; id is [State].ID of the stream that the sequence is of, ""
// for whichever is there. It waits for the cluster, and resumes by itself whatever
// fails. Sequences have gaps, where messages were replaced by later ones. caughtUp
// is called, between calls of apply, whenever nothing more is there. Both are called
// by one goroutine, and not after Follow has returned.
//
// It returns ctx.Err(), or the error of apply as it is, or a *[Diverged].
func (n *Node) Follow(ctx context.Context, id string, after uint64, apply func([]record.Message) error, caughtUp func()) error {
	f := &follower{node: n, id: id, after: after, apply: apply, caughtUp: caughtUp}
	for delay := pause; ; delay = min(2*delay, longPause) {
		before := f.after
		err := f.once(ctx)
		var diverged *Diverged
		switch {
		case f.failed != nil:
			return f.failed
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &diverged):
			return err
		}
		if f.after > before {
			delay = pause
		}
		n.log.Debug().Err(err).Uint64("after", f.after).Msg("follows the records from here anew")
		if err := wait(ctx, delay); err != nil {
			return err
		}
	}
}

// A follower is what Follow keeps from one feed to the next.
type follower struct {
	node     *Node
	id       string
	records  *records // of that id, as the feed is opened
	after    uint64   // the last message that was applied
	least    uint64   // where the stream ended when the leader was last asked
	apply    func([]record.Message) error
	caughtUp func()
	failed   error // of apply
}

// once follows one feed until it fails.
func (f *follower) once(ctx context.Context) error {
	if err := f.sameStream(ctx); err != nil {
		return err
	}
	from := uint64(0)
	if f.after > f.records.base {
		from = f.records.place(f.after)
	}
	feed, err := f.node.open(ctx, f.records, from, false)
	if err != nil {
		return err
	}
	defer feed.close()
	f.there(feed.pending)
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	quiet := f.after // where it was at the last check
	for {
		select {
		case d := <-feed.incoming:
			if err := f.batch(feed, d); err != nil {
				return err
			}
		case err := <-feed.failed:
			return err
		case <-check.C:
			if quiet == f.after {
				if err := f.missing(ctx); err != nil {
					return err
				}
			}
			quiet = f.after
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// batch applies a message and those that are there with it.
func (f *follower) batch(feed *feed, d delivery) error {
	var batch []record.Message
	size, pending := 0, uint64(0)
	var late <-chan time.Time
	for more := true; more; {
		m, err := f.records.message(d.msg.Subject(), d.msg.Data(), d.meta.Sequence.Stream, d.meta.Timestamp)
		if err != nil {
			f.failed = err // it can't be skipped: what this host has would not be what others have
			return err
		}
		batch, size, pending = append(batch, m), size+len(m.Data), d.meta.NumPending
		if len(batch) >= batchMessages || size >= batchBytes {
			break
		}
		select {
		case d = <-feed.incoming:
			continue
		default:
		}
		if pending == 0 {
			break
		}
		if late == nil {
			late = time.After(batchWait)
		}
		select {
		case d = <-feed.incoming:
		case <-late:
			more = false
		}
	}
	if f.failed = f.apply(batch); f.failed != nil {
		return f.failed
	}
	f.after = batch[len(batch)-1].Sequence
	f.there(pending + uint64(len(feed.incoming)))
	return nil
}

// there calls caughtUp if nothing is pending, also not by what the leader said when
// the feed was opened: the consumer may be on a server that lags.
func (f *follower) there(pending uint64) {
	if pending == 0 && f.after >= f.least {
		f.caughtUp()
	}
}

// sameStream waits for the stream, and returns a *Diverged if it is another, or
// ends before what was applied. Such an end is believed when the leader says it
// again and again.
func (f *follower) sameStream(ctx context.Context) error {
	if err := f.node.Wait(ctx); err != nil {
		return err
	}
	for began := time.Now(); ; {
		f.records = f.node.found.Load().records
		var state State
		err := within(ctx, func(ctx context.Context) (err error) {
			state, err = f.records.state(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if f.id == "" {
			f.id = state.ID
		}
		diverged := &Diverged{ID: state.ID, WantID: f.id, Last: state.Last, Applied: f.after}
		switch {
		case state.ID != f.id:
			return diverged
		case state.Last >= f.after:
			f.least = state.Last
			return nil
		case time.Since(began) > f.node.doubt:
			return diverged
		}
		if err := wait(ctx, f.node.doubt/8); err != nil {
			return err
		}
	}
}

// missing returns an error if the stream has something else than what was applied:
// a consumer that misses it says nothing by itself.
func (f *follower) missing(ctx context.Context) error {
	var state State
	err := within(ctx, func(ctx context.Context) (err error) {
		state, err = f.records.state(ctx)
		return err
	})
	switch {
	case err != nil:
		return nil // not for the feed to mend
	case state.Last < f.after:
		return f.sameStream(ctx)
	case state.Last > f.after:
		return fmt.Errorf("nothing was delivered for %s, and the stream has messages after %d", checkEvery, f.after)
	}
	return nil
}
