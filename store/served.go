package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Served is a live package in its served form.
type Served struct {
	ID       int
	Sequence uint64    // of its last change
	Changed  time.Time // time of that change, UTC
	Body     []byte    // as rendered by Options.Render
}

// servedHead is the length of what precedes the body: checksum, sequence, time.
const servedHead = 4 + 8 + 8

func encodeServed(sequence uint64, changed time.Time, body []byte) []byte {
	value := make([]byte, 4, servedHead+len(body))
	value = binary.BigEndian.AppendUint64(value, sequence)
	value = append(value, timeKey(changed)...)
	value = append(value, body...)
	binary.BigEndian.PutUint32(value, crc32.Checksum(value[4:], castagnoli))
	return value
}

// getServed returns the served form of a package. Its body is valid as long as the
// transaction.
func getServed(tx *bolt.Tx, id int) (Served, error) {
	value := tx.Bucket(bucketServed).Get(key(id))
	if value == nil {
		return Served{}, ErrNotFound
	}
	return decodeServed(id, value)
}

func decodeServed(id int, value []byte) (Served, error) {
	if len(value) < servedHead || !intact(value) {
		return Served{}, fmt.Errorf("%w: the checksum of %s/%d does not match its value", errDamaged, bucketServed, id)
	}
	return Served{ID: id, Sequence: number(value[4:12]), Changed: timeOf(value[12:20]), Body: value[servedHead:]}, nil
}

// putServed writes the served form of rec, as a change of its own, if it differs from
// the one that is stored.
func putServed(w *writer, rec *record.Package) error {
	body := w.render(rec)
	if old, err := getServed(w.Tx, rec.ID); err == nil && bytes.Equal(old.Body, body) {
		return nil
	}
	if err := dropChange(w, rec.ID); err != nil {
		return err
	}
	return writeServed(w, rec.ID, w.now, body)
}

// writeServed writes the served form of a package that is not in the feed, and adds
// it at the end of the feed.
func writeServed(w *writer, id int, changed time.Time, body []byte) error {
	sequence := w.next()
	if err := w.Bucket(bucketChanges).Put(key(int(sequence)), key(id)); err != nil {
		return err
	}
	return w.Bucket(bucketServed).Put(key(id), encodeServed(sequence, changed, body))
}

// dropChange takes a package's last change out of the feed.
func dropChange(w *writer, id int) error {
	changes := w.Bucket(bucketChanges)
	old, err := getServed(w.Tx, id)
	switch {
	case err == nil:
		return errors.Join(changes.Delete(key(int(old.Sequence))), changes.Delete(changeKey(old.Sequence, id)))
	case errors.Is(err, ErrNotFound) && !w.repair:
		return nil
	}
	var stale [][]byte // its value is damaged or lost, and its sequence with it
	c := changes.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if number(v) == uint64(id) {
			stale = append(stale, bytes.Clone(k))
		}
	}
	return deleteKeys(changes, stale)
}

// changeKey is the key of a package's change on a replica, where several packages may have
// changed by one message.
func changeKey(sequence uint64, id int) []byte { return append(key(int(sequence)), key(id)...) }

// dropServed deletes the served form of a package, and adds the deletion to the feed.
func dropServed(w *writer, id int, slug string) error {
	if err := dropChange(w, id); err != nil {
		return err
	}
	if err := w.Bucket(bucketServed).Delete(key(id)); err != nil {
		return err
	}
	value := append(append(timeKey(w.now), key(id)...), slug...)
	return w.Bucket(bucketDeletions).Put(key(int(w.next())), value)
}

// servedFrom returns the served form in value or, if that is damaged, renders it from
// the record, dated with the last change of anything. A later fetch repairs it.
func (s *Store) servedFrom(tx *bolt.Tx, id int, value []byte) (Served, error) {
	p, err := decodeServed(id, value)
	if err == nil {
		return p, nil
	}
	s.noteDamage(err)
	rec, recErr := getPackage(tx, id)
	if recErr != nil {
		return Served{}, errors.Join(err, recErr)
	}
	return Served{ID: id, Changed: s.Changed(), Body: s.render(&rec)}, nil
}

// findServed returns the served form of a package, as servedFrom does.
func (s *Store) findServed(tx *bolt.Tx, id int) (Served, error) {
	value := tx.Bucket(bucketServed).Get(key(id))
	if value == nil {
		return Served{}, ErrNotFound
	}
	return s.servedFrom(tx, id, value)
}

// Served passes the live package with that id to use, or returns ErrNotFound.
// use runs inside a read transaction: it must neither keep Body nor wait for
// anything.
func (s *Store) Served(id int, use func(Served)) error {
	return s.view(func(tx *bolt.Tx) error {
		p, err := s.findServed(tx, id)
		if err == nil {
			use(p)
		}
		return err
	})
}

// ServedBySlug is Served for the package with that slug.
func (s *Store) ServedBySlug(slug string, use func(Served)) error {
	return s.view(func(tx *bolt.Tx) error {
		id := tx.Bucket(bucketSlugs).Get([]byte(slug))
		if id == nil {
			return ErrNotFound
		}
		p, err := s.findServed(tx, int(number(id)))
		if err == nil {
			use(p)
		}
		return err
	})
}

