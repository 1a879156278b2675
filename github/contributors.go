package github

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// GitHub links at most 500 addresses to logins: five pages of a hundred.
const (
	maxPages = record.MaxContributors / perPage
	perPage  = 100
)

// contributorBody is what is used of a contributor.
type contributorBody struct {
	Login   text  `json:"login"` // anonymous contributors have none
	Commits count `json:"contributions"`
}

// page is one page of contributors that has been read.
type page struct {
	read   bool
	empty  bool // it lists nobody, with an account or without
	people []record.Contribution
	more   bool // another page follows
	tag    string
}

func pageName(n int) string { return "contributors/" + strconv.Itoa(n) }

// contributors asks GET /repos/{owner}/{name}/contributors, page by page. A
// list is given whole or not at all: once a page has changed, those that had
// not are asked again, for their logins. Beside the list, the error may be that it
// is Doubtful: one of its pages is empty where the pages say that there are more.
func (f *fetch) contributors(known Validators) ([]record.Contribution, Validators, *upstream.Error) {
	var pages [maxPages + 1]page // by number, from 1
	unchanged, e := f.changedPage(&pages, known)
	if e != nil {
		return nil, nil, e
	}
	if unchanged != nil {
		return nil, nil, unchanged
	}
	last, cutShort := 0, (*upstream.Error)(nil)
	for more := true; more && last < maxPages && cutShort == nil; more = pages[last].more {
		last++
		if !pages[last].read {
			if pages[last], _, e = f.contributorsPage(last, ""); e != nil {
				return nil, nil, e
			}
		}
		if p := pages[last]; p.empty && (last > 1 || p.more) {
			cutShort = &upstream.Error{Outcome: upstream.Doubtful, Status: http.StatusOK, Message: fmt.Sprintf("page %d is empty", last)}
		}
	}
	read := pages[1 : last+1]
	return peopleOf(read), tagsOf(read), cutShort
}

// changedPage asks conditionally for the pages whose tags are known, up to the
// first that has changed, which it puts into pages. unchanged is set if none
// has.
func (f *fetch) changedPage(pages *[maxPages + 1]page, known Validators) (unchanged, failure *upstream.Error) {
	for n := 1; n <= maxPages && known[pageName(n)] != ""; n++ {
		p, more, e := f.contributorsPage(n, known[pageName(n)])
		switch {
		case e == nil:
			pages[n] = p
			return nil, nil
		case e.Outcome != upstream.Unchanged:
			return nil, e
		}
		unchanged = e
		// A list can outgrow its last page and leave that page as it was.
		if more && n < maxPages && known[pageName(n+1)] == "" {
			return nil, nil
		}
	}
	return unchanged, nil
}

// contributorsPage asks for one page. After a failure, too, more tells whether
// the answer linked to another page.
func (f *fetch) contributorsPage(n int, tag string) (p page, more bool, e *upstream.Error) {
	query := fmt.Sprintf("?per_page=%d", perPage)
	if n > 1 {
		query = fmt.Sprintf("?page=%d&per_page=%d", n, perPage)
	}
	var v []object[contributorBody]
	a, e := f.get(f.path("/contributors"+query), tag, &v)
	switch {
	case e != nil:
		return p, a.call.more, e
	case a.noContent() && n == 1:
		return p, false, a.empty()
	case v == nil && !a.noContent():
		return p, false, a.broken("no list of contributors")
	case a.NextPage != 0 && a.NextPage != n+1:
		return p, false, a.broken("its Link header says that page %d follows page %d", a.NextPage, n)
	}
	p = page{read: true, empty: len(v) == 0, more: a.NextPage != 0, tag: a.etag()}
	for _, c := range v {
		if login := string(c.fields.Login); login != "" {
			p.people = append(p.people, record.Contribution{Login: login, Commits: int(c.fields.Commits)})
		}
	}
	return p, p.more, nil
}

// peopleOf returns the contributors of all pages, each once.
func peopleOf(pages []page) []record.Contribution {
	people, seen := []record.Contribution{}, map[string]bool{}
	for _, p := range pages {
		for _, c := range p.people {
			if login := strings.ToLower(c.Login); !seen[login] {
				seen[login] = true
				people = append(people, c)
			}
		}
	}
	return people
}

// tagsOf returns the tags of all pages, or none: with those of some pages only,
// a change of the list could go unnoticed.
func tagsOf(pages []page) Validators {
	tags := Validators{}
	for i, p := range pages {
		if p.tag == "" {
			return nil
		}
		tags[pageName(i+1)] = p.tag
	}
	return tags
}
