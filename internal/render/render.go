// Package render turns package records into the bytes that clients get.
//
// A record is rendered once, when it is written, and stored in that form: to serve
// it is to copy it. Answers with the same record differ only in what stands before
// and after the path of its links (scheme and host; a format suffix), so the stored
// form, the template, has marks in these places, and [Fill] replaces them.
//
// The store keeps the templates and the name of the [Rendering] that made them: if
// the name changes, all records must be rendered again.
package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// Root is the path below which the documented API lies, and all links of records.
const Root = "/api/v4/"

// Rendering is everything that a record's bytes depend on besides the record.
type Rendering struct {
	Zone *time.Location // of the times; nil for UTC
	Base string         // scheme://host[/prefix] of the links in the snapshot and the feed of changes
}

// format is the version of the templates. Increment it with each change of the
// bytes. Schema 2 of the store wrote it without the "v".
const format = "v1"

// Name returns the name of r, a line of text that a store can keep: "v1
// Europe/Berlin https://host/prefix". Renderings with the same name make the same
// bytes.
func (r Rendering) Name() string { return name(r.zone().String(), r.Base) }

func name(zone, base string) string {
	return strings.Join([]string{format, zone, NormalBase(base)}, " ")
}

// Parse returns the rendering with a name. It fails if another version of this
// program made the name, or if its time zone is unknown here.
func Parse(name string) (Rendering, error) {
	version, rest, _ := strings.Cut(name, " ")
	zone, base, ok := strings.Cut(rest, " ")
	if version != format || !ok {
		return Rendering{}, fmt.Errorf("the rendering %q is not of this version, whose names consist of %q, a time zone and a URL", name, format)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Rendering{}, fmt.Errorf("the rendering %q: %w", name, err)
	}
	return Rendering{Zone: location, Base: base}, nil
}

// New returns the function [Rendering.Template] of the rendering with a name, as a
// store needs it when it is opened. It fails as [Parse] does.
func New(name string) (func(*record.Package) []byte, error) {
	r, err := Parse(name)
	if err != nil {
		return nil, err
	}
	return r.Template(), nil
}

func (r Rendering) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// mark stands in a template for what depends on the request. It cannot occur
// otherwise, because JSON escapes this byte in strings.
const (
	mark     = 0
	markText = "\x00"
)

// Template returns the function that renders a record once for all answers, as a
// template for [Fill]. Of r it uses only the zone.
func (r Rendering) Template() func(*record.Package) []byte {
	zone := r.zone()
	return func(rec *record.Package) []byte {
		var e Encoder
		e.record(Links{Base: markText, Suffix: markText}, rec, zone)
		return e.buf
	}
}

// Record returns a record as the API serves it, its links beginning with r.Base,
// indented by so many spaces a level, 0 for the compact form.
func (r Rendering) Record(rec *record.Package, indent int) []byte {
	var e Encoder
	e.Reset(max(indent, 0))
	e.record(Links{Base: NormalBase(r.Base), Suffix: "/"}, rec, r.zone())
	return e.buf
}

// Links are what stands before and after the path of each link in a record.
type Links struct {
	Base   string // before the path: scheme://host[/prefix]
	Suffix string // after the path: "/", or what a request asked for, such as ".json"
}

// Fill appends a template with its links completed to b. A template has two marks
// for each link: the first is replaced by Base, the second by Suffix.
func Fill(b, template []byte, l Links) []byte {
	for {
		before := bytes.IndexByte(template, mark)
		if before < 0 {
			return append(b, template...)
		}
		b = append(b, template[:before]...)
		b = append(b, l.Base...)
		template = template[before+1:]

		path := bytes.IndexByte(template, mark)
		if path < 0 { // never: the number of marks is even
			return append(b, template...)
		}
		b = append(b, template[:path]...)
		b = append(b, l.Suffix...)
		template = template[path+1:]
	}
}

// Template writes the record that a template is of.
func (e *Encoder) Template(template []byte, l Links) {
	if e.indent == 0 {
		e.buf = Fill(e.buf, template, l)
		return
	}
	e.compact = Fill(e.compact[:0], template, l)
	e.JSON(e.compact)
}

// JSON writes a value that is already encoded, in the compact form.
func (e *Encoder) JSON(compact []byte) {
	if e.indent == 0 {
		e.buf = append(e.buf, compact...)
		return
	}
	level := strings.Repeat(" ", e.indent)
	indented := bytes.NewBuffer(e.buf)
	if err := json.Indent(indented, compact, strings.Repeat(level, e.depth), level); err == nil { // always, for JSON
		e.buf = indented.Bytes()
	}
}
