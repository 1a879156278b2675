package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxPackages is how many packages a generated world has at most: the ids of its repositories
// would not fit into GraphQL's databaseId, which has 31 bits.
const MaxPackages = 1_000_000

// Generate makes a world with the given number of packages from a seed: the same seed,
// number and day give the same world. Names are invented. What occurs in real catalogues
// occurs here about as often: dormant, archived, renamed, removed, blocked and empty
// repositories, contributor lists that are too large, repositories elsewhere than on
// GitHub, packages without a repository or a project; on PyPI missing, quarantined and
// archived projects, projects with only yanked releases or only pre-releases, and
// epochs; and URLs in the many forms that people paste.
//
// Everything is computed on demand, so that a million packages take no more memory than
// one, until they are asked for with Repos, Projects or Catalogue.
func Generate(seed uint64, packages int, o Options) *World {
	w := New(o)
	packages = min(max(packages, 0), MaxPackages)
	w.mu.Lock()
	defer w.mu.Unlock()
	if packages > largeWorld {
		w.cache.max, w.graphs.max = 8<<20, 1<<16
	}
	w.catalogue.Categories = generatedCategories(w.anchor)
	w.catalogue.Grids = generatedGrids(seed, w.anchor, packages/60+3)
	w.generated = &generation{seed: seed, n: packages, anchor: w.anchor, rates: w.opt.Rates,
		categories: w.catalogue.Categories, grids: w.catalogue.Grids, names: indexNames(seed), repos: map[generatedID]*Repo{}, projects: map[int]*Project{}}
	return w
}

// largeWorld is the number of packages beyond which a world hardly ever asks for the same thing
// twice before something else has taken its place among what is kept.
const largeWorld = 20_000

// generation computes the packages of a generated world.
type generation struct {
	seed       uint64
	n          int
	anchor     time.Time
	rates      Rates
	categories []Category
	grids      []Grid
	names      *nameIndex

	// Those that a caller holds, and may have edited. A nil one has been removed.
	repos    map[generatedID]*Repo
	projects map[int]*Project
}

// len is the number of packages; 0 in a declared world, whose generation is nil.
func (g *generation) len() int {
	if g == nil {
		return 0
	}
	return g.n
}

// generatedID names a repository: that of a package, or the one that later takes its name.
type generatedID struct {
	i    int
	heir bool
}

// Ids of repositories tell the package.
const (
	firstRepoID = 4_000_000
	repoIDStep  = 1373
	firstHeirID = 1_400_000_000
	heirIDStep  = 700
)

const firstGeneratedID = 10_001 // of a package; lower ids are for declared ones

// base is what a package's parts have in common.
type base struct {
	seed    uint64
	i       int
	name    string // unique in the world
	person  uint64 // number of the owner
	created time.Time
}

func (g *generation) base(i int) base {
	d := roll(g.seed, 1, uint64(i))
	return base{
		seed: g.seed, i: i, name: projectName(g.seed, i), person: uint64(d.below(g.n*3/5 + 1)),
		created: g.anchor.Add(-time.Duration(d.within(30, 16*365))*day + time.Duration(d.below(86_400_000_000))*time.Microsecond),
	}
}

func (b base) owner() string      { return loginName(b.seed, b.person) }
func (b base) organization() bool { return b.person%4 == 0 }

// hosting is where a package's repository is.
type hosting int

const (
	nowhere hosting = iota
	onOtherHost
	gone
	onGitHub
)

func (g *generation) hosting(i int) hosting {
	d := roll(g.seed, 21, uint64(i))
	switch kind := d.float(); {
	case kind < 0.03:
		return nowhere
	case kind < 0.05:
		return onOtherHost
	case kind < 0.07:
		return gone
	}
	return onGitHub
}

// formerOwner is the owner by which the catalogue knows a repository that was transferred
// before the world was made, or "".
func (g *generation) formerOwner(i int) string {
	if d := roll(g.seed, 22, uint64(i)); d.chance(0.02) {
		return loginName(g.seed, d.next())
	}
	return ""
}

// entry is the i-th package as the catalogue has it.
func (g *generation) entry(i int) Package {
	b := g.base(i)
	d := roll(g.seed, 23, uint64(i))
	p := Package{
		ID:       firstGeneratedID + i,
		Slug:     b.name,
		Title:    b.name,
		Category: g.categories[min(int(d.exp(0.7)), len(g.categories)-1)].Slug,
		Created:  b.created,
		RepoURL:  g.repoURL(&d, b),
		PyPIURL:  g.projectURL(&d, i),
	}
	if d.chance(0.15) {
		p.Title = strings.ReplaceAll(b.name, "-", " ") + pick(&d, []string{"", " (beta)", " – “Δ” & friends"})
	}
	for range min(int(d.exp(1.2)), 4) {
		if slug := pick(&d, g.grids).Slug; !slices.Contains(p.Grids, slug) {
			p.Grids = append(p.Grids, slug)
		}
	}
	if d.chance(0.4) {
		p.DocumentationURL = new("https://" + b.name + ".readthedocs.example/en/latest/")
	}
	return p
}

// noURL returns one of the two ways in which catalogues say that there is no URL.
func noURL(d *dice) *string {
	if d.chance(0.5) {
		return nil
	}
	return new("")
}

func (g *generation) repoURL(d *dice, b base) *string {
	fullName := b.owner() + "/" + b.name
	switch g.hosting(b.i) {
	case nowhere:
		return noURL(d)
	case onOtherHost:
		return new(fmt.Sprintf(pick(d, []string{"https://gitlab.com/%s", "https://bitbucket.org/%s", "https://codeberg.org/%s", "https://gitlab.com/%s.git"}), fullName))
	}
	if former := g.formerOwner(b.i); former != "" {
		fullName = former + "/" + b.name
	}
	return new(repoURL(d, fullName))
}
