// Package importer reads what another service of the same API holds into the
// values that the store keeps: over HTTP from its API root ([Site]), or from a
// file of documented records, one a line ([Snapshot]).
//
// It believes nothing that it reads. An entry that makes no sense is told of,
// with its id, and left out; the others are taken over as they are, so that the
// records served from them are the same, byte for byte, as the ones read.
//
//	site.go      the walk from the root through the three lists
//	list.go      one list, page by page, while it changes
//	fetch.go     one page over HTTP: retries, Retry-After, what is no answer
//	spool.go     the pages that arrived, so that a broken walk goes on
//	snapshot.go  a file, compressed or not, line by line
//	entry.go     one entry: its JSON, strictly
//	link.go      the links that stand for ids
//	zone.go      the time zone that a source writes its times in
//	importer.go  what the entries have to say about each other
package importer

import (
	"cmp"
	"fmt"
	"pkgmetad/internal/record"
	"slices"
	"time"
)

// Collection is what a source holds. Its lists are in the order of the ids, and
// no id or slug comes twice in one.
type Collection struct {
	Categories []record.Category
	Grids      []record.Grid
	Records    []record.Package // complete; each source of a record that has LastFetched as of then

	Skipped  int      // entries left out because they make no sense
	Dropped  int      // references left out because nothing is there
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

// skip tells of an entry that is left out. place says where it stands, for one
// without an id.
func (c *Collection) skip(kind string, id int, place string, err error) {
	c.Skipped++
	if id == 0 {
		c.problem("%s: %s; skipped", place, err)
		return
	}
	c.problem("%s %d: %s; skipped", kind, id, err)
}

// collector puts a Collection together from entries in any order.
type collector struct {
	Collection
	decoder
	categories taken[record.Category]
	grids      taken[record.Grid]
	packages   taken[record.Package]
}

func newCollector(from *origin, staleAfter time.Duration) *collector {
	c := &collector{
		categories: newTaken("category", func(c *record.Category) (int, string) { return c.ID, c.Slug }),
		grids:      newTaken("grid", func(g *record.Grid) (int, string) { return g.ID, g.Slug }),
		packages:   newTaken("package", func(p *record.Package) (int, string) { return p.ID, p.Slug }),
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

// taken are the entries of one kind so far.
type taken[T any] struct {
	kind   string
	key    func(*T) (id int, slug string)
	items  []T
	at     map[int]int // id -> index in items
	bySlug map[string]int
}

func newTaken[T any](kind string, key func(*T) (int, string)) taken[T] {
	return taken[T]{kind: kind, key: key, at: make(map[int]int), bySlug: make(map[string]int)}
}

// add takes an entry, unless err says what is wrong with it. One that comes
// again replaces the earlier one: pages shift while they are read. One that has
// another's slug, or another slug than its id had, makes no sense.
func add[T any](c *collector, t *taken[T], item T, place string, err error) {
	id, slug := t.key(&item)
	i, again := t.at[id]
	if err == nil {
		if other, known := t.bySlug[slug]; known && other != id {
			err = fmt.Errorf("its slug %s is that of %s %d", slug, t.kind, other)
		} else if again && !known {
			_, other := t.key(&t.items[i])
			err = fmt.Errorf("comes twice, as %s and as %s", other, slug)
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

func (t *taken[T]) clear() {
	t.items = nil
	clear(t.at)
	clear(t.bySlug)
}

func (t *taken[T]) has(id int) bool {
	_, ok := t.at[id]
	return ok
}

func (t *taken[T]) inOrder() []T {
	slices.SortFunc(t.items, func(a, b T) int {
		x, _ := t.key(&a)
		y, _ := t.key(&b)
		return cmp.Compare(x, y)
	})
	return t.items
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
			c.problem("package %d: %s %d is not listed there; taken without it", rec.ID, kind, id)
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
