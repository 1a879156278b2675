package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// The names of messages.
const (
	nameSource   = "source/"
	nameEntry    = "entry/"
	nameCategory = "category/"
	nameGrid     = "grid/"
)

// messageVersion is the version of what messages hold. A host that meets a later one stops
// following, and says that it has to be upgraded.
const messageVersion = 1

// A message is what the Data of a [record.Message] holds, as JSON. What it does not say of
// itself is as the stream has it: its sequence and its time.
type message struct {
	Version int             `json:"v"`
	Gone    bool            `json:"gone,omitempty"`  // there is no such record any more; of a package, Value is the tombstone
	Value   json.RawMessage `json:"value,omitempty"` // as the store's bucket has it

	// Of the message that last changed what is served of the record, where that was an
	// earlier one: its sequence, and its time in microseconds.
	Changed uint64 `json:"changed,omitempty"`
	Dated   int64  `json:"dated,omitempty"`
	// Modified is when something other than last_fetched last changed, in microseconds,
	// where that was earlier; 0 for never.
	Modified *int64 `json:"modified,omitempty"`
	// After, in microseconds, is the latest time that the writer knew of: the time of this
	// message counts as no earlier, whatever the clock of the host that dated it says.
	After int64 `json:"after,omitempty"`
}

// A change is that of one record, of which nothing is stored yet.
type change struct {
	bucket, key []byte
	before      []byte         // what the bucket had; nil for nothing
	old, next   *record.Source // of a source
}

// maxConflicts is how often a write is computed again because others write the same records.
const maxConflicts = 20

// appliedWait is how long a writer waits for what it has published to come back.
const appliedWait = 60 * time.Second

// publish computes what f changes, publishes it, and returns when that has been applied here.
func (s *Store) publish(f func(*writer) error) error {
	for range maxConflicts {
		writes, err := s.compute(f)
		if err != nil || len(writes) == 0 {
			return err
		}
		if again, err := s.publishWrites(writes); err != nil || !again {
			return err
		}
	}
	return errors.New("other hosts kept on writing the same records; try again")
}

// publishWrites publishes writes, and waits until they have been applied here. again reports
// that somebody else has written some of the records, so that they are to be computed again.
//
// Sources come first, and the rest only if all of these were taken: what a sync changes of
// the sources follows from what it changes of the packages, and would not be found again.
func (s *Store) publishWrites(writes []record.Write) (again bool, err error) {
	p := s.replica.publisher.Load()
	if p == nil {
		return false, ErrNoPublisher
	}
	sources := 0
	for sources < len(writes) && strings.HasPrefix(writes[sources].Name, nameSource) {
		sources++
	}
	for _, part := range [][]record.Write{writes[:sources], writes[sources:]} {
		if len(part) == 0 {
			continue
		}
		last, err := (*p).Publish(part)
		var conflict *record.Conflict
		if errors.As(err, &conflict) {
			last, err = max(last, conflict.Sequence), nil
		}
		if err == nil {
			err = s.waitApplied(last)
		}
		if err != nil || conflict != nil {
			return conflict != nil, err
		}
	}
	return false, nil
}

func (s *Store) waitApplied(sequence uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), appliedWait)
	defer cancel()
	if err := s.WaitApplied(ctx, sequence); err != nil {
		return fmt.Errorf("the change was published, and this host's own store has not followed for %s", appliedWait)
	}
	return nil
}

// errComputed ends a transaction that is only there to see what it would change.
var errComputed = errors.New("computed")

// compute returns what f would change, and changes nothing.
func (s *Store) compute(f func(*writer) error) (writes []record.Write, err error) {
	err = s.change(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		w := s.newWriter(tx)
		w.changes = map[string]*change{}
		w.sequence = number(meta.Get(keySequence))
		w.now = time.Now().UTC().Truncate(time.Microsecond)
		if err := f(w); err != nil {
			return err
		}
		if writes, err = w.writes(); err != nil {
			return err
		}
		return errComputed
	})
	s.noteDamage(err)
	if errors.Is(err, errComputed) {
		err = nil
	}
	return writes, withAdvice(err)
}

// note remembers, where records are published, that one is about to change.
func (w *writer) note(name string, bucket, k []byte) *change {
	if w.changes == nil {
		return nil
	}
	c := w.changes[name]
	if c == nil {
		c = &change{bucket: bucket, key: bytes.Clone(k), before: bytes.Clone(w.Bucket(bucket).Get(k))}
		w.changes[name] = c
	}
	return c
}

