package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// What one host alone may ask about, such as PyPI, a refresh by hand on any other has that host
// do: it sends an askedRefresh to the host's subject, and is answered with refreshEvents, as at
// the control socket.
const (
	askSubject    = "refresh.ask."    // before the host's name
	answerSubject = "refresh.answer." // before the ID
	endSubject    = "refresh.end."    // before the ID: nobody waits any more

	takeUp     = 5 * time.Second  // after which it must have told who asks that it was taken up
	aliveEvery = 5 * time.Second  // how often it tells that it goes on
	silence    = 20 * time.Second // after which it is given up that does not

	settling = leaseTime/6 + time.Second // in which somebody takes a right that was given back
)

// An askedRefresh is a refresh by hand, for another host.
type askedRefresh struct {
	ID      string       `json:"id"`
	Classes []string     `json:"classes"`
	All     bool         `json:"all,omitempty"`  // of all of the classes
	Keys    []record.Key `json:"keys,omitempty"` // else of these
	Applied uint64       `json:"applied"`        // what the other host has to have applied, so that it knows them
}

// refresh has this host do its part of a refresh by hand, and others what they alone may ask
// about. What is due, and waits here, is offered to all.
func (m *member) refresh(ctx context.Context, d demand, progress func(fetcher.Progress)) (report record.Pass, err error) {
	if err := m.mayRefresh(); err != nil {
		return report, err
	}
	if !d.all && len(d.sources) == 0 {
		report, err = m.refresher.refreshHere(ctx, d, progress)
		m.offersSoon()
		return report, err
	}
	here, there, err := m.parts(ctx, d)
	if err != nil {
		return report, err
	}
	var parts sync.WaitGroup
	sum := &sum{each: progress, parts: map[string]fetcher.Progress{}}
	theirs, errs := make([]record.Pass, len(there)), make([]error, len(there))
	for i, part := range there {
		parts.Go(func() { theirs[i], errs[i] = m.ask(ctx, part, sum.of(part.host)) })
	}
	report.Started = time.Now().UTC()
	if d.all && len(here.classes) > 0 || len(here.sources) > 0 {
		report, err = m.refresher.refreshHere(ctx, here, sum.of(""))
	}
	parts.Wait()
	for i, part := range there {
		join(&report, part.classes, theirs[i])
	}
	return report, errors.Join(append(errs, err)...)
}

// A part is what one other host has to do.
type part struct {
	demand
	host string
}

// parts parts a demand into what this host may ask about, and what others have to. What nobody
// is known to ask about stays here, to be deferred.
func (m *member) parts(ctx context.Context, d demand) (here demand, there []part, err error) {
	hosts, err := m.elsewhere(ctx)
	if err != nil {
		return here, nil, fmt.Errorf("find out which host may ask: %w", err)
	}
	here = demand{all: d.all}
	for _, class := range cluster.Classes {
		var sources []record.Source
		for i := range d.sources {
			if classOf(d.sources[i].Key) == class {
				sources = append(sources, d.sources[i])
			}
		}
		switch host := hosts[class]; {
		case host == "":
			here.classes = append(here.classes, class)
			here.sources = append(here.sources, sources...)
		case d.all || len(sources) > 0:
			i := slices.IndexFunc(there, func(p part) bool { return p.host == host })
			if i < 0 {
				i, there = len(there), append(there, part{demand{all: d.all}, host})
			}
			there[i].classes = append(there[i].classes, class)
			there[i].sources = append(there[i].sources, sources...)
		}
	}
	return here, there, nil
}

// elsewhere returns which other host may ask, for each class that this one may not; "" where
// nobody does. If a right has just been given back, it waits until somebody has taken it.
func (m *member) elsewhere(ctx context.Context) (hosts map[string]string, err error) {
	for began := time.Now(); ; {
		hosts, err = m.lookElsewhere(ctx)
		nobody := slices.Contains(slices.Collect(maps.Values(hosts)), "")
		if err != nil || !nobody || time.Since(began) > settling || ctx.Err() != nil {
			return hosts, err
		}
		sleep(ctx, idle)
	}
}

func (m *member) lookElsewhere(ctx context.Context) (map[string]string, error) {
	now := m.refresher.settings.Load()
	hosts := map[string]string{}
	rights := map[string]string{} // class, by the name of a lease
	if now.hold(cluster.ClassPyPI).Elsewhere {
		rights[pypiLease], hosts[cluster.ClassPyPI] = cluster.ClassPyPI, ""
	}
	if now.hold(cluster.ClassGitHub).Elsewhere {
		hosts[cluster.ClassGitHub] = ""
		for _, c := range now.github.Credentials() {
			rights[credentialLease+c.Fingerprint] = cluster.ClassGitHub
		}
	}
	if len(rights) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, learnWait)
	defer cancel()
	leases, err := m.node.Leases(ctx)
	for _, lease := range leases {
		if class := rights[lease.Name]; class != "" && lease.Host != m.node.Name() && !lease.Late {
			hosts[class] = cmp.Or(hosts[class], lease.Host)
		}
	}
	return hosts, err
}

