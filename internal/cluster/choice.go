package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// records is the stream of the records. Sequences go on from those of an earlier
// such stream, which its servers have lost: they are the places of messages in the
// stream, beyond a base, which is the time in microseconds when it was made. Its name
// has the base, so that nothing that is meant for one stream ends in another.
//
// JetStream has a setting for that, FirstSeq. But when a write to a new file of such a
// stream fails, as on a full disk, nats-server 2.15 lists, one by one, all sequences
// from 0 to there as lost, until the memory of the machine is full.
type records struct {
	jetstream.Stream
	name string
	base uint64
}

// sequence returns the sequence of the message at a place of the stream.
func (r *records) sequence(place uint64) uint64 { return r.base + place }

// place is the reverse of sequence. 0, for none, stays 0; what is of another stream
// becomes a place where no message is.
func (r *records) place(sequence uint64) uint64 {
	switch {
	case sequence == 0:
		return 0
	case sequence <= r.base:
		return math.MaxInt64
	}
	return sequence - r.base
}

// baseOf returns the base that is in the name of a stream of records.
func baseOf(name string) (uint64, error) {
	digits, own := strings.CutPrefix(name, recordsName)
	base, err := strconv.ParseUint(digits, 10, 62)
	if !own || err != nil {
		return 0, fmt.Errorf("stream %s takes the subjects of pkgmetad's records, and is not pkgmetad's: remove it, or give pkgmetad an account of its own", name)
	}
	return base, nil
}

// choiceSubject is where it is kept which stream the records are in: of several hosts
// that begin at once, one chooses, for all.
const choiceSubject = "pkgmetad.records"

// A choice is which stream the records are in.
type choice struct {
	Base uint64 `json:"base"`
	Made bool   `json:"made"` // it was there: if it is not any more, it is lost, and never made again
}

// errChosen is for a choice that came too late, or was just made: look again.
var errChosen = errors.New("another one has just been chosen")

// ensureRecords finds the stream of the records, or makes it, with a base that is not
// below one given.
func (n *Node) ensureRecords(ctx context.Context, state jetstream.Stream, least uint64) (*records, error) {
	c, sequence, err := n.chosen(ctx, state)
	if err == nil && c.Base == 0 {
		c, sequence, err = n.firstChoice(ctx, least)
	}
	if err != nil {
		return nil, fmt.Errorf("which stream the records are in: %w", err)
	}
	want, _ := n.options.replicas()
	config := recordsConfig(want, c.Base)
	if c.Made {
		if _, err := n.lookUp(ctx, config.Name); errors.Is(err, jetstream.ErrStreamNotFound) {
			if _, err = n.choose(ctx, choice{Base: newBase(max(least, c.Base+1))}, sequence); err == nil {
				err = errChosen
			}
			return nil, fmt.Errorf("stream %s is lost: %w", config.Name, err)
		}
	}
	stream, err := n.ensure(ctx, config)
	if err == nil && !c.Made {
		_, err = n.choose(ctx, choice{Base: c.Base, Made: true}, sequence)
	}
	return &records{Stream: stream, name: config.Name, base: c.Base}, err
}

// firstChoice chooses a new stream, or one that is there although there is no choice:
// somebody has removed the stream of the state alone.
func (n *Node) firstChoice(ctx context.Context, least uint64) (c choice, sequence uint64, err error) {
	err = within(ctx, func(ctx context.Context) error {
		name, err := n.js.StreamNameBySubject(ctx, recordPrefix+">")
		if err == nil {
			c.Made = true
			c.Base, err = baseOf(name)
		}
		return err
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		c.Base, err = newBase(least), nil
	}
	if err == nil {
		sequence, err = n.choose(ctx, c, 0)
	}
	return c, sequence, err
}

// newBase returns the time in microseconds, or least if that is later.
func newBase(least uint64) uint64 { return max(least, uint64(time.Now().UnixMicro())) }

// chosen returns what was chosen, if anything was.
func (n *Node) chosen(ctx context.Context, state jetstream.Stream) (c choice, sequence uint64, err error) {
	err = within(ctx, func(ctx context.Context) error {
		m, err := state.GetLastMsgForSubject(ctx, choiceSubject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		sequence = m.Sequence
		return json.Unmarshal(m.Data, &c)
	})
	return c, sequence, err
}

func (n *Node) choose(ctx context.Context, c choice, expect uint64) (sequence uint64, err error) {
	err = within(ctx, func(ctx context.Context) (err error) {
		sequence, err = n.putState(ctx, choiceSubject, c, &expect)
		return err
	})
	if wrongSequence(err) {
		err = errChosen
	}
	return sequence, err
}
