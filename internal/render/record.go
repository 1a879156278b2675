package render

import (
	"strconv"
	"time"

	"pkgmetad/internal/record"
)

// record writes a package with the fields that the API documents.
func (e *Encoder) record(l Links, p *record.Package, zone *time.Location) {
	e.Open('{')
	e.Key("category")
	if p.Category == 0 {
		e.Null()
	} else {
		e.Link(l, "categories/", p.Category)
	}
	e.Key("grids")
	e.LinkList(l, "grids/", p.Grids)
	e.Key("id")
	e.Int(p.ID)
	e.Key("title")
	e.String(p.Title)
	e.Key("slug")
	e.String(p.Slug)
	e.Key("last_updated")
	e.TimeOrNull(p.Repo.LastCommit, zone)
	e.Key("last_fetched")
	e.Time(p.LastFetched, zone)
	e.Key("repo_url")
	e.StringOrNull(p.RepoURL)
	e.Key("pypi_version")
	e.StringOrNull(p.Project.Version)
	e.Key("created")
	e.Time(p.Created, zone)
	e.Key("modified")
	e.Time(p.Modified, zone)
	e.Key("repo_forks")
	e.Int(p.Repo.Forks)
	e.Key("repo_description")
	e.String(p.Repo.Description)
	e.Key("pypi_url")
	e.StringOrNull(p.PyPIURL)
	e.Key("documentation_url")
	e.StringOrNull(p.DocumentationURL)
	e.Key("repo_watchers")
	e.Int(p.Repo.Stars)
	e.Key("commits_over_52")
	e.Ints(p.Repo.Commits52)
	e.Key("participants")
	e.Strings(p.Repo.Participants...)
	e.Close('}')
}

// Link writes the link to a record in a collection, such as "grids/". No part of
// it may need escaping.
func (e *Encoder) Link(l Links, collection string, id int) {
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, l.Base...)
	e.buf = append(e.buf, Root...)
	e.buf = append(e.buf, collection...)
	e.buf = strconv.AppendInt(e.buf, int64(id), 10)
	e.buf = append(e.buf, l.Suffix...)
	e.buf = append(e.buf, '"')
}

// LinkList writes the links to several records of a collection.
func (e *Encoder) LinkList(l Links, collection string, ids []int) {
	e.Open('[')
	for _, id := range ids {
		e.Item()
		e.Link(l, collection, id)
	}
	e.Close(']')
}
