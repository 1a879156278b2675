package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

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
	packages = max(packages, 0)
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

// generatedID names a repository: that of a package, or the one that later takes its name.
type generatedID struct {
	i    int
	heir bool
}

// Ids of repositories tell the package. GraphQL's databaseId has 31 bits.
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

// repo is the repository of the i-th package, nil if it has none on GitHub.
func (g *generation) repo(i int) *Repo {
	if g.hosting(i) != onGitHub {
		return nil
	}
	b := g.base(i)
	d := roll(g.seed, 24, uint64(i))
	r := &Repo{
		FullName:      b.owner() + "/" + b.name,
		ID:            firstRepoID + int64(i)*repoIDStep + int64(d.below(repoIDStep)),
		Stars:         int(math.Pow(d.float(), 6)*6000) + d.below(40),
		Archived:      d.chance(0.10),
		DefaultBranch: pick(&d, []string{"main", "main", "master", "develop"}),
		License:       pick(&d, []string{"MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0", ""}),
		Organization:  b.organization(),
		Created:       b.created.Truncate(time.Second),
		Pending:       1,
		TooLarge:      d.chance(0.003),
		Unlisted:      true,
	}
	r.NodeID = legacyID(nodeRepository, r.ID, "")
	r.Forks = r.Stars/6 + d.below(5)
	r.Subscribers = r.Stars/25 + d.below(9)
	if !d.chance(0.06) {
		r.Description = new(sentence(&d, b.name))
	}
	if d.chance(0.002) {
		r.Blocked = pick(&d, []string{"dmca", "dmca", "tos"})
	}
	r.gen = g.history(r, &d, r.Owner())
	if d.chance(0.005) {
		r.gen = nil // empty
	}
	if former := g.formerOwner(i); former != "" {
		r.OldNames = []string{former + "/" + b.name}
	}
	g.live(r, roll(g.seed, 25, uint64(i)))
	return r
}

// live draws what will happen to a repository.
func (g *generation) live(r *Repo, d dice) {
	l := &life{seed: d.next(), anchor: g.anchor, stars: float64(r.Stars) * g.rates.Stars / 1000}
	l.archived = d.once(g.anchor, g.rates.Archived)
	l.renamed = d.once(g.anchor, g.rates.Renamed)
	l.deleted = d.once(g.anchor, g.rates.Deleted)
	l.newName = loginName(g.seed, d.next()) + "/" + r.Name()
	if d.chance(0.4) {
		l.newName = r.Owner() + "/" + r.Name() + pick(&d, renamed)
	}
	if g.rates.Described > 0 {
		l.describe = time.Duration(d.exp(1/g.rates.Described)*float64(day)) + day
	}
	l.reused = never
	if left := earlier(l.renamed, l.deleted); left != never && d.chance(g.rates.Reused) {
		l.reused = left.Add(time.Duration(d.exp(30)*float64(day)) + time.Hour).Truncate(time.Second)
	}
	if r.gen != nil {
		r.gen.ends = l.archived
	}
	r.life = l
}

// heir is the repository that takes the name of the i-th package's, nil if none ever does.
func (g *generation) heir(i int) *Repo {
	first := g.repo(i)
	if first == nil || first.life.reused == never {
		return nil
	}
	d := roll(g.seed, 26, uint64(i))
	born := first.life.reused
	r := &Repo{
		FullName: first.FullName, ID: firstHeirID + int64(i)*heirIDStep + int64(d.below(heirIDStep)),
		Description: new(sentence(&d, first.Name())), Stars: d.below(30), Forks: d.below(3), Subscribers: 1,
		DefaultBranch: "main", License: "MIT", Organization: first.Organization, Created: born, Pending: 1, Unlisted: true,
	}
	r.NodeID = legacyID(nodeRepository, r.ID, "")
	r.gen = &repoHistory{
		world: g.seed, seed: d.next(), anchor: midnight(born), born: born.Add(-100 * day), newest: born.Add(-time.Hour),
		rate: 0.1, newRate: 0.1, odd: g.rates.Odd, owner: r.Owner(), people: 1 + d.below(4), ends: never,
	}
	r.life = &life{seed: d.next(), anchor: born, exists: born, stars: 0.2, archived: never, renamed: never, deleted: never, reused: never}
	return r
}

