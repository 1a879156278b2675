package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// SyncReport counts what a sync of the catalogue changed.
type SyncReport struct {
	Added, Changed, Restored, Removed, Unchanged int      // packages
	Problems                                     []string // URLs that cannot be fetched, of packages that were added or changed
}

// syncChunk is how many packages one transaction writes at most, in a sync and
// wherever else all packages are written.
var syncChunk = 10_000

// SyncCatalogue makes the store hold what the catalogue declares. New packages
// appear and are due at once; changed ones keep their fetched half, and a source
// whose URL changed is due at once; missing ones become tombstones, which keep
// their fetched half for when they come back. A package without an id gets the
// lowest that is higher than any ever used, and keeps it. now is the time of change.
//
// A large catalogue takes several transactions. Where one fails, those before it
// stay, and the next sync does the rest. Ids or slugs that clash are an
// ErrContradiction that lists them all; nothing is changed then.
func (s *Store) SyncCatalogue(c record.Catalogue, now time.Time) (SyncReport, error) {
	report, err := s.syncCatalogue(c, nil, now)
	return report.SyncReport, err
}

// Removals returns how many of the live packages the catalogue does not list, which a
// sync would remove, and how many there are. Its error is an ErrContradiction, as that
// of SyncCatalogue.
func (s *Store) Removals(c record.Catalogue) (removed, live int, err error) {
	packages, err := s.assignIDs(c.Packages)
	if err != nil {
		return 0, 0, err
	}
	declared, order := idsOf(packages), *s.order.Load()
	for _, id := range order {
		if !has(declared, id) {
			removed++
		}
	}
	return removed, len(order), nil
}

// syncCatalogue is SyncCatalogue and, with fetched halves by id, Import.
func (s *Store) syncCatalogue(c record.Catalogue, fetched map[int]*record.Package, now time.Time) (report ImportReport, err error) {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	now = now.UTC().Truncate(time.Microsecond)

	packages, err := s.assignIDs(c.Packages)
	if err != nil {
		return report, err
	}
	withCategories(packages, c.Categories)
	cs := catalogueSync{Store: s, fetched: fetched, now: now, unreferred: map[record.Key]bool{}, repair: s.toRepair() && !s.options.Replica}
	defer func() {
		if err != nil { // what was committed before the error stays
			err = errors.Join(err, s.view(s.loadOrder))
		}
	}()
	declared := idsOf(packages)
	for _, step := range []func() error{
		func() error { return cs.begin(c) },
		func() error { return cs.syncPackages(packages) },
		func() error { return cs.removeMissing(declared) },
		cs.dropUnreferenced,
		func() error { return cs.finish(declared, c.Digest) },
	} {
		if err := step(); err != nil {
			return cs.report, err
		}
	}
	return cs.report, nil
}

// A catalogueSync is one run of syncCatalogue. Each of its steps takes one or more
// transactions.
type catalogueSync struct {
	*Store
	fetched    map[int]*record.Package // what another site fetched, by id
	now        time.Time
	unreferred map[record.Key]bool // sources that a package no longer refers to
	repair     bool                // write again what is not as it must be, even of packages that did not change
	report     ImportReport
}

// begin syncs categories and grids. It clears the digest of the catalogue, which
// finish sets: a sync that is interrupted has to be repeated.
func (cs *catalogueSync) begin(c record.Catalogue) error {
	err := cs.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyCatalogue) })
	if err == nil {
		err = cs.write(func(w *writer) error { return syncCategoriesAndGrids(w, c, cs.now) })
	}
	if err != nil {
		return fmt.Errorf("sync categories and grids: %w", err)
	}
	return nil
}

