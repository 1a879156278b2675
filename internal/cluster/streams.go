package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	recordsName = "PKGMETAD_RECORDS_" // + its base
	workName    = "PKGMETAD_WORK"
	stateName   = "PKGMETAD_STATE"
)

// errReplicasNotSupported is the JetStream API's error for more than one replica on a
// server that is no part of a cluster.
const errReplicasNotSupported = 10074

// streamConfig returns what all streams have in common.
func streamConfig(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Replicas: replicas, MaxMsgsPerSubject: 1,
		// Direct gets are answered by any replica, and one that lags answers wrongly.
		AllowDirect: false,
	}
}

func stateConfig(replicas int) jetstream.StreamConfig {
	c := streamConfig(replicas)
	c.Name, c.Subjects = stateName, []string{leasePrefix + ">", hostPrefix + ">", choiceSubject}
	c.Description = "pkgmetad: leases, what hosts say of themselves, and which stream the records are in"
	return c
}

func workConfig(replicas int) jetstream.StreamConfig {
	c := streamConfig(replicas)
	c.Name, c.Subjects = workName, []string{workPrefix + ">"}
	c.Description = "pkgmetad: keys to be fetched"
	c.Retention = jetstream.WorkQueuePolicy
	c.Discard, c.DiscardNewPerSubject = jetstream.DiscardNew, true // a second offer of a key is refused
	return c
}

func recordsConfig(replicas int, base uint64) jetstream.StreamConfig {
	c := streamConfig(replicas)
	c.Name, c.Subjects = recordsName+strconv.FormatUint(base, 10), []string{recordPrefix + ">"}
	c.Description = "pkgmetad: the last message of each record"
	c.DenyDelete, c.DenyPurge = true, true // what a message replaces goes; nothing else does
	return c
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
	records     *records
	work, state jetstream.Stream
	queues      map[string]jetstream.Consumer // class -> its consumer
	warnings    []string
}

// establish finds or makes the streams, however long it takes, and closes ready.
func (n *Node) establish(ctx context.Context) {
	var f *found
	for delay := pause; ; delay = min(2*delay, longPause) {
		var err error
		if f, err = n.findStreams(ctx, 0); err == nil {
			break
		}
		n.obstructed(err)
		if wait(ctx, delay) != nil {
			return
		}
	}
	if len(n.options.URLs) > 0 {
		f.warnings = append(f.warnings, "whether the servers of this cluster sync each write to disk is not told to clients: "+
			"unless each has \"sync_interval: always\" in its jetstream section, a power cut may take back what was acknowledged")
	}
	for _, warning := range f.warnings {
		n.log.Warn().Msg(warning)
	}
	n.found.Store(f)
	close(n.ready)
}

// findStreams finds or makes each stream, and the consumers of the queue. The base of
// new records is not below one given.
func (n *Node) findStreams(ctx context.Context, base uint64) (*found, error) {
	if version := n.conn.ConnectedServerVersion(); olderThan(version, 2, 12) {
		return nil, fmt.Errorf("the cluster's server is nats-server %s, and it takes 2.12 or newer", version)
	}
	f := &found{}
	want, _ := n.options.replicas()
	var err error
	if f.state, err = n.ensure(ctx, stateConfig(want)); err != nil {
		return nil, err
	}
	if f.work, err = n.ensure(ctx, workConfig(want)); err != nil {
		return nil, err
	}
	if f.records, err = n.ensureRecords(ctx, f.state, base); err != nil {
		return nil, err
	}
	if f.queues, err = findQueues(ctx, f.work); err != nil {
		return nil, err
	}
	for _, stream := range []jetstream.Stream{f.state, f.work, f.records} {
		if has := stream.CachedInfo().Config; has.Replicas < want {
			f.warnings = append(f.warnings, fmt.Sprintf("stream %s has %d replica and not %d: the cluster has not so many servers; if the disk of one is lost, so is the stream", has.Name, has.Replicas, want))
		}
	}
	return f, nil
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
// or makes it; with fewer where there are no more to have, if that will do.
func (n *Node) ensure(ctx context.Context, config jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := n.lookUp(ctx, config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = n.asMany(ctx, config, n.js.CreateStream)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", config.Name, err)
	}
	has := stream.CachedInfo().Config
	if err := fits(has, config); err != nil {
		return nil, fmt.Errorf("stream %s: %w", config.Name, err)
	}
	if _, least := n.options.replicas(); has.Replicas < config.Replicas && (has.Replicas < least || n.clustered()) {
		has.Replicas = config.Replicas // of what it is, so that nothing else changes
		if stream, err = n.asMany(ctx, has, n.js.UpdateStream); err != nil {
			return nil, fmt.Errorf("more replicas of stream %s: %w", config.Name, err)
		}
	}
	return stream, nil
}

func (n *Node) lookUp(ctx context.Context, name string) (stream jetstream.Stream, err error) {
	err = within(ctx, func(ctx context.Context) error {
		stream, err = n.js.Stream(ctx, name)
		return err
	})
	return stream, err
}

// clustered reports whether the server that this host is connected to is one of
// several.
func (n *Node) clustered() bool { return n.conn.ConnectedClusterName() != "" }

// asMany makes or changes a stream, with fewer replicas if it can't have so many.
func (n *Node) asMany(ctx context.Context, config jetstream.StreamConfig, do func(context.Context, jetstream.StreamConfig) (jetstream.Stream, error)) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, election)
	defer cancel()
	stream, err := do(ctx, config)
	if _, least := n.options.replicas(); least < config.Replicas && tooFew(err) {
		config.Replicas = least
		stream, err = do(ctx, config)
	}
	return stream, err
}

// fits returns an error if a stream that was found is not one of pkgmetad's.
func fits(has, want jetstream.StreamConfig) error {
	if !slices.Equal(has.Subjects, want.Subjects) || has.Retention != want.Retention || has.Storage != want.Storage || has.MaxMsgsPerSubject != want.MaxMsgsPerSubject ||
		has.Discard != want.Discard || has.DiscardNewPerSubject != want.DiscardNewPerSubject || has.AllowDirect || has.MaxAge != 0 || has.MaxMsgs > 0 || has.MaxBytes > 0 {
		return errors.New("it has other settings than this version of pkgmetad gives it: if other hosts run a newer version, upgrade this one; if somebody else made or changed it, give pkgmetad an account of its own")
	}
	return nil
}
