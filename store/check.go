package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
)

// Report is what [CheckFile] found.
type Report struct {
	Schema   uint64
	Unread   string // why only the pages were checked and not the values; "" if those were as well
	Packages int
	Sources  int
	Bytes    int64    // of the file that are in use or free
	Free     int64    // of them, bytes that are free
	Findings []string // what is wrong, a sentence each; the first thousand
	More     int      // findings beyond those
}

// maxFindings is how many findings a report lists.
const maxFindings = 1000

// CheckFile reads all of the file of a store that no daemon has open, or of a backup,
// and reports what is wrong: pages that do not fit together, values whose checksum does
// not match, and indexes that do not say what the records say. Nothing is changed. Of a
// file of an older schema, or one whose migration has not been completed, only the pages
// are checked. An error means that the file could not be opened or read at all.
//
// A source that no package refers to is no finding: an interrupted sync leaves some, and
// the next answer about each drops it.
func CheckFile(path string, o Options) (report Report, err error) {
	o = o.withDefaults()
	f, err := openFile(path, o, true)
	if err != nil {
		return report, err
	}
	defer func() { _ = f.close() }()
	// Read in the ordinary way first: what the disk cannot deliver is an error there,
	// and would be a fault in the map, in a goroutine of bbolt.
	if _, err := io.Copy(io.Discard, io.NewSectionReader(f.opened, 0, f.size.Load())); err != nil {
		return report, fmt.Errorf("read the store %s: %w", path, err)
	}
	err = guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			if report.Schema, err = schemaOf(tx); err != nil {
				return err
			}
			c := &checker{tx: tx, report: &report}
			c.structure()
			switch {
			case report.Schema == 0:
				return nil
			case report.Schema < schema:
				report.Unread = fmt.Sprintf("it has schema %d, and this program checks the records of schema %d, to which the daemon migrates it", report.Schema, schema)
				return nil
			case tx.Bucket(bucketMeta).Get(keyMigrating) != nil:
				report.Unread = fmt.Sprintf("its migration to schema %d has not been completed; the daemon continues it", schema)
				return nil
			}
			return c.content(o)
		})
	})
	if err != nil {
		return report, withAdvice(fmt.Errorf("check the store %s: %w", path, err))
	}
	return report, nil
}

// checker checks the state of a store that a transaction reads.
type checker struct {
	tx     *bolt.Tx
	report *Report
	render func(*record.Package) []byte
}

func (c *checker) find(format string, args ...any) {
	if len(c.report.Findings) >= maxFindings {
		c.report.More++
		return
	}
	c.report.Findings = append(c.report.Findings, fmt.Sprintf(format, args...))
}

// structure checks the pages. It must not run beside a writer.
func (c *checker) structure() {
	for err := range c.tx.Check() {
		c.find("pages: %v", err)
	}
	c.report.Bytes = c.tx.Size()
	c.report.Free = int64(c.tx.DB().Stats().FreePageN) * int64(c.tx.DB().Info().PageSize)
}

// content checks the values, bucket by bucket.
func (c *checker) content(o Options) (err error) {
	name := string(c.tx.Bucket(bucketMeta).Get(keyRendering))
	if name == "" {
		name = o.Rendering
	}
	if c.render, err = o.Render(name); err != nil {
		return fmt.Errorf("render packages as %q: %w", name, err)
	}
	for _, part := range []struct {
		bucket []byte
		check  func(k, v []byte)
	}{
		{bucketPackages, c.row}, {bucketServed, c.served}, {bucketStates, c.states}, {bucketSources, c.source},
		{bucketReferences, c.reference}, {bucketDue, c.due}, {bucketMembers, c.member}, {bucketSlugs, c.slug},
		{bucketChanges, c.change}, {bucketDeletions, c.deletion}, {bucketTombstones, c.value(bucketTombstones)},
		{bucketCategories, c.value(bucketCategories)}, {bucketGrids, c.value(bucketGrids)}, {bucketPasses, c.pass},
	} {
		bucket := c.tx.Bucket(part.bucket)
		if bucket == nil {
			c.find("the bucket %s is missing", part.bucket)
			continue
		}
		err := guard(func() error { // a damaged page ends its bucket, and no other
			return bucket.ForEach(func(k, v []byte) error {
				part.check(k, v)
				return nil
			})
		})
		if err != nil {
			c.find("%s: %v", part.bucket, err)
		}
	}
	return nil
}

// live returns the row of a package. damaged says that there is one, and it cannot be read.
func (c *checker) live(id int) (r row, found, damaged bool) {
	r, err := getRow(c.tx, id)
	return r, err == nil, err != nil && !errors.Is(err, ErrNotFound)
}

func (c *checker) row(k, v []byte) {
	c.report.Packages++
	id := int(number(k))
	r, found, _ := c.live(id)
	if !found || r.ID != id {
		c.find("%s: the checksum does not match, or the value is of another id", place(bucketPackages, id))
		return
	}
	if owner := c.tx.Bucket(bucketSlugs).Get([]byte(r.Slug)); !bytes.Equal(owner, k) {
		c.find("slugs/%s: does not lead to its package, %d", r.Slug, id)
	}
	if c.tx.Bucket(bucketTombstones).Get(k) != nil {
		c.find("%s: the package is there, and has a tombstone as well", place(bucketTombstones, id))
	}
	for _, grid := range r.Grids {
		if !c.has(bucketMembers, memberKey(grid, &r)) {
			c.find("members: the package %d is missing in its grid %d", id, grid)
		}
	}
	shared := false
	for _, key := range r.keys() {
		if !c.has(bucketReferences, referenceKey(key, id)) {
			c.find("references: there is none from %s to the package %d", key, id)
		}
		shared = shared || len(referringTo(c.tx, key)) > 1
		if s, err := getSource(c.tx, key); err == nil && !s.Interval.Covers(r.StaleAfter) {
			c.find("sources/%s: it is not fetched as often as the package %d wants", key, id)
		}
	}
	p, err := getPackage(c.tx, id)
	if err != nil {
		c.find("%s: its source: %v", place(bucketPackages, id), err)
		return
	}
	if !bytes.Equal(c.tx.Bucket(bucketStates).Get(k), statesOf(&p)) {
		c.find("%s: not what the sources of the package say", place(bucketStates, id))
	}
	switch served, err := getServed(c.tx, id); {
	case errors.Is(err, ErrNotFound):
		c.find("%s: missing", place(bucketServed, id))
	case err != nil: // found when served is checked
	case !shared && !bytes.Equal(served.Body, c.render(&p)):
		// Of shared sources, a migration keeps one of two answers, and what is served
		// until the next one comes.
		c.find("%s: not what the record says", place(bucketServed, id))
	}
}

