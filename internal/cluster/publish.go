package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"pkgmetad/internal/record"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// headerRoom is what the headers of a message take at most, in bytes.
const headerRoom = 1024

// Publish writes records, each if its Expect is still the last message of its name,
// and returns the highest sequence that they got once a majority of the servers has
// them all on disk. Names must differ from each other. They are sent in order, but
// where the leader changes meanwhile, one may come after a later one.
//
// A *[record.Conflict] (errors.As) is returned when all others are decided: these are
// written. Without a majority it waits and tries again for as long as ctx allows;
// what is not acknowledged then may still be written.
func (n *Node) Publish(ctx context.Context, writes []record.Write) (last uint64, err error) {
	doing := fmt.Sprintf("publish %d records", len(writes))
	if err := n.Wait(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	p := publication{node: n, records: n.found.Load().records, writes: writes, doubtful: map[int]bool{}}
	if err := p.check(); err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	left := make([]int, len(writes))
	for i := range left {
		left[i] = i
	}
	for delay := pause; len(left) > 0; delay = min(2*delay, longPause) {
		if left, err = p.round(ctx, left); err == nil && len(left) > 0 {
			err = wait(ctx, delay)
		}
		switch {
		case ctx.Err() != nil && (err != nil || len(left) > 0):
			return p.last, n.outage(doing, ctx.Err())
		case err != nil:
			return p.last, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if p.conflict != nil {
		return p.last, fmt.Errorf("%s: %w", doing, p.conflict)
	}
	return p.last, nil
}

// A publication is one call of Publish.
type publication struct {
	node     *Node
	records  *records
	writes   []record.Write
	doubtful map[int]bool // writes that were sent, and may have been taken without a word
	last     uint64
	conflict *record.Conflict
}

func (p *publication) check() error {
	names := make(map[string]bool, len(p.writes))
	for _, w := range p.writes {
		switch limit := p.node.conn.MaxPayload(); {
		case names[w.Name]:
			return fmt.Errorf("%s is there twice", w.Name)
		case len(subject(w.Name)) > maxSubject:
			return fmt.Errorf("the name %.100q… is too long", w.Name)
		case limit > 0 && int64(len(w.Data)) > limit-headerRoom:
			return fmt.Errorf("%s has %d bytes, and the cluster takes %d a message", w.Name, len(w.Data), limit-headerRoom)
		}
		names[w.Name] = true
	}
	return nil
}

// round sends some of the writes, and returns those that are to be sent again.
func (p *publication) round(ctx context.Context, indexes []int) (again []int, err error) {
	var refused []int
	var final error
	err = sendAll(ctx, p.node.records, len(indexes), func(i int) *nats.Msg {
		return p.message(indexes[i])
	}, func(i int, ack *jetstream.PubAck, err error) {
		i = indexes[i]
		switch {
		case err == nil:
			p.last = max(p.last, p.records.sequence(ack.Sequence))
		case wrongSequence(err):
			refused = append(refused, i)
		case temporary(err):
			again = append(again, i)
			p.doubtful[i] = p.doubtful[i] || !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, errNotSent)
		case final == nil:
			final = fmt.Errorf("%s: %w", p.writes[i].Name, err)
		}
	})
	if err = cmp.Or(final, err); err != nil {
		return nil, err
	}
	for _, i := range refused {
		retry, err := p.settle(ctx, i)
		if err != nil {
			return nil, err
		}
		if retry {
			again = append(again, i)
		}
	}
	return again, nil
}

func (p *publication) message(i int) *nats.Msg {
	w := p.writes[i]
	return &nats.Msg{Subject: subject(w.Name), Data: w.Data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(p.records.place(w.Expect), 10)},
		jetstream.ExpectedStreamHeader:      {p.records.name},
	}}
}

// settle finds out why a write was refused: it may have been taken at an earlier
// attempt whose answer was lost, or another write of its name be under way.
func (p *publication) settle(ctx context.Context, i int) (retry bool, err error) {
	w := p.writes[i]
	m, found, err := p.node.Last(ctx, w.Name)
	switch {
	case err != nil:
		return false, err
	case m.Sequence == w.Expect:
		return true, nil
	case found && p.doubtful[i] && bytes.Equal(m.Data, w.Data):
		p.last = max(p.last, m.Sequence)
		return false, nil
	}
	switch c := p.conflict; {
	case c == nil:
		p.conflict = &record.Conflict{Name: w.Name, Sequence: m.Sequence}
	case m.Sequence > c.Sequence:
		p.conflict = &record.Conflict{Name: w.Name, Sequence: m.Sequence, Others: c.Others + 1}
	default:
		c.Others++
	}
	return false, nil
}

// Errors of the JetStream API for a message that is not the next one of its subject.
const (
	errWrongSequence      = 10071
	errOtherWriteUnderWay = 10164
)

func wrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == errWrongSequence || api.ErrorCode == errOtherWriteUnderWay)
}

// Why messages are not known to be taken, beside what NATS says: none was acknowledged
// for a while, or they were not sent for that reason.
var (
	errSilence = errors.New("the cluster acknowledges nothing")
	errNotSent = errors.New("not sent, as the cluster acknowledges nothing")
)

// sendAll sends messages in order, some hundred before the first is acknowledged,
// and tells of each what became of it. Its error is that of ctx.
func sendAll(ctx context.Context, js jetstream.JetStream, count int, message func(int) *nats.Msg, done func(int, *jetstream.PubAck, error)) error {
	w := window{ctx: ctx, late: time.NewTimer(silence), done: done}
	defer w.late.Stop()
	for i := range count {
		m := message(i)
		for len(w.sent) >= inFlight || len(w.sent) > 0 && w.size+len(m.Data) > inFlightBytes {
			if err := w.settle(); err != nil {
				return err
			}
		}
		if w.silent {
			done(i, nil, errNotSent)
			continue
		}
		future, err := js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(ackWait))
		if err != nil {
			done(i, nil, err)
			continue
		}
		w.sent, w.size = append(w.sent, sent{i, len(m.Data), future}), w.size+len(m.Data)
	}
	for len(w.sent) > 0 {
		if err := w.settle(); err != nil {
			return err
		}
	}
	return nil
}

// A window is what was sent and is not acknowledged yet, in order.
type window struct {
	ctx    context.Context
	sent   []sent
	size   int         // bytes
	late   *time.Timer // rings when nothing was acknowledged for a while
	silent bool        // it has rung: nothing more is waited for
	done   func(int, *jetstream.PubAck, error)
}

type sent struct {
	i, size int
	future  jetstream.PubAckFuture
}

// settle waits for what becomes of the first message of the window.
func (w *window) settle() error {
	s := w.sent[0]
	w.sent, w.size = w.sent[1:], w.size-s.size
	if w.silent {
		w.late.Reset(0)
	}
	select {
	case ack := <-s.future.Ok():
		w.done(s.i, ack, nil)
	case err := <-s.future.Err():
		w.done(s.i, nil, err)
	case <-w.late.C:
		// The answers may well be lost: the leader hangs, or there is another by now.
		w.silent = true
		w.done(s.i, nil, errSilence)
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	w.late.Reset(silence)
	return nil
}
