// Package web turns view models into the pages for people. It knows neither
// routes nor the store: who calls it hands over everything that a page shows,
// and gets HTML.
//
// Each page has a file with its view model (package.go) beside the file with
// its template (package.html); layout.html is what stands around all of them
// and parts.html what several of them share. The rest, one subject a file:
//
//	assets.go   the style sheet and the icon
//	answer.go   the raw answer below a page, its links alive
//	chart.go    the 52 weeks: the chart and the small one in lists
//	bars.go     shares of a whole as bars
//	source.go   how fresh a source is, in words
//	link.go     what may be a link, and where it leads
//	text.go     numbers, sizes and ages as people write them
//
// A page needs no script and nothing from another host, which [Policy] has
// browsers enforce. It forbids style attributes too: what depends on data are
// attributes of SVG elements, in per cent so that a picture fits every screen.
//
// What upstreams and catalogues say is hostile until escaped. html/template
// escapes by context; nothing here hands it text that it would pass as it is.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

// Policy is the Content-Security-Policy of every page: no inline script or
// style, no other host.
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Frame is what every page has around it.
type Frame struct {
	Prefix string  // path before every link on this host: "" or "/prefix"
	Title  string  // of the page
	Answer *Answer // the raw answer shown below, nil for none
}

// Link is a link to another page of this host.
type Link struct {
	Title string
	Path  string // below Prefix, with its query if any; an absolute URL of this host is one too
}

// Clock tells what the times on a page are relative to, and written in.
type Clock struct {
	Now  time.Time
	Zone *time.Location // nil for UTC
}

// The sections of the site, of which the one that a page belongs to is marked.
const (
	inPackages   = "packages"
	inGrids      = "grids"
	inCategories = "categories"
	inSearch     = "search"
	inStatus     = "status"
)

//go:embed *.html
var templateFiles embed.FS

// templates are the pages by name, each with all that it includes.
var templates = parseTemplates("root", "packages", "package", "grids", "grid", "categories", "category",
	"search", "status", "packagestatus", "plain")

func parseTemplates(names ...string) map[string]*template.Template {
	shared := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"number": number,
		"count":  count,
		"size":   size,
		"web":    webURL,
		"bare":   bare,
		"breaks": breaks,
	}).ParseFS(templateFiles, "layout.html", "parts.html"))
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		pages[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, name+".html"))
	}
	return pages
}

// templateData is what a template sees: the frame, the page and the methods for links
// and times.
type templateData struct {
	Frame
	clock   Clock
	Section string
	Page    any
}

// render writes a page, all of it or, where its template fails, nothing.
func render(w io.Writer, name string, d templateData) error {
	if d.clock.Zone == nil {
		d.clock.Zone = time.UTC
	}
	var b bytes.Buffer
	if err := templates[name].Execute(&b, d); err != nil {
		return fmt.Errorf("render the page %q: %w", d.Title, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// table is what a template for rows needs beside them.
type table struct {
	View    templateData
	Caption string
	Rows    any
}

func (d templateData) Table(caption string, rows any) table { return table{d, caption, rows} }