func (cs *catalogueSync) syncPackages(packages []record.Entry) error {
	size := syncChunk
	if len(packages) > size {
		// It is not one transaction anyway. The keys of sources lie all over the file, and
		// bbolt holds each page that a transaction touches in memory until it is
		// committed: of 300,000 packages, 10,000 at once took 300 MB more than this.
		size = max(1, size/4)
	}
	for chunk := range slices.Chunk(packages, size) {
		var part ImportReport
		err := cs.write(func(w *writer) error {
			part, w.repair = ImportReport{}, cs.repair
			for i := range chunk {
				if err := cs.syncPackage(w, chunk[i], &part); err != nil {
					return fmt.Errorf("package %s: %w", chunk[i].Slug, err)
				}
			}
			maps.Copy(cs.unreferred, w.unreferred)
			return errors.Join(w.updateReferring(cs.now), w.setIntervals())
		})
		if err != nil {
			return fmt.Errorf("sync the catalogue: %w", err)
		}
		cs.report.add(part)
	}
	return nil
}

// removeMissing turns the live packages that are not declared into tombstones.
func (cs *catalogueSync) removeMissing(declared []int) error {
	missing := slices.DeleteFunc(slices.Clone(*cs.order.Load()), func(id int) bool { return has(declared, id) })
	for chunk := range slices.Chunk(missing, syncChunk) {
		err := cs.write(func(w *writer) error {
			for _, id := range chunk {
				if err := w.removePackage(id, cs.now); err != nil {
					return fmt.Errorf("package %d: %w", id, err)
				}
			}
			maps.Copy(cs.unreferred, w.unreferred)
			return w.setIntervals()
		})
		if err != nil {
			return fmt.Errorf("remove what left the catalogue: %w", err)
		}
		cs.report.Removed += len(chunk)
		// Now, not at the end: ServedPage retries until the order lacks them.
		left := slices.DeleteFunc(slices.Clone(*cs.order.Load()), func(id int) bool { return has(chunk, id) })
		cs.setOrder(left)
	}
	return nil
}

func (cs *catalogueSync) dropUnreferenced() error {
	if len(cs.unreferred) == 0 {
		return nil
	}
	err := cs.write(func(w *writer) error { return w.dropUnreferenced(cs.unreferred) })
	if err != nil {
		return fmt.Errorf("remove the sources that no package refers to: %w", err)
	}
	return nil
}

func (cs *catalogueSync) finish(declared []int, digest []byte) error {
	cs.setOrder(declared)
	cs.synced.Store(true)
	if len(digest) > 0 {
		if err := cs.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCatalogue, digest) }); err != nil {
			return err
		}
	}
	if cs.repair {
		cs.endRepair()
	}
	return nil
}

// setOrder makes readers see these live packages. On a replica, Apply does so.
func (cs *catalogueSync) setOrder(ids []int) {
	if !cs.options.Replica {
		cs.order.Store(&ids)
	}
}

func idsOf(entries []record.Entry) []int {
	ids := make([]int, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	slices.Sort(ids)
	return ids
}

// CatalogueDigest returns the Digest of the catalogue that was last synced; nil if
// it had none, or if a later sync was not completed.
func (s *Store) CatalogueDigest() (digest []byte) {
	_ = s.view(func(tx *bolt.Tx) error { // without it the catalogue is synced again, which reports the error
		digest = bytes.Clone(tx.Bucket(bucketMeta).Get(keyCatalogue))
		return nil
	})
	return digest
}

// NoteCatalogue notes the Digest of a catalogue that need not be synced, since others have
// synced a later one.
func (s *Store) NoteCatalogue(digest []byte) error {
	err := s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCatalogue, digest) })
	if err != nil {
		return fmt.Errorf("note which catalogue this host has: %w", err)
	}
	return nil
}

func (r *ImportReport) add(part ImportReport) {
	r.Fetched += part.Fetched
	r.Added += part.Added
	r.Changed += part.Changed
	r.Restored += part.Restored
	r.Unchanged += part.Unchanged
	r.Problems = append(r.Problems, part.Problems...)
}

