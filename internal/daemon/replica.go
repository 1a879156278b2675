package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// clusterSuffix is what the folder of the embedded server has more than the store's path, and
// keptSuffix the store that this host had before it joined.
const (
	clusterSuffix = ".cluster"
	keptSuffix    = ".before-cluster"
)

const (
	followAgain    = 2 * time.Second
	compareEvery   = 6 * time.Hour    // the store with the stream, whatever other hosts say
	compareLeast   = 10 * time.Minute // between two comparisons because of what other hosts say
	originName     = "meta/origin"    // the stream holds what there was before it
	beginName      = "meta/begin"     // a host has begun to publish that
	originWait     = time.Second
	originPatience = 20 * time.Second // with hosts that do not say how many packages they have
)

// originData is the message that says so, and beginData the one that a host has begun.
var originData = []byte(`{"v":1}`)

type beginData struct {
	Version int    `json:"v"`
	Host    string `json:"host"`
}

// follow has the store follow the stream until ctx ends, whatever happens.
func (m *member) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.followOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		m.noteTrouble(err)
		sleep(ctx, followAgain)
	}
}

// noteTrouble notes what keeps the store from following, and logs it when it begins, or becomes
// another.
func (m *member) noteTrouble(err error) {
	if err == nil {
		if m.trouble.Swap(nil) != nil {
			m.log.Info().Msg("this host follows the records of the others again")
		}
		return
	}
	text := err.Error()
	if before := m.trouble.Swap(&text); before == nil || *before != text {
		m.log.Error().Err(err).Msg("this host does not follow the records of the others, and serves what it has")
	}
}

// followOnce makes the store a replica of the stream, if it is not, and has it follow.
func (m *member) followOnce(ctx context.Context) error {
	if err := m.node.Wait(ctx); err != nil {
		return err
	}
	state, err := m.node.State(ctx)
	if err != nil {
		return err
	}
	if err := m.establish(ctx); err != nil {
		return err
	}
	replica, err := m.store.Replica()
	if err != nil || replica.Stream != state.ID || m.store.Damaged() {
		if err := m.buildAnew(ctx, state, replica.Stream == ""); err != nil {
			return err
		}
	}
	var group sync.WaitGroup
	defer group.Wait()
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group.Go(func() {
		select {
		case <-m.rebuild:
			if following.Err() != nil {
				m.rebuildSoon() // for the next time
			}
			stop(errRebuild)
		case <-following.Done():
		}
	})
	err = m.node.Follow(following, state.ID, m.store.Applied(), m.apply, m.reached)
	var diverged *cluster.Diverged
	switch {
	case errors.Is(context.Cause(following), errRebuild):
		m.log.Error().Msg("the store of this host is not what the stream of all hosts has; it is built anew from that, and serves what it has meanwhile")
		return m.buildAgain(ctx)
	case errors.As(err, &diverged):
		m.log.Error().Err(err).Msg("the store of this host is built anew from the stream of all hosts, and serves what it has meanwhile")
		return m.buildAgain(ctx)
	}
	return err
}

var errRebuild = errors.New("the store is to be built anew")

// buildAgain builds the store anew, which has followed a stream. One that was made anew has
// nothing yet: then this store may be what it is filled with.
func (m *member) buildAgain(ctx context.Context) error {
	state, err := m.node.State(ctx)
	if err != nil {
		return err
	}
	if err := m.establish(ctx); err != nil {
		return err
	}
	return m.buildAnew(ctx, state, false)
}

func (m *member) apply(messages []record.Message) error {
	err := m.store.Apply(messages)
	if err == nil {
		m.noteTrouble(nil)
	}
	return err
}

// reached is called whenever the store is where the stream is.
func (m *member) reached() {
	m.noteTrouble(nil)
	m.lag.Store(0)
	if m.caughtUp.CompareAndSwap(false, true) {
		m.store.Join(m)
		m.log.Info().Uint64("sequence", m.store.Applied()).Msg("this host has what the others have")
		m.offerSoon()
		m.compareSoon()
		wake(m.takeover)
	}
}

