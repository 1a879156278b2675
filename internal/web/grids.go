package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// GridItem is a grid in a list.
type GridItem struct {
	record.Grid
	Path     string // of its page, below the prefix
	Packages int    // how many it compares
}

// GridsPage is a list of grids.
type GridsPage struct {
	Pager Pager
	Items []GridItem
}

// Grids writes a list of grids.
func Grids(w io.Writer, f Frame, p GridsPage) error {
	return render(w, "grids", templateData{Frame: f, Section: inGrids, Page: p})
}

// Name is the grid's title or, where it has none, its slug.
func (g GridItem) Name() string { return cmp.Or(g.Title, g.Slug) }
