package store

import (
	"bytes"
	"errors"
	"fmt"
	"pkgmetad/internal/record"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// SyncReport says what taking over a catalogue changed.
type SyncReport struct {
	Added, Changed, Restored, Removed, Unchanged int      // packages
	Problems                                     []string // sources that cannot be asked, each told once
}

// tombstone is a package that left the catalogue. It keeps the whole record, so
// that a package which comes back does so with its data.
type tombstone struct {
	record.Package
	Deleted time.Time `json:"deleted"`
}

// syncChunk is how many packages one transaction of a sync takes over: a
// smaller catalogue is taken over at once, of a larger one each chunk is.
const syncChunk = 10_000

// SyncCatalogue takes over what the catalogue declares. New packages appear
// and are due at once; changed ones keep their fetched half, and a source whose
// URL changed is due at once; missing ones become tombstones, and come back
// with their fetched half. A package without an id gets the lowest that is
// higher than any ever used, and keeps it. now is the time of change.
//
// Ids that contradict each other are an ErrContradiction that lists them all; nothing is
// changed then.
func (s *Store) SyncCatalogue(c record.Catalogue, now time.Time) (SyncReport, error) {
	report, err := s.takeOver(c, nil, now)
	return report.SyncReport, err
}

// takeOver is SyncCatalogue and, with fetched halves by id, Import.
func (s *Store) takeOver(c record.Catalogue, fetched map[int]*record.Package, now time.Time) (report ImportReport, err error) {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	now = now.UTC().Truncate(time.Microsecond)

	packages, err := s.assignIDs(c.Packages)
	if err != nil {
		return report, err
	}
	defer func() {
		if err != nil { // what a sync did before it broke off has still been done
			err = errors.Join(err, s.view(s.loadOrder))
		}
	}()
	if err = s.write(func(w *writer) error {
		if err := w.Bucket(bucketMeta).Delete(keyCatalogue); err != nil { // until all of it is taken over
			return err
		}
		return syncTaxonomy(w, c, now)
	}); err != nil {
		return report, fmt.Errorf("take over categories and grids: %w", err)
	}
	for chunk := range slices.Chunk(packages, syncChunk) {
		var part ImportReport
		if err := s.write(func(w *writer) error {
			part = ImportReport{}
			for i := range chunk {
				if err := s.syncPackage(w, chunk[i], fetched[chunk[i].ID], now, &part); err != nil {
					return fmt.Errorf("package %s: %w", chunk[i].Slug, err)
				}
			}
			return nil
		}); err != nil {
			return report, fmt.Errorf("take over the catalogue: %w", err)
		}
		report.add(part)
	}

	declared := make([]int, len(packages))
	for i, e := range packages {
		declared[i] = e.ID
	}
	slices.Sort(declared)
	missing := slices.DeleteFunc(slices.Clone(*s.order.Load()), func(id int) bool { return has(declared, id) })
	for chunk := range slices.Chunk(missing, syncChunk) {
		if err := s.write(func(w *writer) error {
			for _, id := range chunk {
				if err := bury(w, id, now); err != nil {
					return fmt.Errorf("package %d: %w", id, err)
				}
			}
			return nil
		}); err != nil {
			return report, fmt.Errorf("remove what left the catalogue: %w", err)
		}
		report.Removed += len(chunk)
		// At once, not at the end: a page waits for an order without them.
		left := slices.DeleteFunc(slices.Clone(*s.order.Load()), func(id int) bool { return has(chunk, id) })
		s.order.Store(&left)
	}
	s.order.Store(&declared)
	s.synced.Store(true)
	if len(c.Digest) > 0 {
		err = s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCatalogue, c.Digest) })
	}
	return report, err
}

// CatalogueDigest returns the Digest of the catalogue that was last taken over
// whole; nil where it had none, or another change was begun since.
func (s *Store) CatalogueDigest() (digest []byte) {
	_ = s.view(func(tx *bolt.Tx) error { // whoever cannot read it takes the catalogue over again, and hears why
		digest = bytes.Clone(tx.Bucket(bucketMeta).Get(keyCatalogue))
		return nil
	})
	return digest
}

func (r *ImportReport) add(part ImportReport) {
	r.Fetched += part.Fetched
	r.Added += part.Added
	r.Changed += part.Changed
	r.Restored += part.Restored
	r.Unchanged += part.Unchanged
	r.Problems = append(r.Problems, part.Problems...)
}

