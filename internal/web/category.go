package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// CategoryPage is one category.
type CategoryPage struct {
	Clock
	Category record.Category
	List     List
	JSON     string // path of the category as JSON, below the prefix
}

// Category writes the page of a category.
func Category(w io.Writer, f Frame, p CategoryPage) error {
	return render(w, "category", templateData{Frame: f, clock: p.Clock, Section: inCategories, Page: p})
}

// Name is the category's title or, where it has none, its slug.
func (p CategoryPage) Name() string { return cmp.Or(p.Category.Title, p.Category.Slug) }
