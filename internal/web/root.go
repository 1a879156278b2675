package web

import "io"

// RootPage is the first page, and that of the API's root.
type RootPage struct {
	Packages, Grids, Categories int
	More                        []RootLink // to what is not in the navigation: the snapshot, the changes, openapi.json
}

// RootLink is a link with what is there.
type RootLink struct {
	Link
	Text string // what follows the title and a colon
}

// Root writes the first page.
func Root(w io.Writer, f Frame, p RootPage) error {
	return render(w, "root", templateData{Frame: f, Page: p})
}
