package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// ErrNewerMessage is wrapped by the error of Apply on a message that this version of the
// program does not know.
var ErrNewerMessage = errors.New("it was written by a newer version of this program; upgrade this host, which goes on from there")

// Apply applies messages, in the order of their sequences, in one transaction. Those that have
// been applied before are passed over.
func (s *Store) Apply(messages []record.Message) error {
	var a *applier
	err := s.update(func(tx *bolt.Tx) error {
		a = &applier{writer: s.newWriter(tx), dirty: map[int]bool{}}
		tx.OnCommit(func() { s.lists.apply(a.listed) })
		return a.apply(messages)
	})
	if err != nil {
		if a != nil && len(a.listed) > 0 { // a commit that failed may be stored nevertheless
			s.lists.forget()
		}
		return fmt.Errorf("take over %s from the other hosts: %w", record.Count(len(messages), "change", "changes"), err)
	}
	if a.reordered && !s.replica.filling {
		s.reorder(a.entered, a.left)
	}
	s.version.publish(a.sequence, a.now)
	s.replica.applied.publish(a.applied, a.at)
	return nil
}

// reorder makes readers see that packages have come and gone, or are named otherwise.
func (s *Store) reorder(entered, left map[int]bool) {
	order := slices.Clone(*s.order.Load())
	if gone := slices.Sorted(maps.Keys(left)); len(gone) > 0 {
		order = slices.DeleteFunc(order, func(id int) bool { return has(gone, id) })
	}
	come := slices.DeleteFunc(slices.Sorted(maps.Keys(entered)), func(id int) bool { return has(order, id) })
	sorted := len(order) == 0 || len(come) == 0 || come[0] > order[len(order)-1]
	if order = append(order, come...); !sorted {
		slices.Sort(order)
	}
	s.order.Store(&order)
	s.synced.Store(true)
}

// An applier applies messages to a replica. Its sequence and now are those of the last change
// of anything served.
type applier struct {
	*writer
	applied, count, digest uint64
	at                     time.Time       // of the last message
	dirty                  map[int]bool    // live packages that messages are about
	entered, left          map[int]bool    // packages that have come or changed their entry, and that have gone
	freed                  map[string]bool // slugs that a package had and has not any more
	reordered              bool
}

func (a *applier) apply(messages []record.Message) error {
	meta := a.Bucket(bucketMeta)
	a.applied, a.count, a.digest = readFollowed(meta)
	a.sequence, a.now = number(meta.Get(keySequence)), timeOf(meta.Get(keyChanged))
	a.entered, a.left, a.freed = map[int]bool{}, map[int]bool{}, map[string]bool{}
	for i := range messages {
		if messages[i].Sequence <= a.applied {
			continue
		}
		if err := a.message(&messages[i]); err != nil {
			return fmt.Errorf("%s, which is %d: %w", messages[i].Name, messages[i].Sequence, err)
		}
	}
	if err := a.bequeath(); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(a.dirty)) {
		if err := a.refresh(id); err != nil {
			return fmt.Errorf("package %d: %w", id, err)
		}
		runtime.Gosched() // readers go first
	}
	if a.attempted.After(timeOf(meta.Get(keyAttempted))) {
		if err := meta.Put(keyAttempted, timeKey(a.attempted)); err != nil {
			return err
		}
	}
	return errors.Join(
		writeFollowed(meta, a.applied, a.count, a.digest),
		meta.Put(keySequence, key(int(a.sequence))), meta.Put(keyChanged, timeKey(a.now)),
	)
}

