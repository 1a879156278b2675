// Package importer reads what another service of the same API holds into the
// values that the store keeps: over HTTP from its API root ([Site]), or from a
// file of documented records, one a line ([Snapshot]).
//
// It trusts nothing that it reads. An invalid entry is reported with its id and
// skipped; the others are kept as they are, so that the records served from them are
// the same, byte for byte, as those that were read.
//
//	site.go      the walk from the root through the three lists
//	list.go      one list, page by page, while it changes
//	fetch.go     one page over HTTP: retries, Retry-After, errors
//	spool.go     the pages that arrived, so that an interrupted walk can resume
//	snapshot.go  a file, compressed or not, line by line
//	entry.go     one entry: its JSON, strictly
//	v3.go        packages as the older API, v3, has them
//	names.go     ids for them, which that API does not have
//	link.go      the ids and slugs in links, and the host that links must lead to
//	zone.go      the time zone of a source's times
//	importer.go  the collection, and the references between its entries
package importer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"pkgmetad/internal/record"
)

// Collection is what a source holds. Its lists are in the order of the ids, and each
// id and slug occurs once in a list.
type Collection struct {
	Categories []record.Category
	Grids      []record.Grid
	Records    []record.Package // complete; the sources of a record with LastFetched count as fetched then

	Skipped  int      // entries left out because they are invalid
	Dropped  int      // references left out because they lead to nothing
	Problems []string // what was skipped and dropped and why, the first maxProblems
	Warnings []string // what else a person should know

	// Unsettled names the lists that changed each time they were read, so that
	// entries may be missing; a warning says so too.
	Unsettled []string

	Zone Zone // of the times read
}

// maxProblems bounds the list of problems; a source may hold millions.
const maxProblems = 1000

// Catalogue returns the declared half of the collection.
func (c *Collection) Catalogue() record.Catalogue {
	catalogue := record.Catalogue{Categories: c.Categories, Grids: c.Grids, Packages: make([]record.Entry, len(c.Records))}
	for i := range c.Records {
		catalogue.Packages[i] = c.Records[i].Entry
	}
	return catalogue
}

func (c *Collection) problem(format string, args ...any) {
	if len(c.Problems) < maxProblems {
		c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
	}
}

// skip reports an entry that is left out. place says where it is in the source, for
// an entry without an id.
func (c *collector) skip(kind string, id int, place string, err error) {
	c.Skipped++
	if id == 0 {
		c.problem("%s: %s; skipped", place, err)
		return
	}
	c.problem("%s: %s; skipped", c.label(kind, id), err)
}

// collector puts a Collection together from entries in any order.
type collector struct {
	Collection
	decoder
	categories table[record.Category]
	grids      table[record.Grid]
	packages   table[record.Package]
}

func newCollector(from *origin, staleAfter time.Duration) *collector {
	c := &collector{
		categories: newTable("category", func(c *record.Category) (int, string) { return c.ID, c.Slug }),
		grids:      newTable("grid", func(g *record.Grid) (int, string) { return g.ID, g.Slug }),
		packages:   newTable("package", func(p *record.Package) (int, string) { return p.ID, p.Slug }),
	}
	c.decoder = decoder{origin: from, staleAfter: staleAfter, zone: &c.Zone}
	return c
}

func (c *collector) addCategory(data []byte, place string) {
	item, err := c.category(data)
	add(c, &c.categories, item, place, err)
}

func (c *collector) addGrid(data []byte, place string) {
	item, err := c.grid(data)
	add(c, &c.grids, item, place, err)
}

func (c *collector) addPackage(data []byte, place string) {
	item, err := c.record(data)
	add(c, &c.packages, item, place, err)
}

// table holds the entries of one kind so far.
type table[T any] struct {
	kind   string
	key    func(*T) (id int, slug string)
	items  []T
	at     map[int]int // id -> index in items
	bySlug map[string]int
}

func newTable[T any](kind string, key func(*T) (int, string)) table[T] {
	return table[T]{kind: kind, key: key, at: make(map[int]int), bySlug: make(map[string]int)}
}

// add keeps an entry, unless err says what is wrong with it. An entry that occurs
// again replaces the earlier one: pages shift while they are read. It is invalid if
// its slug belongs to another id, or if its id had another slug before.
func add[T any](c *collector, t *table[T], item T, place string, err error) {
	id, slug := t.key(&item)
	i, again := t.at[id]
	if err == nil {
		if other, known := t.bySlug[slug]; known && other != id {
			err = fmt.Errorf("its slug %s is that of %s %d", slug, t.kind, other)
		} else if again && !known {
			_, other := t.key(&t.items[i])
			err = fmt.Errorf("occurs twice, as %s and as %s", other, slug)
		}
	}
	switch {
	case err != nil:
		c.skip(t.kind, id, place, err)
	case again:
		t.items[i] = item
	default:
		t.at[id], t.bySlug[slug] = len(t.items), id
		t.items = append(t.items, item)
	}
}

func (t *table[T]) clear() {
	t.items = nil
	clear(t.at)
	clear(t.bySlug)
}

func (t *table[T]) has(id int) bool {
	_, ok := t.at[id]
	return ok
}

func (t *table[T]) inOrder() []T {
	sortByID(t.items, t.key)
	return t.items
}

func sortByID[T any](items []T, key func(*T) (id int, slug string)) {
	slices.SortFunc(items, func(a, b T) int {
		x, _ := key(&a)
		y, _ := key(&b)
		return cmp.Compare(x, y)
	})
}

// finish returns the collection.
func (c *collector) finish() *Collection {
	c.Categories, c.Grids, c.Records = c.categories.inOrder(), c.grids.inOrder(), c.packages.inOrder()
	return &c.Collection
}

// checkReferences drops references to categories and grids that are not there.
func (c *collector) checkReferences() {
	for i := range c.packages.items {
		rec := &c.packages.items[i]
		drop := func(kind string, id int) {
			c.Dropped++
			c.problem("%s: %s is not listed; imported without it", c.label("package", rec.ID), c.label(kind, id))
		}
		if rec.Category != 0 && !c.categories.has(rec.Category) {
			drop("category", rec.Category)
			rec.Category = 0
		}
		rec.Grids = slices.DeleteFunc(rec.Grids, func(id int) bool {
			if c.grids.has(id) {
				return false
			}
			drop("grid", id)
			return true
		})
	}
}
