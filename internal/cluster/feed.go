package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	feedMessages = 500            // asked for ahead
	feedBytes    = 2 * maxPayload // of them, at most; a single message must fit

	heartbeat = time.Second // of a consumer that has nothing new; after two that are missed it is given up
)

// A feed is one consumer of a stream and what comes from it, in order and without a
// gap, until it fails. It never resumes: whoever reads it opens the next one after
// the last message that it got.
type feed struct {
	stream   jetstream.Stream
	consumer string
	pending  uint64 // messages that waited when it was opened
	incoming chan delivery
	failed   chan error // at most one
	done     chan struct{}
	consume  jetstream.ConsumeContext
	last     uint64 // number of the last delivery
}

// A delivery is a message with what the server says of it.
type delivery struct {
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
}

// open opens a feed of what a stream has after a sequence. headers leaves the data
// out.
func (n *Node) open(ctx context.Context, stream jetstream.Stream, filter string, after uint64, headers bool) (*feed, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*attempt)
	defer cancel()
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Description: "follower on " + n.options.Name, FilterSubject: filter,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
		AckPolicy: jetstream.AckNonePolicy, HeadersOnly: headers,
		Replicas: 1, MemoryStorage: true, InactiveThreshold: 30 * time.Second, // it is of use to this feed alone
	})
	if err != nil {
		return nil, fmt.Errorf("make a consumer: %w", err)
	}
	info := consumer.CachedInfo()
	f := &feed{
		stream: stream, consumer: info.Name, pending: info.NumPending,
		incoming: make(chan delivery, feedMessages), failed: make(chan error, 1), done: make(chan struct{}),
	}
	f.consume, err = consumer.Consume(f.take,
		jetstream.PullMaxMessagesWithBytesLimit(feedMessages, feedBytes), jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(30*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { f.note(err) }))
	if err != nil {
		f.remove()
		return nil, fmt.Errorf("read from a consumer: %w", err)
	}
	return f, nil
}

// take takes a message in. It waits while the reader is busy.
func (f *feed) take(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		f.fail(err)
		return
	}
	if meta.Sequence.Consumer != f.last+1 {
		f.fail(fmt.Errorf("delivery %d came after %d", meta.Sequence.Consumer, f.last))
		return
	}
	f.last++
	select {
	case f.incoming <- delivery{msg, meta}:
	case <-f.done:
	}
}

// note tells errors that the client mends by itself from those that end the feed.
func (f *feed) note(err error) {
	if errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConnectionClosed) ||
		errors.Is(err, jetstream.ErrBadRequest) || errors.Is(err, jetstream.ErrConsumerLeadershipChanged) {
		f.fail(err)
	}
}

func (f *feed) fail(err error) {
	select {
	case f.failed <- err:
	default: // it is the first that counts
	}
}

// close ends the feed; nothing is taken from it after.
func (f *feed) close() {
	close(f.done)
	f.consume.Stop()
	<-f.consume.Closed()
	f.remove()
}

// remove takes the consumer away, as far as the server is there: it does by itself
// what is left over.
func (f *feed) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = f.stream.DeleteConsumer(ctx, f.consumer)
}

// read reads what a stream has now, and resumes where it was interrupted. An error
// of each ends it and is returned as it is.
func (n *Node) read(ctx context.Context, doing string, stream jetstream.Stream, filter string, headers bool, each func(delivery) error) error {
	var after, until uint64
	var own error // of each
	err := n.ask(ctx, doing, func(ctx context.Context) error {
		info, err := ledInfo(ctx, stream)
		if err == nil {
			until = info.State.LastSeq
		}
		return err
	})
	for delay := pause; err == nil; delay = min(2*delay, longPause) {
		var done bool
		done, own, err = n.readOn(ctx, stream, filter, headers, &after, until, each)
		switch {
		case own != nil:
			return own
		case done:
			return nil
		case ctx.Err() != nil:
			return n.outage(doing, ctx.Err())
		case err != nil && !temporary(err) && !errors.Is(err, errFeed):
			return fmt.Errorf("%s: %w", doing, err)
		}
		err = wait(ctx, delay)
	}
	return err
}

// errFeed is what a feed that failed is called; another one goes on.
var errFeed = errors.New("the consumer failed")

// readOn is one feed of read.
func (n *Node) readOn(ctx context.Context, stream jetstream.Stream, filter string, headers bool, after *uint64, until uint64, each func(delivery) error) (done bool, own, err error) {
	f, err := n.open(ctx, stream, filter, *after, headers)
	if err != nil {
		return false, nil, err
	}
	defer f.close()
	if f.pending == 0 {
		return true, nil, nil
	}
	for {
		select {
		case d := <-f.incoming:
			if err := each(d); err != nil {
				return false, err, nil
			}
			*after = d.meta.Sequence.Stream
			if *after >= until || d.meta.NumPending == 0 {
				return true, nil, nil
			}
		case err := <-f.failed:
			return false, nil, fmt.Errorf("%w: %w", errFeed, err)
		case <-ctx.Done():
			return false, nil, ctx.Err()
		}
	}
}