// assignIDs returns the entries with an id each, or an ErrContradiction.
func (s *Store) assignIDs(entries []record.Entry) ([]record.Entry, error) {
	entries = slices.Clone(entries)
	owner := make(map[int]string, len(entries)) // id -> slug, in this catalogue
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
		highest = max(highest, highestID(tx))
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
				problems = append(problems, fmt.Errorf("the package %s declares the id %d, which %s was given when it declared none; declare another id for one of them", other, e.ID, e.Slug))
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

// highestID returns the highest id that a package has or had.
func highestID(tx *bolt.Tx) (highest int) {
	for _, bucket := range [][]byte{bucketPackages, bucketTombstones} {
		if k, _ := tx.Bucket(bucket).Cursor().Last(); k != nil {
			highest = max(highest, int(number(k)))
		}
	}
	return highest
}

// IDs returns the id of each slug that a package has or had, and the highest id of all.
func (s *Store) IDs() (bySlug map[string]int, highest int, err error) {
	bySlug = map[string]int{}
	err = s.view(func(tx *bolt.Tx) error {
		highest = highestID(tx)
		return tx.Bucket(bucketSlugs).ForEach(func(slug, id []byte) error {
			bySlug[string(slug)] = int(number(id))
			return nil
		})
	})
	return bySlug, highest, err
}

// syncPackage syncs one entry, which has an id, and imports what another site has
// fetched for it, if anything.
func (cs *catalogueSync) syncPackage(w *writer, e record.Entry, report *ImportReport) error {
	old, err := cs.findPrior(w, &e)
	if err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = old.row.Created
	}
	if e.Created.IsZero() {
		e.Created = cs.now
	}
	e.Created = e.Created.UTC().Truncate(time.Microsecond)

	next, problems, err := cs.nextRow(w, e, old)
	if err != nil {
		return err
	}
	var replaced *row
	if old.live {
		replaced = &old.row
	}
	if err := w.noteIntervals(replaced, &next); err != nil {
		return err
	}
	imported := false
	fetched := cs.fetched[e.ID]
	if fetched != nil {
		if imported, err = w.overlay(&next, fetched, cs.now); err != nil {
			return err
		}
	}
	if imported {
		report.Fetched++
	}
	sameEntry := old.live && record.SameEntry(&old.row.Entry, &e)
	if sameEntry && !imported && next.sameSources(&old.row) {
		report.Unchanged++
		if cs.repair {
			return w.putPackage(&next)
		}
		return nil
	}
	if !sameEntry || !next.sameSources(&old.row) {
		for _, problem := range problems {
			report.Problems = append(report.Problems, e.Slug+": "+problem)
		}
	}
	switch {
	case old.restored:
		report.Restored++
	case !old.live:
		report.Added++
	case sameEntry:
		report.Unchanged++ // only imported data, or what its URLs resolve to
	default:
		report.Changed++
	}
	if err := cs.modify(w, replaced, &next, fetched); err != nil {
		return err
	}
	return w.replacePackage(replaced, &next)
}

// modify dates next, if it is served otherwise than old, which is nil for none: with
// the time of the site that it was imported from, or with that of the sync.
func (cs *catalogueSync) modify(w *writer, old, next *row, fetched *record.Package) error {
	if old != nil {
		p, err := w.resolve(next)
		if err != nil {
			return err
		}
		p.LastFetched = old.LastFetched
		if w.serves(&p, false) {
			return nil
		}
	} else if fetched != nil && fetched.Modified.Equal(next.Modified) {
		return nil // it comes back as it was when it was imported before
	}
	times := []time.Time{cs.now}
	if fetched != nil && (old == nil || !fetched.Modified.After(time.Now())) {
		times = []time.Time{fetched.Modified, cs.now}
	}
	next.Modified = later(next.Modified, times...)
	return nil
}

// prior is what the store holds about an entry before it is synced.
type prior struct {
	row           row
	repo, project *record.Source // that the row refers to; nil if there is none, or if it is damaged
	live          bool           // the row is a live package with the entry's id
	restored      bool           // the row is from a tombstone
}

