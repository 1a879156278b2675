package importer

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// packageV3 is a package as the older API, v3, serves it: without an id and the time of the
// last commit, and with text in place of lists.
type packageV3 struct {
	document
	Category         *string      `json:"category"`
	Grids            list[string] `json:"grids"`
	LastFetched      *string      `json:"last_fetched"`
	RepoURL          *string      `json:"repo_url"`
	PyPIVersion      *string      `json:"pypi_version"`
	RepoForks        *int         `json:"repo_forks"`
	RepoDescription  *string      `json:"repo_description"`
	PyPIURL          *string      `json:"pypi_url"`
	DocumentationURL *string      `json:"documentation_url"`
	RepoWatchers     *int         `json:"repo_watchers"`
	CommitsOver52    *string      `json:"commits_over_52"`
	Participants     *string      `json:"participants"`
}

func (d *decoder) recordV3(data []byte) (rec record.Package, err error) {
	c := check{d: d}
	var doc packageV3
	c.decode(data, &doc)
	rec.ID, rec.Slug, rec.Title = c.head(&doc.document, &d.names.packages)
	rec.RepoURL, rec.PyPIURL, rec.DocumentationURL = doc.RepoURL, doc.PyPIURL, doc.DocumentationURL
	rec.Created = c.needTime("created", doc.Created)
	rec.Modified = c.needTime("modified", doc.Modified)
	rec.LastFetched = c.time("last_fetched", doc.LastFetched)
	if doc.Category != nil {
		rec.Category = c.named("category", *doc.Category, "categories", &d.names.categories)
	}
	c.addGrids(&rec, doc.Grids, func(link string) int { return c.named("grids", link, "grids", &d.names.grids) })
	rec.Repo.Stars = c.count("repo_watchers", doc.RepoWatchers)
	rec.Repo.Forks = c.count("repo_forks", doc.RepoForks)
	rec.Repo.Description = need(&c, "repo_description", doc.RepoDescription)
	rec.Repo.Participants = split(need(&c, "participants", doc.Participants))
	for _, n := range split(need(&c, "commits_over_52", doc.CommitsOver52)) {
		commits, err := strconv.Atoi(n)
		if err != nil || strconv.Itoa(commits) != n || commits < 0 {
			c.fail("commits_over_52 has %s, not a number of commits", shortQuote(n))
		}
		rec.Repo.Commits52 = append(rec.Repo.Commits52, commits)
	}
	rec.Project.Version = doc.PyPIVersion
	d.fetched(&rec)
	rec.GitHub.NextDue = time.Time{} // at once: the last commit is still unknown
	return rec, c.err
}

// split returns the parts of a list in text, which has a comma between them.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// named returns the number of the entry of a collection that a link of API v3 leads to, such
// as /api/v3/categories/apps/.
func (c *check) named(key, link, collection string, slugs *slugs) int {
	slug, err := c.d.origin.slug(link, collection)
	if err != nil {
		c.d.otherHost = c.d.otherHost || errors.Is(err, errOtherHost)
		c.fail("%s: %s %w", key, quoteLink(link), err)
		return 0
	}
	return slugs.number(slug)
}

// slug returns the slug in a link to an entry of a collection. A link of API v3 is a bare path.
func (o *origin) slug(link, collection string) (string, error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", errors.New("is not a URL")
	}
	if u.Scheme != "" || u.Host != "" {
		if err := o.check(u); err != nil {
			return "", err
		}
	}
	folder, slug := cutLast(strings.TrimSuffix(u.Path, "/"), "/")
	if !record.IsSlug(slug) || len(slug) > record.MaxSlug || !strings.HasSuffix(folder, "/"+collection) {
		return "", errors.New("is not a link to one of the " + collection)
	}
	return slug, nil
}

// parseTimeV3 reads a time of API v3, which has milliseconds. It leaves out a fraction only
// where there are no microseconds either, so .000 is kept as the first microsecond: from that
// the same text is served again.
func parseTimeV3(s string) (time.Time, error) {
	t, _, err := parseTime(s)
	if err == nil && strings.Contains(s, ".") && t.Nanosecond() == 0 {
		t = t.Add(time.Microsecond)
	}
	return t, err
}
