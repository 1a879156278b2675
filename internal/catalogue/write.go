package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

// writer writes a catalogue in one format, such that it loads as the same one.
type writer func(io.Writer, record.Catalogue) error

// writerFor returns the writer for the format that a file's name stands for.
func writerFor(path string) (writer, error) {
	f, ok := formatOf(path)
	if !ok {
		return nil, errors.New("its name does not say its format; give catalogue.path a name that ends in .yaml, .yml, .json, .ndjson or .jsonl")
	}
	return [...]writer{yamlFormat: writeYAML, jsonFormat: writeJSON, linesFormat: writeLines}[f], nil
}

// declaration is an entry as a catalogue declares it: its keys in order, and
// their values.
type declaration []keyValue

type keyValue struct {
	key   string
	value any
}

func (d *declaration) add(key string, value any) { *d = append(*d, keyValue{key, value}) }

// addUnlessZero adds a value unless it is the zero value.
func addUnlessZero[T comparable](d *declaration, key string, value T) {
	var zero T
	if value != zero {
		d.add(key, value)
	}
}

func (d *declaration) url(key string, url *string) {
	if url != nil {
		d.add(key, *url)
	}
}

func (d *declaration) time(key string, t time.Time) {
	if !t.IsZero() {
		d.add(key, t)
	}
}

// section is one of the lists of a catalogue.
type section struct {
	key     string // of the list, in YAML
	kind    string // of each entry, in JSON lines; "" for a package
	entries iter.Seq[declaration]
}

// sections returns the three lists of a catalogue, each ordered by id. Packages
// without an id come last, ordered by slug.
func sections(c record.Catalogue) [3]section {
	return [3]section{
		{"categories", "category", inOrder(c.Categories, func(x record.Category) (int, string) { return x.ID, x.Slug }, declareCategory)},
		{"grids", "grid", inOrder(c.Grids, func(x record.Grid) (int, string) { return x.ID, x.Slug }, declareGrid)},
		{"packages", "", inOrder(c.Packages, func(x record.Entry) (int, string) { return x.ID, x.Slug }, declarePackage)},
	}
}

func inOrder[T any](items []T, key func(T) (id int, slug string), declare func(*T) declaration) iter.Seq[declaration] {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b T) int {
		x, slugX := key(a)
		y, slugY := key(b)
		if (x == 0) != (y == 0) {
			return cmp.Compare(y, x) // no id: last
		}
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(slugX, slugY))
	})
	return func(yield func(declaration) bool) {
		for i := range items {
			if !yield(declare(&items[i])) {
				return
			}
		}
	}
}

func declareCategory(c *record.Category) (d declaration) {
	addUnlessZero(&d, "id", c.ID)
	addUnlessZero(&d, "slug", c.Slug)
	d.add("title", c.Title)
	addUnlessZero(&d, "title_plural", c.TitlePlural)
	addUnlessZero(&d, "description", c.Description)
	addUnlessZero(&d, "show_pypi", c.ShowPyPI)
	d.time("created", c.Created)
	d.time("modified", c.Modified)
	addUnlessZero(&d, "stale_after", c.StaleAfter)
	return d
}

func declareGrid(g *record.Grid) (d declaration) {
	addUnlessZero(&d, "id", g.ID)
	addUnlessZero(&d, "slug", g.Slug)
	d.add("title", g.Title)
	addUnlessZero(&d, "description", g.Description)
	addUnlessZero(&d, "is_locked", g.IsLocked)
	addUnlessZero(&d, "header", g.Header)
	d.time("created", g.Created)
	d.time("modified", g.Modified)
	return d
}

func declarePackage(p *record.Entry) (d declaration) {
	addUnlessZero(&d, "id", p.ID)
	addUnlessZero(&d, "slug", p.Slug)
	d.add("title", p.Title)
	addUnlessZero(&d, "category", p.Category)
	if len(p.Grids) > 0 {
		d.add("grids", p.Grids)
	}
	d.url("repo_url", p.RepoURL)
	d.url("pypi_url", p.PyPIURL)
	d.url("documentation_url", p.DocumentationURL)
	d.time("created", p.Created)
	addUnlessZero(&d, "stale_after", p.StaleAfter)
	return d
}

