package api

import (
	"bytes"
	"encoding/json"
	"pkgmetad/internal/record"
	"strconv"
	"strings"
	"time"
)

// What differs between two answers with the same package is what stands before
// and behind the path of its links. A template has a mark in each of these
// places, which in JSON stands for itself nowhere else.
const (
	mark     = 0
	markText = "\x00"
)

// Template returns the function that renders a package once for all answers:
// the JSON with a mark for whatever a request decides. It is what a store whose
// packages this package serves has to be opened with.
func Template(location *time.Location) func(*record.Package) []byte {
	a := api{location: location}
	if location == nil {
		a.location = time.UTC
	}
	return func(rec *record.Package) []byte {
		var e encoder
		a.writePackage(&e, &request{base: markText, tail: markText}, rec)
		return e.buf
	}
}

// Rendering names everything beside the records that the answers depend on: what
// Template writes, and what [Options] say. base is what stands before the links
// of the snapshot. With another one, all packages have changed for those who
// follow them, or ask by date.
func Rendering(base string, location *time.Location, maxLimit int) string {
	const version = "1" // of what Template writes; counts up with each change of it
	if location == nil {
		location = time.UTC
	}
	return strings.Join([]string{version, location.String(), strconv.Itoa(maxLimit), base}, " ")
}

// served writes a package as the store keeps it.
func (e *encoder) served(rq *request, template []byte) {
	if e.indent == 0 {
		e.buf = appendTemplate(e.buf, template, rq.base, rq.tail)
		return
	}
	e.compact = appendTemplate(e.compact[:0], template, rq.base, rq.tail)
	level := strings.Repeat(" ", e.indent)
	indented := bytes.NewBuffer(e.buf)
	if err := json.Indent(indented, e.compact, strings.Repeat(level, e.depth), level); err == nil { // it is JSON
		e.buf = indented.Bytes()
	}
}

// appendTemplate appends the template with base before and tail behind each link.
func appendTemplate(b, template []byte, base, tail string) []byte {
	for {
		i := bytes.IndexByte(template, mark)
		if i < 0 {
			return append(b, template...)
		}
		b = append(b, template[:i]...)
		b = append(b, base...)
		template = template[i+1:]
		base, tail = tail, base
	}
}
