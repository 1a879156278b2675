package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"pkgmetad/internal/durable"
	"pkgmetad/internal/record"
)

// schema is the version of the layout that this program reads and writes.
const schema = 4

func createBuckets(tx *bolt.Tx, names ...[]byte) error {
	for _, name := range names {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// addFeed adds a change and an empty served form for each existing package. Open then
// renders the packages, since the file has no rendering.
func addFeed(tx *bolt.Tx) error {
	if err := createBuckets(tx, bucketServed, bucketChanges, bucketDeletions, bucketPasses); err != nil {
		return err
	}
	// The sequence begins where no earlier file at this path can have ended, so that
	// a client that followed the feed of such a file is told to start again.
	now := time.Now()
	sequence := number(timeKey(now))
	meta := tx.Bucket(bucketMeta)
	if err := errors.Join(meta.Put(keyFloor, key(int(sequence))), meta.Put(keyChanged, timeKey(now))); err != nil {
		return err
	}
	c := tx.Bucket(bucketPackages).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		id := int(number(k))
		sequence++
		if err := tx.Bucket(bucketChanges).Put(key(int(sequence)), key(id)); err != nil {
			return err
		}
		if err := tx.Bucket(bucketServed).Put(key(id), encodeServed(sequence, now, nil)); err != nil {
			return err
		}
	}
	return meta.Put(keySequence, key(int(sequence)))
}

// migrate migrates the file to the current schema. Packages are migrated in chunks,
// each in a transaction of its own. If the process is killed meanwhile, the next one
// continues.
func (s *Store) migrate() error {
	var version uint64
	begun, probe := false, false
	if err := s.view(func(tx *bolt.Tx) (err error) {
		if version, err = schemaOf(tx); err == nil && version == schema {
			begun, probe = tx.Bucket(bucketMeta).Get(keyMigrating) != nil, tx.Bucket(bucketProbe) != nil
		}
		return err
	}); err != nil {
		return err
	}
	switch {
	case version == schema && !begun && !probe:
		return nil
	case version == schema:
		if begun {
			s.options.Migrating(fmt.Sprintf("the migration of the database to schema %d, which was interrupted, goes on", schema))
		}
		if err := s.update(dropProbe); err != nil {
			return err
		}
	default:
		if version != 0 {
			kept, err := s.keepOldSchema()
			if err != nil {
				err = fmt.Errorf("keep a copy of the file before it is migrated to schema %d: %w; nothing was changed", schema, err)
				if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
					size, _ := s.Space()
					err = fmt.Errorf("%w; make room for a copy of %d MiB", err, size>>20+1)
				}
				return err
			}
			s.options.Migrating(fmt.Sprintf("the database is migrated from schema %d to %d, and an older pkgmetad refuses it from now on; to go back, there is a copy, %s: delete it once you will not",
				version, schema, kept))
		}
		if err := s.update(func(tx *bolt.Tx) error { return s.beginMigration(tx, version) }); err != nil {
			return err
		}
	}
	for {
		done := false
		if err := s.update(func(tx *bolt.Tx) (err error) {
			done, err = s.migrateChunk(tx)
			return err
		}); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", schema, err)
		}
		if done {
			return nil
		}
	}
}

// requireSchema fails, with what to do, if the file needs to be migrated.
func requireSchema(tx *bolt.Tx) error {
	version, err := schemaOf(tx)
	switch {
	case err != nil:
		return err
	case version == 0:
		return errEmpty
	case version != schema:
		return fmt.Errorf("it has schema %d, this one reads %d; start the daemon once, which migrates it", version, schema)
	case tx.Bucket(bucketMeta).Get(keyMigrating) != nil:
		return fmt.Errorf("its migration to schema %d has not been completed; start the daemon once, which continues it", schema)
	}
	return nil
}

// schemaOf returns the schema of the file, 0 for a new one.
func schemaOf(tx *bolt.Tx) (uint64, error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		if name, _ := tx.Cursor().First(); name != nil {
			return 0, fmt.Errorf("this is the database of another program (it has a bucket %q); nothing was changed", name)
		}
		return 0, nil
	}
	switch version := number(meta.Get(keySchema)); {
	case version == 0:
		return 0, errors.New("this is not a database of pkgmetad (its schema version is missing); nothing was changed")
	case version > schema:
		return 0, fmt.Errorf("written by a newer pkgmetad (schema %d, this one knows %d); nothing was changed: run the newer version", version, schema)
	default:
		return version, nil
	}
}

// beginMigration creates the buckets of the current schema. Once it is committed, an
// older program refuses the file.
func (s *Store) beginMigration(tx *bolt.Tx, version uint64) error {
	if version == 0 {
		if err := createBuckets(tx, bucketMeta, bucketPackages, bucketTombstones, bucketSlugs, bucketDue, bucketCategories, bucketGrids, bucketMembers); err != nil {
			return err
		}
	}
	if version < 2 {
		if err := addFeed(tx); err != nil {
			return fmt.Errorf("migrate to schema 2: %w", err)
		}
	}
	meta := tx.Bucket(bucketMeta)
	if version < 3 {
		if err := addSources(tx); err != nil {
			return fmt.Errorf("migrate to schema 3: %w", err)
		}
	}
	return errors.Join(meta.Put(keyMigrating, key(0)), meta.Put(keySchema, key(schema)))
}

