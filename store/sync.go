package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
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
	t := takeover{Store: s, fetched: fetched, now: now, unreferred: map[record.Key]bool{}}
	defer func() {
		if err != nil { // what it did before it broke off has still been done
			err = errors.Join(err, s.view(s.loadOrder))
		}
	}()
	declared := idsOf(packages)
	for _, step := range []func() error{
		func() error { return t.begin(c) },
		func() error { return t.takeOverPackages(packages) },
		func() error { return t.buryMissing(declared) },
		t.dropUnreferenced,
		func() error { return t.finish(declared, c.Digest) },
	} {
		if err := step(); err != nil {
			return t.report, err
		}
	}
	return t.report, nil
}

// A takeover is one run of takeOver: its steps, each in one or more transactions.
type takeover struct {
	*Store
	fetched    map[int]*record.Package // by id, what another site fetched
	now        time.Time
	unreferred map[record.Key]bool // sources that a package has ceased to refer to
	report     ImportReport
}

// begin takes over categories and grids. Until all else has followed, the
// catalogue counts as none that was taken over.
func (t *takeover) begin(c record.Catalogue) error {
	err := t.write(func(w *writer) error {
		if err := w.Bucket(bucketMeta).Delete(keyCatalogue); err != nil {
			return err
		}
		return syncCategoriesAndGrids(w, c, t.now)
	})
	if err != nil {
		return fmt.Errorf("take over categories and grids: %w", err)
	}
	return nil
}

func (t *takeover) takeOverPackages(packages []record.Entry) error {
	for chunk := range slices.Chunk(packages, syncChunk) {
		var part ImportReport
		err := t.write(func(w *writer) error {
			part = ImportReport{}
			for i := range chunk {
				if err := t.takeOverPackage(w, chunk[i], &part); err != nil {
					return fmt.Errorf("package %s: %w", chunk[i].Slug, err)
				}
			}
			maps.Copy(t.unreferred, w.unreferred)
			return w.updateReferring()
		})
		if err != nil {
			return fmt.Errorf("take over the catalogue: %w", err)
		}
		t.report.add(part)
	}
	return nil
}

// buryMissing turns the live packages that are not declared into tombstones.
func (t *takeover) buryMissing(declared []int) error {
	missing := slices.DeleteFunc(slices.Clone(*t.order.Load()), func(id int) bool { return has(declared, id) })
	for chunk := range slices.Chunk(missing, syncChunk) {
		err := t.write(func(w *writer) error {
			for _, id := range chunk {
				if err := w.bury(id, t.now); err != nil {
					return fmt.Errorf("package %d: %w", id, err)
				}
			}
			maps.Copy(t.unreferred, w.unreferred)
			return nil
		})
		if err != nil {
			return fmt.Errorf("remove what left the catalogue: %w", err)
		}
		t.report.Removed += len(chunk)
		// At once, not at the end: a page waits for an order without them.
		left := slices.DeleteFunc(slices.Clone(*t.order.Load()), func(id int) bool { return has(chunk, id) })
		t.order.Store(&left)
	}
	return nil
}

func (t *takeover) dropUnreferenced() error {
	if len(t.unreferred) == 0 {
		return nil
	}
	err := t.write(func(w *writer) error { return w.dropUnreferenced(t.unreferred) })
	if err != nil {
		return fmt.Errorf("remove the sources that no package refers to: %w", err)
	}
	return nil
}

func (t *takeover) finish(declared []int, digest []byte) error {
	t.order.Store(&declared)
	t.synced.Store(true)
	if len(digest) == 0 {
		return nil
	}
	return t.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCatalogue, digest) })
}

