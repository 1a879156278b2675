package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// CategoryItem is a category in a list.
type CategoryItem struct {
	record.Category
	Path string // of its page, below the prefix
}

// CategoriesPage is a list of categories.
type CategoriesPage struct {
	Pager Pager
	Items []CategoryItem
}

// Categories writes a list of categories.
func Categories(w io.Writer, f Frame, p CategoriesPage) error {
	return render(w, "categories", templateData{Frame: f, Section: inCategories, Page: p})
}

// Name is the category's title or, where it has none, its slug.
func (c CategoryItem) Name() string { return cmp.Or(c.Title, c.Slug) }
