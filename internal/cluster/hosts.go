package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// announceEvery is how often a host says that it is there.
const announceEvery = 5 * time.Second

// Host is what a host last said of itself.
type Host struct {
	Name string
	Said json.RawMessage
	At   time.Time     // when, by the clock of the server that took it
	Ago  time.Duration // how long ago, by the clock of the server that answers; a host that is there says something every 5 seconds
}

// Announce tells the others, every 5 seconds until ctx ends, what this host says of
// itself, as JSON; a last time when ctx ends, so that said can tell of the stop.
func (n *Node) Announce(ctx context.Context, said func() []byte) {
	if n.Wait(ctx) != nil {
		return
	}
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	for {
		n.announce(ctx, said())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			n.announce(context.WithoutCancel(ctx), said())
			return
		}
	}
}

func (n *Node) announce(ctx context.Context, said []byte) {
	err := within(ctx, func(ctx context.Context) error {
		_, err := n.putState(ctx, hostPrefix+escape(n.options.Name), json.RawMessage(said), nil)
		return err
	})
	if err != nil {
		n.log.Debug().Err(err).Msg("what this host says of itself was not taken; the next time follows")
	}
}

// Hosts returns what all hosts said last, by name, also those that are away.
func (n *Node) Hosts(ctx context.Context) (all []Host, err error) {
	err = n.readState(ctx, "ask for the hosts", hostPrefix, func(name string, m *jetstream.RawStreamMsg, now time.Time) error {
		all = append(all, Host{Name: name, Said: m.Data, At: m.Time.UTC(), Ago: max(0, now.Sub(m.Time))})
		return nil
	})
	slices.SortFunc(all, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// Broadcast sends a small message to all hosts that listen to a subject at this
// moment, this one included. Who is cut off misses it, and nobody notices.
func (n *Node) Broadcast(subject string, data []byte) error {
	return n.conn.Publish(tellPrefix+subject, data)
}

// Listen has f called, one call at a time, with each message that is broadcast to a
// subject, until stop is called.
func (n *Node) Listen(subject string, f func(data []byte)) (stop func(), err error) {
	subscription, err := n.conn.Subscribe(tellPrefix+subject, func(m *nats.Msg) { f(m.Data) })
	if err != nil {
		return nil, err
	}
	return func() { _ = subscription.Unsubscribe() }, nil
}
