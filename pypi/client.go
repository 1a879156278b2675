// Package pypi asks the Python Package Index (PyPI) about projects and derives
// from its answers what a package record holds: the latest version, all
// versions with their upload times, the licence, the development status, and
// whether Python 3 is supported.
//
// [ParseURL] turns what people paste into a project's name. [Client.Fetch] asks
// for one project and says with an [upstream.Outcome] what became of it; it
// makes one conditional request, and a second one only where PyPI says "not
// found", because that may also mean "quarantined" or "without releases". The
// client never sleeps and never repeats a question: who waits, and whether to
// ask again, is for the caller to decide, who reads [Client.Hold].
//
// The rest of the package is pure: names (PEP 503), the order of versions
// (PEP 440), and the reading of requires_python as intervals of versions.
package pypi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"pkgmetad/internal/upstream"
)

// maxBody bounds a decoded answer. Projects with a file per platform and a
// release a day come to tens of megabytes.
const maxBody = 32 << 20

// Options configures a [Client].
type Options struct {
	BaseURL   string            // where PyPI lives, as in https://pypi.org/
	UserAgent string            // names the program, its version and a contact; PyPI refuses Go's default
	Timeout   time.Duration     // for one request, body included; 0 means 30 s
	Transport http.RoundTripper // the wire; nil means upstream.NewTransport()
}

// Client asks one PyPI. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	base      *url.URL
	userAgent string
	gate      *upstream.Gate
}

// New returns a client for the PyPI at o.BaseURL. It fails where that is not
// an http or https URL.
func New(o Options) (*Client, error) {
	hc, base, err := upstream.NewClient(upstream.Options{
		BaseURL:   o.BaseURL,
		UserAgent: o.UserAgent,
		Timeout:   o.Timeout,
		MaxBody:   maxBody,
		Transport: o.Transport,
	})
	if err != nil {
		return nil, fmt.Errorf("PyPI's base URL: %w", err)
	}
	return &Client{http: hc, base: base, userAgent: o.UserAgent, gate: upstream.NewGate("PyPI")}, nil
}

// Answer is what became of a question about one project.
type Answer struct {
	Outcome  upstream.Outcome
	Project  Project         // for Fresh
	ETag     string          // validator for the next Fetch; for Fresh and Unchanged
	Requests int             // HTTP requests made, followed redirects included
	Err      *upstream.Error // set unless Fresh, Unchanged or Empty
}

func (a Answer) failed(err *upstream.Error) Answer {
	a.Outcome, a.Err = err.Outcome, err
	return a
}

// Question is what one Fetch asks.
type Question struct {
	Name   string // of the project, in any spelling
	ETag   string // of the last answer; "" asks unconditionally
	Serial int64  // of the last answer that was believed; 0 believes any
}

// Fetch asks for one project: GET pypi/{name}/json, with If-None-Match where
// q.ETag is not empty. "Not found" there is checked against GET simple/{name}/
// before it is believed. An answer with a serial below q.Serial comes from a
// cache that has not caught up, and is Stale. While the gate is closed
// ([Client.Hold]) Fetch answers Limited without a request.
func (c *Client) Fetch(ctx context.Context, q Question) Answer {
	var a Answer
	if !ValidName(q.Name) {
		return a.failed(&upstream.Error{Outcome: upstream.Failed, Message: fmt.Sprintf("%q cannot be the name of a PyPI project; not asked", oneLine(q.Name, 100))})
	}
	normal := Normalize(q.Name)

	resp, permit, sent, err := c.ask(ctx, "pypi/"+normal+"/json", "application/json", q.ETag)
	a.Requests += sent
	if err != nil {
		return a.failed(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		c.gate.Answered(permit)
		upstream.DrainAndClose(resp.Body)
		return c.askIndex(ctx, a, normal, resp.Request.URL)
	case http.StatusNotModified:
		if q.ETag == "" {
			err = broken(ctx, resp, needlessNotModified)
		} else {
			a.Outcome, a.ETag = upstream.Unchanged, q.ETag
		}
	default:
		a.Project, err = readProject(ctx, resp, q)
		a.Outcome, a.ETag = upstream.Fresh, resp.Header.Get("ETag")
	}
	c.gate.Settle(permit, err)
	if err != nil {
		return Answer{Requests: a.Requests}.failed(err)
	}
	return a
}

// readProject reads the project that the answer to q holds.
func readProject(ctx context.Context, resp *http.Response, q Question) (Project, *upstream.Error) {
	p, err := decodeProject(resp.Body)
	if err != nil {
		return Project{}, broken(ctx, resp, err)
	}
	if normal := Normalize(q.Name); Normalize(p.Name) != normal {
		return Project{}, broken(ctx, resp, malformed(fmt.Sprintf("asked for %q, the answer is about %q", normal, oneLine(p.Name, 100))))
	}
	if p.Serial == 0 {
		p.Serial = lastSerial(resp.Header)
	}
	if 0 < p.Serial && p.Serial < q.Serial {
		return Project{}, &upstream.Error{
			Outcome: upstream.Stale, URL: upstream.Redact(resp.Request.URL), Status: resp.StatusCode,
			Message: fmt.Sprintf("an answer older than one before it: its serial is %d, the last one known is %d", p.Serial, q.Serial),
		}
	}
	return p, nil
}

// Hold returns why PyPI is not asked now, and until when; its Until is zero where it
// may be.
func (c *Client) Hold() upstream.Hold { return c.gate.Hold() }

// Lift ends a hold.
func (c *Client) Lift() { c.gate.Lift() }

// CloseIdle closes the connections that no request uses. The client can still be used.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Fault returns what is wrong with PyPI as a whole, until it answers again; "" where
// nothing is.
func (c *Client) Fault() string { return c.gate.Fault() }

// ask sends one GET, unless the gate is closed, and returns an answer with
// status 200, 304, 404 or 410, whose body the caller closes and whose permit it gives
// back. Every other answer, and none, is an error. sent counts the requests made.
func (c *Client) ask(ctx context.Context, ref, accept, etag string) (resp *http.Response, permit upstream.Permit, sent int, failure *upstream.Error) {
	u := c.base.JoinPath(ref)
	if ctx.Err() != nil {
		return nil, permit, 0, upstream.Classify(ctx, u, ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, permit, 0, upstream.Classify(ctx, u, err)
	}
	req.Header.Set("Accept", accept)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	permit, hold, err := c.gate.Admit(ctx)
	if err != nil {
		return nil, permit, 0, upstream.Classify(ctx, u, err)
	}
	if !hold.Until.IsZero() {
		return nil, permit, 0, &upstream.Error{Outcome: upstream.Limited, URL: upstream.Redact(u), Message: "not asked: " + hold.Reason, RetryAt: hold.Until}
	}
	resp, err = c.http.Do(req)
	sent = max(1, hops(resp))
	if err != nil {
		c.gate.Unanswered(ctx, permit, err)
		return nil, permit, sent, upstream.Classify(ctx, u, err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified, http.StatusNotFound, http.StatusGone:
		return resp, permit, sent, nil
	}
	defer resp.Body.Close()
	return nil, permit, sent, c.refusal(resp, permit)
}

// hops counts the requests that led to resp: redirects link back to the
// answer that caused them.
func hops(resp *http.Response) (n int) {
	for ; resp != nil; resp = resp.Request.Response {
		n++
	}
	return n
}
