package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	recordsName = "PKGMETAD_RECORDS_" // + its base
	workName    = "PKGMETAD_WORK"
	stateName   = "PKGMETAD_STATE"
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

// errReplicasNotSupported is the JetStream API's error for more than one replica on a
// server that is no part of a cluster.
const errReplicasNotSupported = 10074

// streams returns what the streams are to be, but for the base in the records' name.
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

	state.Name, state.Subjects = stateName, []string{leasePrefix + ">", hostPrefix + ">", baseSubject}
	state.Description = "pkgmetad: leases, and what hosts say of themselves"
	return []jetstream.StreamConfig{state, records, work} // the first has what the second is named by
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
	want, least := n.options.replicas()
	f := &found{}
	for _, config := range streams(want) {
		name := func(ctx context.Context) (string, error) {
			if config.Name == recordsName {
				return n.nameRecords(ctx, f.state, base)
			}
			return config.Name, nil
		}
		stream, err := n.ensure(ctx, config, name)
		if least < want && tooFew(err) {
			config.Replicas = least
			stream, err = n.ensure(ctx, config, name)
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", config.Name, err)
		}
		has := stream.CachedInfo().Config
		if has.Replicas < want {
			f.warnings = append(f.warnings, fmt.Sprintf("stream %s has %d replica and not %d: the cluster has not so many servers; if the disk of one is lost, so is the stream", has.Name, has.Replicas, want))
		}
		switch config.Name { // as streams has it
		case recordsName:
			f.records = &records{Stream: stream, name: has.Name}
			if f.records.base, err = baseOf(has.Name); err != nil {
				return nil, err
			}
		case workName:
			f.work = stream
		case stateName:
			f.state = stream
		}
	}
	var err error
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
// or makes it, under the name that is asked for then.
func (n *Node) ensure(ctx context.Context, config jetstream.StreamConfig, name func(context.Context) (string, error)) (jetstream.Stream, error) {
	stream, err := n.lookUp(ctx, config)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = n.create(ctx, config, name)
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
	ctx, cancel := context.WithTimeout(ctx, election)
	defer cancel()
	return n.js.UpdateStream(ctx, has)
}

// lookUp finds a stream, that of the records by its subjects.
func (n *Node) lookUp(ctx context.Context, config jetstream.StreamConfig) (stream jetstream.Stream, err error) {
	err = within(ctx, func(ctx context.Context) error {
		name := config.Name
		if name == recordsName {
			if name, err = n.js.StreamNameBySubject(ctx, config.Subjects[0]); err != nil {
				return err
			}
			if _, err := baseOf(name); err != nil {
				return err
			}
		}
		stream, err = n.js.Stream(ctx, name)
		return err
	})
	return stream, err
}

// create makes a stream, or finds the one that another host made at this very moment.
func (n *Node) create(ctx context.Context, config jetstream.StreamConfig, name func(context.Context) (string, error)) (stream jetstream.Stream, err error) {
	ctx, cancel := context.WithTimeout(ctx, election)
	defer cancel()
	if config.Name, err = name(ctx); err != nil {
		return nil, err
	}
	return n.js.CreateStream(ctx, config)
}

// nameRecords returns the name of a new stream of records, whose base is not below one
// given. All hosts agree on it before one of them makes the stream: a server that is alone
// would let two streams have the same subjects.
func (n *Node) nameRecords(ctx context.Context, state jetstream.Stream, base uint64) (string, error) {
	var agreed, sequence uint64
	raw, err := state.GetLastMsgForSubject(ctx, baseSubject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return "", err
	default:
		if agreed, err = strconv.ParseUint(string(raw.Data), 10, 62); err != nil {
			return "", fmt.Errorf("message %d of stream %s: %w", raw.Sequence, stateName, err)
		}
		sequence = raw.Sequence
	}
	if agreed == 0 || agreed < base {
		agreed = max(base, uint64(time.Now().UnixMicro()))
		if _, err := n.putState(ctx, baseSubject, agreed, &sequence); err != nil {
			return "", fmt.Errorf("agree on a name for the records: %w", err) // another was faster: the next attempt finds what it chose
		}
	}
	return recordsName + strconv.FormatUint(agreed, 10), nil
}

// fits returns an error if a stream that was found is not one of pkgmetad's.
func fits(has, want jetstream.StreamConfig) error {
	if !slices.Equal(has.Subjects, want.Subjects) || has.Retention != want.Retention || has.Storage != want.Storage || has.MaxMsgsPerSubject != want.MaxMsgsPerSubject ||
		has.Discard != want.Discard || has.DiscardNewPerSubject != want.DiscardNewPerSubject || has.AllowDirect || has.MaxAge != 0 || has.MaxMsgs > 0 || has.MaxBytes > 0 {
		return errors.New("it exists with another configuration than pkgmetad's: somebody else made or changed it; remove it, or give pkgmetad an account of its own")
	}
	return nil
}