// has reports whether a bucket has a key, whatever its value.
func (c *checker) has(bucket, k []byte) bool {
	found, _ := c.tx.Bucket(bucket).Cursor().Seek(k)
	return bytes.Equal(found, k)
}

func (c *checker) served(k, v []byte) {
	id := int(number(k))
	s, err := decodeServed(id, v)
	if err != nil {
		c.find("%s: the checksum does not match", place(bucketServed, id))
		return
	}
	if !c.has(bucketPackages, k) {
		c.find("%s: there is no such package", place(bucketServed, id))
	}
	changes := c.tx.Bucket(bucketChanges)
	if !bytes.Equal(changes.Get(key(int(s.Sequence))), k) && !bytes.Equal(changes.Get(changeKey(s.Sequence, id)), k) {
		c.find("%s: the feed does not have its change %d", place(bucketServed, id), s.Sequence)
	}
}

func (c *checker) states(k, _ []byte) {
	if !c.has(bucketPackages, k) {
		c.find("%s: there is no such package", placeOf(bucketStates, k))
	}
}

func (c *checker) source(k, v []byte) {
	c.report.Sources++
	s, err := decodeSource(k, v)
	if err != nil || string(s.Key) != string(k) {
		c.find("sources/%s: the checksum does not match, or the value is of another source", k)
		return
	}
	if !c.has(bucketDue, dueKey(&s)) && len(referringTo(c.tx, s.Key)) > 0 {
		c.find("due: %s is missing at %s", k, s.NextDue)
	}
}

func (c *checker) reference(k, _ []byte) {
	if len(k) < 10 || k[len(k)-9] != 0 {
		c.find("references/%q: not a key", k)
		return
	}
	source, id := record.Key(k[:len(k)-9]), int(number(k[len(k)-8:]))
	r, found, damaged := c.live(id)
	if !damaged && (!found || !slices.Contains(r.keys(), source)) {
		c.find("references/%s: the package %d does not refer to it", source, id)
	}
	if !c.has(bucketSources, []byte(source)) {
		c.find("references/%s: there is no such source, to which the package %d refers", source, id)
	}
}

func (c *checker) due(k, v []byte) {
	if len(k) < 9 {
		c.find("due/%q: not a key", k)
		return
	}
	s, err := getSource(c.tx, record.Key(k[8:]))
	if errors.Is(err, ErrNotFound) || err == nil && !bytes.Equal(dueKey(&s), k) {
		c.find("due/%s: not when the source is due", k[8:])
	} else if err == nil && len(v) > 0 && !bytes.Equal(dueValue(&s), v) { // an earlier program wrote none
		c.find("due/%s: not what the source says of its interval", k[8:])
	}
}

func (c *checker) member(k, _ []byte) {
	if len(k) < 17 {
		c.find("members/%q: not a key", k)
		return
	}
	grid, id := int(number(k[:8])), int(number(k[len(k)-8:]))
	r, found, damaged := c.live(id)
	if !damaged && (!found || !slices.Contains(r.Grids, grid) || !bytes.Equal(memberKey(grid, &r), k)) {
		c.find("members: the package %d is listed in the grid %d, and is not in it", id, grid)
	}
}

func (c *checker) slug(k, v []byte) {
	if !c.has(bucketPackages, v) && !c.has(bucketTombstones, v) {
		c.find("slugs/%s: leads to %d, which there is not", k, number(v))
	}
}

func (c *checker) change(k, v []byte) {
	c.numbered(bucketChanges, k)
	s, err := getServed(c.tx, int(number(v)))
	if errors.Is(err, ErrNotFound) || err == nil && s.Sequence != sequenceOf(k) {
		c.find("%s: not the last change of the package %d", placeOf(bucketChanges, k), number(v))
	}
}

func (c *checker) deletion(k, v []byte) {
	c.numbered(bucketDeletions, k)
	if len(v) < 16 {
		c.find("%s: too short", placeOf(bucketDeletions, k))
	}
}

// numbered checks the key of a change, which is one that was given out.
func (c *checker) numbered(bucket, k []byte) {
	if len(k) != 8 && len(k) != 16 || sequenceOf(k) > number(c.tx.Bucket(bucketMeta).Get(keySequence)) {
		c.find("%s: beyond the last change", placeOf(bucket, k))
	}
}

// value returns the check of a bucket whose values need only be intact.
func (c *checker) value(bucket []byte) func(k, v []byte) {
	return func(k, v []byte) {
		if !intact(v) {
			c.find("%s: the checksum does not match", placeOf(bucket, k))
		}
	}
}

func (c *checker) pass(k, v []byte) {
	if !json.Valid(v) {
		c.find("passes/%s: not a report", timeOf(k))
	}
}
