package sim

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Generate makes a world with the given number of packages from a seed: the same seed,
// number and day give the same world. Names are invented. What occurs in real catalogues
// occurs here about as often: dormant, archived, renamed, removed, blocked and empty
// repositories, contributor lists that are too large, repositories elsewhere than on
// GitHub, packages without a repository or a project; on PyPI missing, quarantined and
// archived projects, projects with only yanked releases or only pre-releases, and
// epochs; and URLs in the many forms that people paste. Histories are computed on
// demand.
func Generate(seed uint64, packages int, o Options) *World {
	w := New(o)
	packages = max(packages, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catalogue.Categories = generatedCategories(w.anchor)
	w.catalogue.Grids = generatedGrids(seed, w.anchor, packages/60+3)
	w.catalogue.Packages = make([]Package, 0, packages)
	for i := range packages {
		g := &generator{w: w, seed: seed, i: i, d: roll(seed, 1, uint64(i)), name: projectName(seed, i)}
		owner := uint64(g.d.below(packages*3/5 + 1))
		g.owner = loginName(seed, owner)
		g.organization = owner%4 == 0
		g.add()
	}
	return w
}

// generator makes one package.
type generator struct {
	w            *World
	seed         uint64
	i            int
	d            dice
	name         string // unique in the world
	owner        string
	organization bool
	created      time.Time
}

const firstGeneratedID = 10_001 // of a package; lower ids are for declared ones

func (g *generator) add() {
	g.created = g.w.anchor.Add(-time.Duration(g.d.within(30, 16*365))*day + time.Duration(g.d.below(86_400_000_000))*time.Microsecond)
	c := &g.w.catalogue
	p := Package{
		ID:       firstGeneratedID + g.i,
		Slug:     g.name,
		Title:    g.name,
		Category: c.Categories[min(int(g.d.exp(0.7)), len(c.Categories)-1)].Slug,
		Created:  g.created,
	}
	if g.d.chance(0.15) {
		p.Title = strings.ReplaceAll(g.name, "-", " ") + pick(&g.d, []string{"", " (beta)", " – “Δ” & friends"})
	}
	for _, grid := range c.Grids {
		if g.d.chance(1.2/float64(len(c.Grids))) && len(p.Grids) < 4 {
			p.Grids = append(p.Grids, grid.Slug)
		}
	}
	p.RepoURL = g.repo()
	p.PyPIURL = g.project()
	if g.d.chance(0.4) {
		p.DocumentationURL = new("https://" + g.name + ".readthedocs.example/en/latest/")
	}
	c.Packages = append(c.Packages, p)
}

// nothing returns one of the two ways in which catalogues say that there is no URL.
func (g *generator) nothing() *string {
	if g.d.chance(0.5) {
		return nil
	}
	return new("")
}

// repo makes the repository, or none, and returns its URL for the catalogue.
func (g *generator) repo() *string {
	d := &g.d
	fullName := g.owner + "/" + g.name
	switch kind := d.float(); {
	case kind < 0.03:
		return g.nothing()
	case kind < 0.05:
		return new(fmt.Sprintf(pick(d, []string{"https://gitlab.com/%s", "https://bitbucket.org/%s", "https://codeberg.org/%s", "https://gitlab.com/%s.git"}), fullName))
	case kind < 0.07: // gone
		return new(repoURL(d, fullName))
	}
	r := &Repo{
		FullName:      fullName,
		ID:            4_000_000 + int64(g.i)*1373 + int64(d.below(1300)),
		Stars:         int(math.Pow(d.float(), 6)*6000) + d.below(40),
		Archived:      d.chance(0.10),
		DefaultBranch: pick(d, []string{"main", "main", "master", "develop"}),
		License:       pick(d, []string{"MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0", ""}),
		Organization:  g.organization,
		Created:       g.created.Truncate(time.Second),
		Pending:       1,
		TooLarge:      d.chance(0.003),
		Unlisted:      true,
	}
	r.Forks = r.Stars/6 + d.below(5)
	r.Subscribers = r.Stars/25 + d.below(9)
	if !d.chance(0.06) {
		r.Description = new(sentence(d, g.name))
	}
	if d.chance(0.002) {
		r.Blocked = pick(d, []string{"dmca", "dmca", "tos"})
	}
	r.gen = g.history(r)
	if d.chance(0.005) {
		r.gen = nil // empty
	}
	shown := fullName
	if d.chance(0.02) {
		shown = loginName(g.seed, d.next()) + "/" + g.name
		r.OldNames = []string{shown}
	}
	g.w.addRepo(r)
	return new(repoURL(d, shown))
}

func (g *generator) history(r *Repo) *repoHistory {
	d := &g.d
	h := &repoHistory{
		world: g.seed, seed: d.next(), anchor: g.w.anchor, born: r.Created,
		odd: 0.08, owner: g.owner, people: 1 + int(d.exp(6)), growth: float64(r.Stars) / 4000,
	}
	if g.organization {
		h.owner = loginName(g.seed, d.next())
	}
	// A repository is at least two years old, so that its first year is not its last.
	if youngest := g.w.anchor.Add(-2 * 365 * day); h.born.After(youngest) {
		h.born = youngest
		r.Created = h.born
	}
	age := g.w.anchor.Sub(h.born)
	switch {
	case r.Archived || d.chance(0.43): // dormant: no commit within 53 weeks
		quiet := 54*7*day + time.Duration(d.float()*float64(age-54*7*day)*0.8)
		h.newest = g.w.anchor.Add(-quiet)
		h.rate = 0.01 + d.exp(0.05)
		if !r.Archived {
			h.newRate = 0.0002
		}
	case d.chance(0.05): // busy, with many contributors
		h.newest = g.w.anchor.Add(-time.Duration(d.below(72*3600)) * time.Second)
		h.born = h.born.Add(-6 * 365 * day)
		r.Created = h.born
		h.rate, h.newRate = 0.35, 0.35
		h.people = d.within(101, 420)
		r.Stars += d.within(2000, 30_000)
		if d.chance(0.1) {
			h.people = d.within(501, 640)
		}
	default:
		h.rate = min(0.004+d.exp(0.038), 0.6)
		h.newRate = h.rate
		h.newest = g.w.anchor.Add(-min(d.days(1/h.rate), 50*7*day) - time.Minute)
	}
	h.newest = h.newest.Truncate(time.Second)
	return h
}

// project makes the PyPI project, or none, and returns its URL for the catalogue.
func (g *generator) project() *string {
	d := &g.d
	name := g.name
	switch d.below(20) {
	case 0:
		name = strings.ReplaceAll(name, "-", "_")
	case 1:
		name = strings.ReplaceAll(name, "-", ".")
	case 2:
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	if d.chance(0.10) {
		return g.nothing()
	}
	url := new(projectURL(d, name))
	if d.chance(0.015) {
		return url // never existed, or is gone
	}
	licence := pick(d, licences)
	p := &Project{
		Name:        name,
		Serial:      9_000_000 + int64(g.i)*17 + int64(d.below(1000)),
		Summary:     sentence(d, g.name),
		Description: "# " + name + "\n\n" + strings.Repeat(sentence(d, name)+"\n", d.within(1, 8)),
		Author:      g.owner,
		AuthorEmail: strings.ToLower(g.owner) + "@mail.example",
		HomePage:    "https://github.com/" + g.owner + "/" + g.name,
		License:     licence.text,
		Classifiers: classifiers(d, licence.classifier),
		RequiresPython: pick(d, []string{">=3.8", ">=3.9", ">=3.10,<4.0", ">=3.6.*", "", ">=2.7, !=3.0.*, !=3.1.*", "==2.7.*",
			"~=3.9.1", ">=3.15", "==3.8.10", "<4", "3.11"}),
		Unlisted: true,
	}
	if licence.expression != "" {
		p.LicenseExpression = &licence.expression
	}
	if d.chance(0.85) {
		p.ProjectURLs = map[string]string{"Homepage": p.HomePage, pick(d, []string{"Documentation", "Docs", "docs ", "Changelog"}): "https://" + g.name + ".docs.example/"}
	}
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
		seed: d.next(), anchor: g.w.anchor, first: g.created, count: 1 + int(d.exp(9)),
		rate: 0.0055 * d.exp(1), style: semantic, yanked: d.chance(0.01), noFiles: d.chance(0.005),
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
	g.w.addProject(p)
	return url
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
