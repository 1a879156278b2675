package main

import (
	"fmt"
	"math"
	"os"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/importer"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// nameCategoriesAndGrids completes a snapshot, which has no more than the ids of its
// categories and grids, with those of the present catalogue or, if there is none,
// of the store. An id unknown there gets a placeholder.
func nameCategoriesAndGrids(c *importer.Collection, present *catalogue.Present, st *store.Store) error {
	if present.Exists && present.Err == nil {
		c.Categories, c.Grids = present.Catalogue.Categories, present.Catalogue.Grids
	} else {
		var err error
		if c.Categories, _, err = st.Categories(0, math.MaxInt); err != nil {
			return err
		}
		if c.Grids, _, err = st.Grids(0, math.MaxInt); err != nil {
			return err
		}
	}
	categories := namer{kind: "category", ids: make(map[int]bool), slugs: make(map[string]bool)}
	for _, x := range c.Categories {
		categories.ids[x.ID], categories.slugs[x.Slug] = true, true
	}
	grids := namer{kind: "grid", ids: make(map[int]bool), slugs: make(map[string]bool)}
	for _, x := range c.Grids {
		grids.ids[x.ID], grids.slugs[x.Slug] = true, true
	}
	for i := range c.Records {
		rec := &c.Records[i]
		if slug := categories.name(rec.Category); slug != "" {
			c.Categories = append(c.Categories, record.Category{ID: rec.Category, Slug: slug, Title: slug})
		}
		for _, id := range rec.Grids {
			if slug := grids.name(id); slug != "" {
				c.Grids = append(c.Grids, record.Grid{ID: id, Slug: slug, Title: slug})
			}
		}
	}
	if categories.named+grids.named > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"%s and %s are known by their ids alone and got titles like category-1 and grid-58; an import from an API root brings the real ones",
			record.Count(categories.named, "category", "categories"), record.Count(grids.named, "grid", "grids")))
	}
	return nil
}

// knownIDs returns the ids that slugs have in the store and in the present catalogue, which
// counts where they differ.
func knownIDs(present *catalogue.Present, st *store.Store) (known importer.IDs, err error) {
	if known.Packages, known.Highest, err = st.IDs(); err != nil {
		return known, err
	}
	categories, _, err := st.Categories(0, math.MaxInt)
	if err != nil {
		return known, err
	}
	grids, _, err := st.Grids(0, math.MaxInt)
	if err != nil {
		return known, err
	}
	known.Categories, known.Grids = map[string]int{}, map[string]int{}
	for _, c := range append(categories, present.Catalogue.Categories...) {
		known.Categories[c.Slug] = c.ID
	}
	for _, g := range append(grids, present.Catalogue.Grids...) {
		known.Grids[g.Slug] = g.ID
	}
	for _, p := range present.Catalogue.Packages {
		if p.ID != 0 {
			known.Packages[p.Slug] = p.ID
		}
	}
	return known, nil
}

// namer makes slugs for ids that have none.
type namer struct {
	kind  string
	ids   map[int]bool
	slugs map[string]bool
	named int
}

// name returns a new slug for an id, or "" for one that is known, or none.
func (n *namer) name(id int) string {
	if id == 0 || n.ids[id] {
		return ""
	}
	slug := fmt.Sprintf("%s-%d", n.kind, id)
	for n.slugs[slug] {
		slug += "_"
	}
	n.ids[id], n.slugs[slug] = true, true
	n.named++
	return slug
}

// sameFile reports whether both paths lead to one file that is there.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