// establish returns when the stream holds what there was before it: what the host had that has
// most packages, which that publishes.
func (m *member) establish(ctx context.Context) error {
	_, there, err := m.node.Last(ctx, originName)
	if err != nil || there {
		return err
	}
	_, packages, err := m.store.Packages(0, 0)
	if err != nil {
		return err
	}
	if there, err := m.awaitLarger(ctx, packages); err != nil || there {
		return err
	}
	turn := m.takeTurn(ctx, "origin")
	defer turn.end()
	for waiting := true; waiting; {
		select {
		case <-turn.held:
			waiting = false
		case <-time.After(originWait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, there, err := m.node.Last(ctx, originName); err != nil || there {
			return err
		}
	}
	if err := m.beginOrigin(ctx, packages > 0); err != nil {
		return err
	}
	if packages > 0 {
		m.log.Info().Int("packages", packages).Msg("this host publishes its store, which the others take over")
	}
	err = m.store.Export(func(writes []record.Write) error {
		select {
		case <-turn.lost:
			return errors.New("another host has taken over")
		default:
		}
		_, err := m.Publish(writes)
		var conflict *record.Conflict
		if errors.As(err, &conflict) { // an earlier attempt, which was cut short, has come so far
			err = nil
		}
		return err
	})
	if err == nil {
		_, err = m.Publish([]record.Write{{Name: originName, Data: originData}})
	}
	if err != nil {
		return fmt.Errorf("publish the store of this host: %w", err)
	}
	return nil
}

// beginOrigin notes that this host publishes what it had, if it is to. Where another one has
// begun to, and was lost before it came to the end, nobody goes on in its place: half of one
// store and half of another are none.
func (m *member) beginOrigin(ctx context.Context, publish bool) error {
	last, begun, err := m.node.Last(ctx, beginName)
	if err != nil || !begun && !publish {
		return err
	}
	if !begun {
		data, err := json.Marshal(beginData{Version: 1, Host: m.node.Name()})
		if err == nil {
			_, err = m.Publish([]record.Write{{Name: beginName, Data: data}})
		}
		return err
	}
	var by beginData
	if err := json.Unmarshal(last.Data, &by); err != nil {
		return fmt.Errorf("message %s: %w", beginName, err)
	}
	if by.Host != m.node.Name() || !publish {
		return fmt.Errorf("host %s began to publish its store, and did not come to the end: start it, and it goes on; "+
			"if it is lost, stop the others, remove their folders *%s, and start them again", by.Host, clusterSuffix)
	}
	return nil
}

// awaitLarger returns when the stream holds what there was before it, or no other host has
// more packages than this one. Hosts that run servers are waited for until they say how
// many they have: a stream is only there once all of these are.
func (m *member) awaitLarger(ctx context.Context, packages int) (there bool, err error) {
	for began := time.Now(); ; {
		if _, there, err := m.node.Last(ctx, originName); err != nil || there {
			return there, err
		}
		larger, complete, err := m.larger(ctx, packages)
		if err != nil {
			return false, err
		}
		if !larger && (complete || time.Since(began) > originPatience) {
			return false, nil
		}
		sleep(ctx, originWait)
	}
}

// larger reports whether another host has more packages, and whether all that run servers have
// said how many they have.
func (m *member) larger(ctx context.Context, packages int) (larger, complete bool, err error) {
	hosts, err := m.node.Hosts(ctx)
	if err != nil {
		return false, false, err
	}
	silent := maps.Clone(m.refresher.cfg().Cluster.Servers)
	complete = len(silent) > 0
	delete(silent, m.node.Name())
	for _, h := range hosts {
		var s said
		if h.Name == m.node.Name() || h.Ago > leaseTime || json.Unmarshal(h.Said, &s) != nil {
			continue
		}
		delete(silent, h.Name)
		larger = larger || s.Packages > packages || s.Packages == packages && packages > 0 && h.Name < m.node.Name()
	}
	return larger, complete && len(silent) == 0, nil
}

// buildAnew builds the store anew from the stream. first says that it was none of a
// stream: then it is kept.
func (m *member) buildAnew(ctx context.Context, state cluster.State, first bool) error {
	kept := ""
	if _, packages, err := m.store.Packages(0, 0); first && (err != nil || packages > 0) {
		kept = m.refresher.cfg().Store.Path + keptSuffix
	}
	began := time.Now()
	m.rebuilding.Store(&began)
	defer m.rebuilding.Store(nil)
	err := m.store.Rebuild(func(next *store.Store) error {
		if err := next.Begin(state.ID, state.Begin); err != nil {
			return err
		}
		filling, stop := context.WithCancel(ctx)
		defer stop()
		err := m.node.Follow(filling, state.ID, state.Begin-1, next.Apply, stop)
		if ctx.Err() == nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}, kept)
	if err != nil {
		return err
	}
	m.rebuilds.Add(1)
	if !first { // else its sequence tells the followers that it is another store
		m.rebuilt()
	}
	event := m.log.Info().Stringer("took", time.Since(began).Round(time.Millisecond))
	if kept != "" {
		event = event.Str("before", kept)
	}
	event.Msg("the store was built from what all hosts share")
	return nil
}

// compare compares the store with the stream from time to time, and sooner when another host
// that is at the same place has something else.
func (m *member) compare(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if !m.caughtUp.Load() || !m.node.Reach().Quorum {
			continue
		}
		since := time.Since(time.Unix(0, m.looked.Load()))
		if m.store.Damaged() {
			m.rebuildSoon()
		} else if since > compareEvery || since > compareLeast && m.othersDiffer(ctx) {
			m.compareNow(ctx)
		}
	}
}

func (m *member) compareSoon() { m.looked.Store(0) }

func (m *member) rebuildSoon() { wake(m.rebuild) }

// othersDiffer reports whether another host says that it is where this one is, and has
// something else.
func (m *member) othersDiffer(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	mine, err := m.store.Replica()
	if err != nil {
		return false
	}
	hosts, err := m.node.Hosts(ctx)
	if err != nil {
		return false
	}
	for _, h := range hosts {
		var s said
		if h.Name == m.node.Name() || json.Unmarshal(h.Said, &s) != nil || s.Stream != mine.Stream {
			continue
		}
		if s.Applied == mine.Applied && (s.Digest != mine.Digest || s.Count != mine.Count) {
			return true
		}
	}
	return false
}

// compareNow compares the last message of every name with what the store has of it.
func (m *member) compareNow(ctx context.Context) {
	before := m.store.Applied()
	var suspects []string
	differs := false
	err := m.node.Scan(ctx, func(name string, sequence uint64, at time.Time) error {
		known, knownAt, err := m.store.MessageKnown(name)
		switch {
		case err != nil:
			return err
		case known == sequence:
			differs = differs || !knownAt.Equal(at)
		case known < sequence && sequence <= before:
			differs = true
		case known > sequence && len(suspects) < 1000:
			suspects = append(suspects, name) // written since, or by a stream that has gone back
		}
		return nil
	})
	for _, name := range suspects {
		if err != nil || differs {
			break
		}
		last, _, lastErr := m.node.Last(ctx, name)
		known, _, knownErr := m.store.MessageKnown(name)
		err = errors.Join(lastErr, knownErr)
		differs = known > last.Sequence
	}
	if err == nil && !differs {
		differs, err = m.countDiffers(ctx)
	}
	if err != nil {
		m.log.Debug().Err(err).Msg("the store could not be compared with the stream")
		m.looked.Store(time.Now().Add(compareLeast - compareEvery).UnixNano())
		return
	}
	now := time.Now()
	m.looked.Store(now.UnixNano())
	m.compared.Store(&now)
	if differs {
		m.rebuildSoon()
	}
}

// countDiffers reports whether the store has records that the stream does not have. Where
// writes go on, so that both are never seen at the same place, it is not known.
func (m *member) countDiffers(ctx context.Context) (bool, error) {
	for range 10 {
		before, err := m.store.Replica()
		if err != nil {
			return false, err
		}
		state, err := m.node.State(ctx)
		if err != nil {
			return false, err
		}
		if state.Last == before.Applied && m.store.Applied() == before.Applied {
			return state.Count != before.Count, nil
		}
		sleep(ctx, idle)
	}
	return false, nil
}
