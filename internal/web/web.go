// Package web turns view models into HTML pages. It knows neither routes nor the
// store: the caller passes everything that a page shows.
//
// Each page has a file with its view model (package.go) beside the file with
// its template (package.html); layout.html is the frame around all of them,
// parts.html and list.html hold what several of them share. The rest, one subject a file:
//
//	head.go     what the head of a page says to machines
//	assets.go   the style sheet and the icon
//	answer.go   the raw answer below a page, with working links
//	chart.go    the 52 weeks: the chart and the small one in lists
//	bars.go     parts of a total as bars
//	list.go     packages compared in a table that can be sorted and filtered
//	source.go   where a source stands
//	notice.go   what to know before using a package
//	install.go  the command that installs it
//	link.go     what may be a link, and where it leads
//	text.go     numbers, sizes and times as people write them
//
// A page needs no script and nothing from another host, which browsers enforce
// because of [Policy]. It forbids style attributes too: so positions and sizes that
// depend on data are attributes of SVG elements, in per cent to fit every screen.
//
// Data from upstreams and catalogues is hostile until escaped. html/template
// escapes by context; no value here has a type that exempts it.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

// Policy is the Content-Security-Policy of every page: no inline script or
// style, no other host.
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Site is what every page says of the site that it belongs to.
type Site struct {
	Name        string
	Description string // a sentence
}

// Frame is what is around the content of every page, and what machines read of it.
type Frame struct {
	Site   Site
	Prefix string  // path before every link on this host: "" or "/prefix"
	Base   string  // scheme://host[/prefix] of the links to this service that need them
	Title  string  // of the page, "" for that of the site
	Answer *Answer // the raw answer to show below the content, nil for none

	// Description says what is on the page, in words that may be anybody's; "" for that of
	// the site. It is cut to a length that search engines show.
	Description string
	// Path is the address of the page, below the prefix, among all those that show the same
	// or parts of the same, such as a list sorted in another way. "" asks search engines to
	// leave the page out, as they do with errors and results of searches.
	Path string
	// JSON is the address of the page's data as JSON, below the prefix; "" for none.
	JSON string
}

// Link is a link to another page of this host.
type Link struct {
	Title string
	Path  string // below Prefix, with its query if any; or an absolute URL of this host
}

// Clock says what the times on a page are relative to, and their zone.
type Clock struct {
	Now  time.Time
	Zone *time.Location // nil for UTC
}

// The sections of the site. The navigation marks the one that a page belongs to.
const (
	inPackages   = "packages"
	inGrids      = "grids"
	inCategories = "categories"
	inSearch     = "search"
	inStatus     = "status"
)

//go:embed *.html
var templateFiles embed.FS

// templates are the pages by name, each with everything that it includes.
var templates = parseTemplates("root", "packages", "package", "grids", "grid", "categories", "category",
	"search", "status", "packagestatus", "plain")

func parseTemplates(names ...string) map[string]*template.Template {
	shared := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"number": number,
		"count":  count,
		"size":   size,
		"lag":    func(messages uint64) int { return int(min(messages, math.MaxInt32)) },
		"web":    webURL,
		"bare":   bare,
		"breaks": breaks,
	}).ParseFS(templateFiles, "layout.html", "parts.html", "list.html"))
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		pages[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, name+".html"))
	}
	return pages
}

// templateData is the data of a template: the frame, the page, and methods for links
// and times.
type templateData struct {
	Frame
	clock   Clock
	Section string
	Page    any

	Unfolded bool // the raw answer is, since the page has nothing else
}

// render writes a page, or nothing if its template fails.
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

// table is the data of a template for rows. View gives it the methods for times.
type table struct {
	View    templateData
	Caption string
	Rows    any
}

func (d templateData) Table(caption string, rows any) table { return table{d, caption, rows} }
