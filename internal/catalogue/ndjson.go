package catalogue

import (
	"io"

	"pkgmetad/internal/strict"
)

// readLines reads one entry a line: a package, unless its kind says otherwise.
func readLines(src io.Reader, b *builder) {
	r := linesReader{b: b}
	strict.ReadLines(src, emptyLines, b.problems, r.read)
}

// linesReader adds the entries of JSON lines to a catalogue. It counts those of
// each kind, since messages name one without a slug by its number.
type linesReader struct {
	b                           *builder
	categories, grids, packages int
}

func (r *linesReader) read(o *strict.Object) {
	kind, ok := "package", true
	if o.Has("kind") {
		kind, ok = o.Text("kind")
	}
	switch {
	case ok && kind == "package":
		var p filePackage
		r.decode(o, &p, &p.place, &r.b.packages, &r.packages)
		r.b.addPackage(&p)
	case ok && kind == "category":
		var c fileCategory
		r.decode(o, &c, &c.place, &r.b.categories, &r.categories)
		r.b.addCategory(&c)
	case ok && kind == "grid":
		var g fileGrid
		r.decode(o, &g, &g.place, &r.b.grids, &r.grids)
		r.b.addGrid(&g)
	default:
		r.b.problems.Add(o.Place("kind"), "kind", "is not a kind of entry; write package, category or grid, or leave it out for a package")
	}
}

// decode fills dst from an object, which is the next entry of an index. e is the
// place within dst.
func (r *linesReader) decode(o *strict.Object, dst any, e *place, x *entryIndex, count *int) {
	*count++
	e.SetPlace(o.At, *count)
	o.Decode(dst, "kind", func() string {
		slug, _ := o.Text("slug")
		return x.label(*e, slug)
	}, r.b.problems)
}
