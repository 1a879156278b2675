package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"pkgmetad/github"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/status"
)

// What status and metrics tell of the other hosts is asked for in the background, so that
// nobody who reads them waits for a host that does not answer.
const (
	learnEvery = 5 * time.Second
	learnWait  = 4 * time.Second
)

// forgetHost is after what time a host that runs no server, and says nothing, is not told
// of any more: nobody can tell it from one that is gone for good.
const forgetHost = 24 * time.Hour

// learnt is what this host last knew of all hosts.
type learnt struct {
	at     time.Time
	hosts  []cluster.Host
	leases []cluster.Held
	work   []status.Work

	double time.Time     // when another host of this one's name was last heard of; zero for never
	ahead  time.Duration // of the own clock before that of the server that answered

	unscheduled time.Time // since when no host has been the scheduler; zero if one is
}

// learn keeps what this host knows of the others up to date until ctx ends. What cannot be
// asked for stays as it was.
func (m *member) learn(ctx context.Context) {
	if m.node.Wait(ctx) != nil {
		return
	}
	ticker := time.NewTicker(learnEvery)
	defer ticker.Stop()
	for {
		if m.node.Reach().Quorum {
			if err := m.learnOnce(ctx); err != nil && ctx.Err() == nil {
				m.log.Debug().Err(err).Msg("what the other hosts do could not be asked for")
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *member) learnOnce(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, learnWait)
	defer cancel()
	state, err := m.node.State(ctx)
	if err != nil {
		return err
	}
	m.lag.Store(m.behind(state))
	var now learnt
	if now.hosts, err = m.node.Hosts(ctx); err != nil {
		return err
	}
	now.at = time.Now() // the ages of what hosts said are as of here
	now.double, now.ahead = m.double(&now), clockAhead(&now)
	if now.leases, err = m.node.Leases(ctx); err != nil {
		return err
	}
	for _, class := range cluster.Classes {
		backlog, err := m.node.Pending(ctx, class)
		if err != nil {
			return err
		}
		now.work = append(now.work, status.Work{Class: class, Waiting: backlog.Waiting, Taken: backlog.Taken})
	}
	now.unscheduled = m.unscheduled(&now)
	m.learnt.Store(&now)
	m.tell(m.standing(now.at), now.at)
	return nil
}

// tell logs what has become wrong, and what is not any more. What is wrong with this host alone
// is logged where it is noticed. Only learn calls it.
func (m *member) tell(c *status.Cluster, now time.Time) {
	if !c.Quorum || now.Sub(m.began) < status.HostSilence { // the others may not have said anything yet
		return
	}
	wrong := map[string]bool{}
	for _, f := range c.Faults(now) {
		if f.Kind == status.FaultTrouble || f.Kind == status.FaultCertificate {
			continue
		}
		if wrong[f.Kind] = true; !m.told[f.Kind] {
			m.log.Warn().Str("problem", f.Kind).Msg(f.Text)
		}
	}
	for kind := range m.told {
		if !wrong[kind] {
			m.log.Info().Str("problem", kind).Msg("that is over")
		}
	}
	m.told = wrong
}

// double returns when another host of this one's name was last heard of. What a host of this
// name said before this one began is that of an earlier start.
func (m *member) double(now *learnt) time.Time {
	for _, h := range now.hosts {
		var s said
		if h.Name == m.node.Name() && json.Unmarshal(h.Said, &s) == nil && s.Start != m.start && now.at.Add(-h.Ago).Sub(m.began) > learnEvery {
			return now.at
		}
	}
	if before := m.learnt.Load(); before != nil {
		return before.double
	}
	return time.Time{}
}

// clockAhead returns how far the own clock is before that of the server that told the hosts.
func clockAhead(now *learnt) time.Duration {
	if len(now.hosts) == 0 {
		return 0
	}
	clock := func(h cluster.Host) time.Time { return h.At.Add(h.Ago) } // later where h spoke by another clock, which is ahead
	least := slices.MinFunc(now.hosts, func(a, b cluster.Host) int { return clock(a).Compare(clock(b)) })
	return now.at.Sub(clock(least))
}

// serverList returns the servers in a form in which lists that are the same are equal.
func serverList(servers map[string]string) string {
	list := make([]string, 0, len(servers))
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		list = append(list, name+"="+servers[name])
	}
	return strings.Join(list, " ")
}

// unscheduled returns since when no host has been the scheduler; zero if one is.
func (m *member) unscheduled(now *learnt) time.Time {
	if slices.ContainsFunc(now.leases, func(h cluster.Held) bool { return h.Name == schedulerLease && h.Host != "" && !h.Late }) {
		return time.Time{}
	}
	if before := m.learnt.Load(); before != nil && !before.unscheduled.IsZero() {
		return before.unscheduled
	}
	return now.at
}

// behind returns how many messages the stream has that the store has not applied. Those that
// a later one replaced are counted, but not for a store that has none yet.
func (m *member) behind(state cluster.State) uint64 {
	replica, err := m.store.Replica()
	if err != nil || replica.Stream != state.ID {
		return state.Count
	}
	if replica.Applied == 0 {
		return state.Count
	}
	return max(state.Last, replica.Applied) - replica.Applied
}

// newest returns the sequence that the feed has come to on the host that is furthest, of
// which it asks the cluster.
func (m *member) newest(ctx context.Context) (uint64, error) {
	if reach := m.node.Reach(); !reach.Quorum {
		return 0, errors.New(reach.Err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	state, err := m.node.State(ctx)
	if err != nil {
		return 0, err
	}
	if m.store.Applied() >= state.Last { // then no host is further, though the last messages have changed nothing that is served
		return m.store.Sequence(), nil
	}
	return state.Last, nil
}

// standing tells how this host and the others stand. It asks nobody.
func (m *member) standing(now time.Time) *status.Cluster {
	reach := m.node.Reach()
	c := &status.Cluster{
		Host: m.node.Name(), Connected: reach.Connected, Quorum: reach.Quorum, Reached: reach.Servers, Servers: reach.All,
		Applied: m.store.Applied(), Lag: m.lag.Load(), CaughtUp: m.caughtUp.Load(), Expires: m.certificateEnds, Warnings: m.node.Warnings(),
	}
	if !reach.Quorum {
		c.CutOffSince, c.Reason = reach.Since, reach.Err
	}
	if since := m.rebuilding.Load(); since != nil {
		c.Rebuilding = *since
	}
	if at := m.compared.Load(); at != nil {
		c.Compared = *at
	}
	if trouble := m.trouble.Load(); trouble != nil {
		c.Trouble = *trouble
	}
	last := m.learnt.Load()
	if last == nil {
		last = &learnt{}
	}
	c.AsOf, c.Work, c.Unscheduled, c.Double, c.Ahead = last.at, last.work, last.unscheduled, last.double, int(last.ahead.Seconds())
	c.Hosts = m.hosts(c, last, now)
	c.Leases = m.rights(last)
	return c
}

// hosts lists the hosts by name: those that were heard of, and those that run a server.
func (m *member) hosts(c *status.Cluster, last *learnt, now time.Time) (all []status.Host) {
	servers := m.refresher.cfg().Cluster.Servers
	heard := map[string]bool{}
	for _, h := range last.hosts {
		heard[h.Name] = true
		if h.Name == c.Host {
			continue
		}
		host := m.host(c, h, last.at.Add(-h.Ago), now)
		if _, host.Server = servers[h.Name]; host.Server || now.Sub(host.Seen) < forgetHost {
			all = append(all, host)
		}
	}
	for name := range servers {
		if !heard[name] && name != c.Host {
			all = append(all, status.Host{Name: name, State: silent(c), Server: true})
		}
	}
	_, server := servers[c.Host]
	all = append(all, status.Host{
		Name: c.Host, State: status.HostHere, Seen: now, Server: server, Version: m.version, Workers: m.workers, Applied: c.Applied, Lag: c.Lag, Trouble: c.Trouble,
	})
	slices.SortFunc(all, func(a, b status.Host) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// host tells what another host last said of itself.
func (m *member) host(c *status.Cluster, h cluster.Host, seen, now time.Time) status.Host {
	var s said
	_ = json.Unmarshal(h.Said, &s) // a version that says something else is there all the same
	host := status.Host{
		Name: h.Name, State: status.HostHere, Seen: seen, Version: s.Version, Workers: s.Workers, Applied: s.Applied, Lag: s.Lag,
		Differently: s.Served != "" && s.Served != m.store.Rendering(), Trouble: s.Trouble,
		Elsewhere: s.Servers != "" && s.Servers != serverList(m.refresher.cfg().Cluster.Servers),
	}
	switch {
	case s.Stopped:
		host.State = status.HostStopped
	case now.Sub(seen) > status.HostSilence:
		host.State = silent(c)
	}
	return host
}

// silent is the state of a host that says nothing.
func silent(c *status.Cluster) string {
	if c.Quorum {
		return status.HostMissing
	}
	return status.HostUnknown
}

const (
	schedulerLease  = "scheduler"
	credentialLease = "credential/" // before the fingerprint, in the name of a credential's lease
)

// rights lists who may do what: the scheduler, the credentials, and PyPI.
func (m *member) rights(last *learnt) []status.Lease {
	held := map[string]cluster.Held{}
	for _, h := range last.leases {
		held[h.Name] = h
	}
	scheduler := leaseOf(held[schedulerLease], status.RightScheduler)
	m.mark(&scheduler, m.scheduler.Held())
	all := []status.Lease{scheduler}

	for _, c := range m.refresher.settings.Load().github.Credentials() {
		if c.Fingerprint == "" { // an anonymous one is each host's own
			continue
		}
		name := credentialLease + c.Fingerprint
		lease := leaseOf(held[name], status.RightCredential)
		lease.Credential, lease.Own = c.Name, true
		m.mark(&lease, m.leases.usable(c.Fingerprint))
		all = append(all, lease)
		delete(held, name)
	}
	var others []status.Lease
	for name, h := range held {
		if fingerprint, is := strings.CutPrefix(name, credentialLease); is && h.Host != "" && !h.Late {
			lease := leaseOf(h, status.RightCredential)
			lease.Credential = fingerprint[:min(8, len(fingerprint))]
			others = append(others, lease)
		}
	}
	slices.SortFunc(others, func(a, b status.Lease) int {
		return cmp.Or(strings.Compare(a.Holder, b.Holder), strings.Compare(a.Credential, b.Credential))
	})
	pypi := leaseOf(held[pypiLease], status.RightPyPI)
	m.mark(&pypi, m.leases.usable(pypiLease))
	return append(append(all, others...), pypi)
}

// mark notes whether this host has a right now. It knows that before the others do.
func (m *member) mark(l *status.Lease, here bool) {
	if l.Here = here; here && l.Holder != m.node.Name() {
		l.Holder, l.Since = m.node.Name(), time.Time{}
	}
}

// leaseOf tells of a lease, and of what is left of a credential.
func leaseOf(h cluster.Held, right string) status.Lease {
	lease := status.Lease{Right: right}
	if !h.Late && h.Host != "" {
		lease.Holder, lease.Since = h.Host, h.Since
	}
	var left github.Allowance
	if right != status.RightCredential || json.Unmarshal(h.Value, &left) != nil {
		return lease
	}
	lease.Requests, lease.Points = leftOf(left.Requests), leftOf(left.Points)
	return lease
}

func leftOf(l github.Left) *status.Left {
	if l.Limit == 0 {
		return nil
	}
	return &status.Left{Limit: l.Limit, Remaining: l.Remaining}
}