func (a *applier) message(r *record.Message) error {
	var m message
	if err := json.Unmarshal(r.Data, &m); err != nil {
		return fmt.Errorf("not a message of this program: %w", err)
	}
	if m.Version > messageVersion {
		return ErrNewerMessage
	}
	last := getKnown(a.Tx, r.Name)
	next := m.known(r)
	kind, rest, _ := strings.Cut(r.Name, "/")
	var err error
	switch kind + "/" {
	case nameSource:
		err = a.takeSource(record.Key(rest), &m)
	case nameEntry:
		err = a.entry(rest, &m, &next, last)
	case nameCategory:
		err = a.item(bucketCategories, rest, &m, new(record.Category))
	case nameGrid:
		err = a.item(bucketGrids, rest, &m, new(record.Grid))
	default: // of the hosts themselves, such as meta/origin: see internal/daemon
	}
	if err != nil {
		return err
	}
	if last.sequence == 0 {
		a.count++
	}
	a.digest ^= digestOf(r.Name, last) ^ digestOf(r.Name, next)
	a.applied, a.at = r.Sequence, r.Time
	a.sequence = max(a.sequence, next.changed)
	if next.dated.After(a.now) {
		a.now = next.dated
	}
	return a.Bucket(bucketMessages).Put([]byte(r.Name), encodeKnown(next))
}

// known returns what a message says of itself.
func (m *message) known(r *record.Message) known {
	k := known{sequence: r.Sequence, at: r.Time, changed: r.Sequence}
	own := r.Time.UTC().Truncate(time.Microsecond)
	if after := time.UnixMicro(m.After).UTC(); after.After(own) {
		own = after
	}
	k.dated, k.modified = own, own
	if m.Changed != 0 {
		k.changed, k.dated = m.Changed, time.UnixMicro(m.Dated).UTC()
	}
	if m.Modified != nil {
		k.modified = time.Time{}
		if *m.Modified != 0 {
			k.modified = time.UnixMicro(*m.Modified).UTC()
		}
	}
	return k
}

