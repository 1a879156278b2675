package web

import "io"

// Hit is something that was found: a package or a grid.
type Hit struct {
	Package  *Item
	Category string // title of the package's category, "" for none
	Grid     *GridItem
}

// SearchPage is the form for a search and what was found.
type SearchPage struct {
	Clock
	Query string
	Asked bool // false shows only the form
	Hits  []Hit
	Full  bool   // there are as many hits as a search gives: it may have found more
	State string // of the search, one of those of package status; "" for current
}

// Search writes the search page.
func Search(w io.Writer, f Frame, p SearchPage) error {
	return render(w, "search", templateData{Frame: f, clock: p.Clock, Section: inSearch, Page: p})
}

// searchForm is the form for a search.
type searchForm struct{ Action, Query, Label string }

// SearchForm returns the form with a query filled in.
func (d templateData) SearchForm(query, label string) searchForm {
	return searchForm{d.To("/api/v4/search/"), query, label}
}
