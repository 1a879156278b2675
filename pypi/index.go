package pypi

import (
	"context"
	"encoding/json"
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
	resp, sent, err := c.ask(ctx, "simple/"+normal+"/", "application/vnd.pypi.simple.v1+json", "")
	a.Requests += sent
	if err != nil {
		return a.failed(err)
	}
	defer resp.Body.Close()
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
func decodeIndexPage(r io.Reader) (indexPage, error) {
	var page indexPage
	known := false
	err := eachMember(r, func(key string, dec *json.Decoder) error {
		switch key {
		case "files":
			known = true
			return eachElement(dec, key, func() error {
				page.files++
				return dec.Decode(new(ignored))
			})
		case "meta":
			known = true
			var meta struct {
				Status any `json:"project-status"`
				Reason any `json:"project-status-reason"`
			}
			if err := dec.Decode(&meta); err != nil {
				return err
			}
			page.note(meta.Status, meta.Reason)
		case "project-status":
			var v any
			if err := dec.Decode(&v); err != nil {
				return err
			}
			if m, ok := v.(map[string]any); ok {
				page.note(m["status"], m["reason"])
			}
		default:
			return dec.Decode(new(ignored))
		}
		return nil
	})
	if err == nil && !known {
		err = malformed("not a page of the index: it has neither files nor meta")
	}
	return page, err
}

// note keeps a status and its reason, in whichever place they were found.
func (p *indexPage) note(status, reason any) {
	if s, ok := status.(string); ok && s != "" {
		p.status = s
	}
	if s, ok := reason.(string); ok && s != "" {
		p.reason = oneLine(s, 200)
	}
}
