// Package render turns package records into the bytes that readers get.
//
// A record is rendered once, when it is written, and kept: serving it is copying
// it. What differs between two answers with the same record is what stands before
// and behind the path of its links (scheme and host; a format suffix), so the kept
// form, the template, has marks in these places, and [Fill] completes it.
//
// The store keeps the template and the name of the [Rendering] that made it: where
// the name changes, all records are to be rendered anew.
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

// Rendering is everything that a record's bytes depend on beside the record.
type Rendering struct {
	Zone *time.Location // of the times; nil for UTC
	Base string         // scheme://host[/prefix] of the links in the snapshot and the feed of changes
}

// format is the version of what a template holds. Count it up with each change of
// the bytes. Schema 2 of the store wrote it without the "v".
const format = "v1"

// Name names r in a line of text that a store can keep: "v1 Europe/Berlin
// https://host/prefix". Renderings of one name make the same bytes.
func (r Rendering) Name() string { return name(r.zone().String(), r.Base) }

func name(zone, base string) string {
	return strings.Join([]string{format, zone, NormalBase(base)}, " ")
}

// Parse returns the rendering of a name. It fails where another version of this
// program made it, or where its time zone is not known here.
func Parse(name string) (Rendering, error) {
	version, rest, _ := strings.Cut(name, " ")
	zone, base, ok := strings.Cut(rest, " ")
	if version != format || !ok {
		return Rendering{}, fmt.Errorf("the rendering %q is not of this version: it would begin with %q, a time zone and a URL", name, format)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Rendering{}, fmt.Errorf("the rendering %q: %w", name, err)
	}
	return Rendering{Zone: location, Base: base}, nil
}

// New returns the function that renders packages as the rendering of that name
// does: what a store is opened with. It fails as [Parse] does.
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

// mark stands in a template wherever a request decides what to write. JSON never
// has this byte otherwise: in strings it is escaped.
const (
	mark     = 0
	markText = "\x00"
)

// Template returns the function that renders a record once for all answers. It
// needs the zone alone; [Fill] completes what it returns.
func (r Rendering) Template() func(*record.Package) []byte {
	zone := r.zone()
	return func(rec *record.Package) []byte {
		var e Encoder
		e.record(Links{Base: markText, Tail: markText}, rec, zone)
		return e.buf
	}
}

// Record returns a record as the API answers with it, its links below r.Base,
// indented by so many spaces a level, 0 for the compact form.
func (r Rendering) Record(rec *record.Package, indent int) []byte {
	var e Encoder
	e.Reset(max(indent, 0))
	e.record(Links{Base: NormalBase(r.Base), Tail: "/"}, rec, r.zone())
	return e.buf
}

// Links are what stands around the path of each link of a record.
type Links struct {
	Base string // before it: scheme://host[/prefix]
	Tail string // behind it: "/", or what else a request asked for, such as ".json"
}

// Fill appends a template with the links completed to b. A template has two marks
// a link: Base goes to the first, Tail to the second.
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
		if path < 0 { // no template has an odd number of marks
			return append(b, template...)
		}
		b = append(b, template[:path]...)
		b = append(b, l.Tail...)
		template = template[path+1:]
	}
}

// Template writes a record of which that is the template.
func (e *Encoder) Template(template []byte, l Links) {
	if e.indent == 0 {
		e.buf = Fill(e.buf, template, l)
		return
	}
	e.compact = Fill(e.compact[:0], template, l)
	e.JSON(e.compact)
}

// JSON writes a value that is JSON in the compact form already.
func (e *Encoder) JSON(compact []byte) {
	if e.indent == 0 {
		e.buf = append(e.buf, compact...)
		return
	}
	level := strings.Repeat(" ", e.indent)
	indented := bytes.NewBuffer(e.buf)
	if err := json.Indent(indented, compact, strings.Repeat(level, e.depth), level); err == nil { // it is JSON
		e.buf = indented.Bytes()
	}
}
