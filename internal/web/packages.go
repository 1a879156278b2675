package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// Pager is the position of a page in a longer list.
type Pager struct {
	Count          int     // of all items in the list
	First, Last    int     // numbers of the first and the last item shown, from 1; 0 if there are none
	Previous, Next *string // addresses of the previous and the next page, as the API makes them; nil for none
}

// Item is a package in a list.
type Item struct {
	Record record.Package
	Path   string // of its page, below the prefix
}

// ListPage is a list of packages.
type ListPage struct {
	Clock
	Pager Pager
	Items []Item
}

// Packages writes a list of packages.
func Packages(w io.Writer, f Frame, p ListPage) error {
	return render(w, "packages", templateData{Frame: f, clock: p.Clock, Section: inPackages, Page: p})
}

// Name is the package's title or, where it has none, its slug.
func (i Item) Name() string { return name(&i.Record) }

// Counted reports whether the package's numbers are known.
func (i Item) Counted() bool { return i.Record.Counted() }

// Spark is the small chart of the package's weeks, nil if they are unknown.
func (i Item) Spark() *spark { return newSpark(i.Record.Repo.Commits52) }

func name(rec *record.Package) string { return cmp.Or(rec.Title, rec.Slug) }

// Pages returns the data of the template "pager".
func (d templateData) Pages(p Pager) any {
	return struct {
		View  templateData
		Pager Pager
	}{d, p}
}
