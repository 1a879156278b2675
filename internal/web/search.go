package web

import "io"

// Hit is something that was found.
type Hit struct {
	Kind        string // "package" or "grid"
	Title       string
	Path        string // of its page, below the prefix
	Description string
	Category    string // its title, "" for none
	Stars       *int   // nil for a grid
}

// SearchPage is the form for a search and what was found.
type SearchPage struct {
	Query string
	Asked bool // false shows only the form
	Hits  []Hit
	Count int    // of all results
	Pager *Pager // nil if all are shown
}

// Search writes the search page.
func Search(w io.Writer, f Frame, p SearchPage) error {
	return render(w, "search", templateData{Frame: f, Section: inSearch, Page: p})
}

// searchForm is the form for a search.
type searchForm struct{ Action, Query, Label string }

// SearchForm returns the form with a query filled in.
func (d templateData) SearchForm(query, label string) searchForm {
	return searchForm{d.To("/api/v4/search/"), query, label}
}
