package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"pkgmetad/internal/record"
)

const (
	lookEvery    = time.Second     // how often the cluster is looked at
	restartEvery = time.Minute     // of an embedded server that cannot write to its disk
	grace        = 3 * time.Second // without an answer before the host is called cut off
	fresh        = 5 * time.Second // since a replica was last heard of by the leader, for it to count
)

// noPeers is what NATS answers where a stream should have more replicas than there are servers.
const noPeers jetstream.ErrorCode = 10005

// Reach is what of the cluster this host reaches.
type Reach struct {
	Connected bool      // to a server: the own, or another's
	Quorum    bool      // a majority of the servers answers: records can be written, leases held, work be taken
	Since     time.Time // since when Quorum is what it is; by this host's clock
	Servers   int       // that are reached, the own included
	All       int       // servers that there are; 0 if it is not known yet
	Err       string    // what is wrong; "" if Quorum
}

// reason says in a few words why there is no majority.
func (r Reach) reason() string {
	of := "no majority of the servers answers"
	if r.All > 0 {
		of += fmt.Sprintf(" (%d of %d reached)", r.Servers, r.All)
	}
	return of
}

// reach keeps a Reach up to date.
type reach struct {
	mu      sync.Mutex
	now     Reach
	failing time.Time // since when no majority answers, by the monotonic clock; zero if one does
	said    bool      // that this host is cut off
	joined  bool      // it has had a majority before

	obstacle error // what keeps the streams from being found, before they are
}

func (r *reach) init(servers int) {
	r.now = Reach{Since: time.Now(), All: servers, Err: "not connected yet"}
	r.failing = r.now.Since
}

// Reach returns what of the cluster this host reaches, as of a second ago or two.
// Quorum stays as it was for 3 seconds in which nothing answers.
func (n *Node) Reach() Reach {
	n.reach.mu.Lock()
	defer n.reach.mu.Unlock()
	return n.reach.now
}

// watch keeps Reach up to date until ctx ends.
func (n *Node) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ready := n.ready; ; {
		n.mend(ctx)
		r := n.look(ctx)
		if ctx.Err() != nil {
			return
		}
		n.note(r, time.Now())
		n.elsewhere(time.Now())
		select {
		case <-tick.C:
		case <-ready: // that it is, is told at once
			ready = nil
		case <-ctx.Done():
			return
		}
	}
}

// mend starts the embedded server anew, some time after it has given up storing, and again
// where it has not started. The client connects to the new one by itself.
func (n *Node) mend(ctx context.Context) {
	switch {
	case n.server == nil || n.server.stores():
		n.broken = time.Time{}
		return
	case n.broken.IsZero():
		n.broken = time.Now()
		n.log.Error().Str("folder", n.options.Folder).Msgf("the embedded server can't write to its folder, most likely because the disk is full: "+
			"the others go on without it, and it tries again every %s", n.options.retry)
	}
	if time.Since(n.broken) < n.options.retry {
		return
	}
	n.broken = time.Now() // for the next attempt, if this one fails
	n.server.stop()
	if err := n.server.start(ctx); err != nil && ctx.Err() == nil {
		n.log.Error().Err(err).Msgf("the embedded server does not start; it is tried again in %s", n.options.retry)
	}
}

// elsewhere has a host without a server try another, if the one that it is connected
// to is cut off itself.
func (n *Node) elsewhere(now time.Time) {
	r := n.Reach()
	if n.server != nil || !r.Connected || r.Quorum || now.Sub(n.moved) < 2*grace {
		return
	}
	n.moved = now
	if err := n.conn.ForceReconnect(); err != nil {
		n.log.Debug().Err(err).Msg("the connection to a server that is cut off stays")
	}
}

