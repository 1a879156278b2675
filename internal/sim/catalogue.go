package sim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Catalogue declares the packages of a world, as a person would.
type Catalogue struct {
	Categories []Category
	Grids      []Grid
	Packages   []Package
}

// A Category is a kind of package.
type Category struct {
	ID          int       `json:"id"`
	Slug        string    `json:"slug"`
	Title       string    `json:"title"`
	TitlePlural string    `json:"title_plural"`
	Description string    `json:"description"`
	ShowPyPI    bool      `json:"show_pypi"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`
}

// A Grid is a comparison of packages.
type Grid struct {
	ID          int       `json:"id"`
	Slug        string    `json:"slug"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	IsLocked    bool      `json:"is_locked"`
	Header      bool      `json:"header"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`
}

// A Package is one entry. Nil and "" both mean no URL, as in real catalogues.
type Package struct {
	ID               int       `json:"id"`
	Slug             string    `json:"slug"`
	Title            string    `json:"title"`
	Category         string    `json:"category"` // slug
	Grids            []string  `json:"grids"`    // slugs, in order
	RepoURL          *string   `json:"repo_url"`
	PyPIURL          *string   `json:"pypi_url"`
	DocumentationURL *string   `json:"documentation_url"`
	Created          time.Time `json:"created"`
}

// AddCategory declares a category; one of the same id is replaced.
func (w *World) AddCategory(x Category) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &w.catalogue
	c.Categories = append(slices.DeleteFunc(c.Categories, func(o Category) bool { return o.ID == x.ID }), x)
}

// AddGrid declares a grid; one of the same id is replaced.
func (w *World) AddGrid(x Grid) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &w.catalogue
	c.Grids = append(slices.DeleteFunc(c.Grids, func(o Grid) bool { return o.ID == x.ID }), x)
}

// AddPackage declares a catalogue entry outright; one of the same id or slug is
// replaced. An id of 0 is replaced by a free one.
func (w *World) AddPackage(p Package) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addPackage(p)
}

func (w *World) addPackage(p Package) {
	if p.ID == 0 {
		p.ID = w.takeID()
	}
	c := &w.catalogue
	c.Packages = append(slices.DeleteFunc(c.Packages, func(o Package) bool { return o.ID == p.ID || o.Slug == p.Slug }), p)
}

// Catalogue returns the entries that were generated or declared outright, then one for each
// other repository that is not Unlisted, with the project of the same name, and one for each
// remaining project. Ids do not change when more is added.
func (w *World) Catalogue() Catalogue {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return Catalogue{w.categories(), slices.Clone(w.catalogue.Grids), slices.Collect(w.entries())}
}

// WriteNDJSON writes what [Catalogue.WriteNDJSON] does, entry by entry: a million packages take
// no memory.
func (w *World) WriteNDJSON(to io.Writer) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return writeNDJSON(to, w.categories(), w.catalogue.Grids, w.entries())
}

func (w *World) categories() []Category {
	if len(w.catalogue.Categories) == 0 && len(w.repos)+len(w.projects)+len(w.catalogue.Packages) > 0 {
		return generatedCategories(w.anchor)[:1]
	}
	return slices.Clone(w.catalogue.Categories)
}

// entries are the packages of the catalogue. The lock is held while they are listed.
func (w *World) entries() iter.Seq[Package] {
	return func(yield func(Package) bool) {
		taken := claims{generation: w.generated, ids: map[int]bool{}, slugs: map[string]bool{}}
		for _, p := range w.catalogue.Packages {
			taken.ids[p.ID], taken.slugs[p.Slug] = true, true
		}
		for i := range w.generated.len() {
			if p := w.generated.entry(i); !taken.ids[p.ID] && !taken.slugs[p.Slug] && !yield(p) {
				return
			}
		}
		for _, p := range w.catalogue.Packages {
			if !yield(p) {
				return
			}
		}
		for p := range w.derived() {
			taken.claim(&p)
			if !yield(p) {
				return
			}
		}
	}
}

// derived are entries for the declared repositories, each with the project of its name, and
// for the projects that remain. Their ids and slugs may be taken.
func (w *World) derived() iter.Seq[Package] {
	return func(yield func(Package) bool) {
		paired := map[*Project]bool{}
		for _, r := range w.repos {
			if r.Unlisted {
				continue
			}
			p := Package{ID: r.catalogueID, Slug: Normalize(r.Name()), Title: r.Name(), Category: "apps", RepoURL: new(r.URL()), Created: r.Created.UTC()}
			if project := w.projByName[p.Slug]; project != nil && !project.Unlisted && !paired[project] {
				paired[project] = true
				p.PyPIURL = new(project.url())
			}
			if !yield(p) {
				return
			}
		}
		for _, p := range w.projects {
			if p.Unlisted || paired[p] {
				continue
			}
			if !yield(Package{ID: p.catalogueID, Slug: Normalize(p.Name), Title: p.Name, Category: "apps", PyPIURL: new(p.url()), Created: w.anchor}) {
				return
			}
		}
	}
}

// claims are the ids and slugs that entries of a catalogue have.
type claims struct {
	*generation // all of whose are claimed
	ids         map[int]bool
	slugs       map[string]bool
}

// claim gives p another id or slug if its own is taken.
func (c *claims) claim(p *Package) {
	for c.ids[p.ID] || p.ID >= firstGeneratedID && p.ID < firstGeneratedID+c.len() {
		p.ID += 1_000_000
	}
	taken := func(slug string) bool {
		_, generated := c.find(slug)
		return generated || c.slugs[slug]
	}
	for n, base := 2, p.Slug; taken(p.Slug); n++ {
		p.Slug = base + "-" + strconv.Itoa(n)
	}
	c.ids[p.ID], c.slugs[p.Slug] = true, true
}

// WriteNDJSON writes one JSON object per line: categories and grids with a "kind",
// packages without.
func (c Catalogue) WriteNDJSON(w io.Writer) error {
	return writeNDJSON(w, c.Categories, c.Grids, slices.Values(c.Packages))
}

func writeNDJSON(w io.Writer, categories []Category, grids []Grid, packages iter.Seq[Package]) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, x := range categories {
		if err := e.Encode(struct {
			Kind string `json:"kind"`
			Category
		}{"category", x}); err != nil {
			return err
		}
	}
	for _, x := range grids {
		if err := e.Encode(struct {
			Kind string `json:"kind"`
			Grid
		}{"grid", x}); err != nil {
			return err
		}
	}
	for p := range packages {
		if p.Grids == nil {
			p.Grids = []string{}
		}
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return out.Flush()
}

// WriteYAML writes the lists categories, grids and packages, every string in
// double quotes.
func (c Catalogue) WriteYAML(w io.Writer) error {
	out := bufio.NewWriter(w)
	y := yamlWriter{out}
	y.list("categories", len(c.Categories))
	for _, x := range c.Categories {
		y.item("id", x.ID, "slug", x.Slug, "title", x.Title, "title_plural", x.TitlePlural, "description", x.Description,
			"show_pypi", x.ShowPyPI, "created", x.Created, "modified", x.Modified)
	}
	y.list("grids", len(c.Grids))
	for _, x := range c.Grids {
		y.item("id", x.ID, "slug", x.Slug, "title", x.Title, "description", x.Description, "is_locked", x.IsLocked,
			"header", x.Header, "created", x.Created, "modified", x.Modified)
	}
	y.list("packages", len(c.Packages))
	for _, p := range c.Packages {
		y.item("id", p.ID, "slug", p.Slug, "title", p.Title, "category", p.Category, "grids", p.Grids, "repo_url", p.RepoURL,
			"pypi_url", p.PyPIURL, "documentation_url", p.DocumentationURL, "created", p.Created)
	}
	return out.Flush()
}

// yamlWriter writes the subset of YAML that a catalogue needs. The bufio.Writer keeps
// the first error until Flush.
type yamlWriter struct{ *bufio.Writer }

func (y yamlWriter) list(key string, n int) {
	if n == 0 {
		fmt.Fprintf(y, "%s: []\n", key)
		return
	}
	fmt.Fprintf(y, "%s:\n", key)
}

// item writes keys and values in turn as one mapping.
func (y yamlWriter) item(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		lead := "    "
		if i == 0 {
			lead = "  - "
		}
		fmt.Fprintf(y, "%s%s: %s\n", lead, pairs[i], yamlValue(pairs[i+1]))
	}
}

func yamlValue(v any) string {
	switch v := v.(type) {
	case string:
		// Go's escapes are all among those of YAML's double-quoted style.
		return strconv.Quote(strings.ToValidUTF8(v, "\uFFFD"))
	case *string:
		if v == nil {
			return "null"
		}
		return yamlValue(*v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = yamlValue(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case time.Time:
		return yamlValue(v.UTC().Format(time.RFC3339Nano))
	}
	return fmt.Sprint(v)
}

func generatedCategories(anchor time.Time) []Category {
	created := anchor.Add(-14 * 365 * day)
	var list []Category
	for i, c := range [][4]string{
		{"apps", "App", "Apps", "Small components used to build projects."},
		{"frameworks", "Framework", "Frameworks", "Large efforts that combine many modules or apps."},
		{"projects", "Project", "Projects", "Whole sites, to be run as they are."},
		{"other", "Other", "Other", ""},
	} {
		list = append(list, Category{ID: i + 1, Slug: c[0], Title: c[1], TitlePlural: c[2], Description: c[3], ShowPyPI: i != 2,
			Created: created.Add(time.Duration(i) * time.Hour), Modified: created.Add(time.Duration(i+1) * 400 * day)})
	}
	return list
}

func generatedGrids(seed uint64, anchor time.Time, n int) []Grid {
	list := make([]Grid, 0, n)
	for i := range n {
		d := roll(seed, 5, uint64(i))
		title := pick(&d, adjectives) + " " + pick(&d, nouns)
		created := anchor.Add(-time.Duration(d.within(100, 4000))*day + time.Duration(d.below(86_400_000_000))*time.Microsecond)
		list = append(list, Grid{ID: 1001 + i, Slug: strings.ReplaceAll(title, " ", "-") + "-" + strconv.Itoa(i+1), Title: "Grid: " + title,
			Description: pick(&d, []string{"", "Apps that do one thing.", "Ünïcödé — “quotes” & <b>markup</b>"}),
			IsLocked:    d.chance(0.05), Header: d.chance(0.3), Created: created, Modified: created.Add(d.days(90))})
	}
	return list
}
