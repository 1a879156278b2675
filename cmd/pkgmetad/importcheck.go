package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"

	"pkgmetad/internal/importer"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// presentCatalogue is the catalogue file as it stands before an import.
type presentCatalogue struct {
	path      string
	exists    bool
	catalogue record.Catalogue
	err       error // why it cannot be read, where it exists
}

func readPresentCatalogue(path string) presentCatalogue {
	p := presentCatalogue{path: path}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return p
	}
	p.exists = true
	p.catalogue, p.err = LoadCatalogue(path)
	return p
}

// shownVanishing is how many of the packages that would vanish are named.
const shownVanishing = 5

// guard refuses a catalogue in which packages of the present one are missing,
// and one in place of a file that cannot be read.
func (p *presentCatalogue) guard(next record.Catalogue) error {
	if !p.exists {
		return nil
	}
	const advice = "nothing was changed; --replace lets the import replace it, and keeps it as .bak"
	if p.err != nil {
		return fmt.Errorf("the present catalogue cannot be read, so what would be lost with it cannot be told: %w\n%s", p.err, advice)
	}
	ids, slugs := make(map[int]bool, len(next.Packages)), make(map[string]bool, len(next.Packages))
	for i := range next.Packages {
		ids[next.Packages[i].ID], slugs[next.Packages[i].Slug] = true, true
	}
	count := 0
	var first []string
	for i := range p.catalogue.Packages {
		e := &p.catalogue.Packages[i]
		if slugs[e.Slug] || e.ID != 0 && ids[e.ID] {
			continue
		}
		if count++; count <= shownVanishing {
			first = append(first, e.Slug)
		}
	}
	if count == 0 {
		return nil
	}
	if count > shownVanishing {
		first = append(first, "…")
	}
	return fmt.Errorf("%d packages of the present catalogue %s are not in SOURCE and would vanish: %s; %s", count, p.path, strings.Join(first, ", "), advice)
}

// nameTaxonomy gives a snapshot, which knows the ids of its categories and
// grids alone, the categories and grids of the present catalogue or, where
// there is none, of the store. An id that they do not know gets a placeholder.
func nameTaxonomy(c *importer.Collection, present *presentCatalogue, st *store.Store) error {
	if present.exists && present.err == nil {
		c.Categories, c.Grids = present.catalogue.Categories, present.catalogue.Grids
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
			"%d categories and %d grids are known by their ids alone, and got titles like category-1 and grid-58; an import from an API root brings the real ones",
			categories.named, grids.named))
	}
	return nil
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
