package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// A store is alone, or the replica of a stream of messages that several hosts follow, one
// message a record. What a replica serves is a function of the last message of each name,
// and of nothing else, so that it is the same on every host and on one that joins later:
//
//   - [Store.Apply] is the only way in. It takes sequence and time from the message, asks no
//     clock, and decides nothing: the writer has.
//   - What a pass or a sync changes is computed in a transaction that is rolled back, and
//     published: see [Store.Join].
//   - A source is kept although no package refers to it: the message of the package that
//     does may come later.
//
// The messages bucket has, for each name, what its last message said of itself.

// Publisher takes what a replica wants to change.
type Publisher interface {
	// Publish returns when all writes are taken, and the sequence of the last one. It
	// returns a *[record.Conflict] if somebody else has written one of the records since;
	// then others may have been taken.
	Publish([]record.Write) (last uint64, err error)
}

// ErrNoPublisher is returned by what writes to a replica that has not joined its stream yet.
var ErrNoPublisher = errors.New("the other hosts are not reached yet, and no record is changed without them")

// replica is what a Store has besides while it is one.
type replica struct {
	open      atomic.Bool // what changes records is published; not while Open brings the file up to date
	filling   bool        // it is being built, and nobody reads it yet: see Rebuild
	publisher atomic.Pointer[Publisher]
	applied   version // its sequence is that of the last message applied, its time that message's
}

// Join has every change of records published from now on. Until it is called, all that
// would change one on a replica fails with ErrNoPublisher.
func (s *Store) Join(p Publisher) { s.replica.publisher.Store(&p) }

// ReplicaState tells how far a replica has followed its stream.
type ReplicaState struct {
	Stream  string    // identity of the stream; "" if the store is no replica yet
	Applied uint64    // sequence of the last message applied
	At      time.Time // of that message
	Count   uint64    // names that there are messages of
	Digest  uint64    // of all names with the sequence and time of their last messages
}

// Replica returns how far the store has followed its stream.
func (s *Store) Replica() (state ReplicaState, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		state.Stream = string(meta.Get(keyStream))
		state.Applied, state.Count, state.Digest = readFollowed(meta)
		_, state.At, _ = s.replica.applied.get()
		return nil
	})
	return state, err
}

// Applied returns the sequence of the last message that was applied.
func (s *Store) Applied() uint64 {
	sequence, _, _ := s.replica.applied.get()
	return sequence
}