// assignIDs returns the entries with an id each.
func (s *Store) assignIDs(entries []record.Entry) ([]record.Entry, error) {
	entries = slices.Clone(entries)
	owner := make(map[int]string, len(entries)) // id -> slug, of this catalogue
	declared := make(map[string]bool, len(entries))
	var problems []error
	highest := 0
	for _, e := range entries {
		if declared[e.Slug] {
			problems = append(problems, fmt.Errorf("the slug %s is declared twice", e.Slug))
		}
		declared[e.Slug] = true
		if e.ID == 0 {
			continue
		}
		if e.ID < 0 {
			problems = append(problems, fmt.Errorf("the package %s has the id %d; an id is positive", e.Slug, e.ID))
		}
		if other, taken := owner[e.ID]; taken {
			problems = append(problems, fmt.Errorf("the packages %s and %s both have the id %d", other, e.Slug, e.ID))
		}
		owner[e.ID] = e.Slug
		highest = max(highest, e.ID)
	}
	err := s.view(func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{bucketPackages, bucketTombstones} {
			if k, _ := tx.Bucket(bucket).Cursor().Last(); k != nil {
				highest = max(highest, int(number(k)))
			}
		}
		slugs := tx.Bucket(bucketSlugs)
		for i := range entries {
			e := &entries[i]
			if e.ID != 0 {
				continue
			}
			known := slugs.Get([]byte(e.Slug))
			if known == nil {
				continue
			}
			e.ID = int(number(known))
			if other, taken := owner[e.ID]; taken {
				problems = append(problems, fmt.Errorf("the package %s declares the id %d, which %s was given when it had none; declare another one for either", other, e.ID, e.Slug))
			}
			owner[e.ID] = e.Slug
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the known ids: %w", err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrContradiction, errors.Join(problems...))
	}
	for i := range entries {
		if entries[i].ID == 0 {
			highest++
			entries[i].ID = highest
		}
	}
	return entries, nil
}

// syncPackage takes over one entry, which has an id, with what was fetched of
// it elsewhere, nil for nothing.
func (s *Store) syncPackage(w *writer, e record.Entry, fetched *record.Package, now time.Time, report *ImportReport) error {
	tx := w.Tx
	old, err := getPackage(tx, e.ID)
	found := err == nil
	rec, restored := old, false
	if errors.Is(err, errDamaged) { // what it fetched is lost, and fetched again
		if err := purgeKeys(tx, e.ID); err != nil {
			return err
		}
		if err := purgeSlug(tx, e.ID); err != nil {
			return err
		}
	}
	if !found {
		rec, restored, err = formerRecord(tx, e)
		if err != nil {
			return err
		}
	}
	if e.Created.IsZero() {
		if e.Created = rec.Created; e.Created.IsZero() {
			e.Created = now
		}
	}
	e.Created = e.Created.UTC().Truncate(time.Microsecond)

	if found && rec.Slug != e.Slug && !record.SameText(rec.RepoURL, e.RepoURL) && !record.SameText(rec.PyPIURL, e.PyPIURL) {
		// Another package has this id now. What was fetched is not of it.
		rec = record.Package{Entry: rec.Entry, GitHub: record.Status{State: record.StateNone}, PyPI: record.Status{State: record.StateNone}}
	}
	before, beforeGitHub, beforePyPI := rec.Entry, rec.GitHub.State, rec.PyPI.State
	rec.Entry = e
	gitHub, pyPI, problems := s.judge(e)
	rejudge(&rec.GitHub, gitHub, record.SameText(before.RepoURL, e.RepoURL))
	if !record.SameText(before.RepoURL, e.RepoURL) {
		rec.Repo.Name, rec.Repo.ID = "", 0
	}
	rejudge(&rec.PyPI, pyPI, record.SameText(before.PyPIURL, e.PyPIURL))

	same := found && sameEntry(&before, &e)
	if !same {
		rec.Modified = now
	}
	imported := fetched != nil && overlay(&rec, fetched)
	if imported {
		report.Fetched++
	}
	if !same || beforeGitHub != rec.GitHub.State || beforePyPI != rec.PyPI.State {
		for _, p := range problems {
			report.Problems = append(report.Problems, e.Slug+": "+p)
		}
	} else if !imported {
		report.Unchanged++
		return nil
	}
	switch {
	case restored:
		report.Restored++
	case !found:
		report.Added++
	case same:
		report.Unchanged++ // only what was fetched, or how its sources are seen
	default:
		report.Changed++
	}
	var replaced *record.Package
	if found {
		replaced = &old
	}
	return replaceEntry(w, replaced, &rec)
}

// rejudge takes over what can be asked of a source by now.
func rejudge(source *record.Status, judged record.State, sameURL bool) {
	switch {
	case !judged.Fetchable():
		source.State, source.LastError, source.Note, source.NextDue = judged, "", "", time.Time{}
	case !sameURL || !source.State.Fetchable() || source.State == "":
		*source = record.Status{State: record.StateNew, LastAttempt: source.LastAttempt, LastSuccess: source.LastSuccess}
	}
}

// formerRecord returns the fetched half that a package had when it was last in
// the catalogue, under this id or, where it had another one, under its slug. A
// tombstone of another slug under this id makes way: the id is e's now. One under
// another id stays, so that no other package is ever given that id.
func formerRecord(tx *bolt.Tx, e record.Entry) (rec record.Package, restored bool, err error) {
	ids := [][]byte{key(e.ID)}
	if id := tx.Bucket(bucketSlugs).Get([]byte(e.Slug)); id != nil {
		ids = append(ids, id)
	}
	tombstones := tx.Bucket(bucketTombstones)
	for _, id := range ids {
		value := tombstones.Get(id)
		if value == nil {
			continue
		}
		var t tombstone
		match := decode(value, &t, bucketTombstones, number(id)) == nil && t.Slug == e.Slug
		if number(id) == uint64(e.ID) {
			if !match {
				err = purgeSlug(tx, e.ID)
			}
			if err = errors.Join(err, tombstones.Delete(id)); err != nil {
				return record.Package{}, false, err
			}
		}
		if match {
			return t.Package, true, nil
		}
	}
	if len(ids) == 2 {
		// The slug lives under another id, which is about to be buried.
		if rec, err := getPackage(tx, int(number(ids[1]))); err == nil && rec.Slug == e.Slug {
			return rec, false, nil
		}
	}
	return record.Package{}, false, nil
}

// replaceEntry writes rec in place of old, nil for none, with all its keys.
func replaceEntry(w *writer, old, rec *record.Package) error {
	tx := w.Tx
	if old != nil {
		if err := dropMembers(tx, old); err != nil {
			return err
		}
		if old.Slug != rec.Slug {
			if err := dropSlug(tx, old); err != nil {
				return err
			}
		}
	}
	if err := tx.Bucket(bucketSlugs).Put([]byte(rec.Slug), key(rec.ID)); err != nil {
		return err
	}
	for _, grid := range rec.Grids {
		if err := tx.Bucket(bucketMembers).Put(memberKey(grid, rec), nil); err != nil {
			return err
		}
	}
	return putRecord(w, old, rec)
}

// bury turns a live package into a tombstone: one that is damaged into an empty
// one, which keeps its id from being given to another package.
func bury(w *writer, id int, now time.Time) error {
	tx := w.Tx
	rec, err := getPackage(tx, id)
	if errors.Is(err, errDamaged) {
		if err := purgeKeys(tx, id); err != nil {
			return err
		}
		rec, err = record.Package{Entry: record.Entry{ID: id}}, nil
		rec.GitHub.State, rec.PyPI.State = record.StateNone, record.StateNone
	}
	if err == ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dropMembers(tx, &rec); err != nil {
		return err
	}
	if err := moveDue(tx, &rec, nil); err != nil {
		return err
	}
	if err := dropServed(w, &rec); err != nil {
		return err
	}
	if err := tx.Bucket(bucketSources).Delete(key(id)); err != nil {
		return err
	}
	value, err := encode(tombstone{Package: rec, Deleted: now})
	if err != nil {
		return err
	}
	if err := tx.Bucket(bucketTombstones).Put(key(id), value); err != nil {
		return err
	}
	return tx.Bucket(bucketPackages).Delete(key(id))
}

// dropSlug forgets that rec's slug is rec's, unless it is another's by now.
func dropSlug(tx *bolt.Tx, rec *record.Package) error {
	slugs := tx.Bucket(bucketSlugs)
	if number(slugs.Get([]byte(rec.Slug))) != uint64(rec.ID) {
		return nil
	}
	return slugs.Delete([]byte(rec.Slug))
}

func dropMembers(tx *bolt.Tx, rec *record.Package) error {
	for _, grid := range rec.Grids {
		if err := tx.Bucket(bucketMembers).Delete(memberKey(grid, rec)); err != nil {
			return err
		}
	}
	return nil
}

// purgeKeys removes the keys of a package whose value can't tell them any more.
func purgeKeys(tx *bolt.Tx, id int) error {
	for _, bucket := range [][]byte{bucketDue, bucketMembers} {
		var keys [][]byte
		c := tx.Bucket(bucket).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if number(k[len(k)-8:]) == uint64(id) {
				keys = append(keys, bytes.Clone(k))
			}
		}
		if err := deleteKeys(tx.Bucket(bucket), keys); err != nil {
			return err
		}
	}
	return nil
}

// purgeSlug forgets every slug that leads to id.
func purgeSlug(tx *bolt.Tx, id int) error {
	var slugs [][]byte
	c := tx.Bucket(bucketSlugs).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if number(v) == uint64(id) {
			slugs = append(slugs, bytes.Clone(k))
		}
	}
	return deleteKeys(tx.Bucket(bucketSlugs), slugs)
}

// memberKey orders a grid's packages by title. Bytes of UTF-8 sort as code points.
func memberKey(grid int, rec *record.Package) []byte {
	title := rec.Title
	if len(title) > 4096 {
		title = title[:4096] // bbolt bounds a key
	}
	k := append(key(grid), strings.ReplaceAll(title, "\x00", "")...)
	return append(append(k, 0), key(rec.ID)...)
}

func sameEntry(a, b *record.Entry) bool {
	return a.ID == b.ID && a.Slug == b.Slug && a.Title == b.Title && a.Category == b.Category &&
		slices.Equal(a.Grids, b.Grids) && a.Created.Equal(b.Created) &&
		record.SameText(a.RepoURL, b.RepoURL) && record.SameText(a.PyPIURL, b.PyPIURL) && record.SameText(a.DocumentationURL, b.DocumentationURL)
}
