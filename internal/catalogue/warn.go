package catalogue

import (
	"fmt"
	"strconv"
	"strings"

	"pkgmetad/internal/record"
)

// Warnings returns a sentence for each thing in a catalogue that is allowed and seldom
// meant: that it has no packages, slugs that differ in case alone, and slugs that are the
// id of another entry, by which that one is found.
func Warnings(c record.Catalogue) (all []string) {
	if len(c.Packages) == 0 {
		all = append(all, "the catalogue declares no packages: nothing is fetched, and the lists are empty")
	}
	packages, grids, categories := newSlugs("package", "packages"), newSlugs("grid", "grids"), newSlugs("category", "categories")
	for i := range c.Packages {
		packages.add(c.Packages[i].Slug, c.Packages[i].ID)
	}
	for i := range c.Grids {
		grids.add(c.Grids[i].Slug, c.Grids[i].ID)
	}
	for i := range c.Categories {
		categories.add(c.Categories[i].Slug, c.Categories[i].ID)
	}
	for _, s := range []*slugs{packages, grids, categories} {
		all = append(all, s.warnings()...)
	}
	return all
}

// slugs are those of the entries of one kind, in the order of the file.
type slugs struct {
	one, many string
	inOrder   []string
	ids       []int          // of inOrder; 0 for none
	byID      map[int]string // declared ones
}

func newSlugs(one, many string) *slugs {
	return &slugs{one: one, many: many, byID: map[int]string{}}
}

func (s *slugs) add(slug string, id int) {
	s.inOrder, s.ids = append(s.inOrder, slug), append(s.ids, id)
	if id != 0 {
		s.byID[id] = slug
	}
}

func (s *slugs) warnings() (all []string) {
	folded := map[string]string{} // in lower case -> as it is
	for i, slug := range s.inOrder {
		if earlier, alike := folded[strings.ToLower(slug)]; alike {
			all = append(all, fmt.Sprintf("the slugs %s and %s of two %s differ in case alone: they are two %s, each with an address of its own; if that is not meant, remove one", earlier, slug, s.many, s.many))
		} else {
			folded[strings.ToLower(slug)] = slug
		}
		if n, err := strconv.Atoi(slug); err == nil && n != s.ids[i] && s.byID[n] != "" {
			all = append(all, fmt.Sprintf("the slug %s of a %s is the id of the %s %s, which is what is found by it; write another slug", slug, s.one, s.one, s.byID[n]))
		}
	}
	return all
}
