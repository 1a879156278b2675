package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
)

// Pager is a stretch of a longer list.
type Pager struct {
	Count          int     // in the whole list
	First, Last    int     // numbers of the shown ones, from 1; 0 where there are none
	Previous, Next *string // addresses of the stretches beside it, as the API makes them; nil for none
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
func (i Item) Counted() bool { return counted(&i.Record) }

// Spark is the package's weeks.
func (i Item) Spark() *spark { return newSpark(i.Record.Repo.Commits52) }

func name(rec *record.Package) string { return cmp.Or(rec.Title, rec.Slug) }

// Pages is what the links to the pages beside this one are made of.
func (d templateData) Pages(p Pager) any {
	return struct {
		View  templateData
		Pager Pager
	}{d, p}
}
