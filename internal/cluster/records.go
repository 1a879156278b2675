package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"pkgmetad/internal/record"

	"github.com/nats-io/nats.go/jetstream"
)

// State is what the stream of the records is, and what it has.
type State struct {
	// ID is of the stream itself: one that was made anew, be it under the same name,
	// has another. It is the same on every host.
	ID    string
	Begin uint64 // sequence that it began with: when it was made, in microseconds since 1970
	First uint64 // sequence of the first message that it has; of the next one if it has none
	Last  uint64 // sequence of the last message that it ever had; First-1 if it never had one
	Count uint64 // names that have a message
}

// State asks the stream's leader what it has. It waits for an answer for as long
// as ctx allows.
func (n *Node) State(ctx context.Context) (state State, err error) {
	err = n.ask(ctx, "ask for the state of the records", func(ctx context.Context) error {
		state, err = n.state(ctx)
		return err
	})
	return state, err
}

// state is one attempt of State.
func (n *Node) state(ctx context.Context) (State, error) {
	return n.found.Load().records.state(ctx)
}

func (r *records) state(ctx context.Context) (State, error) {
	info, err := leaderInfo(ctx, r)
	if err != nil {
		return State{}, err
	}
	return State{
		ID: strconv.FormatUint(r.base, 10), Begin: r.base + 1,
		First: r.sequence(max(info.State.FirstSeq, 1)), Last: r.sequence(info.State.LastSeq), Count: info.State.Msgs,
	}, nil
}

// Last asks the stream's leader for the last message of a name; false if there is
// none. It waits for an answer for as long as ctx allows.
func (n *Node) Last(ctx context.Context, name string) (record.Message, bool, error) {
	return n.message(ctx, "ask for the last message of "+name, func(ctx context.Context, records *records) (*jetstream.RawStreamMsg, error) {
		return records.GetLastMsgForSubject(ctx, subject(name))
	})
}

func (n *Node) message(ctx context.Context, doing string, get func(context.Context, *records) (*jetstream.RawStreamMsg, error)) (m record.Message, found bool, err error) {
	err = n.ask(ctx, doing, func(ctx context.Context) error {
		records := n.found.Load().records
		raw, err := get(ctx, records)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		found = true
		m, err = records.message(raw.Subject, raw.Data, raw.Sequence, raw.Time)
		return err
	})
	return m, found, err
}

// message returns a message of the stream as a record's.
func (r *records) message(subject string, data []byte, place uint64, at time.Time) (record.Message, error) {
	name, err := nameOf(subject)
	if err != nil {
		return record.Message{}, fmt.Errorf("message %d: %w", r.sequence(place), err)
	}
	return record.Message{Name: name, Data: data, Sequence: r.sequence(place), Time: at.UTC()}, nil
}

// Scan tells of the last message of every name, in the order of their sequences,
// without its data: with it a replica is compared with the stream. Of what is
// published meanwhile, some is told too; a name that is told twice has the later
// sequence. An error of each ends it and is returned.
func (n *Node) Scan(ctx context.Context, each func(name string, sequence uint64, at time.Time) error) error {
	if err := n.Wait(ctx); err != nil {
		return fmt.Errorf("read which records there are: %w", err)
	}
	records := n.found.Load().records
	return n.read(ctx, "read which records there are", records, true, func(d delivery) error {
		m, err := records.message(d.msg.Subject(), nil, d.meta.Sequence.Stream, d.meta.Timestamp)
		if err != nil {
			return err
		}
		return each(m.Name, m.Sequence, m.Time)
	})
}
