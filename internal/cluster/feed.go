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

	stall     = 5 * time.Second // without a message that there is; then another consumer is made
	heartbeat = time.Second     // of a consumer that has nothing new; after two that are missed it is given up
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
func (n *Node) open(ctx context.Context, stream jetstream.Stream, after uint64, headers bool) (*feed, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*attempt)
	defer cancel()
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Description:   "follower on " + n.options.Name,
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
// of each ends it and is returned as it is. The last message of the stream must not
// be one that can be removed without another in its place.
func (n *Node) read(ctx context.Context, doing string, stream jetstream.Stream, headers bool, each func(delivery) error) error {
	var after, until uint64
	err := n.ask(ctx, doing, func(ctx context.Context) error {
		info, err := leaderInfo(ctx, stream)
		if err == nil {
			after, until = info.State.FirstSeq-1, info.State.LastSeq
		}
		return err
	})
	if err != nil {
		return err
	}
	for delay := pause; after < until; delay = min(2*delay, longPause) {
		own, err := n.readOn(ctx, stream, headers, &after, until, each)
		switch {
		case own != nil:
			return own
		case err == nil:
		case ctx.Err() != nil:
			return n.outage(doing, ctx.Err())
		case !temporary(err) && !errors.Is(err, errFeed):
			return fmt.Errorf("%s: %w", doing, err)
		default:
			_ = wait(ctx, delay)
		}
	}
	return nil
}

// errFeed is what a feed that failed is called; another one goes on.
var errFeed = errors.New("the consumer failed")

// readOn is one feed of read. own is the error of each.
func (n *Node) readOn(ctx context.Context, stream jetstream.Stream, headers bool, after *uint64, until uint64, each func(delivery) error) (own, err error) {
	f, err := n.open(ctx, stream, *after, headers)
	if err != nil {
		return nil, err
	}
	defer f.close()
	for stalled := time.NewTimer(stall); *after < until; stalled.Reset(stall) {
		select {
		case d := <-f.incoming:
			if err := each(d); err != nil {
				return err, nil
			}
			*after = d.meta.Sequence.Stream
		case err := <-f.failed:
			return nil, fmt.Errorf("%w: %w", errFeed, err)
		case <-stalled.C: // it may be on a server that lags
			return nil, fmt.Errorf("%w: nothing came for %s", errFeed, stall)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

// errNoLeader is for an answer about a stream that is not its leader's.
var errNoLeader = errors.New("the stream has no leader at the moment")

// leaderInfo asks a stream's leader for its state. Other replicas answer too, with
// what they have, while none or a new one is elected.
func leaderInfo(ctx context.Context, stream jetstream.Stream, options ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	info, err := stream.Info(ctx, options...)
	if err != nil {
		return nil, err
	}
	if info.Config.Replicas > 1 && (info.Cluster == nil || info.Cluster.LeaderSince == nil) {
		return nil, errNoLeader
	}
	return info, nil
}
