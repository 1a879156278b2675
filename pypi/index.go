package pypi

import (
	"context"
	"io"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/upstream"
)

// The index had 44 MB, 10 MB compressed, at 890,000 projects. It is read as it
// arrives, so that its size is no matter of memory.
const (
	maxIndex      = 512 << 20
	indexTimeouts = 10 // as long as this many other requests
)

// IndexAnswer is what became of a question about the index.
type IndexAnswer struct {
	Outcome  upstream.Outcome // Fresh, Unchanged, Gone, Limited, Failed or Canceled
	Projects int              // in the index; for Fresh
	ETag     string           // validator for the next question; for Fresh and Unchanged
	Requests int              // HTTP requests made, followed redirects included
	Err      *upstream.Error  // set unless Fresh or Unchanged
}

// Index reads the list of all projects: GET simple/ in its JSON form, with
// If-None-Match where etag is not empty. It calls project for each as it arrives, with
// its normalised name, which is valid only during the call, and its serial, 0 where the
// index has none. PyPI leaves out the projects in quarantine.
//
// What was passed to project counts only where the Outcome is Fresh. An index without
// any serial, such as a mirror's, is Failed: it does not tell what has changed. While
// the gate is closed ([Client.Hold]) Index answers Limited without a request.
func (c *Client) Index(ctx context.Context, etag string, project func(name []byte, serial int64)) IndexAnswer {
	projects := 0
	said := c.askIndex(ctx, c.large, "", etag, "there is no index", func(resp *http.Response) (err error) {
		projects, err = decodeIndex(resp.Body, project)
		return err
	})
	return IndexAnswer{said.outcome, projects, said.etag, said.requests, said.err}
}

// indexSaid is what became of a question about the index, or about a page of it.
type indexSaid struct {
	outcome  upstream.Outcome
	etag     string // for Fresh and Unchanged
	requests int
	err      *upstream.Error // set unless Fresh or Unchanged
}

// askIndex asks for a path below simple/ in its JSON form, with If-None-Match where etag
// is not empty, and has the body of an answer read by read. missing says what it means
// that there is no such path.
func (c *Client) askIndex(ctx context.Context, hc *http.Client, path, etag, missing string, read func(*http.Response) error) (said indexSaid) {
	resp, permit, sent, err := c.ask(ctx, hc, "simple/"+path, simpleJSON, etag)
	if err != nil {
		return indexSaid{outcome: err.Outcome, requests: sent, err: err}
	}
	defer resp.Body.Close()
	said.requests = sent
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		err = &upstream.Error{Outcome: upstream.Gone, URL: upstream.Redact(resp.Request.URL), Status: resp.StatusCode, Message: missing}
	case http.StatusNotModified:
		if said.outcome, said.etag = upstream.Unchanged, etag; etag == "" {
			err = broken(ctx, resp, needlessNotModified)
		}
	default:
		if bad := read(resp); bad != nil {
			err = broken(ctx, resp, bad)
		}
		said.outcome, said.etag = upstream.Fresh, resp.Header.Get("ETag")
	}
	c.gate.Settle(permit, err)
	if err != nil {
		return indexSaid{outcome: err.Outcome, requests: sent, err: err}
	}
	return said
}

// decodeIndex passes each project of the index on, and returns how many there are.
func decodeIndex(body io.Reader, project func(name []byte, serial int64)) (projects int, err error) {
	var name, normal []byte
	dated := false // some project has a serial
	r := newReader(body)
	err = r.document(func(member []byte) error {
		if string(member) != "projects" {
			return r.SkipValue()
		}
		return r.array("projects", func() error {
			var serial int64
			name = name[:0]
			if _, err := r.object("projects", func(member []byte) error {
				switch string(member) {
				case "name":
					return r.bytes(&name)
				case "_last-serial":
					return r.number(&serial)
				}
				return r.SkipValue()
			}); err != nil {
				return err
			}
			if len(name) > 0 {
				projects++
				dated = dated || serial > 0
				normal = appendNormal(normal[:0], name)
				project(normal, serial)
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return 0, err
	case projects == 0:
		return 0, malformed("not an index: it lists no projects")
	case !dated:
		return 0, malformed("the index gives no serials, which would tell what has changed")
	}
	return projects, nil
}

// bytes reads the next value into b where it is a string, and skips any other.
func (r *reader) bytes(b *[]byte) error {
	if r.PeekKind() != '"' {
		return r.SkipValue()
	}
	quoted, err := r.ReadValue()
	if err == nil {
		*b, _ = jsontext.AppendUnquote((*b)[:0], quoted) // its one error is about UTF-8
	}
	return err
}
