package web

import (
	"cmp"
	"slices"

	"pkgmetad/internal/record"
)

// List is a part of a list of packages, as a table that compares them.
type List struct {
	Pager   Pager // Count is that of the packages that pass the filters
	All     int   // packages in the list, without filters
	Items   []Item
	Heads   []Head
	Filters []Filter
	Own     string // the list's own order in words, "" to leave it unsaid
	Plain   string // address of the list in its own order without filters, "" if it is that

	Other     string                // address of the other view, "" for none
	Readiness bool                  // shows the packages against versions of Django
	Django    []record.VersionCount // of Django, newest first, that the packages name
}

// Item is a package in a list.
type Item struct {
	Record record.Package
	Path   string // of its page, below the prefix
}

// Head is the head of a column.
type Head struct {
	Title  string
	Number bool
	Href   string // the list sorted by it; where it is already, the other way round
	Sorted string // "ascending" or "descending", "" if the list is not sorted by it
}

// Filter leaves out packages, or would.
type Filter struct {
	Title string
	On    bool
	Href  string // the list with the filter, or without if it is on
}

// Column is a column that a list can be sorted by.
type Column struct {
	Sort   record.Column
	Title  string
	Number bool
	text   bool // sorted from A to Z at first, else from the highest down
}

// Columns are those of the table, in their order.
var Columns = []Column{
	{record.ByName, "Package", false, true},
	{record.ByStars, "Stars", true, false},
	{record.ByForks, "Forks", true, false},
	{record.ByParticipants, "Participants", true, false},
	{record.ByCommits, "52 weeks", false, false},
	{record.ByUpdated, "Last commit", false, false},
	{record.ByVersion, "Version", false, false},
	{record.ByReleased, "Released", false, false},
	{record.ByPython, "Python", false, false},
	{record.ByDjango, "Django", false, false},
	{record.ByMaturity, "Maturity", false, false},
	{record.ByLicence, "Licence", false, true},
}

// Heads returns the heads of the columns of a list that is sorted by one of them, or by
// none. link returns the address of the list sorted by a column, which has a "-" before it
// to sort from the highest value down.
func Heads(sorted record.Column, descending bool, link func(sort string) string) (heads []Head) {
	for _, c := range Columns {
		h := Head{Title: c.Title, Number: c.Number}
		down := !c.text
		if c.Sort == sorted {
			down = !descending
			h.Sorted = "ascending"
			if descending {
				h.Sorted = "descending"
			}
		}
		sort := string(c.Sort)
		if down {
			sort = "-" + sort
		}
		h.Href = link(sort)
		heads = append(heads, h)
	}
	return heads
}

// ReadinessHeads are the heads that the table against versions of Django has of Heads.
func (l List) ReadinessHeads() (heads []Head) {
	for i, h := range l.Heads {
		if c := Columns[i].Sort; c == record.ByName || c == record.ByDjango {
			heads = append(heads, h)
		}
	}
	return heads
}

// mostVersions is the largest number of versions that are compared.
const mostVersions = 12

// Versions are the newest versions of Django, as many as the table shows.
func (l List) Versions() []record.VersionCount { return l.Django[:min(len(l.Django), mostVersions)] }

// Older is how many versions the table leaves out.
func (l List) Older() int { return max(0, len(l.Django)-mostVersions) }

// Filtered reports whether a filter leaves out packages.
func (l List) Filtered() bool {
	return slices.ContainsFunc(l.Filters, func(f Filter) bool { return f.On })
}

// Order says what the list is sorted by, "" for its own order.
func (l List) Order() string {
	for _, h := range l.Heads {
		if h.Sorted != "" {
			return h.Title + ", " + h.Sorted
		}
	}
	return ""
}

// Name is the package's title or, where it has none, its slug.
func (i Item) Name() string { return name(&i.Record) }

func name(rec *record.Package) string { return cmp.Or(rec.Title, rec.Slug) }

// Counted reports whether the package's numbers are known.
func (i Item) Counted() bool { return i.Record.Counted() }

// Spark is the small chart of the package's weeks, nil if they are unknown.
func (i Item) Spark() *spark { return newSpark(i.Record.Repo.Commits52) }

// Maturity is the development status in PyPI's words, "" if unknown.
func (i Item) Maturity() string { return maturity(i.Record.Project.Status) }

// Python and Django are the versions that the package names, in short; "" for none.
func (i Item) Python() string { return record.Span(i.support().Python) }
func (i Item) Django() string { return record.Span(i.support().Django) }

// Names reports whether the package names a version of Django.
func (i Item) Names(version string) bool { return slices.Contains(i.support().Django, version) }

func (i Item) support() record.Support {
	if s := i.Record.Project.Support; s != nil {
		return *s
	}
	return record.Support{}
}

// Marks are the reasons to think twice before using a package, in words.
func (d templateData) Marks(i Item) (words []string) {
	for _, m := range i.Record.Marks(d.clock.Now) {
		switch m {
		case record.MarkNoRelease:
			words = append(words, "no release for 2 years")
		case record.MarkNoCommit:
			words = append(words, "no commit for a year")
		default:
			words = append(words, string(m))
		}
	}
	return words
}