func (w *writer) noteSource(k record.Key, old, next *record.Source) {
	c := w.note(nameSource+string(k), bucketSources, []byte(k))
	if c == nil {
		return
	}
	if c.old == nil && c.next == nil {
		c.old = old
	}
	c.next = next
}

// noteEntry remembers that a package is about to change, or its tombstone.
func (w *writer) noteEntry(id int) {
	if w.changes == nil || w.changes[entryName(id)] != nil {
		return
	}
	bucket := bucketPackages
	if w.Bucket(bucketTombstones).Get(key(id)) != nil {
		bucket = bucketTombstones
	}
	w.note(entryName(id), bucket, key(id))
}

func entryName(id int) string { return nameEntry + strconv.Itoa(id) }

// writes returns the changes that were noted, sources first: a package that refers to one
// then finds it.
func (w *writer) writes() (writes []record.Write, err error) {
	names := slices.SortedFunc(maps.Keys(w.changes), func(a, b string) int {
		if x, y := strings.HasPrefix(a, nameSource), strings.HasPrefix(b, nameSource); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	after := w.Bucket(bucketMeta).Get(keyChanged)
	for _, name := range names {
		c, last := w.changes[name], getKnown(w.Tx, name)
		m := message{Version: messageVersion, After: int64(number(after))}
		bucket := c.bucket
		if strings.HasPrefix(name, nameEntry) {
			bucket = bucketPackages
			if m.Gone = w.Bucket(bucket).Get(c.key) == nil; m.Gone {
				bucket = bucketTombstones
			}
		}
		value := w.Bucket(bucket).Get(c.key)
		if bytes.Equal(value, c.before) && bytes.Equal(bucket, c.bucket) {
			continue
		}
		if value == nil {
			m.Gone = true
		} else {
			m.Value = value[4:] // without its checksum
		}
		if c.next != nil {
			m.carry(cmp.Or(c.old, new(record.Source)), c.next, last)
		}
		data, err := json.Marshal(&m)
		if err != nil {
			return nil, err
		}
		writes = append(writes, record.Write{Name: name, Data: data, Expect: last.sequence})
	}
	return writes, nil
}

// carry takes over from the last message what the change of a source from old to next leaves
// as it was.
func (m *message) carry(old, next *record.Source, last known) {
	if !record.SameServed(old, next) {
		return
	}
	modified := int64(number(timeKey(last.modified))) // 0 for never
	m.Modified = &modified
	if last.sequence != 0 && old.LastSuccess.Equal(next.LastSuccess) && old.State.Answers() == next.State.Answers() {
		m.Changed, m.Dated = last.changed, last.dated.UnixMicro()
	}
}

// exportChunk is how many records Export passes at once.
const exportChunk = 1000

// Export passes every record of a store to publish, for a stream that has none yet: packages
// and tombstones, sources, categories and grids. It leaves out what is damaged; the catalogue
// then counts as not synced, since a sync brings back what it declares.
func (s *Store) Export(publish func([]record.Write) error) error {
	never := int64(0)
	var damaged error // the last that was left out
	for _, part := range []struct {
		bucket []byte
		name   string
		gone   bool
	}{
		{bucketCategories, nameCategory, false}, {bucketGrids, nameGrid, false}, {bucketSources, nameSource, false},
		{bucketPackages, nameEntry, false}, {bucketTombstones, nameEntry, true},
	} {
		var last []byte
		for {
			var writes []record.Write
			err := s.view(func(tx *bolt.Tx) error {
				c := tx.Bucket(part.bucket).Cursor()
				k, v := c.Seek(last)
				if last != nil && bytes.Equal(k, last) {
					k, v = c.Next()
				}
				for ; k != nil && len(writes) < exportChunk; k, v = c.Next() {
					last = bytes.Clone(k)
					if !intact(v) {
						damaged = fmt.Errorf("%w: the checksum of %s does not match its value", errDamaged, placeOf(part.bucket, k))
						continue
					}
					m := message{Version: messageVersion, Gone: part.gone, Value: v[4:]}
					name := part.name + string(k)
					if part.name == nameSource {
						m.Modified = &never // what its packages say counts
					} else {
						name = part.name + strconv.Itoa(int(number(k)))
					}
					data, err := json.Marshal(&m)
					if err != nil {
						return err
					}
					writes = append(writes, record.Write{Name: name, Data: data})
				}
				return nil
			})
			if err != nil || len(writes) == 0 {
				if err != nil {
					return fmt.Errorf("read the store to publish it: %w", err)
				}
				break
			}
			if err := publish(writes); err != nil {
				return err
			}
		}
	}
	s.noteDamage(damaged)
	s.markDamage()
	return nil
}
