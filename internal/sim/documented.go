package sim

import (
	"slices"
	"time"
)

// Documented adds package 1609, the example of the API's documentation, to the world
// and its catalogue. It remains as documented whatever the world's clock says. Its ids are
// those of packaging/catalogue.example.yaml.
func Documented(w *World) {
	const name = "djorm-ext-pgfulltext"
	w.mu.Lock()
	defer w.mu.Unlock()

	newest := time.Date(2016, 1, 5, 19, 49, 29, 0, time.UTC)
	people := []string{"linuxlewis", "mpasternak", "CharlesLovely", "rgreinho", "dotsbb", "akolpakov", "bitdeli-chef", "fjsj",
		"Gnietschow", "marekbrzoska", "anentropic", "raiyankamal", "graingert", "zyga", "metazet", "mulder999"}
	var commits []Commit
	for i, login := range people {
		for n := range len(people) - i {
			// The first of the list made the newest commit; each commit is on another day.
			commits = append(commits, Commit{At: newest.Add(-time.Duration(n*len(people)+i) * 7 * day / 2), Author: login})
		}
	}
	w.addRepo(&Repo{
		FullName: "linuxlewis/" + name, ID: 6_711_609,
		Description: new("PostgreSQL full-text search integration with django orm."),
		Stars:       251, Forks: 85, Subscribers: 17, License: "BSD-3-Clause", DefaultBranch: "master",
		Created: time.Date(2012, 11, 15, 21, 8, 9, 0, time.UTC),
		Commits: commits, Pending: 1, Unlisted: true, timeless: true,
	})
	project := &Project{
		Name: name, Summary: "PostgreSQL full-text search integration with django orm.", License: "BSD",
		HomePage:    "https://github.com/linuxlewis/" + name,
		Classifiers: []string{"Development Status :: 4 - Beta", "Framework :: Django", "Framework :: Django :: 1.4", "Programming Language :: Python :: 3"},
		Unlisted:    true,
		timeless:    true,
	}
	uploaded := time.Date(2012, 12, 26, 9, 12, 40, 0, time.UTC)
	for _, version := range []string{"0.1", "0.2", "0.3", "0.5", "0.8", "0.9", "0.9.1", "0.9.3", "0.10"} {
		project.Releases = append(project.Releases, Release{Version: version, Files: []File{{Uploaded: uploaded, Size: 12_000}}})
		uploaded = uploaded.Add(109*day + 3*time.Hour)
	}
	w.addProject(project)

	c := &w.catalogue
	if !slices.ContainsFunc(c.Categories, func(x Category) bool { return x.ID == 1 }) {
		c.Categories = append(generatedCategories(w.anchor)[:1], c.Categories...)
	}
	var grids []string
	for _, g := range []Grid{{ID: 58, Slug: "postgresql", Title: "PostgreSQL"}, {ID: 161, Slug: "orm-extensions", Title: "ORM extensions"}, {ID: 14, Slug: "search", Title: "Search"}} {
		g.Created = time.Date(2013, 2, 1, 10, 0, g.ID%60, 0, time.UTC)
		g.Modified = g.Created.Add(365 * day)
		if i := slices.IndexFunc(c.Grids, func(x Grid) bool { return x.ID == g.ID }); i >= 0 {
			g = c.Grids[i]
		} else {
			c.Grids = append(c.Grids, g)
		}
		grids = append(grids, g.Slug)
	}
	w.addPackage(Package{
		ID: 1609, Slug: name, Title: name, Category: "apps", Grids: grids,
		RepoURL: new("https://github.com/linuxlewis/" + name),
		PyPIURL: new("http://pypi.python.org/pypi/" + name),
		Created: time.Date(2012, 12, 26, 9, 29, 30, 670_172_000, time.UTC),
	})
}