// addSources creates the buckets of schema 3.
func addSources(tx *bolt.Tx) error {
	// Up to schema 2 the due index was by package, and "sources" held the states.
	for _, name := range [][]byte{bucketDue, bucketSources} {
		if err := tx.DeleteBucket(name); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
	}
	if err := createBuckets(tx, bucketDue, bucketSources, bucketStates, bucketReferences); err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	if name := string(meta.Get(keyRendering)); name != "" {
		rendering, limit := renderingSince3(name)
		if err := meta.Put(keyRendering, []byte(rendering)); err != nil {
			return err
		}
		if limit != "" {
			dated := append(bytes.Clone(meta.Get(keyChanged)), "max_limit="+limit...)
			if err := meta.Put(datedKey("pages"), dated); err != nil {
				return err
			}
		}
	}
	return meta.Delete(keyCatalogue) // so that the catalogue is synced again
}

// renderingSince3 returns the current name of a rendering of schema 2, whose name
// also contained a setting that no record depends on, http.max_limit, and that
// setting. The daemon now has it dated by itself, as that of its pages: see Dated.
func renderingSince3(name string) (rendering, limit string) {
	f := strings.SplitN(name, " ", 4) // version, time zone, limit, base
	if len(f) != 4 {
		return name, ""
	}
	return strings.Join([]string{"v" + f[0], f[1], f[3]}, " "), f[2]
}

// migrateChunk migrates some packages. In schema 2 the fetched data was stored with each
// package; it moves to the sources. If several packages refer to one source, record.Wins
// decides. A package that has a value in the states bucket is of schema 3, and gets the
// longer value of schema 4. What is served stays as it was rendered, so that nothing
// changes for clients or in the feed.
func (s *Store) migrateChunk(tx *bolt.Tx) (done bool, err error) {
	meta, packages := tx.Bucket(bucketMeta), tx.Bucket(bucketPackages)
	last := meta.Get(keyMigrating)
	if last == nil {
		return true, nil
	}
	var ids, values [][]byte
	c := packages.Cursor()
	for k, v := c.Seek(key(int(number(last) + 1))); k != nil && len(ids) < syncChunk; k, v = c.Next() {
		ids, values = append(ids, bytes.Clone(k)), append(values, bytes.Clone(v))
	}
	if len(ids) == 0 {
		return true, meta.Delete(keyMigrating)
	}
	w := s.newWriter(tx)
	for i := range ids {
		if tx.Bucket(bucketStates).Get(ids[i]) != nil {
			w.referring[int(number(ids[i]))] = lesson{}
			continue
		}
		var p record.Package
		if err := decode(values[i], &p, place(bucketPackages, int(number(ids[i])))); err != nil {
			continue // damaged: the next sync of the catalogue repairs it
		}
		if err := s.migratePackage(w, &p); err != nil {
			return false, fmt.Errorf("package %s: %w", p.Slug, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.referring)) { // whose sources are known by now
		p, err := getPackage(tx, id)
		if err == nil {
			err = w.putStates(&p)
		}
		if err != nil && !errors.Is(err, errDamaged) {
			return false, fmt.Errorf("package %d: %w", id, err)
		}
	}
	return false, meta.Put(keyMigrating, ids[len(ids)-1])
}

// keepOldSchema puts a copy of the file beside it, which is never removed, and returns its
// path.
func (s *Store) keepOldSchema() (path string, err error) {
	path = fmt.Sprintf("%s.before-schema-%d", s.path, schema)
	if _, err := os.Lstat(path); err == nil { // of an earlier migration, after which the copy was put back
		path += time.Now().UTC().Format("-20060102T150405Z")
	}
	temporary := path + ".tmp"
	if err := durable.Create(temporary, s.file.info.Mode().Perm(), func(w io.Writer) error { return s.Backup(w) }); err != nil {
		return "", err
	}
	if err := MarkCopy(temporary); err != nil {
		return "", errors.Join(err, os.Remove(temporary))
	}
	return path, durable.Rename(temporary, path)
}

func (s *Store) migratePackage(w *writer, p *record.Package) error {
	refs := s.refer(p.Entry)
	r := row{
		Entry: p.Entry, RepoKey: refs.Repo, ProjectKey: refs.Project, GitHub: refs.GitHub, PyPI: refs.PyPI,
		Modified: p.Modified, LastFetched: p.LastFetched,
	}
	if refs.Repo == "" {
		r.Repo = &p.Repo
	} else if err := w.migrateSource(record.Source{Key: refs.Repo, Status: fetchable(p.GitHub), Repo: &p.Repo}, p.ID); err != nil {
		return err
	}
	if refs.Project == "" {
		r.Project = &p.Project
	} else if err := w.migrateSource(record.Source{Key: refs.Project, Status: fetchable(p.PyPI), Project: &p.Project}, p.ID); err != nil {
		return err
	}
	value, err := encode(r)
	if err != nil {
		return err
	}
	w.referring[p.ID] = lesson{}
	return w.Bucket(bucketPackages).Put(key(p.ID), value)
}

// fetchable returns the status of a source that can be fetched now, even if it could
// not be fetched before.
func fetchable(s record.Status) record.Status {
	if !s.State.Fetchable() || s.State == "" {
		return record.Status{State: record.StateNew}
	}
	return s
}

// migrateSource stores what one of the packages that refer to a source had for it.
// Where it wins, the packages that refer to it are noted.
func (w *writer) migrateSource(source record.Source, id int) error {
	if err := w.refer(source.Key, id); err != nil {
		return err
	}
	known, err := w.source(source.Key)
	if errors.Is(err, ErrNotFound) {
		return w.putSource(nil, &source)
	}
	if err != nil || !record.Wins(&source, known, time.Now()) {
		return err
	}
	for _, id := range referringTo(w.Tx, source.Key) {
		w.referring[id] = lesson{}
	}
	return w.putSource(known, &source)
}
