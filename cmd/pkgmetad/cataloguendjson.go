package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
)

const maxNDJSONLine = 1 << 20

func readNDJSONFile(path string, b *catalogueBuilder) {
	f, err := os.Open(path)
	if err != nil {
		b.problems.add(position{}, "", "cannot be opened: %s; check the path and its permissions", cause(err))
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		b.problems.add(position{}, "", "is a folder; name the file in it")
		return
	}
	readNDJSON(f, b)
}

// readNDJSON reads one object a line: a package, or what the object's kind
// says. It does without encoding/json, which lets duplicate keys and keys in
// other case pass, and stops at a line's first mistake without its column.
func readNDJSON(src io.Reader, b *catalogueBuilder) {
	in := bufio.NewReaderSize(src, maxNDJSONLine+2) // a line end more
	r := ndjsonReader{b: b}
	for line := 1; ; line++ {
		text, err := in.ReadSlice('\n')
		r.scan.line = line
		if errors.Is(err, bufio.ErrBufferFull) {
			b.problems.add(position{line, 1}, "", "is a line of more than 1 MiB; write one entry a line")
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			r.entries++
		} else {
			if line == 1 {
				text = bytes.TrimPrefix(text, []byte("\ufeff"))
			}
			r.read(bytes.TrimRight(text, "\r\n"))
		}
		if err != nil {
			if err != io.EOF {
				b.problems.add(position{line, 1}, "", "cannot be read further: %s", cause(err))
			}
			break
		}
	}
	if r.entries == 0 && len(b.problems.list) == 0 {
		b.problems.add(position{1, 1}, "", "%s", emptyNDJSONCatalogue)
	}
}

// ndjsonEntry is what a line may hold.
type ndjsonEntry interface {
	field(key string) any
	setPlace(at position, item int)
}

// ndjsonReader turns lines into entries.
type ndjsonReader struct {
	b          *catalogueBuilder
	scan       jsonScanner
	entries    int // lines that are not blank
	categories int
	grids      int
	packages   int
}

func (r *ndjsonReader) read(text []byte) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	r.entries++
	ps := r.b.problems
	if i := invalidUTF8(text); i >= 0 {
		ps.add(r.scan.at(i), "", "is not UTF-8 from here on; save the file as UTF-8 text")
		return
	}
	if err := r.scan.object(text); err != nil {
		ps.add(r.scan.at(r.scan.i), "", "is not a JSON object on a line of its own: %s", err)
		return
	}
	kind := "package"
	for i := range r.scan.fields {
		if f := &r.scan.fields[i]; string(f.key) == "kind" {
			if f.isList || f.value.kind != textKind {
				kind = ""
			} else {
				kind = f.value.text
			}
			if kind != "package" && kind != "category" && kind != "grid" {
				ps.add(f.value.at, "kind", "is none of package, category, grid; write one of them, or leave it out for a package")
				return
			}
		}
	}
	start := r.scan.at(bytes.IndexByte(text, '{'))
	switch kind {
	case "category":
		r.categories++
		var c fileCategory
		c.setPlace(start, r.categories)
		r.fill(&c, &r.b.categories, c.item)
		r.b.addCategory(&c)
	case "grid":
		r.grids++
		var g fileGrid
		g.setPlace(start, r.grids)
		r.fill(&g, &r.b.grids, g.item)
		r.b.addGrid(&g)
	default:
		r.packages++
		var p filePackage
		p.setPlace(start, r.packages)
		r.fill(&p, &r.b.packages, p.item)
		r.b.addPackage(&p)
	}
}

// fill sets the entry's values from the line's fields.
func (r *ndjsonReader) fill(dst ndjsonEntry, index *entryIndex, item int) {
	for i := range r.scan.fields {
		f := &r.scan.fields[i]
		if string(f.key) == "kind" {
			continue
		}
		at, message := r.set(dst, f)
		if message == "" {
			continue
		}
		slug := ""
		for _, g := range r.scan.fields {
			if string(g.key) == "slug" {
				slug = g.value.text
			}
		}
		r.b.problems.add(at, index.label(entry{item: item}, slug)+"."+safeKey(string(f.key)), "%s", message)
	}
}

// set stores one field, or says what is wrong with it.
func (r *ndjsonReader) set(dst ndjsonEntry, f *jsonField) (at position, message string) {
	if f.twice {
		return f.keyAt, "is given twice on this line; keep one of the two"
	}
	switch to := dst.field(string(f.key)).(type) {
	case nil:
		return f.keyAt, unknownKey(string(f.key), append(keysOf(reflect.TypeOf(dst).Elem()), "kind"), nil)
	case *[]ref:
		if !f.isList {
			if f.value.kind == nullKind {
				return position{}, ""
			}
			return f.value.at, "needs a list such as [1, 2], not " + f.value.kind.String()
		}
		*to = make([]ref, len(f.list))
		for i, s := range f.list {
			if err := setScalar(&(*to)[i], s); err != nil {
				return s.at, "entry " + itemLabel(i+1, "") + " " + err.Error()
			}
		}
	default:
		if f.isList {
			return f.value.at, "needs " + wanted(to) + ", not a list"
		}
		if err := setScalar(to, f.value); err != nil {
			return f.value.at, err.Error()
		}
	}
	return position{}, ""
}
