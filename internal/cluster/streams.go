package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	recordsName = "PKGMETAD"
	workName    = "PKGMETAD_WORK"
	stateName   = "PKGMETAD_STATE"
)

// Errors of the JetStream API that mean that fewer servers are there than a stream
// wants replicas.
const (
	errNoSuitablePeers      = 10005
	errInsufficient         = 10023
	errReplicasNotSupported = 10074 // by a server that is no part of a cluster
)

// streams returns what the streams are to be, but for the records' first sequence.
func streams(replicas int) []jetstream.StreamConfig {
	common := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Replicas: replicas, MaxMsgsPerSubject: 1, MaxAge: 0,
		// Direct gets are answered by any replica, and one that lags answers wrongly.
		AllowDirect: false,
	}
	records, work, state := common, common, common
	records.Name, records.Subjects = recordsName, []string{recordPrefix + ">"}
	records.Description = "pkgmetad: the last message of each record"
	records.DenyDelete, records.DenyPurge = true, true // what a message replaces goes; nothing else does

	work.Name, work.Subjects = workName, []string{workPrefix + ">"}
	work.Description = "pkgmetad: keys to be fetched"
	work.Retention = jetstream.WorkQueuePolicy
	work.Discard, work.DiscardNewPerSubject = jetstream.DiscardNew, true // a second offer of a key is refused

	state.Name, state.Subjects = stateName, []string{leasePrefix + ">", hostPrefix + ">"}
	state.Description = "pkgmetad: leases, and what hosts say of themselves"
	return []jetstream.StreamConfig{records, work, state}
}

// replicas returns how many replicas a stream is to have, and how many it may have
// to do with.
func (o Options) replicas() (want, least int) {
	switch {
	case o.Replicas > 0:
		return o.Replicas, o.Replicas
	case len(o.URLs) > 0:
		return 3, 1
	}
	n := min(len(o.Servers), 5)
	return n, n
}

// found is what findStreams finds.
type found struct {
	records, work, state jetstream.Stream
	queues               map[string]jetstream.Consumer // class -> its consumer
	warnings             []string
}

// establish finds or makes the streams, however long it takes, and closes ready.
func (n *Node) establish(ctx context.Context) {
	for delay := pause; ; delay = min(2*delay, longPause) {
		found, err := n.findStreams(ctx)
		if err == nil {
			n.found = found
			break
		}
		n.obstructed(err)
		if wait(ctx, delay) != nil {
			return
		}
	}
	if len(n.options.URLs) > 0 {
		n.warnings = append(n.warnings, "whether the servers of this cluster sync each write to disk is not told to clients: "+
			"unless each has \"sync_interval: always\" in its jetstream section, a power cut may take back what was acknowledged")
	}
	for _, warning := range n.warnings {
		n.log.Warn().Msg(warning)
	}
	close(n.ready)
}

// findStreams finds or makes each stream, and the consumers of the queue.
func (n *Node) findStreams(ctx context.Context) (f found, err error) {
	if version := n.conn.ConnectedServerVersion(); olderThan(version, 2, 12) {
		return f, fmt.Errorf("the cluster's server is nats-server %s, and it takes 2.12 or newer", version)
	}
	want, least := n.options.replicas()
	for _, config := range streams(want) {
		stream, err := n.ensure(ctx, config)
		if least < want && tooFew(err) {
			config.Replicas = least
			stream, err = n.ensure(ctx, config)
		}
		if err != nil {
			return f, fmt.Errorf("stream %s: %w", config.Name, err)
		}
		if has := stream.CachedInfo().Config.Replicas; has < want {
			f.warnings = append(f.warnings, fmt.Sprintf("stream %s has %d replica and not %d: the cluster has not so many servers; if the disk of one is lost, so is the stream", config.Name, has, want))
		}
		switch config.Name {
		case recordsName:
			f.records = stream
		case workName:
			f.work = stream
		case stateName:
			f.state = stream
		}
	}
	f.queues, err = findQueues(ctx, f.work)
	return f, err
}

// olderThan reports whether a version is known, and before another.
func olderThan(version string, major, minor int) bool {
	var has [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &has[0], &has[1])
	return err == nil && slices.Compare(has[:], []int{major, minor}) < 0
}

// tooFew reports whether err is for want of servers, now and later.
func tooFew(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == errReplicasNotSupported
}

// ensure returns a stream as it is, with its replicas made as many as config wants,
// or makes it.
func (n *Node) ensure(ctx context.Context, config jetstream.StreamConfig) (jetstream.Stream, error) {
	var stream jetstream.Stream
	err := within(ctx, func(ctx context.Context) (err error) {
		stream, err = n.js.Stream(ctx, config.Name)
		return err
	})
	ctx, cancel := context.WithTimeout(ctx, 3*attempt) // making one takes an election
	defer cancel()
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if config.Name == recordsName {
			// Never below what a stream of that name has had before, on disks that are
			// lost: a sequence stands for one message, for good.
			config.FirstSeq = uint64(time.Now().UnixMicro())
		}
		stream, err = n.js.CreateStream(ctx, config)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another host made it at this very moment
			stream, err = n.js.Stream(ctx, config.Name)
		}
	}
	if err != nil {
		return nil, err
	}
	has := stream.CachedInfo().Config
	if err := fits(has, config); err != nil {
		return nil, err
	}
	if has.Replicas >= config.Replicas {
		return stream, nil
	}
	has.Replicas = config.Replicas // of what it is, so that nothing else changes
	return n.js.UpdateStream(ctx, has)
}

// fits returns an error if a stream that was found is not one of pkgmetad's.
func fits(has, want jetstream.StreamConfig) error {
	if !slices.Equal(has.Subjects, want.Subjects) || has.Retention != want.Retention || has.Storage != want.Storage || has.MaxMsgsPerSubject != want.MaxMsgsPerSubject ||
		has.Discard != want.Discard || has.DiscardNewPerSubject != want.DiscardNewPerSubject || has.AllowDirect || has.MaxAge != 0 || has.MaxMsgs > 0 || has.MaxBytes > 0 {
		return errors.New("it exists with another configuration than pkgmetad's: somebody else made or changed it; remove it, or give pkgmetad an account of its own")
	}
	return nil
}
