package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"pkgmetad/internal/record"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// catalogueWriter writes a catalogue so that it loads as the same one.
type catalogueWriter func(io.Writer, record.Catalogue) error

func catalogueIsYAML(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yaml" || ext == ".yml" || ext == ".json"
}

func catalogueFormat(path string) (catalogueWriter, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ndjson", ".jsonl":
		return writeNDJSON, nil
	case ".yaml", ".yml":
		return writeYAML, nil
	case ".json":
		return writeJSON, nil
	}
	return nil, errors.New("its name does not tell the format; give catalogue.path a name that ends in .yaml, .yml, .json, .ndjson or .jsonl")
}

// declaration is an entry as a catalogue declares it: its keys in order, and
// their values. What is left at its zero value is not declared.
type declaration []struct {
	key   string
	value any
}

func (d *declaration) add(key string, value any) {
	*d = append(*d, struct {
		key   string
		value any
	}{key, value})
}

// given adds a value unless it is the zero value.
func given[T comparable](d *declaration, key string, value T) {
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

// declarations are the three lists of a catalogue, each in the order of the
// ids; packages without one come last, in the order of their slugs.
func declarations(c record.Catalogue) [3]struct {
	list, kind string
	entries    func(yield func(declaration) bool)
} {
	type section = struct {
		list, kind string
		entries    func(yield func(declaration) bool)
	}
	return [3]section{
		{"categories", "category", inOrder(c.Categories, func(x record.Category) (int, string) { return x.ID, x.Slug }, declareCategory)},
		{"grids", "grid", inOrder(c.Grids, func(x record.Grid) (int, string) { return x.ID, x.Slug }, declareGrid)},
		{"packages", "", inOrder(c.Packages, func(x record.Entry) (int, string) { return x.ID, x.Slug }, declarePackage)},
	}
}

func inOrder[T any](items []T, key func(T) (id int, slug string), declare func(*T) declaration) func(yield func(declaration) bool) {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b T) int {
		x, slugX := key(a)
		y, slugY := key(b)
		return cmp.Or(cmp.Compare(uint(x-1), uint(y-1)), cmp.Compare(slugX, slugY)) // 0 becomes the greatest
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
	given(&d, "id", c.ID)
	given(&d, "slug", c.Slug)
	d.add("title", c.Title)
	given(&d, "title_plural", c.TitlePlural)
	given(&d, "description", c.Description)
	given(&d, "show_pypi", c.ShowPyPI)
	d.time("created", c.Created)
	d.time("modified", c.Modified)
	return d
}

func declareGrid(g *record.Grid) (d declaration) {
	given(&d, "id", g.ID)
	given(&d, "slug", g.Slug)
	d.add("title", g.Title)
	given(&d, "description", g.Description)
	given(&d, "is_locked", g.IsLocked)
	given(&d, "header", g.Header)
	d.time("created", g.Created)
	d.time("modified", g.Modified)
	return d
}

func declarePackage(p *record.Entry) (d declaration) {
	given(&d, "id", p.ID)
	given(&d, "slug", p.Slug)
	d.add("title", p.Title)
	given(&d, "category", p.Category)
	if len(p.Grids) > 0 {
		d.add("grids", p.Grids)
	}
	d.url("repo_url", p.RepoURL)
	d.url("pypi_url", p.PyPIURL)
	d.url("documentation_url", p.DocumentationURL)
	d.time("created", p.Created)
	return d
}

const catalogueHead = `# A catalogue, as pkgmetad import wrote it. Change it as you like: an import
# writes it anew, and keeps what stood here as .bak.
`

func writeYAML(w io.Writer, c record.Catalogue) error {
	b := []byte(catalogueHead)
	for _, section := range declarations(c) {
		b = append(b, '\n')
		b = append(b, section.list...)
		b = append(b, ':')
		empty := true
		for d := range section.entries {
			b = append(b, '\n')
			if !empty {
				b = append(b, '\n')
			}
			empty = false
			before := "  - "
			for i, f := range d {
				if i > 0 {
					b = append(b, '\n')
				}
				b = append(b, before...)
				b = append(b, f.key...)
				b = append(b, ": "...)
				b = appendValue(b, f.value, plainYAML)
				before = "    "
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		if empty {
			b = append(b, " []"...)
		}
		b = append(b, '\n')
	}
	_, err := w.Write(b)
	return err
}

func writeJSON(w io.Writer, c record.Catalogue) error {
	b := []byte("{")
	for i, section := range declarations(c) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n\""+section.list+"\": ["...)
		separator := "\n"
		for d := range section.entries {
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

func writeNDJSON(w io.Writer, c record.Catalogue) error {
	var b []byte
	for _, section := range declarations(c) {
		for d := range section.entries {
			b = append(appendObject(b[:0], section.kind, d), '\n')
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

// appendValue writes a value in JSON, which YAML reads as well, but text bare
// where plain says so.
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
	case string:
		if plain != nil && plain(v) {
			return append(b, v...)
		}
		return appendQuoted(b, v)
	}
	panic(fmt.Sprintf("appendValue: a %T is nothing that a catalogue declares", value))
}

// appendQuoted writes text in double quotes, with the escapes that JSON and
// YAML share for all that is not seen, or read otherwise, by one of them.
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

// plainYAML reports whether text may stand in YAML without quotes, and be
// nothing but that text. It errs on the side of quotes.
func plainYAML(s string) bool {
	return len(s) < 200 && plainText.MatchString(s) && !otherYAML.MatchString(s)
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_./+,()&=?@%~-]|:[A-Za-z0-9_./-]| [A-Za-z0-9_.(/])*$`)
	otherYAML = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n|inf|nan)$`)
)
