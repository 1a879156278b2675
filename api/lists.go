package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// comparedAtOnce is the number of packages on the page of a grid or a category without
// ?limit=: more than in JSON lists, so that most can be compared at a glance.
const comparedAtOnce = 100

// The parameters of pages that list packages. They are of the pages alone: the JSON is
// always that of the documented API. As with ?limit=, a value that is not known counts as
// missing.
const (
	sortParameter = "sort" // a column; with "-" before it, from its highest value down
	viewParameter = "view"
	filterIsOn    = "yes"
	djangoView    = "django" // the packages against versions of Django
)

// filters are the parameters that leave out packages, and what each asks of a list.
var filters = []struct {
	parameter, title string
	field            func(*record.ListQuery) *bool
}{
	{"alive", "Alive", func(q *record.ListQuery) *bool { return &q.Alive }},
	{"python3", "Python 3", func(q *record.ListQuery) *bool { return &q.Python3 }},
	{"stable", "Stable", func(q *record.ListQuery) *bool { return &q.Stable }},
}

// listQuery returns the part, the order and the filters that a page is asked for.
func listQuery(rq *request, p page) record.ListQuery {
	q := record.ListQuery{Now: time.Now()}
	q.Offset, q.Limit = p.window()
	value, _ := rq.query.get(sortParameter)
	name, descending := strings.CutPrefix(value, "-")
	if column := record.Column(name); slices.ContainsFunc(web.Columns, func(c web.Column) bool { return c.Sort == column }) {
		q.Sort, q.Descending = column, descending
	}
	for _, f := range filters {
		value, _ := rq.query.get(f.parameter)
		*f.field(&q) = value == filterIsOn
	}
	value, _ = rq.query.get(viewParameter)
	q.Django = value == djangoView
	return q
}

// comparedPage returns the page of the packages of a grid or a category that is asked for.
func (a *api) comparedPage(rq *request) page {
	q := rq.query
	if _, given := q.get("limit"); !given {
		q = append(q.without("limit"), field{"limit", strconv.Itoa(comparedAtOnce)})
	}
	return newPage(q, a.maxLimit)
}

// comparedList reads the packages of a grid or a category: those of q, of which only the
// list itself is given.
func (a *api) comparedList(rq *request, of record.ListQuery) (web.List, error) {
	p := a.comparedPage(rq)
	q := listQuery(rq, p)
	q.IDs, q.Category = of.IDs, of.Category
	l, err := a.list(rq, p, q)
	if q.Django {
		l.Other = rq.with(viewParameter, "")
	} else {
		l.Other = rq.with(viewParameter, djangoView)
	}
	l.Readiness = q.Django
	return l, err
}

// list reads what a page lists, and makes the links that show it otherwise.
func (a *api) list(rq *request, p page, q record.ListQuery) (web.List, error) {
	found, err := a.selected(rq, q)
	if err != nil {
		return web.List{}, err
	}
	var recs []record.Package
	for _, id := range found.IDs {
		rec, err := a.store.Package(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has just been deleted
		}
		if err != nil {
			return web.List{}, err
		}
		recs = append(recs, rec)
	}
	l := a.viewOf(rq, p, q, found.Count, recs)
	l.All, l.Django = found.All, found.Django
	return l, nil
}

var errList = &problem{http.StatusServiceUnavailable, "The list is not ready. Try again later."}

// selected asks the store for a list when its turn comes: putting a million packages in order
// takes 16 MB, which many at once would multiply.
func (a *api) selected(rq *request, q record.ListQuery) (record.Listing, error) {
	select {
	case a.selecting <- struct{}{}:
		defer func() { <-a.selecting }()
	case <-rq.Context().Done():
		return record.Listing{}, errList
	}
	return a.store.List(q)
}

// viewOf returns a list of packages, of which there are count, with its links.
func (a *api) viewOf(rq *request, p page, q record.ListQuery, count int, recs []record.Package) web.List {
	l := web.List{
		Pager: a.pager(rq, p, count, len(recs)), All: count, Items: items(recs),
		Heads: web.Heads(q.Sort, q.Descending, func(sort string) string { return rq.with(sortParameter, sort) }),
	}
	plain := rq.query.without(sortParameter, "offset")
	for _, f := range filters {
		on := *f.field(&q)
		value := filterIsOn
		if on {
			value = ""
		}
		l.Filters = append(l.Filters, web.Filter{Title: f.title, On: on, Href: rq.with(f.parameter, value)})
		plain = plain.without(f.parameter)
	}
	if isAltered(q) {
		l.Plain = rq.address(plain)
	}
	return l
}

// isAltered reports whether a list is not in its own order, or filtered.
func isAltered(q record.ListQuery) bool {
	return q.Sort != record.ByDefault || q.Alive || q.Python3 || q.Stable
}

// with returns the address of the page as it is with another value of a parameter, "" for
// none, from the beginning of the list.
func (rq *request) with(parameter, value string) string {
	q := rq.query.without(parameter, "offset")
	if value != "" {
		q = append(q, field{parameter, value})
	}
	return rq.address(q)
}

func (rq *request) address(q query) string {
	if len(q) == 0 {
		return rq.path
	}
	return rq.path + "?" + q.encode()
}
