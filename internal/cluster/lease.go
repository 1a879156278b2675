package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// A Lease is a right that one host at a time has, such as to use a credential.
//
// It is kept by time, but by no clock that anybody could set: the holder renews it
// every third of its time to live and stops using it at 4/5, counted from before
// its last renewal was sent; another takes it when it has seen no renewal for the
// whole of that time. Elections take up to 12 seconds, so 30 s is a good time to
// live. A host that stops gives it back, and the next one has it at once. So has a host
// that was killed and starts again: nobody else runs in its folder.
//
// A value travels with it, from holder to holder, whatever ends the first one's time.
//
// Try, Release and Run are for one goroutine; Held and Age may be asked by any.
type Lease struct {
	node  *Node
	name  string
	ttl   time.Duration
	token string // of this Lease alone

	mu       sync.Mutex
	seen     leaseRecord   // what the cluster last said
	sequence uint64        // of that; 0 if there was nothing
	seenAt   time.Time     // when it was first seen
	written  time.Time     // when it was written, by the clock of the server that took it
	age      time.Duration // of the value of the one before, when this Lease took it
	until    time.Time     // when this host stops using it; zero if it does not hold it
}

// leaseRecord is what the stream has of a lease.
type leaseRecord struct {
	Host  string        `json:"host"` // of the holder; "" if it was given back
	Home  string        `json:"home,omitempty"`
	Token string        `json:"token,omitempty"`
	Since time.Time     `json:"since"`
	TTL   time.Duration `json:"ttl"` // nanoseconds
	Value []byte        `json:"value,omitempty"`
}

// Lease returns a right by its name, which all hosts that want it share, and the
// time to live, which should be the same on all. Two of one name are two holders,
// also on one host.
func (n *Node) Lease(name string, ttl time.Duration) *Lease {
	return &Lease{node: n, name: name, ttl: ttl, token: n.id + "." + nuid.Next()}
}

// Held reports whether this host has the lease, for sure and until further notice:
// ask again before each use.
func (l *Lease) Held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	// The monotonic clock is the one to go by, but it stands still while a machine is
	// suspended: then the other clock tells. If that one is set, it is wrong at most once.
	return now.Before(l.until) && now.Round(0).Before(l.until.Round(0))
}

// Age returns how old the value of the one who had the lease before was when this Lease took
// it, by the clock of the cluster: who had it may have been gone for long.
func (l *Lease) Age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.age
}

