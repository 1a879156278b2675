package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// GridPage compares the packages of a grid.
type GridPage struct {
	Clock
	Grid record.Grid
	List List
	JSON string // path of the grid as JSON, below the prefix
}

// Grid writes the page of a grid.
func Grid(w io.Writer, f Frame, p GridPage) error {
	return render(w, "grid", templateData{Frame: f, clock: p.Clock, Section: inGrids, Page: p})
}

// Name is the grid's title or, where it has none, its slug.
func (p GridPage) Name() string { return cmp.Or(p.Grid.Title, p.Grid.Slug) }
