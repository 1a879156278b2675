package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A silent stream acknowledges the first messages, and no others.
type silent struct {
	jetstream.JetStream
	taken, sent int
}

type future struct {
	jetstream.PubAckFuture
	ok chan *jetstream.PubAck
}

func (f future) Ok() <-chan *jetstream.PubAck { return f.ok }
func (f future) Err() <-chan error            { return nil }

func (s *silent) PublishMsgAsync(*nats.Msg, ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	f := future{ok: make(chan *jetstream.PubAck, 1)}
	if s.sent++; s.sent <= s.taken {
		f.ok <- &jetstream.PubAck{Sequence: uint64(s.sent)}
	}
	return f, nil
}

// When nothing is acknowledged any more, nothing more is sent or waited for.
func TestSendAllSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		js := &silent{taken: 3}
		got := map[string]int{}
		began := time.Now()
		err := sendAll(t.Context(), js, 3*inFlight, func(i int) *nats.Msg { return &nats.Msg{Data: []byte("x")} }, func(i int, ack *jetstream.PubAck, err error) {
			switch {
			case err == nil && ack.Sequence != uint64(i+1):
				t.Errorf("message %d got sequence %d", i, ack.Sequence)
			case err == nil:
				got["taken"]++
			default:
				got[err.Error()]++
			}
		})
		if took := time.Since(began); err != nil || took != silence {
			t.Errorf("ended after %s, error %v", took, err)
		}
		want := map[string]int{"taken": 3, errSilence.Error(): inFlight, errNotSent.Error(): 2*inFlight - 3}
		if diff := cmp.Diff(want, got); diff != "" || js.sent != inFlight+3 {
			t.Errorf("%d sent, -want +got\n%s", js.sent, diff)
		}
		if !temporary(errSilence) || !temporary(fmt.Errorf("x: %w", errNotSent)) {
			t.Error("they are not sent again")
		}
	})
}

func TestSendAllBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		js := &silent{}
		ctx, cancel := context.WithTimeout(t.Context(), silence/2)
		defer cancel()
		err := sendAll(ctx, js, 10, func(i int) *nats.Msg { return &nats.Msg{Data: make([]byte, inFlightBytes/3)} }, func(i int, _ *jetstream.PubAck, err error) {
			t.Errorf("message %d: %v", i, err)
		})
		if !errors.Is(err, context.DeadlineExceeded) || js.sent != 3 {
			t.Errorf("%d sent at a time, error %v", js.sent, err)
		}
	})
}