// findPrior looks up what the store holds about the entry: the live package with its
// id, else what findFormer returns.
func (cs *catalogueSync) findPrior(w *writer, e *record.Entry) (p prior, err error) {
	r, err := getRow(w.Tx, e.ID)
	if err == nil {
		p = prior{row: r, live: true}
		p.repo, p.project, err = w.sourcesOf(&r)
		return p, err
	}
	if errors.Is(err, errDamaged) {
		w.met(err)
		err = errors.Join(w.purgeKeys(e.ID), purgeSlug(w.Tx, e.ID))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, err
	}
	return cs.findFormer(w, e)
}

// sourcesOf returns the sources that r refers to. One that is damaged is nil: its
// data is lost, and fetched again.
func (w *writer) sourcesOf(r *row) (repo, project *record.Source, err error) {
	get := func(key record.Key) *record.Source {
		if key == "" {
			return nil
		}
		s, sourceErr := w.source(key)
		if sourceErr != nil && !errors.Is(sourceErr, ErrNotFound) && !errors.Is(sourceErr, errDamaged) {
			err = sourceErr
		}
		return s
	}
	return get(r.RepoKey), get(r.ProjectKey), err
}

// nextRow returns the new row of an entry, and makes sure that the sources exist
// that it refers to.
func (cs *catalogueSync) nextRow(w *writer, e record.Entry, old prior) (next row, problems []string, err error) {
	refs := cs.refer(e)
	next = row{
		Entry: e, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: refs.GitHub, PyPI: refs.PyPI,
		Modified: old.row.Modified, LastFetched: old.row.LastFetched,
	}
	sameRepo := sameAddress(old.row.RepoURL, e.RepoURL) || refs.Repo != "" && refs.Repo == old.row.RepoKey
	sameProject := sameAddress(old.row.PyPIURL, e.PyPIURL) || refs.Project != "" && refs.Project == old.row.ProjectKey

	// As long as a URL stays the same, so does its data, even if the URL can be
	// fetched now and could not before, or the other way round.
	kept := record.Source{Repo: old.row.Repo, Project: old.row.Project}
	if old.repo != nil {
		kept.Repo = old.repo.Repo
	}
	if old.project != nil {
		kept.Project = old.project.Project
	}
	if refs.Repo == "" && sameRepo {
		next.Repo = kept.Repo
	}
	if refs.Project == "" && sameProject {
		next.Project = kept.Project
	}
	if refs.Repo != "" {
		first := record.Follow(old.repo, refs.Repo)
		if old.repo == nil && sameRepo {
			first.Repo = old.row.Repo
		}
		if err := w.adopt(refs.Repo, old.repo, first, e.ID); err != nil {
			return next, nil, err
		}
	}
	if refs.Project != "" {
		first := record.Follow(nil, refs.Project)
		if old.project == nil && sameProject {
			first.Project = old.row.Project
		}
		if err := w.adopt(refs.Project, old.project, first, e.ID); err != nil {
			return next, nil, err
		}
	}
	for _, key := range old.row.keys() {
		if old.live && key != next.RepoKey && key != next.ProjectKey {
			if err := w.unrefer(key, e.ID); err != nil {
				return next, nil, err
			}
		}
	}
	if !sameRepo || !sameProject {
		next.LastFetched = time.Time{}
		p, err := w.resolve(&next)
		if err != nil {
			return next, nil, err
		}
		next.LastFetched = record.LastFetched(&p, cs.now)
	}
	return next, refs.Problems, nil
}

