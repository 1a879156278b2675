package github

import (
	"context"
	"strconv"

	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// GitHub links at most 500 addresses to logins: five pages of a hundred.
const (
	maxPages = 5
	perPage  = 100
)

// page is one page of contributors, read.
type page struct {
	read   bool
	logins []string
	more   bool // another page follows
	tag    string
}

func pageName(n int) string { return "contributors/" + strconv.Itoa(n) }

// contributors asks GET /repos/{owner}/{name}/contributors, page by page. A
// list is whole or not given: pages that had not changed are asked again as
// soon as one has.
func (f *fetch) contributors() ([]string, *upstream.Error) {
	var pages [maxPages + 1]page // by number, from 1
	unchanged, e := f.changedPage(&pages)
	if e != nil {
		return nil, e
	}
	if unchanged != nil {
		return nil, unchanged
	}
	logins, seen := []string{}, map[string]bool{}
	tags := map[string]string{}
	for n := 1; n <= maxPages; n++ {
		if !pages[n].read {
			if pages[n], _, e = f.contributorsPage(n, ""); e != nil {
				return nil, e
			}
		}
		for _, l := range pages[n].logins {
			if !seen[l] {
				seen[l] = true
				logins = append(logins, l)
			}
		}
		tags[pageName(n)] = pages[n].tag
		if !pages[n].more {
			break
		}
	}
	f.keepPages(tags)
	return logins, nil
}

// changedPage asks conditionally for the pages whose tags are known, up to the
// first that has changed, which it puts in pages. unchanged is set where none
// has.
func (f *fetch) changedPage(pages *[maxPages + 1]page) (unchanged, failure *upstream.Error) {
	for n := 1; n <= maxPages && f.known[pageName(n)] != ""; n++ {
		p, more, e := f.contributorsPage(n, f.known[pageName(n)])
		switch {
		case e == nil:
			pages[n] = p
			return nil, nil
		case e.Outcome != upstream.Unchanged:
			return nil, e
		}
		unchanged = e
		// A list can outgrow its last page and leave that page as it was.
		if more && n < maxPages && f.known[pageName(n+1)] == "" {
			return nil, nil
		}
	}
	return unchanged, nil
}

// contributorsPage asks for one page. more is set on a failure as well, if its
// answer linked to another page.
func (f *fetch) contributorsPage(n int, tag string) (p page, more bool, e *upstream.Error) {
	o := &gh.ListContributorsOptions{ListOptions: gh.ListOptions{PerPage: perPage}}
	if n > 1 {
		o.Page = n
	}
	v, a, e := ask(f, tag, func(ctx context.Context) ([]*gh.Contributor, *gh.Response, error) {
		return f.client.gh.Repositories.ListContributors(ctx, f.ref.Owner, f.ref.Name, o)
	})
	if e == nil && n == 1 && a.noContent() {
		e = empty()
	}
	switch {
	case e != nil && e.Outcome == upstream.Empty:
		f.keepPages(nil)
		return p, false, e
	case e != nil:
		return p, a.call.more, e
	case v == nil && !a.noContent():
		return p, false, a.broken("no list of contributors")
	case a.NextPage != 0 && a.NextPage != n+1:
		return p, false, a.broken("the page after %d is said to be %d", n, a.NextPage)
	}
	p = page{read: true, more: a.NextPage != 0, tag: a.etag()}
	for _, c := range v {
		if l := c.GetLogin(); l != "" { // anonymous ones have none
			p.logins = append(p.logins, l)
		}
	}
	return p, p.more, nil
}

// keepPages replaces the tags of all pages. Tags of some pages only could not
// tell that the list has changed: then none is kept.
func (f *fetch) keepPages(tags map[string]string) {
	for n := 1; n <= maxPages; n++ {
		f.keep(pageName(n), "")
	}
	for _, t := range tags {
		if t == "" {
			return
		}
	}
	for name, t := range tags {
		f.keep(name, t)
	}
}
