package render

import (
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// RootV3 is the path below which the older API, v3, lies. Its links are bare paths, which
// name records by their slugs.
const RootV3 = "/api/v3/"

// A V3 renders records as API v3 has them. Prefix is what the paths of the public URL begin
// with, "" for nothing.
type V3 struct{ Prefix string }

// Path returns the path of a record in a collection, such as "grids/".
func (v V3) Path(collection, slug string) string {
	return v.Prefix + RootV3 + collection + slug + "/"
}

// Package writes a package, given the slugs of its category, "" for none, and of its grids.
// What no record holds (users, usage) is null or 0.
func (v V3) Package(e *Encoder, p *record.Package, category string, grids []string) {
	commits := joined(p.Repo.Commits52)
	e.Open('{')
	v.head(e, "/packages/p/", p.Slug, p.Title, p.Created, p.Modified)
	e.Key("category")
	if category == "" {
		e.Null()
	} else {
		e.String(v.Path("categories/", category))
	}
	e.Key("commit_list")
	e.String(commits)
	e.Key("commits_over_52")
	e.String(commits)
	e.Key("created_by")
	e.Null()
	e.Key("documentation_url")
	e.StringOrNull(p.DocumentationURL)
	e.Key("grids")
	v.paths(e, "grids/", grids)
	e.Key("last_fetched")
	e.timeV3(p.LastFetched)
	e.Key("last_modified_by")
	e.Null()
	e.Key("participants")
	e.String(strings.Join(p.Repo.Participants, ","))
	e.Key("pypi_url")
	e.StringOrNull(p.PyPIURL)
	e.Key("pypi_version")
	e.StringOrNull(p.Project.Version)
	e.Key("repo_description")
	e.String(p.Repo.Description)
	e.Key("repo_forks")
	e.Int(p.Repo.Forks)
	e.Key("repo_url")
	e.StringOrNull(p.RepoURL)
	e.Key("repo_watchers")
	e.Int(p.Repo.Stars)
	e.Key("resource_uri")
	e.String(v.Path("packages/", p.Slug))
	e.Key("usage_count")
	e.Int(0)
	e.Close('}')
}

// Grid writes a grid, given the slugs of its packages.
func (v V3) Grid(e *Encoder, g *record.Grid, packages []string) {
	e.Open('{')
	v.head(e, "/grids/g/", g.Slug, g.Title, g.Created, g.Modified)
	e.Key("description")
	e.String(g.Description)
	e.Key("is_locked")
	e.Bool(g.IsLocked)
	e.Key("resource_uri")
	e.String(v.Path("grids/", g.Slug))
	e.Key("header")
	e.Bool(g.Header)
	e.Key("packages")
	v.paths(e, "packages/", packages)
	e.Close('}')
}

// Category writes a category.
func (v V3) Category(e *Encoder, c *record.Category) {
	e.Open('{')
	v.head(e, "/categories/", c.Slug, c.Title, c.Created, c.Modified)
	e.Key("description")
	e.String(c.Description)
	e.Key("resource_uri")
	e.String(v.Path("categories/", c.Slug))
	e.Key("show_pypi")
	e.Bool(c.ShowPyPI)
	e.Key("title_plural")
	e.String(c.TitlePlural)
	e.Close('}')
}

// head writes what every record begins with.
func (v V3) head(e *Encoder, page, slug, title string, created, modified time.Time) {
	e.Key("absolute_url")
	e.String(v.Prefix + page + slug + "/")
	e.Key("created")
	e.timeV3(created)
	e.Key("modified")
	e.timeV3(modified)
	e.Key("slug")
	e.String(slug)
	e.Key("title")
	e.String(title)
}

func (v V3) paths(e *Encoder, collection string, slugs []string) {
	e.Open('[')
	for _, slug := range slugs {
		e.Item()
		e.String(v.Path(collection, slug))
	}
	e.Close(']')
}

func joined(ns []int) string {
	b := make([]byte, 0, 4*len(ns))
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

// timeV3 writes t in UTC as Django's JSON encoder does, and null for the zero time: the
// microseconds are cut off to milliseconds, and only where there are none at all the
// fraction is left out, so that .000120 becomes .000.
func (e *Encoder) timeV3(t time.Time) {
	if t.IsZero() {
		e.Null()
		return
	}
	layout := `"2006-01-02T15:04:05.000Z"`
	if t = t.UTC(); t.Nanosecond() < int(time.Microsecond) {
		layout = `"2006-01-02T15:04:05Z"`
	}
	e.buf = t.AppendFormat(e.buf, layout)
}
