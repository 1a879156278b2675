package web

import "io"

// RootPage is the first page, and that of the API's root.
type RootPage struct {
	Packages, Grids, Categories int
	More                        []Link // to what is not in the navigation: the snapshot, the changes, openapi.json
}

// Root writes the first page.
func Root(w io.Writer, f Frame, p RootPage) error {
	return render(w, "root", templateData{Frame: f, Page: p})
}
