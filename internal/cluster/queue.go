package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The classes of work, by who is asked.
const (
	ClassGitHub = "github"
	ClassPyPI   = "pypi"
)

// Classes are all of them.
var Classes = []string{ClassGitHub, ClassPyPI}

const (
	ackTimeout    = 30 * time.Second // after which an item that nobody works on is given to another host
	maxAckPending = 20_000           // items of a class that all hosts together work on
	firstItem     = time.Second      // what Pull waits for it
)

// errMaxPerSubject is the JetStream API's error for a message that a limit refuses.
const errMaxPerSubject = 10077

// findQueues finds or makes the consumer of each class.
func findQueues(ctx context.Context, work jetstream.Stream) (map[string]jetstream.Consumer, error) {
	queues := map[string]jetstream.Consumer{}
	for _, class := range Classes {
		consumer, err := findQueue(ctx, work, class)
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", class, err)
		}
		queues[class] = consumer
	}
	return queues, nil
}

func findQueue(ctx context.Context, work jetstream.Stream, class string) (jetstream.Consumer, error) {
	var consumer jetstream.Consumer
	err := within(ctx, func(ctx context.Context) (err error) {
		consumer, err = work.Consumer(ctx, class)
		return err
	})
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return consumer, err
	}
	ctx, cancel := context.WithTimeout(ctx, election)
	defer cancel()
	return work.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: class, FilterSubject: workPrefix + class + ".>", Description: "pkgmetad: all hosts that fetch from " + class,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackTimeout, MaxAckPending: maxAckPending, MaxDeliver: -1,
	})
}

// Offer puts keys into the queue of a class, in order, and returns how many were not
// there yet; those that are, waiting or worked on, stay as they are. sequence is
// that of the records at which the keys are due: who takes an item must have applied
// it. Without a majority it tries again for as long as ctx allows.
func (n *Node) Offer(ctx context.Context, class string, keys []string, sequence uint64) (offered int, err error) {
	doing := fmt.Sprintf("offer %d keys to the hosts that fetch from %s", len(keys), class)
	if err := n.Wait(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	data := strconv.AppendUint(nil, sequence, 10)
	for delay := pause; len(keys) > 0; delay = min(2*delay, longPause) {
		var again []string
		var final error
		err := sendAll(ctx, n.work, len(keys), func(i int) *nats.Msg {
			return &nats.Msg{Subject: workPrefix + class + "." + escape(keys[i]), Data: data, Header: nats.Header{jetstream.ExpectedStreamHeader: {workName}}}
		}, func(i int, _ *jetstream.PubAck, err error) {
			switch {
			case err == nil:
				offered++
			case full(err):
			case temporary(err):
				again = append(again, keys[i])
			case final == nil:
				final = fmt.Errorf("%s: %w", keys[i], err)
			}
		})
		if keys = again; err == nil && final == nil && len(keys) > 0 {
			err = wait(ctx, delay)
		}
		switch {
		case final != nil:
			return offered, fmt.Errorf("%s: %w", doing, final)
		case err != nil:
			return offered, n.outage(doing, err)
		}
	}
	return offered, nil
}

// full reports whether err is for a key that is in the queue already.
func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == errMaxPerSubject && strings.Contains(api.Description, "per subject")
}

// An Item is a key that this host is to work on. If it says nothing of it for 30
// seconds (see [Node.Working]), another host gets it.
type Item struct {
	Key      string
	Sequence uint64 // of the records, which this host must have applied
	msg      jetstream.Msg
}

// Ack says that the item is done: it can be offered again.
func (i Item) Ack() error { return i.msg.Ack() }

// Nak gives the item back: it goes to any host that asks, this one included, after
// a delay.
func (i Item) Nak(delay time.Duration) error { return i.msg.NakWithDelay(delay) }

// Pull takes up to count items of a class that are there now; it waits for the first
// for a second. It returns none, and no error, where there are none. Its error tells
// of a cluster that does not answer; it makes one attempt, of 3 seconds at most.
func (n *Node) Pull(ctx context.Context, class string, count int) ([]Item, error) {
	doing := "ask for keys to fetch from " + class
	if err := n.Wait(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	consumer, known := n.found.Load().queues[class]
	if !known {
		return nil, fmt.Errorf("%s: there is no such queue", doing)
	}
	items, err := n.take(consumer, class, func() (jetstream.MessageBatch, error) { return consumer.FetchNoWait(count) })
	if err == nil && len(items) == 0 {
		items, err = n.take(consumer, class, func() (jetstream.MessageBatch, error) { return consumer.Fetch(1, jetstream.FetchMaxWait(firstItem)) })
		if err == nil && len(items) == 1 && count > 1 {
			var more []Item
			more, _ = n.take(consumer, class, func() (jetstream.MessageBatch, error) { return consumer.FetchNoWait(count - 1) })
			items = append(items, more...)
		}
	}
	switch {
	case len(items) > 0:
		return items, nil
	case err == nil && !n.Reach().Quorum:
		err = errNoLeader // it has not said that there is nothing
	}
	if err != nil {
		return nil, n.outage(doing, err)
	}
	return nil, nil
}

// take returns the items of a batch.
func (n *Node) take(consumer jetstream.Consumer, class string, fetch func() (jetstream.MessageBatch, error)) (items []Item, err error) {
	batch, err := fetch()
	if err != nil {
		return nil, err
	}
	for msg := range batch.Messages() {
		item, err := itemOf(msg, class)
		if err != nil {
			n.log.Error().Err(err).Msg("a message in the queue is not pkgmetad's, and is thrown away")
			_ = msg.Term()
			continue
		}
		items = append(items, item)
	}
	return items, batch.Error()
}

func itemOf(msg jetstream.Msg, class string) (Item, error) {
	key, err := unescape(strings.TrimPrefix(msg.Subject(), workPrefix+class+"."))
	if err != nil {
		return Item{}, err
	}
	sequence, err := strconv.ParseUint(string(msg.Data()), 10, 64)
	if err != nil {
		return Item{}, fmt.Errorf("%s: sequence: %w", key, err)
	}
	return Item{Key: key, Sequence: sequence, msg: msg}, nil
}

// Working says that this host is still at work on items, which then are its own for
// another 30 seconds. It is cheap: call it for all of them every 10 seconds.
func (n *Node) Working(items []Item) error {
	for _, item := range items {
		if err := item.msg.InProgress(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) { // meanwhile it is done
			return fmt.Errorf("tell that %s is worked on: %w", item.Key, err)
		}
	}
	return nil
}

// Backlog is how much work of a class there is.
type Backlog struct {
	Waiting int // items that no host has
	Taken   int // items that some host works on
}

// Pending asks how much work of a class there is.
func (n *Node) Pending(ctx context.Context, class string) (b Backlog, err error) {
	err = n.ask(ctx, "ask for the queue of "+class, func(ctx context.Context) error {
		consumer, known := n.found.Load().queues[class]
		if !known {
			return errors.New("there is no such queue")
		}
		info, err := consumer.Info(ctx)
		if err == nil {
			b = Backlog{Waiting: int(info.NumPending), Taken: info.NumAckPending}
		}
		return err
	})
	return b, err
}