func idsOf(entries []record.Entry) []int {
	ids := make([]int, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	slices.Sort(ids)
	return ids
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

// takeOverPackage takes over one entry, which has an id, with what was fetched of
// it elsewhere, if anything was.
func (t *takeover) takeOverPackage(w *writer, e record.Entry, report *ImportReport) error {
	known, err := t.known(w, &e)
	if err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = known.row.Created
	}
	if e.Created.IsZero() {
		e.Created = t.now
	}
	e.Created = e.Created.UTC().Truncate(time.Microsecond)

	next, problems, err := t.nextRow(w, e, known)
	if err != nil {
		return err
	}
	imported := false
	if fetched := t.fetched[e.ID]; fetched != nil {
		if imported, err = w.overlay(&next, fetched); err != nil {
			return err
		}
	}
	if imported {
		report.Fetched++
	}
	sameEntry := known.live && record.SameEntry(&known.row.Entry, &e)
	if sameEntry && !imported && next.sameSources(&known.row) {
		report.Unchanged++
		return nil
	}
	if !sameEntry || !next.sameSources(&known.row) {
		for _, problem := range problems {
			report.Problems = append(report.Problems, e.Slug+": "+problem)
		}
	}
	switch {
	case known.restored:
		report.Restored++
	case !known.live:
		report.Added++
	case sameEntry:
		report.Unchanged++ // only what was fetched, or how its sources are seen
	default:
		report.Changed++
	}
	var replaced *row
	if known.live {
		replaced = &known.row
	}
	return w.replacePackage(replaced, &next)
}

// known is what the store knows of an entry before it is taken over.
type known struct {
	row           row
	repo, project *record.Source // that the row refers to; nil for none, or one that is damaged
	live          bool           // it is a live package under the entry's id
	restored      bool           // it had left the catalogue
}

// known looks up what is known of the entry: the live package with its id, else
// one that left the catalogue, else one that the catalogue gives another id.
func (t *takeover) known(w *writer, e *record.Entry) (k known, err error) {
	r, err := getRow(w.Tx, e.ID)
	if err == nil {
		k = known{row: r, live: true}
		k.repo, k.project, err = w.sourcesOf(&r)
		return k, err
	}
	if errors.Is(err, errDamaged) {
		err = errors.Join(w.purgeKeys(e.ID), purgeSlug(w.Tx, e.ID))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return k, err
	}
	return t.former(w, e)
}

// sourcesOf returns the sources that r refers to. One that is damaged is nil:
// what it said is lost, and asked for again.
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

// nextRow returns the row that the entry comes to, and sees to it that the sources
// exist that it refers to.
func (t *takeover) nextRow(w *writer, e record.Entry, k known) (next row, problems []string, err error) {
	refs := t.refer(e)
	next = row{
		Entry: e, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: refs.GitHub, PyPI: refs.PyPI,
		Modified: k.row.Modified, LastFetched: k.row.LastFetched,
	}
	sameRepo := sameAddress(k.row.RepoURL, e.RepoURL) || refs.Repo != "" && refs.Repo == k.row.RepoKey
	sameProject := sameAddress(k.row.PyPIURL, e.PyPIURL) || refs.Project != "" && refs.Project == k.row.ProjectKey

	// What another site had fetched by a URL that can be asked by now, and the
	// other way round, stays with the URL.
	said := record.Source{Repo: k.row.Repo, Project: k.row.Project}
	if k.repo != nil {
		said.Repo = k.repo.Repo
	}
	if k.project != nil {
		said.Project = k.project.Project
	}
	if refs.Repo == "" && sameRepo {
		next.Repo = said.Repo
	}
	if refs.Project == "" && sameProject {
		next.Project = said.Project
	}
	if refs.Repo != "" {
		begin := record.Follow(k.repo, refs.Repo)
		if k.repo == nil && sameRepo {
			begin.Repo = k.row.Repo
		}
		if err := w.adopt(refs.Repo, k.repo, begin, e.ID); err != nil {
			return next, nil, err
		}
	}
	if refs.Project != "" {
		begin := record.Follow(nil, refs.Project)
		if k.project == nil && sameProject {
			begin.Project = k.row.Project
		}
		if err := w.adopt(refs.Project, k.project, begin, e.ID); err != nil {
			return next, nil, err
		}
	}
	for _, key := range k.row.keys() {
		if k.live && key != next.RepoKey && key != next.ProjectKey {
			if err := w.unrefer(key, e.ID); err != nil {
				return next, nil, err
			}
		}
	}
	if !k.live || !record.SameEntry(&k.row.Entry, &e) {
		next.Modified = t.now
	}
	if !sameRepo || !sameProject {
		next.LastFetched = time.Time{}
		p, err := w.resolve(&next)
		if err != nil {
			return next, nil, err
		}
		next.LastFetched = record.LastFetched(&p, t.now)
	}
	return next, refs.Problems, nil
}

// adopt notes that the package with the id refers to the source with the key. old
// is the source that it referred to so far, nil for none; begin is what becomes of
// the source where there is none yet.
func (w *writer) adopt(key record.Key, old *record.Source, begin record.Source, id int) error {
	if err := w.refer(key, id); err != nil {
		return err
	}
	live, err := w.source(key)
	if errors.Is(err, errDamaged) {
		err = errors.Join(w.purgeDue(key), ErrNotFound)
	}
	kept := old != nil && old.Key == key // by a tombstone, where it is not live itself
	switch {
	case errors.Is(err, ErrNotFound) && kept:
		return w.putSource(nil, old)
	case errors.Is(err, ErrNotFound):
		return w.putSource(nil, &begin)
	case err != nil:
		return err
	case kept && old != live && record.Wins(old, live, time.Now()):
		return w.learn(old, id)
	}
	return nil
}

// sameSources reports whether two rows refer to the same sources, and see alike
// why they do not refer to one.
func (r *row) sameSources(other *row) bool {
	return r.RepoKey == other.RepoKey && r.ProjectKey == other.ProjectKey && r.GitHub == other.GitHub && r.PyPI == other.PyPI
}

// sameAddress reports whether two URLs that cannot be asked are the same but for
// case and form.
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

// replacePackage writes next in place of old, nil for none, with all its keys.
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

// dropSlug forgets that rec's slug is rec's, unless it is another's by now.
func dropSlug(tx *bolt.Tx, rec *row) error {
	slugs := tx.Bucket(bucketSlugs)
	if number(slugs.Get([]byte(rec.Slug))) != uint64(rec.ID) {
		return nil
	}
	return slugs.Delete([]byte(rec.Slug))
}

func dropMembers(tx *bolt.Tx, rec *row) error {
	for _, grid := range rec.Grids {
		if err := tx.Bucket(bucketMembers).Delete(memberKey(grid, rec)); err != nil {
			return err
		}
	}
	return nil
}

// purgeKeys removes the keys of a package whose row can't tell them any more.
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
func memberKey(grid int, rec *row) []byte {
	title := rec.Title
	if len(title) > 4096 {
		title = title[:4096] // bbolt bounds a key
	}
	k := append(key(grid), strings.ReplaceAll(title, "\x00", "")...)
	return append(append(k, 0), key(rec.ID)...)
}
