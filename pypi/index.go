package pypi

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"pkgmetad/internal/upstream"
)

// askIndex finds out what a "not found" of the JSON API at asked means: GET
// simple/{name}/ in its JSON form (PEP 691). It completes a, which holds the
// count of requests so far.
func (c *Client) askIndex(ctx context.Context, a Answer, normal string, asked *url.URL) Answer {
	resp, permit, sent, err := c.ask(ctx, "simple/"+normal+"/", "application/vnd.pypi.simple.v1+json", "")
	a.Requests += sent
	if err != nil {
		return a.failed(err)
	}
	defer resp.Body.Close()
	c.gate.Answered(permit)
	notFound := &upstream.Error{URL: upstream.Redact(asked), Status: http.StatusNotFound}
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		notFound.Outcome = upstream.Gone
		notFound.Message = "PyPI has no project of this name, neither in its JSON API nor in its index"
		return a.failed(notFound)
	case http.StatusNotModified:
		return a.failed(broken(ctx, resp, needlessNotModified))
	}
	page, derr := decodeIndexPage(resp.Body)
	switch {
	case derr != nil:
		return a.failed(broken(ctx, resp, derr))
	case page.status == "quarantined":
		notFound.Outcome, notFound.Message = upstream.Blocked, "PyPI has quarantined the project"
		if page.reason != "" {
			notFound.Message += ": " + page.reason
		}
		return a.failed(notFound)
	case page.files > 0:
		notFound.Outcome = upstream.Failed
		notFound.Message = fmt.Sprintf("PyPI's JSON API says not found while its index lists %d files; asked again later", page.files)
		return a.failed(notFound)
	}
	a.Outcome = upstream.Empty
	return a
}

// indexPage is what matters of a project's page in the index.
type indexPage struct {
	files          int
	status, reason string // PEP 792; "" where the page says nothing
}

// decodeIndexPage reads a project's page. PyPI states the status as the object
// project-status; the specification shows it as two keys of meta as well.
func decodeIndexPage(body io.Reader) (indexPage, error) {
	var page indexPage
	known := false
	r := newReader(body)
	err := r.document(func(name []byte) error {
		switch string(name) {
		case "files":
			known = true
			return r.array("files", func() error {
				page.files++
				return r.SkipValue()
			})
		case "meta":
			known = true
			return page.read(r, "project-status", "project-status-reason")
		case "project-status":
			return page.read(r, "status", "reason")
		}
		return r.SkipValue()
	})
	if err == nil && !known {
		err = malformed("not a page of the index: it has neither files nor meta")
	}
	return page, err
}

// read keeps the status and its reason from the object that is the next value, where
// they have these names. It skips any other value.
func (p *indexPage) read(r *reader, status, reason string) error {
	var members map[string]string
	if err := r.labels(&members); err != nil {
		return err
	}
	p.status = cmp.Or(members[status], p.status)
	if s := members[reason]; s != "" {
		p.reason = oneLine(s, 200)
	}
	return nil
}
