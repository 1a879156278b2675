package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// The classes of work, by who is asked.
const (
	classGitHub = "github"
	classPyPI   = "pypi"
)

const (
	workAtOnce  = 1000             // sources that a host takes of a class at once
	pypiSpan    = 20 * time.Second // how long a host takes for the projects that it takes at once
	offerAtOnce = 200_000          // sources that are offered at most
	offerAgain  = time.Minute      // after an offer that failed
	workingTime = 10 * time.Second // how often the others are told that a host is still at work
	idle        = 500 * time.Millisecond
	applyWait   = 20 * time.Second // that an item waits for the records it is about
)

func classOf(key record.Key) string {
	if _, project := key.Project(); project {
		return classPyPI
	}
	return classGitHub
}

// offers says what is due, whenever it is asked to and this host is the one to do so.
func (m *member) offers(ctx context.Context) {
	for {
		var again <-chan time.Time
		if m.scheduler.Held() && m.active() {
			if err := m.offerDue(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn().Err(err).Msg("what is due could not be offered; it is offered again in a minute")
				again = time.After(offerAgain)
			}
		} else if m.scheduler.Held() {
			again = time.After(time.Second) // it is not where the others are yet
		}
		select {
		case <-m.offer:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// offerDue offers what is due to all hosts. What they have not done yet of an earlier offer
// stays as it is.
func (m *member) offerDue(ctx context.Context) error {
	cfg := m.refresher.cfg()
	sequence := m.store.Applied()
	sources, _, err := m.store.Due(time.Now(), offerAtOnce, record.Order{StaleAfter: cfg.Refresh.StaleAfter, Reads: m.refresher.reads.All})
	if len(sources) == 0 {
		if err == nil { // as a pass that finds nothing due
			m.refresher.tellPass(record.Pass{Started: time.Now()}, nil, true)
		}
		return err
	}
	keys := map[string][]string{}
	for i := range sources {
		class := classOf(sources[i].Key)
		keys[class] = append(keys[class], string(sources[i].Key))
	}
	offered := 0
	for _, class := range slices.Sorted(maps.Keys(keys)) {
		n, offerErr := m.node.Offer(ctx, class, keys[class], sequence)
		offered += n
		err = errors.Join(err, offerErr)
	}
	m.log.Debug().Int("due", len(sources)).Int("new", offered).Msg("what is due was offered to the hosts")
	return err
}

// work takes what is offered, and runs passes over it, as long as this host may ask.
func (m *member) work(ctx context.Context) {
	r := m.refresher
	for ctx.Err() == nil {
		if !m.active() || r.health.writable() != nil {
			sleep(ctx, idle)
			continue
		}
		took, err := m.take(ctx)
		if err != nil {
			m.log.Debug().Err(err).Msg("no work could be taken")
		}
		if took == 0 {
			sleep(ctx, idle)
			continue
		}
		working, stop := context.WithCancel(ctx)
		m.group.Go(func() { m.stillWorking(working) })
		report, err := r.pass(ctx)
		stop()
		r.tellPass(report, err, true)
		m.giveBack()
		r.compactIfWorth()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// mayRefresh returns nil if this host may ask on demand.
func (m *member) mayRefresh() error {
	switch {
	case m.workers == 0:
		return errors.New("this host serves what others fetch (refresh.workers is 0): ask on one that fetches")
	case !m.caughtUp.Load() || !m.node.Reach().Quorum:
		return errors.New("nothing is fetched while the other hosts are not reached: " + m.obstacle())
	}
	return nil
}

// take takes as much of the work as this host may do now, and returns how much that is.
func (m *member) take(ctx context.Context) (took int, err error) {
	for class, most := range m.appetite() {
		if most <= 0 {
			continue
		}
		items, pullErr := m.node.Pull(ctx, class, most)
		err = errors.Join(err, pullErr)
		m.itemsMu.Lock()
		for _, item := range items {
			m.items[record.Key(item.Key)] = item
			m.order = append(m.order, record.Key(item.Key))
		}
		m.itemsMu.Unlock()
		took += len(items)
	}
	return took, err
}

// appetite returns how many sources of each class this host may ask about now: as many as
// its budgets allow, and no more than a pass does in a short time.
func (m *member) appetite() map[string]int {
	now := m.refresher.settings.Load()
	hungry := map[string]int{}
	if now.github.Hold().Until.IsZero() {
		hungry[classGitHub] = min(workAtOnce, m.budget(now))
	}
	if now.pypi.Hold().Until.IsZero() {
		hungry[classPyPI] = workAtOnce
		if rate := now.cfg.PyPI.Rate; rate > 0 {
			hungry[classPyPI] = min(workAtOnce, max(1, int(pypiSpan.Seconds())*rate))
		}
	}
	return hungry
}

// budget returns how many repositories can be asked about with what is left of the
// credentials that this host uses now: by a request each, or a hundred by one query.
func (m *member) budget(now *settings) (left int) {
	for _, c := range now.github.Credentials() {
		switch {
		case !c.Hold.Until.IsZero():
		case !c.Requests.Known:
			return workAtOnce
		default:
			left += c.Requests.Remaining
			if c.Points.Known {
				left += 20 * c.Points.Remaining
			}
		}
	}
	return left
}

// taken returns the sources of the work in hand that are still due. What is not is done.
func (m *member) taken(ctx context.Context, now time.Time) (sources []record.Source, err error) {
	m.itemsMu.Lock()
	var items []cluster.Item
	var last uint64
	for _, key := range m.order {
		if item, ok := m.items[key]; ok {
			items, last = append(items, item), max(last, item.Sequence)
		}
	}
	m.itemsMu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, applyWait)
	defer cancel()
	if err := m.store.WaitApplied(ctx, last); err != nil {
		return nil, fmt.Errorf("the work taken is about changes that this host's store has not followed yet: %w", err)
	}
	for _, item := range items {
		source, sourceErr := m.store.Source(record.Key(item.Key))
		switch {
		case errors.Is(sourceErr, store.ErrNotFound), sourceErr == nil && !source.IsDue(now):
			m.done(record.Key(item.Key))
		case sourceErr != nil:
			err = errors.Join(err, sourceErr)
		default:
			sources = append(sources, source)
		}
	}
	return sources, err
}

// done tells that a source needs nothing more.
func (m *member) done(key record.Key) {
	m.itemsMu.Lock()
	item, mine := m.items[key]
	delete(m.items, key)
	m.itemsMu.Unlock()
	if mine {
		_ = item.Ack() // else it is given to somebody, who sees that it is not due
	}
}

// giveBack gives the work to others that this host has not done.
func (m *member) giveBack() {
	m.itemsMu.Lock()
	items := m.items
	m.items, m.order = map[record.Key]cluster.Item{}, nil
	m.itemsMu.Unlock()
	for _, item := range items {
		_ = item.Nak(time.Second) // else its time runs out
	}
}

// stillWorking tells the other hosts, as long as ctx lasts, that this one is at work.
func (m *member) stillWorking(ctx context.Context) {
	ticker := time.NewTicker(workingTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		m.itemsMu.Lock()
		items := slices.Collect(maps.Values(m.items))
		m.itemsMu.Unlock()
		_ = m.node.Working(items) // else others get them, and one of two answers counts
	}
}

// shared is the store as a fetcher sees it on one of several hosts: due is what this host has
// taken of the work, and what has been stored is done.
type shared struct {
	*store.Store
	*member
}

// Due implements [fetcher.Store].
func (s shared) Due(now time.Time, limit int, _ record.Order) (sources []record.Source, more bool, err error) {
	sources, err = s.taken(context.Background(), now)
	return sources[:min(limit, len(sources))], false, err
}

// Put implements [fetcher.Store].
func (s shared) Put(learnt []record.Source) error {
	if err := s.Store.Put(learnt); err != nil {
		return err
	}
	for i := range learnt {
		s.done(learnt[i].Key)
	}
	return nil
}

// Reschedule implements [fetcher.Store]: the host that offers does so for all.
func (s shared) Reschedule(now time.Time, latest func(*record.Source) time.Time, limits string) (int, error) {
	if !s.scheduler.Held() {
		return 0, nil
	}
	return s.Store.Reschedule(now, latest, limits)
}

// Projects implements [fetcher.Store]: the host that asks PyPI reads its index.
func (s shared) Projects(limit int) ([]string, error) {
	if !s.leases.usable(pypiLease) {
		return nil, nil
	}
	return s.Store.Projects(limit)
}
