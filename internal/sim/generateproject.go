package sim

import (
	"fmt"
	"strings"
)

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
	p.Classifiers = append(classifiers(d, licence.classifier), djangoClassifiers(roll(g.seed, 47, uint64(i)))...)
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

// djangos are the versions of Django that projects may name, oldest first.
var djangos = []string{"1.11", "2.2", "3.2", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2", "6.0"}

// djangoClassifiers name a range of versions of Django, in two of three projects.
func djangoClassifiers(d dice) (list []string) {
	if !d.chance(0.67) {
		return nil
	}
	first := d.below(len(djangos))
	for _, version := range djangos[first:d.within(first+1, len(djangos))] {
		list = append(list, "Framework :: Django :: "+version)
	}
	return list
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