// adopt makes the package with the id refer to the source with the key. old is the
// source that it referred to before, nil for none. If there is no source with the
// key yet, it becomes old, where that has the same key, or else initial.
func (w *writer) adopt(key record.Key, old *record.Source, initial record.Source, id int) error {
	if err := w.refer(key, id); err != nil {
		return err
	}
	live, err := w.source(key)
	if errors.Is(err, errDamaged) {
		err = errors.Join(w.purgeDue(key), ErrNotFound)
	}
	same := old != nil && old.Key == key // if not in the store, it is from a tombstone
	switch {
	case errors.Is(err, ErrNotFound) && same:
		return w.putSource(nil, old)
	case errors.Is(err, ErrNotFound):
		return w.putSource(nil, &initial)
	case err != nil:
		return err
	case same && old != live && record.Wins(old, live, time.Now()):
		return w.learn(old, id)
	}
	return nil
}

// sameSources reports whether two rows refer to the same sources and, where they
// refer to none, for the same reason.
func (r *row) sameSources(other *row) bool {
	return r.RepoKey == other.RepoKey && r.ProjectKey == other.ProjectKey && r.GitHub == other.GitHub && r.PyPI == other.PyPI
}

// sameAddress reports whether two URLs, which need not be ones that can be fetched,
// are the same apart from case and form.
func sameAddress(a, b *string) bool {
	plain := func(url *string) string {
		if url == nil {
			return ""
		}
		s := strings.TrimRight(strings.ToLower(strings.TrimSpace(*url)), "/")
		return strings.TrimSuffix(s, ".git")
	}
	return plain(a) == plain(b)
}

// replacePackage writes next in place of old, which is nil for none, in all buckets.
func (w *writer) replacePackage(old, next *row) error {
	if old != nil {
		if err := dropMembers(w.Tx, old); err != nil {
			return err
		}
		if old.Slug != next.Slug {
			if err := dropSlug(w.Tx, old); err != nil {
				return err
			}
		}
	}
	if err := w.Bucket(bucketSlugs).Put([]byte(next.Slug), key(next.ID)); err != nil {
		return err
	}
	for _, grid := range next.Grids {
		if err := w.Bucket(bucketMembers).Put(memberKey(grid, next), nil); err != nil {
			return err
		}
	}
	return w.putPackage(next)
}

// dropSlug deletes r's slug, unless it belongs to another package by now.
func dropSlug(tx *bolt.Tx, r *row) error {
	slugs := tx.Bucket(bucketSlugs)
	if number(slugs.Get([]byte(r.Slug))) != uint64(r.ID) {
		return nil
	}
	return slugs.Delete([]byte(r.Slug))
}

func dropMembers(tx *bolt.Tx, r *row) error {
	for _, grid := range r.Grids {
		if err := tx.Bucket(bucketMembers).Delete(memberKey(grid, r)); err != nil {
			return err
		}
	}
	return nil
}

// purgeKeys deletes a package's references and memberships, where its row is damaged
// and does not say which those are.
func (w *writer) purgeKeys(id int) error {
	for _, name := range [][]byte{bucketReferences, bucketMembers} {
		var keys [][]byte
		c := w.Bucket(name).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if number(k[len(k)-8:]) == uint64(id) {
				keys = append(keys, bytes.Clone(k))
			}
		}
		if err := deleteKeys(w.Bucket(name), keys); err != nil {
			return err
		}
		for _, k := range keys {
			if bytes.Equal(name, bucketReferences) {
				w.unreferred[record.Key(k[:len(k)-9])] = true
			}
		}
	}
	return nil
}

// purgeSlug deletes every slug that leads to id.
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

// slugOf returns the slug that leads to id, where its row does not tell; "" if another
// package has it by now.
func slugOf(tx *bolt.Tx, id int) string {
	c := tx.Bucket(bucketSlugs).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if number(v) == uint64(id) {
			return string(k)
		}
	}
	return ""
}

// memberKey orders a grid's packages by title. Bytes of UTF-8 sort as code points.
func memberKey(grid int, r *row) []byte {
	title := r.Title
	if len(title) > 4096 {
		title = title[:4096] // bbolt limits the length of a key
	}
	k := append(key(grid), strings.ReplaceAll(title, "\x00", "")...)
	return append(append(k, 0), key(r.ID)...)
}