const head = `# A catalogue, as pkgmetad import wrote it. Change it as you like: an import
# writes it anew, and keeps what stood here as .bak.
`

func writeYAML(w io.Writer, c record.Catalogue) error {
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	var b []byte
	for _, s := range sections(c) {
		b = append(append(append(b[:0], '\n'), s.key...), ':')
		separator := "\n"
		for d := range s.entries {
			b = appendYAML(append(b, separator...), d)
			if _, err := w.Write(b); err != nil {
				return err
			}
			b, separator = b[:0], "\n\n"
		}
		if separator == "\n" { // no entry
			b = append(b, " []"...)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func appendYAML(b []byte, d declaration) []byte {
	before := "  - "
	for _, f := range d {
		b = append(append(append(b, before...), f.key...), ": "...)
		b = appendValue(b, f.value, plainYAML)
		before = "\n    "
	}
	return b
}

func writeJSON(w io.Writer, c record.Catalogue) error {
	b := []byte("{")
	for i, s := range sections(c) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n\""+s.key+"\": ["...)
		separator := "\n"
		for d := range s.entries {
			b = append(b, separator...)
			separator = ",\n"
			b = appendObject(append(b, "  "...), "", d)
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		if separator == ",\n" {
			b = append(b, '\n')
		}
		b = append(b, ']')
	}
	_, err := w.Write(append(b, "\n}\n"...))
	return err
}

func writeLines(w io.Writer, c record.Catalogue) error {
	var b []byte
	for _, s := range sections(c) {
		for d := range s.entries {
			b = append(appendObject(b[:0], s.kind, d), '\n')
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendObject(b []byte, kind string, d declaration) []byte {
	b = append(b, '{')
	if kind != "" {
		b = append(b, `"kind": "`+kind+`", `...)
	}
	for i, f := range d {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, `"`+f.key+`": `...)
		b = appendValue(b, f.value, nil)
	}
	return append(b, '}')
}

// appendValue appends a value as JSON, which is YAML as well. In YAML, plain is not
// nil: it reports which text to write without quotes; times and durations have none.
func appendValue(b []byte, value any, plain func(string) bool) []byte {
	switch v := value.(type) {
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case bool:
		return strconv.AppendBool(b, v)
	case []int:
		b = append(b, '[')
		for i, n := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = strconv.AppendInt(b, int64(n), 10)
		}
		return append(b, ']')
	case time.Time:
		const layout = "2006-01-02T15:04:05.999999Z07:00"
		if plain == nil {
			return append(v.UTC().AppendFormat(append(b, '"'), layout), '"')
		}
		return v.UTC().AppendFormat(b, layout)
	case time.Duration:
		if plain == nil {
			return append(append(append(b, '"'), strict.FormatDuration(v)...), '"')
		}
		return append(b, strict.FormatDuration(v)...)
	case string:
		if plain != nil && plain(v) {
			return append(b, v...)
		}
		return appendQuoted(b, v)
	}
	panic(fmt.Sprintf("appendValue: a catalogue declares no %T", value))
}

// appendQuoted appends text in double quotes. What is not printable, or what JSON
// and YAML read differently, becomes an escape that both have.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f || r <= 0xffff && !strconv.IsPrint(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// plainYAML reports whether text may stand in YAML without quotes and is read as
// that same text. In doubt it is false.
func plainYAML(s string) bool {
	return len(s) < 200 && plainText.MatchString(s) && !otherYAML.MatchString(s)
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_./+,()&=?@%~-]|:[A-Za-z0-9_./-]| [A-Za-z0-9_.(/])*$`)
	otherYAML = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n|inf|nan)$`)
)
