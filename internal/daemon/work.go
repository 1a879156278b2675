package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

const (
	workAtOnce  = 1000             // sources that a host takes of a class at once
	leastAtOnce = 100              // likewise, where there are so many
	pypiSpan    = 20 * time.Second // how long a host takes for the projects that it takes at once
	offerAtOnce = 200_000          // sources of a class that are offered at most
	offerAgain  = time.Minute      // after an offer that failed, or left something out
	workingTime = 10 * time.Second // how often the others are told that a host is still at work
	idle        = 500 * time.Millisecond
	applyWait   = 20 * time.Second // that an item waits for the records it is about
)

func classOf(key record.Key) string {
	if _, project := key.Project(); project {
		return cluster.ClassPyPI
	}
	return cluster.ClassGitHub
}

// offers says what is due, whenever it is asked to and this host is the one to do so.
func (m *member) offers(ctx context.Context) {
	for {
		var again <-chan time.Time
		if m.scheduler.Held() && m.active() {
			more, err := m.offerDue(ctx, offerAtOnce)
			if err != nil && ctx.Err() == nil {
				m.log.Warn().Err(err).Msg("what is due could not be offered; it is offered again in a minute")
			}
			if more || err != nil {
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

// offerDue offers what is due to all hosts, at most so many sources of each class, and reports
// whether there is more. What they have not done yet of an earlier offer stays as it is.
func (m *member) offerDue(ctx context.Context, most int) (more bool, err error) {
	if err := m.refresher.fetcher.Reschedule(); err != nil {
		return false, err
	}
	due := 0
	for _, class := range cluster.Classes {
		n, rest, classErr := m.offerClass(ctx, class, most)
		due, more, err = due+n, more || rest, errors.Join(err, classErr)
	}
	if due == 0 && err == nil { // as a pass that finds nothing due
		m.refresher.tellPass(record.Pass{Started: time.Now()}, nil, true)
	}
	return more, err
}

// offerClass offers what is due of a class, unless much of what was offered before is still to
// be done. Each class has its own limit: one that has to wait for its budget does not hold up
// the other.
func (m *member) offerClass(ctx context.Context, class string, most int) (due int, more bool, err error) {
	backlog, err := m.node.Pending(ctx, class)
	if waiting := backlog.Waiting + backlog.Taken; err != nil || waiting > most/2 {
		return waiting, true, err
	}
	cfg, sequence := m.refresher.cfg(), m.store.Applied()
	found, more, err := m.store.DueKeys(time.Now(), most, record.Order{
		StaleAfter: cfg.Refresh.StaleAfter, Reads: m.refresher.reads.All,
		Skip: func(key record.Key) bool { return classOf(key) != class },
	})
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	keys := make([]string, len(found))
	for i, key := range found {
		keys[i] = string(key)
	}
	offered, err := m.node.Offer(ctx, class, keys, sequence)
	m.log.Debug().Str("class", class).Int("due", len(keys)).Int("new", offered).Msg("what is due was offered to the hosts")
	return len(keys), more, err
}

// A line is what a host does of one class of work. Each has a fetcher of its own: what is asked
// slowly holds up nothing else.
type line struct {
	*store.Store // as a fetcher sees it: what is due is what was taken, and what is stored is done
	member       *member
	class        string
	fetcher      *fetcher.Fetcher

	mu    sync.Mutex
	items map[record.Key]cluster.Item // in hand
	order []record.Key                // of items, as they were offered
}

func (m *member) newLine(class string) *line {
	return &line{Store: m.store, member: m, class: class, items: map[record.Key]cluster.Item{}}
}

// configure puts the settings of the fetcher in force.
func (l *line) configure(o fetcher.Options) {
	o.Store = l
	if l.fetcher == nil {
		l.fetcher = fetcher.New(o)
	} else {
		l.fetcher.Configure(o)
	}
}

// work takes what is offered, and runs passes over it, as long as this host may ask.
func (l *line) work(ctx context.Context) {
	r := l.member.refresher
	for ctx.Err() == nil {
		if !l.member.active() || r.health.writable() != nil {
			sleep(ctx, idle)
			continue
		}
		took, err := l.take(ctx)
		if err != nil {
			l.member.log.Debug().Err(err).Msg("no work could be taken")
		}
		if took == 0 {
			sleep(ctx, idle)
			continue
		}
		report, err := l.pass(ctx)
		r.tellPass(report, err, true)
		if l.class == cluster.ClassGitHub {
			r.compactIfWorth()
		}
	}
}

// pass runs a pass over what was taken, and gives back what it has not done.
func (l *line) pass(ctx context.Context) (record.Pass, error) {
	defer l.giveBack()
	working, stop := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { l.stillWorking(working) })
	defer func() {
		stop()
		telling.Wait() // what is given back is not worked on
	}()
	return l.member.refresher.passBy(ctx, l.fetcher)
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
	case !m.fit() || !m.node.Reach().Quorum:
		return errors.New("nothing is fetched while the other hosts are not reached: " + m.obstacle())
	}
	return nil
}

// take takes as much of the work as this host may do now, and returns how much that is.
func (l *line) take(ctx context.Context) (took int, err error) {
	most := l.appetite(ctx)
	if most <= 0 {
		return 0, nil
	}
	items, err := l.member.node.Pull(ctx, l.class, most)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range items {
		l.items[record.Key(item.Key)] = item
		l.order = append(l.order, record.Key(item.Key))
	}
	return len(items), err
}

// appetite returns how many sources this host may ask about now: as many as its budgets allow,
// and no more than a pass does in a short time.
func (l *line) appetite(ctx context.Context) int {
	now := l.member.refresher.settings.Load()
	rate := now.cfg.PyPI.Rate
	switch {
	case !now.hold(l.class).Until.IsZero():
		return 0
	case l.class == cluster.ClassGitHub:
		return min(l.member.budget(now), l.share(ctx))
	case rate > 0:
		return max(1, int(pypiSpan.Seconds())*rate)
	}
	return workAtOnce
}

// share returns how many of the sources that wait this host takes at once: few enough that
// others have something to do, and enough to ask about many by one query.
func (l *line) share(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	backlog, err := l.member.node.Pending(ctx, l.class)
	if err != nil {
		return leastAtOnce
	}
	hosts := max(1, len(l.member.refresher.cfg().Cluster.Servers))
	return min(max(leastAtOnce, backlog.Waiting/(2*hosts)), workAtOnce)
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

// Due implements [fetcher.Store]: the sources in hand that are still due. What is not is done.
func (l *line) Due(now time.Time, _ int, _ record.Order) (sources []record.Source, more bool, err error) {
	l.mu.Lock()
	var items []cluster.Item
	var last uint64
	for _, key := range l.order {
		if item, ok := l.items[key]; ok {
			items, last = append(items, item), max(last, item.Sequence)
		}
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.member.running, applyWait)
	defer cancel()
	if err := l.catchUp(ctx, last); err != nil {
		return nil, false, fmt.Errorf("the work taken is about changes that this host's store has not followed yet: %w", err)
	}
	for _, item := range items {
		source, sourceErr := l.Source(record.Key(item.Key))
		switch {
		case errors.Is(sourceErr, store.ErrNotFound), sourceErr == nil && !source.IsDue(now):
			l.done(record.Key(item.Key))
		case sourceErr != nil:
			err = errors.Join(err, sourceErr)
		default:
			sources = append(sources, source)
		}
	}
	return sources, false, err
}

// catchUp waits until the store has a message of the stream, or is where that ends: if its disks
// have gone back, the message may never come.
func (l *line) catchUp(ctx context.Context, sequence uint64) error {
	if l.Applied() >= sequence {
		return nil
	}
	state, err := l.member.node.State(ctx)
	if err != nil {
		return err
	}
	return l.WaitApplied(ctx, min(sequence, state.Last))
}

// Put implements [fetcher.Store].
func (l *line) Put(learnt []record.Source) error {
	if err := l.Store.Put(learnt); err != nil {
		return err
	}
	for i := range learnt {
		l.done(learnt[i].Key)
	}
	return nil
}

// Reschedule implements [fetcher.Store]: the host that offers does so for all, before it does.
func (l *line) Reschedule(time.Time, func(*record.Source) time.Time, string) (int, error) {
	return 0, nil
}

// Projects implements [fetcher.Store]: the host that asks PyPI reads its index.
func (l *line) Projects(limit int) ([]string, error) {
	if l.class != cluster.ClassPyPI || !l.member.leases.usable(pypiLease) {
		return nil, nil
	}
	return l.Store.Projects(limit)
}

// done tells that a source needs nothing more.
func (l *line) done(key record.Key) {
	l.mu.Lock()
	item, mine := l.items[key]
	delete(l.items, key)
	l.mu.Unlock()
	if mine {
		_ = item.Ack() // else it is given to somebody, who sees that it is not due
	}
}

// giveBack gives the work to others that this host has not done.
func (l *line) giveBack() {
	l.mu.Lock()
	items := l.items
	l.items, l.order = map[record.Key]cluster.Item{}, nil
	l.mu.Unlock()
	for _, item := range items {
		_ = item.Nak(time.Second) // else its time runs out
	}
}

// stillWorking tells the other hosts, as long as ctx lasts, that this one is at work.
func (l *line) stillWorking(ctx context.Context) {
	ticker := time.NewTicker(workingTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		items := slices.Collect(maps.Values(l.items))
		l.mu.Unlock()
		_ = l.member.node.Working(items) // else others get them, and one of two answers counts
	}
}