// takeSource takes over what is known of a source.
func (a *applier) takeSource(k record.Key, m *message) error {
	referring := referringTo(a.Tx, k)
	for _, id := range referring {
		a.dirty[id] = true
	}
	old, err := a.source(k)
	if errors.Is(err, errDamaged) {
		old, err = nil, a.purgeDue(k)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && old != nil {
		if err := a.Bucket(bucketDue).Delete(dueKey(old)); err != nil {
			return err
		}
	}
	delete(a.sources, k)
	source := record.Source{Key: k, Status: record.Status{State: record.StateNew}}
	switch {
	case !m.Gone:
		source = record.Source{}
		if err := json.Unmarshal(m.Value, &source); err != nil {
			return err
		}
		if source.Key != k {
			return fmt.Errorf("it holds the source %s", source.Key)
		}
	case len(referring) == 0:
		return a.Bucket(bucketSources).Delete([]byte(k))
	}
	if old != nil && old.Interval != source.Interval {
		if err := a.forgetLimits(); err != nil {
			return err
		}
	}
	if m.Gone {
		return a.putSource(nil, &source)
	}
	a.sources[k] = &source
	if len(referring) > 0 {
		if err := a.makeDue(&source); err != nil {
			return err
		}
	}
	return a.Bucket(bucketSources).Put([]byte(k), sealed(m.Value)) // as it is: a later version may have more in it
}

// makeDue notes when a source is due, to which a package refers.
func (a *applier) makeDue(source *record.Source) error {
	if source.LastAttempt.After(a.attempted) {
		a.attempted = source.LastAttempt
	}
	return a.Bucket(bucketDue).Put(dueKey(source), dueValue(source))
}

// entry takes over what the catalogue declares of a package, or that it does not any more.
func (a *applier) entry(rest string, m *message, next *known, last known) error {
	id, err := strconv.Atoi(rest)
	if err != nil || id <= 0 {
		return fmt.Errorf("%q is not the id of a package", rest)
	}
	a.reordered = true
	old, err := a.liveRow(id)
	if err != nil {
		return err
	}
	if m.Gone {
		return a.bury(id, old, m, next, last)
	}
	var r row
	if err := json.Unmarshal(m.Value, &r); err != nil {
		return err
	}
	if r.ID != id {
		return fmt.Errorf("it holds the package %d", r.ID)
	}
	next.modified, next.fetched = r.Modified, r.LastFetched
	if err := a.dig(id, r.Slug, last); err != nil {
		return err
	}
	if err := a.place(old, &r); err != nil {
		return err
	}
	if err := a.Bucket(bucketPackages).Put(key(id), sealed(m.Value)); err != nil {
		return err
	}
	a.dirty[id], a.entered[id] = true, true
	delete(a.left, id)
	return nil
}

// liveRow returns the row of a live package; nil if there is none.
func (a *applier) liveRow(id int) (*row, error) {
	r, err := getRow(a.Tx, id)
	switch {
	case err == nil:
		return &r, nil
	case errors.Is(err, errDamaged):
		a.met(err)
		return nil, errors.Join(a.purgeKeys(id), purgeSlug(a.Tx, id))
	case errors.Is(err, ErrNotFound):
		return nil, nil
	}
	return nil, err
}

// dig deletes the tombstone of a package that has that slug now, and its deletion from the feed.
func (a *applier) dig(id int, slug string, last known) error {
	value := a.Bucket(bucketTombstones).Get(key(id))
	if value == nil {
		return nil
	}
	var former tombstone
	if err := decode(value, &former, place(bucketTombstones, id)); err != nil || former.Slug != slug {
		if err := purgeSlug(a.Tx, id); err != nil {
			return err
		}
		a.freed[former.Slug] = true
	}
	return errors.Join(a.Bucket(bucketTombstones).Delete(key(id)), a.Bucket(bucketDeletions).Delete(key(int(last.changed))))
}

// bury makes a package a tombstone.
func (a *applier) bury(id int, old *row, m *message, next *known, last known) error {
	var t tombstone
	if err := json.Unmarshal(m.Value, &t); err != nil {
		return err
	}
	if err := a.dig(id, t.Slug, last); err != nil { // it was live in between, which this host has not heard of
		return err
	}
	if old != nil {
		if old.Slug != t.Slug { // likewise
			a.freed[old.Slug] = true
			if err := dropSlug(a.Tx, old); err != nil {
				return err
			}
		}
		if err := a.unplace(old, nil); err != nil {
			return err
		}
		if err := dropMembers(a.Tx, old); err != nil {
			return err
		}
		if err := dropChange(a.writer, id); err != nil {
			return err
		}
		if err := errors.Join(a.Bucket(bucketServed).Delete(key(id)), a.Bucket(bucketStates).Delete(key(id)), a.Bucket(bucketPackages).Delete(key(id))); err != nil {
			return err
		}
	}
	if owner := a.Bucket(bucketSlugs).Get([]byte(t.Slug)); t.Slug != "" && (owner == nil || a.Bucket(bucketPackages).Get(owner) == nil) {
		if err := a.Bucket(bucketSlugs).Put([]byte(t.Slug), key(id)); err != nil {
			return err
		}
	}
	delete(a.dirty, id)
	delete(a.entered, id)
	a.left[id] = true
	deletion := append(append(timeKey(next.dated), key(id)...), t.Slug...)
	return errors.Join(
		a.Bucket(bucketTombstones).Put(key(id), sealed(m.Value)),
		a.Bucket(bucketDeletions).Put(key(int(next.changed)), deletion),
	)
}

// bequeath has each slug that was freed, and that no package has taken, lead to the last of
// the tombstones that have it: a host that never saw it taken finds that one too.
func (a *applier) bequeath() error {
	slugs := a.Bucket(bucketSlugs)
	maps.DeleteFunc(a.freed, func(slug string, _ bool) bool { return slug == "" || slugs.Get([]byte(slug)) != nil })
	if len(a.freed) == 0 {
		return nil
	}
	heirs, last := map[string][]byte{}, map[string]uint64{}
	c := a.Bucket(bucketTombstones).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var t tombstone
		id := int(number(k))
		if decode(v, &t, place(bucketTombstones, id)) != nil || !a.freed[t.Slug] {
			continue
		}
		if sequence := getKnown(a.Tx, entryName(id)).sequence; sequence > last[t.Slug] {
			heirs[t.Slug], last[t.Slug] = bytes.Clone(k), sequence
		}
	}
	for slug, k := range heirs {
		if err := slugs.Put([]byte(slug), k); err != nil {
			return err
		}
	}
	return nil
}

