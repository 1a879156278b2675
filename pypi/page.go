package pypi

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// simpleJSON is the form of the index that PEP 691 defines.
const simpleJSON = "application/vnd.pypi.simple.v1+json"

// Page is what a project's page in the index says of the project as a whole (PEP 691
// and 792). The JSON API says none of it but the serial.
type Page struct {
	Status string // active, archived, deprecated or quarantined; active where the page names none
	Reason string // why, in one line; "" for none
	Files  int    // that are listed; none while the project, or all of its releases, are in quarantine
	Serial int64  // 0 unknown
}

// The status that has PyPI withhold a project.
const quarantined = "quarantined"

// PageAnswer is what became of a question about a project's page.
type PageAnswer struct {
	Outcome  upstream.Outcome // Fresh, Unchanged, Gone, Limited, Failed or Canceled
	Page     Page             // for Fresh
	ETag     string           // validator for the next question; for Fresh and Unchanged
	Requests int              // HTTP requests made, followed redirects included
	Err      *upstream.Error  // set unless Fresh or Unchanged
}

// Page asks for a project's page in the index: GET simple/{name}/ in its JSON form,
// with If-None-Match where etag is not empty. While the gate is closed ([Client.Hold])
// it answers Limited without a request.
func (c *Client) Page(ctx context.Context, name, etag string) PageAnswer {
	if !ValidName(name) {
		err := noName(name)
		return PageAnswer{Outcome: err.Outcome, Err: err}
	}
	var page Page
	said := c.askIndex(ctx, c.http, Normalize(name)+"/", etag, "PyPI's index has no project of this name", func(resp *http.Response) error {
		read, err := decodePage(resp.Body)
		if err != nil {
			return err
		}
		page = read
		page.Serial = cmp.Or(page.Serial, lastSerial(resp.Header))
		return nil
	})
	return PageAnswer{said.outcome, page, said.etag, said.requests, said.err}
}

// explainMissing finds out what a "not found" of the JSON API at asked means, from the
// project's page in the index. It completes a, which holds the count of requests so
// far.
func (c *Client) explainMissing(ctx context.Context, a Answer, normal string, asked *url.URL) Answer {
	page := c.Page(ctx, normal, "")
	a.Page, a.Requests = &page, a.Requests+page.Requests
	notFound := &upstream.Error{Outcome: page.Outcome, URL: upstream.Redact(asked), Status: http.StatusNotFound}
	switch {
	case page.Outcome == upstream.Gone:
		notFound.Message = "PyPI has no project of this name, neither in its JSON API nor in its index"
		return a.failed(notFound)
	case page.Outcome != upstream.Fresh:
		return a.failed(page.Err)
	case page.Page.Status == quarantined:
		notFound.Outcome, notFound.Message = upstream.Blocked, "PyPI has quarantined the project"
		if page.Page.Reason != "" {
			notFound.Message += ": " + page.Page.Reason
		}
		return a.failed(notFound)
	case page.Page.Files > 0:
		notFound.Outcome = upstream.Failed
		notFound.Message = fmt.Sprintf("PyPI's JSON API says not found while its index lists %s; asked again later", record.Count(page.Page.Files, "file", "files"))
		return a.failed(notFound)
	}
	a.Outcome, a.Serial = upstream.Empty, page.Page.Serial
	return a
}

// decodePage reads a project's page. PyPI states the status as the object
// project-status; the specification shows it as two keys of meta as well.
func decodePage(body io.Reader) (page Page, err error) {
	known := false
	r := newReader(body)
	err = r.document(func(name []byte) error {
		switch string(name) {
		case "files":
			known = true
			return r.array("files", func() error {
				page.Files++
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
	page.Status = cmp.Or(page.Status, "active")
	return page, err
}

// read keeps the status and its reason from the object that is the next value, where
// they have these names, and the serial. It skips any other value.
func (p *Page) read(r *reader, status, reason string) error {
	if r.PeekKind() != '{' {
		return r.SkipValue()
	}
	_, err := r.object("", func(name []byte) (err error) {
		var text string
		switch string(name) {
		case status:
			if err = r.field(&text); text != "" {
				p.Status = oneLine(text, 40)
			}
		case reason:
			if err = r.field(&text); text != "" {
				p.Reason = oneLine(text, 200)
			}
		case "_last-serial":
			err = r.number(&p.Serial)
		default:
			err = r.SkipValue()
		}
		return err
	})
	return err
}
