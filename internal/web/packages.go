package web

import "io"

// Pager is the position of a page in a longer list.
type Pager struct {
	Count          int     // of all items in the list
	First, Last    int     // numbers of the first and the last item shown, from 1; 0 if there are none
	Previous, Next *string // addresses of the previous and the next page, as the API makes them; nil for none
}

// ListPage is a list of packages.
type ListPage struct {
	Clock
	List List
}

// Packages writes a list of packages.
func Packages(w io.Writer, f Frame, p ListPage) error {
	return render(w, "packages", templateData{Frame: f, clock: p.Clock, Section: inPackages, Page: p})
}

// Pages returns the data of the template "pager".
func (d templateData) Pages(p Pager) any {
	return struct {
		View  templateData
		Pager Pager
	}{d, p}
}

// HeadRow returns the data of the template "heads".
func (d templateData) HeadRow(heads []Head) any {
	return struct {
		View  templateData
		Heads []Head
	}{d, heads}
}