// Try takes the lease if it is free, or renews it if this Lease has it, and leaves
// value with it. previous is the last value of the one who had it before, or has it
// now; the own one at a renewal. Whether an earlier holder is gone is seen from its
// not renewing: an expired lease is taken at the earliest a time to live after the
// first Try. An error is of the cluster; the lease may then have been taken or
// renewed, but does not count as held for longer than before.
func (l *Lease) Try(ctx context.Context, value []byte) (held bool, previous []byte, err error) {
	doing := "lease " + l.name
	if err := l.node.Wait(ctx); err != nil {
		return l.Held(), nil, fmt.Errorf("%s: %w", doing, err)
	}
	if err := l.look(ctx); err != nil {
		return l.Held(), nil, l.node.outage(doing, err)
	}
	l.mu.Lock()
	seen, sequence, written, free := l.seen, l.sequence, l.written, l.free(time.Now())
	l.mu.Unlock()
	if !free {
		return false, seen.Value, nil
	}
	age := time.Duration(0)
	if sequence != 0 && seen.Token != l.token {
		info, err := leaderInfo(ctx, l.node.found.Load().state)
		if err != nil {
			return l.Held(), nil, l.node.outage(doing, err)
		}
		age = max(0, info.TimeStamp.Sub(written))
	}
	next := leaseRecord{Host: l.node.options.Name, Home: l.node.home, Token: l.token, Since: time.Now().UTC(), TTL: l.ttl, Value: value}
	if seen.Token == l.token {
		next.Since = seen.Since
	}
	began := time.Now()
	sequence, err = l.node.putState(ctx, leasePrefix+escape(l.name), next, &sequence)
	switch {
	case wrongSequence(err) && !l.Held():
		return false, seen.Value, nil // another was faster; the next look says who
	case err != nil:
		return l.Held(), seen.Value, l.node.outage(doing, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.sequence, l.seenAt = next, sequence, time.Now()
	l.until = began.Add(l.ttl * 4 / 5)
	if seen.Token != l.token {
		l.age = age
	}
	return true, seen.Value, nil
}

// free reports whether the lease can be taken or renewed. l.mu is held.
func (l *Lease) free(now time.Time) bool {
	return l.sequence == 0 || l.seen.Host == "" || l.seen.Token == l.token || l.orphaned() || now.Sub(l.seenAt) >= max(l.ttl, l.seen.TTL)
}

// orphaned reports whether an earlier start of this host holds the lease, which has ended: it
// had this host's folder. l.mu is held.
func (l *Lease) orphaned() bool {
	return l.node.home != "" && l.seen.Home == l.node.home && l.seen.Host == l.node.options.Name && !strings.HasPrefix(l.seen.Token, l.node.id+".")
}

// look asks the cluster who has the lease.
func (l *Lease) look(ctx context.Context) error {
	raw, err := l.node.found.Load().state.GetLastMsgForSubject(ctx, leasePrefix+escape(l.name))
	var seen leaseRecord
	var sequence uint64
	var written time.Time
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw.Data, &seen); err != nil {
			return fmt.Errorf("message %d of its stream: %w", raw.Sequence, err)
		}
		sequence, written = raw.Sequence, raw.Time
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = written
	if l.sequence != sequence || l.seenAt.IsZero() {
		l.seen, l.sequence, l.seenAt = seen, sequence, time.Now()
	}
	if seen.Token != l.token {
		l.until = time.Time{}
	}
	return nil
}

// Release gives the lease back, if this Lease has it, with a last value: the next
// host can take it at once.
func (l *Lease) Release(ctx context.Context, value []byte) error {
	l.mu.Lock()
	held, seen, sequence := l.seen.Token == l.token, l.seen, l.sequence
	l.until = time.Time{}
	l.mu.Unlock()
	if !held {
		return nil
	}
	_, err := l.node.putState(ctx, leasePrefix+escape(l.name), leaseRecord{Since: time.Now().UTC(), TTL: seen.TTL, Value: value}, &sequence)
	if err != nil && !wrongSequence(err) {
		return l.node.outage("give back lease "+l.name, err)
	}
	_ = l.node.Broadcast(releasedSubject, []byte(l.name)) // who misses it finds out a little later
	return nil
}

// releasedSubject is where it is told which lease was given back.
const releasedSubject = "lease.released"

// Run takes the lease as soon as it is free and keeps it until ctx ends; then it
// gives it back, for which it takes up to two seconds. value is what travels with
// it, asked for at each renewal. changed is told when this host begins to hold it,
// with the value of the holder before, and when it does not any more: because time
// ran out, or another has it, whose value is given then. Both are called by the
// goroutine that runs Run.
func (l *Lease) Run(ctx context.Context, value func() []byte, changed func(held bool, previous []byte)) {
	released := make(chan struct{}, 1)
	stop, err := l.node.Listen(releasedSubject, func(name []byte) {
		if string(name) == l.name {
			select {
			case released <- struct{}{}:
			default:
			}
		}
	})
	if err == nil {
		defer stop()
	}
	r := runner{lease: l, value: value, changed: changed}
	for ctx.Err() == nil {
		next := r.step(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-released:
		}
		timer.Stop()
	}
	r.end()
}

// A runner is what Run keeps.
type runner struct {
	lease   *Lease
	value   func() []byte
	changed func(bool, []byte)
	held    bool // as changed was told
}

// step tries once, tells what has changed, and returns when to try again.
func (r *runner) step(ctx context.Context) time.Duration {
	l := r.lease
	r.tell(r.held && l.Held(), nil) // before another try, which may take a while
	ctx, cancel := context.WithTimeout(ctx, r.patience())
	held, previous, err := l.Try(ctx, r.value())
	cancel()
	if err != nil {
		previous = nil // of nobody that took it
	}
	r.tell(held, previous)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch now := time.Now(); {
	case held && err == nil:
		return l.ttl / 3
	case held:
		return min(l.ttl/10, max(l.until.Sub(now), time.Millisecond))
	case err != nil:
		return l.ttl / 10
	default: // it expires at a known time, if its holder does not renew it; or is given back unheard
		return max(min(l.ttl/6, l.seenAt.Add(max(l.ttl, l.seen.TTL)).Sub(now)), l.ttl/100)
	}
}

// patience is how long one try may take: what is left of the time that this host
// holds the lease, so that its end is told at once.
func (r *runner) patience() time.Duration {
	r.lease.mu.Lock()
	defer r.lease.mu.Unlock()
	if left := time.Until(r.lease.until); r.held && left > 0 {
		return min(left, attempt)
	}
	return min(r.lease.ttl, attempt)
}

func (r *runner) tell(held bool, previous []byte) {
	if held != r.held {
		r.held = held
		r.changed(held, previous)
	}
}

// end gives the lease back.
func (r *runner) end() {
	ctx, cancel := context.WithTimeout(context.Background(), attempt)
	defer cancel()
	if err := r.lease.Release(ctx, r.value()); err != nil {
		r.lease.node.log.Debug().Err(err).Msg("the lease was not given back, so that its time has to run out")
	}
	r.tell(false, nil)
}

// Held is what is known of a lease that is held, or was.
type Held struct {
	Name  string
	Host  string // "" if it was given back
	Value []byte
	Since time.Time // when the host took it, by that host's clock
	Late  bool      // the host has not renewed it in time, so that another may take it
}

// Leases returns all leases by name, also those that were given back, or not renewed in
// time.
func (n *Node) Leases(ctx context.Context) (all []Held, err error) {
	err = n.readState(ctx, "ask who holds which lease", leasePrefix, func(name string, m *jetstream.RawStreamMsg, now time.Time) error {
		var r leaseRecord
		if err := json.Unmarshal(m.Data, &r); err != nil {
			return fmt.Errorf("lease %s: %w", name, err)
		}
		all = append(all, Held{Name: name, Host: r.Host, Value: r.Value, Since: r.Since, Late: r.Host != "" && now.Sub(m.Time) > r.TTL})
		return nil
	})
	slices.SortFunc(all, func(a, b Held) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// putState writes a value to the stream of the state, if expect is nil or is the
// sequence of its subject's last message; one attempt.
func (n *Node) putState(ctx context.Context, subject string, value any, expect *uint64) (uint64, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return 0, err
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{jetstream.ExpectedStreamHeader: {stateName}}}
	if expect != nil {
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(*expect, 10))
	}
	ack, err := n.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// readState reads the last message of each name below a prefix, from the leader: a consumer
// may be that of a server that is behind, and misses what is written anew meanwhile. now is
// the time by the leader's clock. There are few names, since there are few hosts.
func (n *Node) readState(ctx context.Context, doing, prefix string, each func(name string, m *jetstream.RawStreamMsg, now time.Time) error) error {
	var info *jetstream.StreamInfo
	if err := n.ask(ctx, doing, func(ctx context.Context) (err error) {
		info, err = leaderInfo(ctx, n.found.Load().state, jetstream.WithSubjectFilter(prefix+">"))
		return err
	}); err != nil {
		return err
	}
	for subject := range info.State.Subjects {
		name, err := unescape(strings.TrimPrefix(subject, prefix))
		if err != nil {
			return fmt.Errorf("subject %s of stream %s: %w", subject, stateName, err)
		}
		var m *jetstream.RawStreamMsg
		err = n.ask(ctx, doing, func(ctx context.Context) (err error) {
			m, err = n.found.Load().state.GetLastMsgForSubject(ctx, subject)
			return err
		})
		if errors.Is(err, jetstream.ErrMsgNotFound) { // forgotten meanwhile
			continue
		}
		if err == nil {
			err = each(name, m, info.TimeStamp)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