func (g *generation) history(r *Repo, d *dice, owner string) *repoHistory {
	h := &repoHistory{
		world: g.seed, seed: d.next(), anchor: g.anchor, born: r.Created,
		odd: g.rates.Odd, owner: owner, people: 1 + int(d.exp(6)), ends: never,
	}
	if r.Organization {
		h.owner = loginName(g.seed, d.next())
	}
	// A repository is at least two years old, so that its first year is not its last.
	if youngest := g.anchor.Add(-2 * 365 * day); h.born.After(youngest) {
		h.born = youngest
		r.Created = h.born
	}
	age := g.anchor.Sub(h.born)
	active := 1 - g.rates.Dormant
	pace := g.rates.Pushes / 0.03 * 0.5 / max(active, 0.01) // as the rates below are for half of the repositories
	switch {
	case r.Archived || d.chance(1-active/0.9): // dormant: no commit within 53 weeks; a tenth is archived
		quiet := 54*7*day + time.Duration(d.float()*float64(age-54*7*day)*0.8)
		h.newest = g.anchor.Add(-quiet)
		h.rate = 0.01 + d.exp(0.05)
		if !r.Archived {
			h.newRate = 0.0002
		}
	case d.chance(0.05): // busy, with many contributors
		h.newest = g.anchor.Add(-time.Duration(d.below(72*3600)) * time.Second)
		h.born = h.born.Add(-6 * 365 * day)
		r.Created = h.born
		h.rate, h.newRate = 0.35, min(0.35*pace, 1)
		h.people = d.within(101, 420)
		r.Stars += d.within(2000, 30_000)
		if d.chance(0.1) {
			h.people = d.within(501, 640)
		}
	default:
		h.rate = min(0.004+d.exp(0.04), 0.6)
		h.newRate = min(h.rate*pace, 1)
		h.newest = g.anchor.Add(-min(d.days(1/h.rate), 50*7*day) - time.Minute)
	}
	h.newest = h.newest.Truncate(time.Second)
	return h
}