// ServedPage passes up to limit live packages, highest id first, after skipping
// offset of them, to use. All are of the same state of the store. begin is called
// before the first of them with the number of packages in all; if it is called
// again, the page is read again, and what use was passed before is to be discarded.
// use is restricted as that of Served is.
func (s *Store) ServedPage(offset, limit int, begin func(total int), use func(Served)) error {
	return s.readPage(func() (func(*bolt.Tx) error, error) {
		order := *s.order.Load()
		begin(len(order))
		return func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketServed).Cursor()
			want := make([]byte, 8)
			var k, value []byte
			end := len(order) - max(0, offset)
			for i := end - 1; i >= 0 && i >= end-limit; i-- {
				binary.BigEndian.PutUint64(want, uint64(order[i]))
				if k != nil {
					k, value = c.Prev()
				}
				if !bytes.Equal(k, want) { // the first, or k is not in the order yet
					k, value = c.Seek(want)
				}
				if !bytes.Equal(k, want) {
					return errRemoved
				}
				p, err := s.servedFrom(tx, order[i], value)
				if err != nil {
					return err
				}
				use(p)
			}
			return nil
		}, nil
	})
}

// EachServed passes every live package, lowest id first, to use. All are of the same
// state of the store, whose sequence and time it returns. It stops at an error of
// use. use is restricted as that of Served is, but may write to a local file:
// meanwhile, the store's file cannot reuse the pages that writers replace.
func (s *Store) EachServed(use func(Served) error) (sequence uint64, changed time.Time, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		sequence, changed = number(meta.Get(keySequence)), timeOf(meta.Get(keyChanged))
		n := 0
		c := tx.Bucket(bucketServed).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			p, err := s.servedFrom(tx, int(number(k)), v)
			if err == nil {
				err = use(p)
			}
			if err != nil {
				return err
			}
			if n++; n%64 == 0 {
				runtime.Gosched() // so that requests need not wait for the CPU
			}
		}
		return nil
	})
	return sequence, changed, err
}

// chooseRendering sets how packages are rendered: as when the file was last written,
// unless the options ask for rendering them again.
func (s *Store) chooseRendering(o Options) error {
	var stored []byte
	if err := s.view(func(tx *bolt.Tx) error {
		stored = bytes.Clone(tx.Bucket(bucketMeta).Get(keyRendering))
		return nil
	}); err != nil {
		return err
	}
	name := o.Rendering
	if stored != nil && (o.ReadOnly || !o.Rerender) {
		name = string(stored)
	}
	var err error
	if s.render, err = o.Render(name); err != nil {
		return fmt.Errorf("render packages as %q: %w; start the daemon once, which renders them again", name, err)
	}
	s.named = name
	if o.ReadOnly || stored != nil && name == string(stored) {
		return nil
	}
	if stored != nil || len(*s.order.Load()) > 0 {
		if err := s.rerender(); err != nil {
			return fmt.Errorf("render the packages again: %w", err)
		}
	}
	return s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyRendering, []byte(name)) })
}

// rerender renders the served form of every package again. Each counts as changed,
// for the feed and for requests by date, even if its body is the same: the links
// served with it may have another base. If the process is killed meanwhile, the
// next one starts over.
//
// On a replica none counts as changed: when each did is the same on every host.
func (s *Store) rerender() error {
	for ids := range slices.Chunk(*s.order.Load(), syncChunk) {
		if err := s.write(func(w *writer) error {
			for _, id := range ids {
				p, err := getPackage(w.Tx, id)
				if err != nil {
					continue // damaged: its old form stays
				}
				if w.Bucket(bucketMessages) != nil {
					err = renderAgain(w, &p)
				} else if err = dropChange(w, id); err == nil {
					err = writeServed(w, id, w.now, w.render(&p))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// renderAgain renders a package of a replica, whose place in the feed stays.
func renderAgain(w *writer, p *record.Package) error {
	old, err := getServed(w.Tx, p.ID)
	if err != nil {
		return nil // damaged: the replica is about to be built anew
	}
	return w.Bucket(bucketServed).Put(key(p.ID), encodeServed(old.Sequence, old.Changed, w.render(p)))
}

// Dated records the value of a setting that answers depend on, and returns since when
// it has had this value: now, if it had another one at the last call.
func (s *Store) Dated(name, value string) (since time.Time, err error) {
	at := datedKey(name)
	err = s.view(func(tx *bolt.Tx) error { // first: a disk that is full keeps no daemon from starting
		if known := tx.Bucket(bucketMeta).Get(at); len(known) >= 8 && string(known[8:]) == value {
			since = timeOf(known[:8])
		}
		return nil
	})
	if err == nil && since.IsZero() {
		since = time.Now().UTC().Truncate(time.Microsecond)
		err = s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(at, append(timeKey(since), value...)) })
	}
	if err != nil {
		return since, fmt.Errorf("date the setting %s: %w", name, err)
	}
	return since, nil
}

func datedKey(name string) []byte { return append([]byte("dated "), name...) }

// renderPlain is the rendering of a store that is opened without Options.Render.
func renderPlain(rec *record.Package) []byte {
	version, lastCommit := "", time.Time{}
	if rec.Project.Version != nil {
		version = *rec.Project.Version
	}
	if rec.Repo.LastCommit != nil {
		lastCommit = rec.Repo.LastCommit.UTC()
	}
	body, _ := json.Marshal(map[string]any{ // no value in it can fail
		"entry": rec.Entry, "stars": rec.Repo.Stars, "forks": rec.Repo.Forks, "description": rec.Repo.Description,
		"participants": strings.Join(rec.Repo.Participants, " "), "commits52": append([]int{}, rec.Repo.Commits52...),
		"last_commit": lastCommit, "version": version, "versioned": rec.Project.Version != nil,
		"modified": rec.Modified.UTC(), "last_fetched": rec.LastFetched.UTC(),
	})
	return body
}