// place notes where a package is found: its slug, its grids, and the sources it refers to.
func (a *applier) place(old, r *row) error {
	if old != nil {
		if err := dropMembers(a.Tx, old); err != nil {
			return err
		}
		if old.Slug != r.Slug {
			a.freed[old.Slug] = true
			if err := dropSlug(a.Tx, old); err != nil {
				return err
			}
		}
		if err := a.unplace(old, r); err != nil {
			return err
		}
	}
	if err := a.Bucket(bucketSlugs).Put([]byte(r.Slug), key(r.ID)); err != nil {
		return err
	}
	for _, grid := range r.Grids {
		if err := a.Bucket(bucketMembers).Put(memberKey(grid, r), nil); err != nil {
			return err
		}
	}
	for _, k := range r.keys() {
		if old != nil && slices.Contains(old.keys(), k) {
			continue
		}
		source, err := a.source(k)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, errDamaged): // its message is still to come
			err = a.putSource(nil, &record.Source{Key: k, Status: record.Status{State: record.StateNew}})
		case err == nil:
			err = a.makeDue(source)
		}
		if err := errors.Join(err, a.refer(k, r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// unplace notes that a package does not refer any more to what it refers to by old, and not by
// next. A source that nobody refers to stays, and is not due.
func (a *applier) unplace(old, next *row) error {
	for _, k := range old.keys() {
		if next != nil && slices.Contains(next.keys(), k) {
			continue
		}
		if err := a.Bucket(bucketReferences).Delete(referenceKey(k, old.ID)); err != nil {
			return err
		}
		if len(referringTo(a.Tx, k)) > 0 {
			continue
		}
		source, err := a.source(k)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if errors.Is(err, errDamaged) {
			if err := a.purgeDue(k); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := a.Bucket(bucketDue).Delete(dueKey(source)); err != nil {
			return err
		}
	}
	return nil
}

// item takes over a category or a grid, which is what of points to.
func (a *applier) item(bucket []byte, rest string, m *message, of any) error {
	id, err := strconv.Atoi(rest)
	if err != nil || id <= 0 {
		return fmt.Errorf("%q is not an id", rest)
	}
	if m.Gone {
		return a.Bucket(bucket).Delete(key(id))
	}
	if err := json.Unmarshal(m.Value, of); err != nil {
		return err
	}
	return a.Bucket(bucket).Put(key(id), sealed(m.Value))
}

// refresh brings a live package up to date: what it serves, when that last changed, and by
// which message.
func (a *applier) refresh(id int) error {
	r, err := getRow(a.Tx, id)
	if err != nil {
		return err
	}
	before := r
	own := getKnown(a.Tx, entryName(id))
	changed, dated := own.changed, own.dated
	r.Modified, r.LastFetched = own.modified, time.Time{}
	for _, k := range r.keys() {
		of := getKnown(a.Tx, nameSource+string(k))
		changed, dated, r.Modified = max(changed, of.changed), latest(dated, of.dated), latest(r.Modified, of.modified)
	}
	p, err := a.resolve(&r)
	if err != nil {
		return err
	}
	r.LastFetched = latest(record.LastFetched(&p, time.Time{}), own.fetched)
	p.Modified, p.LastFetched = r.Modified, r.LastFetched
	if !r.Modified.Equal(before.Modified) || !r.LastFetched.Equal(before.LastFetched) {
		value, err := encode(&r)
		if err != nil {
			return err
		}
		if err := a.Bucket(bucketPackages).Put(key(id), value); err != nil {
			return err
		}
	}
	if err := a.putStates(&p); err != nil {
		return err
	}
	value := encodeServed(changed, dated, a.render(&p))
	if bytes.Equal(value, a.Bucket(bucketServed).Get(key(id))) {
		return nil
	}
	if err := dropChange(a.writer, id); err != nil {
		return err
	}
	return errors.Join(
		a.Bucket(bucketServed).Put(key(id), value),
		a.Bucket(bucketChanges).Put(changeKey(changed, id), key(id)),
	)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
