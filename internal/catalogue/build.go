package catalogue

import (
	"slices"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

// builder builds a catalogue from entries in any order. It checks what concerns
// more than one entry: ids and slugs given twice, and references.
type builder struct {
	problems   *strict.Problems
	cat        record.Catalogue
	categories entryIndex
	grids      entryIndex
	packages   entryIndex
	refs       []packageRefs // of cat.Packages, by index; references may point forward
}

type packageRefs struct {
	category ref
	grids    []ref
}

// entryIndex indexes the entries of one kind.
type entryIndex struct {
	list   string // the key of their list, in YAML
	kind   string
	bySlug map[string]entryID // with the position of the slug
	byID   map[int]strict.Position
}

func newBuilder(ps *strict.Problems) *builder {
	index := func(list, kind string) entryIndex {
		return entryIndex{list, kind, make(map[string]entryID), make(map[int]strict.Position)}
	}
	return &builder{
		problems:   ps,
		categories: index("categories", "category"),
		grids:      index("grids", "grid"),
		packages:   index("packages", "package"),
	}
}

// label returns the name of an entry for use in a message.
func (x *entryIndex) label(e place, slug string) string {
	return x.list + "[" + strict.ItemLabel(e.item, slug) + "]"
}

// add indexes an entry, and reports whether it may go into the catalogue.
func (x *entryIndex) add(e place, id entryID, slug entrySlug, needsID bool, ps *strict.Problems) bool {
	label := func() string { return x.label(e, slug.text) }
	switch {
	case !slug.given:
		x.missing(e.at, label(), "slug", ps)
	case slug.text == "": // reported where it was read
	default:
		if earlier, twice := x.bySlug[slug.text]; twice {
			ps.Add(slug.at, label()+".slug", "is already the slug of the %s on line %d; keep one of the two", x.kind, earlier.at.Line)
		} else {
			x.bySlug[slug.text] = entryID{n: id.n, at: slug.at}
		}
	}
	switch {
	case !id.given && needsID:
		x.missing(e.at, label(), "id", ps)
	case id.n == 0: // not given, or reported where it was read
	default:
		if earlier, twice := x.byID[id.n]; twice {
			ps.Add(id.at, label()+".id", "%d is already the id of the %s on line %d; give each its own", id.n, x.kind, earlier.Line)
		} else {
			x.byID[id.n] = id.at
		}
	}
	return slug.text != ""
}

// missing reports a key that an entry lacks, unless a problem with the entry or the
// key has been reported already.
func (x *entryIndex) missing(at strict.Position, label, key string, ps *strict.Problems) {
	if !ps.Has(label, label+"."+key) {
		ps.Add(at, label+"."+key, "is missing; every %s needs one", x.kind)
	}
}

// resolve returns the id that r stands for.
func (x *entryIndex) resolve(r ref) (id int, ok bool) {
	if r.slug != "" {
		e, ok := x.bySlug[r.slug]
		return e.n, ok
	}
	_, ok = x.byID[r.id]
	return r.id, ok
}

// titleOr returns the title, if one is declared, even an empty one, or else the
// slug.
func titleOr(title *string, slug entrySlug) string {
	if title == nil {
		return slug.text
	}
	return *title
}

func (b *builder) addCategory(c *fileCategory) {
	if b.categories.add(c.place, c.ID, c.Slug, true, b.problems) {
		b.cat.Categories = append(b.cat.Categories, record.Category{
			ID: c.ID.n, Slug: c.Slug.text, Title: titleOr(c.Title, c.Slug), TitlePlural: c.TitlePlural,
			Description: c.Description, ShowPyPI: c.ShowPyPI, Created: c.Created, Modified: c.Modified, StaleAfter: time.Duration(c.StaleAfter),
		})
	}
}

func (b *builder) addGrid(g *fileGrid) {
	if b.grids.add(g.place, g.ID, g.Slug, true, b.problems) {
		b.cat.Grids = append(b.cat.Grids, record.Grid{
			ID: g.ID.n, Slug: g.Slug.text, Title: titleOr(g.Title, g.Slug), Description: g.Description,
			IsLocked: g.IsLocked, Header: g.Header, Created: g.Created, Modified: g.Modified,
		})
	}
}

func (b *builder) addPackage(p *filePackage) {
	if b.packages.add(p.place, p.ID, p.Slug, false, b.problems) {
		b.cat.Packages = append(b.cat.Packages, record.Entry{
			ID: p.ID.n, Slug: p.Slug.text, Title: titleOr(p.Title, p.Slug),
			RepoURL: p.RepoURL, PyPIURL: p.PyPIURL, DocumentationURL: p.DocumentationURL, Created: p.Created, StaleAfter: time.Duration(p.StaleAfter),
		})
		b.refs = append(b.refs, packageRefs{category: p.Category.ref, grids: p.Grids})
	}
}

// finish resolves the references and returns the catalogue, which is usable only
// if there are no problems.
func (b *builder) finish() record.Catalogue {
	for i := range b.cat.Packages {
		p, refs := &b.cat.Packages[i], b.refs[i]
		p.Category = b.id(&b.categories, refs.category, p.Slug, "category")
		for j, r := range refs.grids {
			id := b.id(&b.grids, r, p.Slug, "grids")
			if id == 0 {
				continue
			}
			if k := slices.Index(p.Grids, id); k >= 0 {
				b.problems.Add(r.at, "packages["+strict.KeyLabel(p.Slug)+"].grids", "entry %d names grid %s, which the list already has; keep one of the two", j+1, r)
				continue
			}
			p.Grids = append(p.Grids, id)
		}
	}
	return b.cat
}

// id resolves a package's reference. It returns 0 for the zero ref, and for one that
// names no entry, which it reports.
func (b *builder) id(x *entryIndex, r ref, slug, key string) int {
	if r == (ref{}) {
		return 0
	}
	id, ok := x.resolve(r)
	if !ok {
		b.problems.Add(r.at, "packages["+strict.KeyLabel(slug)+"]."+key, "there is no %s %s in this file; declare it under %s or correct the name", x.kind, r, x.list)
		return 0
	}
	return id
}