// ask has another host do a part of a refresh, and returns when what came of that is applied here.
func (m *member) ask(ctx context.Context, p part, progress func(fetcher.Progress)) (report record.Pass, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("have host %s ask %s, as it alone may: %w", p.host, namesOf(p.classes), err)
		}
	}()
	request := askedRefresh{ID: rand.Text(), Classes: p.classes, All: p.all, Applied: m.store.Applied()}
	for i := range p.sources {
		request.Keys = append(request.Keys, p.sources[i].Key)
	}
	data, _ := json.Marshal(request) // no value in it can fail
	events, done := make(chan refreshEvent), make(chan struct{})
	defer close(done)
	stop, err := m.node.Listen(answerSubject+request.ID, func(data []byte) {
		var e refreshEvent
		if json.Unmarshal(data, &e) != nil {
			return // not a host's
		}
		select {
		case events <- e:
		case <-done:
		}
	})
	if err != nil {
		return report, err
	}
	defer stop()
	defer func() { _ = m.node.Broadcast(endSubject+request.ID, nil) }() // else it goes on, and nobody waits
	if err := m.node.Broadcast(askSubject+p.host, data); err != nil {
		return report, err
	}
	patience := takeUp
	for {
		select {
		case e := <-events:
			patience = silence
			switch {
			case e.Progress != nil:
				progress(*e.Progress)
			case e.Error != "":
				return report, errors.New(e.Error)
			case e.Report != nil && e.Report.Cancelled && ctx.Err() == nil:
				return *e.Report, errors.New("it stopped before the end; run it again")
			case e.Report != nil:
				return *e.Report, m.awaitApplied(ctx, e.Applied)
			}
		case <-time.After(patience):
			return report, fmt.Errorf("it has told nothing for %s; the rest was done", patience)
		case <-ctx.Done():
			return record.Pass{Cancelled: true}, nil
		}
	}
}

func (m *member) awaitApplied(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, applyWait)
	defer cancel()
	if m.store.WaitApplied(ctx, sequence) != nil {
		return fmt.Errorf("it is done, and this host's own store has not followed for %s", applyWait)
	}
	return nil
}

// answers does what other hosts ask for.
func (m *member) answers(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	requests := make(chan askedRefresh)
	stop, err := m.node.Listen(askSubject+m.node.Name(), func(data []byte) {
		var asked askedRefresh
		if json.Unmarshal(data, &asked) != nil {
			return
		}
		select {
		case requests <- asked:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return // the connection is closed
	}
	defer stop()
	for {
		select {
		case asked := <-requests:
			running.Go(func() { m.answer(ctx, asked) })
		case <-ctx.Done():
			return
		}
	}
}

// answer does what another host asks for, and tells how it goes. If this host may not ask
// either, it keeps silent: there may be another one of its name.
func (m *member) answer(ctx context.Context, asked askedRefresh) {
	now := m.refresher.settings.Load()
	if slices.ContainsFunc(asked.Classes, func(class string) bool { return now.hold(class).Elsewhere }) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop, err := m.node.Listen(endSubject+asked.ID, func([]byte) { cancel() })
	if err != nil {
		return
	}
	defer stop()
	tell := func(e refreshEvent) {
		data, _ := json.Marshal(e)                         // no value in it can fail
		_ = m.node.Broadcast(answerSubject+asked.ID, data) // else it is missed, which who asked notices
	}
	alive, end := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		for ; alive.Err() == nil; sleep(alive, aliveEvery) {
			tell(refreshEvent{})
		}
	})
	report, err := m.doAsked(ctx, asked, func(p fetcher.Progress) { tell(refreshEvent{Progress: &p}) })
	end()
	telling.Wait()
	last := refreshEvent{Report: &report, Applied: m.store.Applied()}
	if err != nil {
		last.Error = err.Error()
	}
	for range 3 { // until it has been heard, which ends ctx
		tell(last)
		sleep(ctx, aliveEvery)
		if ctx.Err() != nil {
			return
		}
	}
}

func (m *member) doAsked(ctx context.Context, asked askedRefresh, progress func(fetcher.Progress)) (report record.Pass, err error) {
	if err := errors.Join(m.mayRefresh(), m.refresher.health.writable()); err != nil {
		return report, err
	}
	if err := m.awaitApplied(ctx, asked.Applied); err != nil {
		return report, errors.New("it is behind, and does not know yet what to ask about")
	}
	d := demand{all: asked.All, classes: asked.Classes}
	for _, key := range asked.Keys {
		source, err := m.store.Source(key)
		switch {
		case err == nil:
			d.sources = append(d.sources, source)
		case !errors.Is(err, store.ErrNotFound): // else it has left the catalogue
			return report, err
		}
	}
	if !d.all && len(d.sources) == 0 {
		return report, nil
	}
	return m.refresher.refreshHere(ctx, d, progress)
}

// join enters the report of another host, of some classes, into that of this one.
func join(report *record.Pass, classes []string, theirs record.Pass) {
	for _, class := range classes {
		if class == cluster.ClassPyPI {
			report.PyPI = theirs.PyPI
		} else {
			report.GitHub = theirs.GitHub
		}
	}
	report.Tally.Add(theirs.Tally)
	report.DurationSeconds = max(report.DurationSeconds, theirs.DurationSeconds)
	report.Left += theirs.Left
	report.Cancelled = report.Cancelled || theirs.Cancelled
}

// A sum makes one progress of those of the parts of a refresh.
type sum struct {
	each  func(fetcher.Progress)
	mu    sync.Mutex
	parts map[string]fetcher.Progress // as last told
}

// of returns what a part tells its progress.
func (s *sum) of(part string) func(fetcher.Progress) {
	return func(p fetcher.Progress) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parts[part] = p
		p.Done, p.Total = 0, 0
		for _, last := range s.parts {
			p.Done, p.Total = p.Done+last.Done, p.Total+last.Total
		}
		s.each(p)
	}
}

// namesOf names who is asked about classes.
func namesOf(classes []string) string {
	names := map[string]string{cluster.ClassGitHub: "GitHub", cluster.ClassPyPI: "PyPI"}
	var all []string
	for _, class := range classes {
		all = append(all, names[class])
	}
	return strings.Join(all, " and ")
}