// look asks the leader of the records who follows it.
func (n *Node) look(ctx context.Context) Reach {
	r := Reach{Connected: n.conn.IsConnected(), All: len(n.options.Servers)}
	if n.server != nil {
		r.Servers = 1 + n.server.peers()
	}
	if !r.Connected {
		r.Err = "no connection to a server"
		if errors.Is(n.conn.LastError(), nats.ErrAuthorization) {
			r.Err = n.options.refused()
		}
		return r
	}
	select {
	case <-n.ready:
	default:
		r.Err = n.absence(r, n.obstacle())
		if n.server != nil && r.Servers < r.All {
			r.Err += "; the first time ever, all servers have to be there"
		}
		return r
	}
	var info *jetstream.StreamInfo
	records := n.found.Load().records
	err := within(ctx, func(ctx context.Context) (err error) {
		info, err = leaderInfo(ctx, records)
		return err
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = n.remake(ctx, records)
	}
	if err != nil {
		r.Err = n.absence(r, err)
		return r
	}
	following, replicas := followers(info.Cluster), info.Config.Replicas
	if r.Servers == 0 {
		r.Servers = following
	}
	if r.All == 0 {
		r.All = replicas
	}
	if r.Quorum = following > replicas/2; !r.Quorum {
		r.Err = fmt.Sprintf("the leader of the records reaches %d of %d replicas, itself included", following, replicas)
	}
	return r
}

// absence says why the streams do not answer, by the error of who asked them.
func (n *Node) absence(r Reach, err error) string {
	if n.server != nil && r.Servers <= r.All/2 {
		text := fmt.Sprintf("%d of %s reached, this host's included, and it takes %d", r.Servers, record.Count(r.All, "server is", "servers are"), r.All/2+1)
		if refusal := n.server.refusal(); refusal != "" { // it may be why, or be a stranger
			text += "; " + refusal
		}
		return text
	}
	if temporary(err) {
		return "no leader of the servers answers, or they are choosing one"
	}
	var api *jetstream.APIError
	if n.server != nil && errors.As(err, &api) && api.ErrorCode == noPeers {
		return fmt.Sprintf("cluster.servers has %s here, and not all of them take part; the list has to be the same on all hosts", record.Count(r.All, "server", "servers"))
	}
	return "the streams that all hosts share cannot be used: " + err.Error()
}

// followers returns how many replicas follow their leader, itself included.
func followers(c *jetstream.ClusterInfo) int {
	count := 1
	if c != nil {
		for _, peer := range c.Replicas {
			if !peer.Offline && peer.Active < fresh {
				count++
			}
		}
	}
	return count
}

// remake makes anew what somebody removed, or all servers lost with their disks. Who
// follows the records is told that these are others.
func (n *Node) remake(ctx context.Context, lost *records) error {
	found, err := n.findStreams(ctx, lost.sequence(lost.CachedInfo().State.LastSeq)+1)
	if err != nil {
		return err
	}
	n.log.Error().Str("lost", lost.name).Str("now", found.records.name).Msg("the stream of the records was gone: another one is in its place")
	found.warnings = n.found.Load().warnings
	n.found.Store(found)
	return errors.New("it was gone, and is another one now")
}

// obstructed notes what keeps the streams from being found.
func (n *Node) obstructed(err error) {
	n.reach.mu.Lock()
	defer n.reach.mu.Unlock()
	n.reach.obstacle = err
}

func (n *Node) obstacle() error {
	n.reach.mu.Lock()
	defer n.reach.mu.Unlock()
	return cmp.Or(n.reach.obstacle, errNoLeader)
}

// note takes in how the cluster looks, and logs once what has changed.
func (n *Node) note(r Reach, now time.Time) {
	n.reach.mu.Lock()
	defer n.reach.mu.Unlock()
	s := &n.reach
	was := s.now
	r.Since = was.Since
	if r.Quorum {
		if s.failing = (time.Time{}); !was.Quorum {
			r.Since = now
			n.back(r, now.Sub(was.Since))
		}
		s.now = r
		return
	}
	if s.failing.IsZero() {
		s.failing = now
	}
	lasts := now.Sub(s.failing) >= grace
	switch {
	case was.Quorum && lasts:
		r.Since = s.failing
	case was.Quorum:
		r.Quorum, r.Err = true, "" // an election, most likely
	}
	s.now = r
	if !s.said && lasts {
		s.said = true
		if s.joined {
			n.log.Warn().Str("error", r.Err).Msg("cut off from the other hosts; it serves on what it has")
		} else {
			n.log.Info().Str("error", r.Err).Msg("waits for the other hosts")
		}
	}
}

// back logs that there is a majority again, or at last. n.reach.mu is held.
func (n *Node) back(r Reach, after time.Duration) {
	s := &n.reach
	switch {
	case !s.joined:
		n.log.Info().Int("servers", r.Servers).Int("of", r.All).Msg("joined the cluster")
	case s.said:
		n.log.Info().Msgf("reaches the other hosts again, after %s", after.Round(time.Second))
	}
	s.joined, s.said = true, false
}