// WaitApplied returns nil as soon as the message with that sequence, or one after it, has
// been applied, or ctx's error when that ends first.
func (s *Store) WaitApplied(ctx context.Context, sequence uint64) error {
	for {
		applied, _, wake := s.replica.applied.get()
		if applied >= sequence {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Begin makes an empty store the replica of a stream that has that identity, of which it
// has seen nothing. first is the first sequence that the stream may have: the time of its
// making, in microseconds.
func (s *Store) Begin(stream string, first uint64) error {
	if n := len(*s.order.Load()); n > 0 {
		return fmt.Errorf("begin to follow a stream: the store holds %s already", record.Count(n, "package", "packages"))
	}
	err := s.update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(bucketMessages); err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(
			meta.Put(keyStream, []byte(stream)), writeFollowed(meta, 0, 0, 0),
			meta.Put(keySequence, key(int(first))), meta.Put(keyChanged, key(int(first))),
			meta.Put(keyFloor, key(int(first))), // a client of another store begins anew
		)
	})
	if err == nil {
		s.version.restart(first, timeOf(key(int(first))), nil)
	}
	if err != nil {
		return fmt.Errorf("begin to follow a stream: %w", err)
	}
	return nil
}

// leave makes a replica a store that is alone, where it is opened as one: complete, and with
// its records, ids, tombstones and feed as they are. It cannot become a replica of the
// same stream again, except by following that from its beginning.
//
// The feed goes on with sequences that the stream does not come to: should the store follow
// it again, whoever has seen changes from in between is told to begin anew.
func (s *Store) leave() error {
	left := false
	if err := s.view(func(tx *bolt.Tx) error {
		left = tx.Bucket(bucketMessages) != nil
		return nil
	}); err != nil || !left {
		return err
	}
	var sequence uint64
	err := s.update(func(tx *bolt.Tx) error {
		var orphans []record.Source
		sources := tx.Bucket(bucketSources).Cursor()
		for k, v := sources.First(); k != nil; k, v = sources.Next() {
			if len(referringTo(tx, record.Key(k))) > 0 {
				continue
			}
			if source, err := decodeSource(k, v); err == nil {
				orphans = append(orphans, source)
			}
		}
		w := s.newWriter(tx)
		for i := range orphans {
			if err := w.dropSource(&orphans[i]); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		sequence = max(number(meta.Get(keySequence)), number(timeKey(time.Now())))
		return errors.Join(tx.DeleteBucket(bucketMessages), meta.Delete(keyStream), meta.Delete(keyFollowed), meta.Put(keySequence, key(int(sequence))))
	})
	if err != nil {
		return fmt.Errorf("go on without other hosts: %w", err)
	}
	_, changed, _ := s.version.get()
	s.version.publish(sequence, changed)
	return nil
}

// loadReplica reads what the Store keeps in memory of the stream.
func (s *Store) loadReplica(tx *bolt.Tx) {
	applied, _, _ := readFollowed(tx.Bucket(bucketMeta))
	s.replica.applied.publish(applied, time.Time{})
}

// A known message is what the messages bucket has of the last message of a name.
type known struct {
	sequence uint64
	at       time.Time // of the stream
	changed  uint64    // sequence of the message that last changed what is served of the record
	dated    time.Time // when that was; never goes back
	modified time.Time // when something served of it other than last_fetched last changed; likewise
	fetched  time.Time // of a package, what its last_fetched is at least; zero for none
}

const knownLen = 6 * 8

func encodeKnown(k known) []byte {
	value := make([]byte, 0, knownLen)
	value = appendNumber(value, k.sequence)
	value = appendNumber(value, uint64(k.at.UnixNano()))
	value = appendNumber(value, k.changed)
	for _, t := range []time.Time{k.dated, k.modified, k.fetched} {
		value = append(value, timeKey(t)...)
	}
	return value
}

// getKnown returns what is known of the last message of a name; zero if there was none.
func getKnown(tx *bolt.Tx, name string) (k known) {
	bucket := tx.Bucket(bucketMessages)
	if bucket == nil {
		return k
	}
	v := bucket.Get([]byte(name))
	if len(v) != knownLen {
		return k
	}
	return known{
		sequence: number(v[:8]), at: time.Unix(0, int64(number(v[8:16]))).UTC(), changed: number(v[16:24]),
		dated: micros(v[24:32]), modified: micros(v[32:40]), fetched: micros(v[40:48]),
	}
}

// MessageKnown returns the sequence and the time of the last message that was applied of a
// name; zero for none.
func (s *Store) MessageKnown(name string) (sequence uint64, at time.Time, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		k := getKnown(tx, name)
		sequence, at = k.sequence, k.at
		return nil
	})
	return sequence, at, err
}

// digestOf is the part of a name's last message in the digest of all, which is the XOR of
// these parts.
func digestOf(name string, k known) uint64 {
	if k.sequence == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, k.sequence))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(k.at.UnixNano())))
	return h.Sum64()
}

func readFollowed(meta *bolt.Bucket) (applied, count, digest uint64) {
	v := meta.Get(keyFollowed)
	if len(v) != 24 {
		return 0, 0, 0
	}
	return number(v[:8]), number(v[8:16]), number(v[16:])
}

func writeFollowed(meta *bolt.Bucket, applied, count, digest uint64) error {
	return meta.Put(keyFollowed, bytes.Join([][]byte{key(int(applied)), key(int(count)), key(int(digest))}, nil))
}
