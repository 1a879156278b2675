package importer

import (
	"cmp"
	"slices"
	"time"

	"pkgmetad/internal/record"
)

// IDs are the ids of categories, grids and packages by their slugs.
type IDs struct {
	Categories, Grids, Packages map[string]int
	Highest                     int // id that any package ever had
}

// names number what has a slug and no id, as the entries of API v3: within one reading, in
// the order in which the slugs are met. In the end, [collector.giveIDs] replaces the numbers.
type names struct{ categories, grids, packages slugs }

type slugs struct {
	numbers map[string]int // from 1
	order   []string
}

func (s *slugs) number(slug string) int {
	n, known := s.numbers[slug]
	if !known {
		if s.numbers == nil {
			s.numbers = make(map[string]int)
		}
		s.order = append(s.order, slug)
		n = len(s.order)
		s.numbers[slug] = n
	}
	return n
}

func (s *slugs) slug(number int) string { return s.order[number-1] }

// of returns the slugs of the entries of a kind.
func (n *names) of(kind string) *slugs {
	switch kind {
	case "category":
		return &n.categories
	case "grid":
		return &n.grids
	}
	return &n.packages
}

// giveIDs replaces the numbers of entries by ids: those that are known for their slugs, and
// for the others the next ones in the order in which the entries were created, which is how
// a site gives them.
func (c *collector) giveIDs(known IDs) {
	categories, grids := map[int]int{}, map[int]int{} // ids by number
	for i, id := range ids(c.Categories, known.Categories, 0, func(c *record.Category) (time.Time, string) { return c.Created, c.Slug }) {
		categories[c.Categories[i].ID], c.Categories[i].ID = id, id
	}
	for i, id := range ids(c.Grids, known.Grids, 0, func(g *record.Grid) (time.Time, string) { return g.Created, g.Slug }) {
		grids[c.Grids[i].ID], c.Grids[i].ID = id, id
	}
	for i, id := range ids(c.Records, known.Packages, known.Highest, func(p *record.Package) (time.Time, string) { return p.Created, p.Slug }) {
		rec := &c.Records[i]
		rec.ID, rec.Category = id, categories[rec.Category]
		for j := range rec.Grids {
			rec.Grids[j] = grids[rec.Grids[j]]
		}
	}
	sortByID(c.Categories, c.categories.key)
	sortByID(c.Grids, c.grids.key)
	sortByID(c.Records, c.packages.key)
}

// ids returns the id of each item. New ones are higher than highest and than all that are known.
func ids[T any](items []T, known map[string]int, highest int, of func(*T) (created time.Time, slug string)) []int {
	for _, id := range known {
		highest = max(highest, id)
	}
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		createdI, slugI := of(&items[i])
		createdJ, slugJ := of(&items[j])
		return cmp.Or(createdI.Compare(createdJ), cmp.Compare(slugI, slugJ))
	})
	all, taken := make([]int, len(items)), map[int]bool{}
	for _, i := range order {
		_, slug := of(&items[i])
		id, ok := known[slug]
		if !ok || taken[id] { // catalogue and store may disagree whose it is
			highest++
			id = highest
		}
		all[i], taken[id] = id, true
	}
	return all
}