// projectName is the name of the i-th package's project as its owner spells it, "" if it has
// none.
func (g *generation) projectName(i int) string {
	d := roll(g.seed, 27, uint64(i))
	name := projectName(g.seed, i)
	if d.chance(0.10) {
		return ""
	}
	switch d.below(20) {
	case 0:
		return strings.ReplaceAll(name, "-", "_")
	case 1:
		return strings.ReplaceAll(name, "-", ".")
	case 2:
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

func (g *generation) projectURL(d *dice, i int) *string {
	name := g.projectName(i)
	if name == "" {
		return noURL(d)
	}
	return new(projectURL(d, name))
}

// project is the project of the i-th package, nil if it has none, or it is not there.
func (g *generation) project(i int) *Project {
	p := g.listed(i)
	if p == nil {
		return nil
	}
	dice := roll(g.seed, 28, uint64(i))
	d, b, name := &dice, g.base(i), p.Name
	licence := pick(d, licences)
	p.Summary = sentence(d, b.name)
	p.Description = "# " + name + "\n\n" + strings.Repeat(sentence(d, name)+"\n", d.within(1, 8))
	p.Author = b.owner()
	p.AuthorEmail = strings.ToLower(p.Author) + "@mail.example"
	p.HomePage = "https://github.com/" + p.Author + "/" + b.name
	p.License = licence.text
	p.Classifiers = classifiers(d, licence.classifier)
	p.RequiresPython = pick(d, []string{">=3.8", ">=3.9", ">=3.10,<4.0", ">=3.6.*", "", ">=2.7, !=3.0.*, !=3.1.*", "==2.7.*",
		"~=3.9.1", ">=3.15", "==3.8.10", "<4", "3.11"})
	if licence.expression != "" {
		p.LicenseExpression = &licence.expression
	}
	if d.chance(0.85) {
		p.ProjectURLs = map[string]string{"Homepage": p.HomePage, pick(d, []string{"Documentation", "Docs", "docs ", "Changelog"}): "https://" + b.name + ".docs.example/"}
	}
	return p
}

// listed is what the index lists of a project: its name, its status, and its serial.
func (g *generation) listed(i int) *Project {
	name := g.projectName(i)
	dice := roll(g.seed, 29, uint64(i))
	d := &dice
	if name == "" || d.chance(0.015) { // never existed, or is gone
		return nil
	}
	p := &Project{Name: name, Serial: 9_000_000 + int64(i)*17 + int64(d.below(1000)), Unlisted: true}
	p.Status = pick(d, []Status{Active, Active, Active, ""})
	switch kind := d.float(); {
	case kind < 0.006:
		p.Status, p.StatusReason = Quarantined, "reported as malware"
	case kind < 0.026:
		p.Status = Archived
	case kind < 0.031:
		p.Status = Deprecated
	case kind < 0.036:
		p.Status = Deleted
	}
	p.gen = &projectHistory{
		seed: d.next(), anchor: g.anchor, first: g.base(i).created, count: 1 + int(d.exp(9)),
		rate: g.rates.Releases * d.exp(1), yanks: g.rates.Yanked, style: semantic, yanked: d.chance(0.01), noFiles: d.chance(0.005),
	}
	if d.chance(0.35) {
		p.gen.style = pick(d, []versionStyle{calendar, calendar, calendar, twoPart, twoPart, twoPart, twoPart, withCandidates, withCandidates, withCandidates, preOnly, epochs})
	}
	p.gen.count = min(p.gen.count, 60)
	if p.Status == Archived || p.Status == Deprecated {
		p.gen.rate = 0
	}
	if d.chance(0.01) {
		p.gen.count = 0 // registered, never released
	}
	p.serialFrom, p.lastSerial = g.anchor, p.Serial
	if p.Status == Active || p.Status == "" {
		p.life = g.rates.project(roll(g.seed, 30, uint64(i)), g.anchor)
	}
	return p
}

var licences = []struct{ text, expression, classifier string }{
	{"MIT", "", "License :: OSI Approved :: MIT License"},
	{"", "BSD-3-Clause", ""},
	{"BSD", "", "License :: OSI Approved :: BSD License"},
	{"", "MIT", ""},
	{"", "", "License :: OSI Approved :: Apache Software License"},
	{"Permission is hereby granted, free of charge,\nto any person obtaining a copy\n", "", "License :: OSI Approved :: MIT License"},
	{"UNKNOWN", "", ""},
	{"", "", ""},
}

func classifiers(d *dice, licence string) []string {
	list := []string{}
	if d.chance(0.8) {
		list = append(list, []string{
			"Development Status :: 1 - Planning", "Development Status :: 2 - Pre-Alpha", "Development Status :: 3 - Alpha",
			"Development Status :: 4 - Beta", "Development Status :: 5 - Production/Stable", "Development Status :: 6 - Mature",
			"Development Status :: 7 - Inactive",
		}[d.below(7)])
	}
	list = append(list, "Environment :: Web Environment", "Framework :: Django")
	if licence != "" {
		list = append(list, licence)
	}
	if d.chance(0.2) {
		list = append(list, "Programming Language :: Python :: 2.7")
	}
	if d.chance(0.75) {
		list = append(list, "Programming Language :: Python :: 3")
		for minor := d.within(6, 10); minor <= 13; minor++ {
			list = append(list, fmt.Sprintf("Programming Language :: Python :: 3.%d", minor))
		}
	}
	return list
}
