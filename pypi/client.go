// Package pypi asks the Python Package Index (PyPI) about projects and derives
// from its answers what a package record holds: the latest version, all
// versions with their upload times, the licence, the development status, and
// whether Python 3 is supported.
//
// [ParseURL] turns what people paste into a project's name. [Client.Fetch] asks
// for one project and says with an [upstream.Outcome] what became of it; it
// makes one conditional request, and a second one only where PyPI says "not
// found", because that may also mean "quarantined" or "without releases".
// [Client.Index] reads the list of all projects with the serial of each, which tells
// what has changed since, and [Client.Page] a project's page in it, which alone tells
// whether the project is archived.
//
// The client waits only for its turn, as [Options] has it, and never repeats a
// question: whether to ask again, and when, is for the caller to decide, who reads
// [Client.Hold].
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
	Timeout   time.Duration     // for one request, body included, but ten times that for the index; 0 means 30 s
	Transport http.RoundTripper // the wire; nil means upstream.NewTransport()

	// PyPI asks for requests one after the other, and not for thousands within
	// minutes. Whoever comes under [upstream.Insist] goes before all others.
	Concurrency int // requests in flight at once, bodies included; 0 means 1
	Rate        int // requests a second, those of one second at once where none came before; 0 means any number

	// Of several hosts one at a time asks PyPI, so that they keep to all this together: Usable
	// tells whether this one may. It is called just before each question is sent, and in
	// between, from many goroutines, so it answers at once. nil means always.
	Usable func() bool
}

// Client asks one PyPI. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	large     *http.Client // for the index, which is larger and takes longer than all else
	base      *url.URL
	userAgent string
	gate      *upstream.Gate
	turnstile *turnstile
	usable    func() bool // Options.Usable
}

// New returns a client for the PyPI at o.BaseURL. It fails where that is not
// an http or https URL.
func New(o Options) (*Client, error) {
	if o.Transport == nil {
		o.Transport = upstream.NewTransport()
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	c := &Client{userAgent: o.UserAgent, gate: upstream.NewGate("PyPI"), turnstile: newTurnstile(max(o.Concurrency, 1), o.Rate), usable: o.Usable}
	general := upstream.Options{BaseURL: o.BaseURL, UserAgent: o.UserAgent, Timeout: o.Timeout, MaxBody: maxBody, Transport: o.Transport}
	index := general
	index.Timeout, index.MaxBody = indexTimeouts*o.Timeout, maxIndex
	var err error
	if c.http, c.base, err = upstream.NewClient(general); err == nil {
		c.large, _, err = upstream.NewClient(index)
	}
	if err != nil {
		return nil, fmt.Errorf("PyPI's base URL: %w", err)
	}
	return c, nil
}

// Answer is what became of a question about one project.
type Answer struct {
	Outcome  upstream.Outcome
	Project  Project         // for Fresh; for Stale where it is newer than what is known, if not as new as the index
	ETag     string          // validator for the next Fetch; for Fresh and Unchanged, and beside the Project of Stale
	Serial   int64           // of the project, as of the answer; for Fresh, Unchanged and Empty; 0 unknown
	Page     *PageAnswer     // of the project's page, where that was asked for as well
	Requests int             // HTTP requests made, followed redirects and those for Page included
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
	Index  int64  // that the index gives the project; 0 for none
}

// Fetch asks for one project: GET pypi/{name}/json, with If-None-Match where
// q.ETag is not empty. "Not found" there is checked against GET simple/{name}/
// before it is believed. An answer with a serial below q.Serial or q.Index comes from
// a cache that has not caught up, and is Stale. While the gate is closed
// ([Client.Hold]) Fetch answers Limited without a request.
func (c *Client) Fetch(ctx context.Context, q Question) Answer {
	var a Answer
	if !ValidName(q.Name) {
		return a.failed(noName(q.Name))
	}
	normal := Normalize(q.Name)

	resp, permit, sent, err := c.ask(ctx, c.http, "pypi/"+normal+"/json", "application/json", q.ETag)
	a.Requests += sent
	if err != nil {
		return a.failed(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		c.gate.Answered(permit)
		upstream.DrainAndClose(resp.Body)
		return c.explainMissing(ctx, a, normal, resp.Request.URL)
	case http.StatusNotModified:
		if q.ETag == "" {
			err = broken(ctx, resp, needlessNotModified)
		} else { // what is known has the serial that is known
			a.Outcome, a.ETag, a.Serial = upstream.Unchanged, q.ETag, max(q.Serial, lastSerial(resp.Header))
		}
	default:
		a.Project, err = readProject(ctx, resp, normal)
		a.Outcome, a.ETag, a.Serial = upstream.Fresh, resp.Header.Get("ETag"), a.Project.Serial
	}
	if err == nil {
		err = q.stale(resp, a.Serial)
	}
	c.gate.Settle(permit, err)
	switch {
	case err == nil:
		return a
	case err.Outcome == upstream.Stale && a.Outcome == upstream.Fresh && a.Serial >= q.Serial:
		return a.failed(err)
	}
	return Answer{Requests: a.Requests}.failed(err)
}

func noName(name string) *upstream.Error {
	return &upstream.Error{Outcome: upstream.Failed, Message: fmt.Sprintf("%q cannot be the name of a PyPI project; not asked", oneLine(name, 100))}
}

// readProject reads the project of that normalised name from an answer.
func readProject(ctx context.Context, resp *http.Response, normal string) (Project, *upstream.Error) {
	p, err := decodeProject(resp.Body)
	if err != nil {
		return Project{}, broken(ctx, resp, err)
	}
	if Normalize(p.Name) != normal {
		return Project{}, broken(ctx, resp, malformed(fmt.Sprintf("asked for %q, the answer is about %q", normal, oneLine(p.Name, 100))))
	}
	if p.Serial == 0 {
		p.Serial = lastSerial(resp.Header)
	}
	return p, nil
}

// stale returns why an answer of that serial comes from a cache that has not caught up;
// nil where it does not.
func (q Question) stale(resp *http.Response, serial int64) *upstream.Error {
	e := &upstream.Error{Outcome: upstream.Stale, URL: upstream.Redact(resp.Request.URL), Status: resp.StatusCode}
	switch {
	case serial == 0:
		return nil
	case serial < q.Serial:
		e.Message = fmt.Sprintf("an answer older than one before it: its serial is %d, the last one known is %d", serial, q.Serial)
	case serial < q.Index:
		e.Message = fmt.Sprintf("an answer older than PyPI's index: its serial is %d, in the index it is %d", serial, q.Index)
	default:
		return nil
	}
	return e
}

// Hold returns why PyPI is not asked now, and until when; its Until is zero where it
// may be. While another host asks, that is why, whatever this one knows of limits.
func (c *Client) Hold() upstream.Hold {
	if away := c.elsewhere(); !away.Until.IsZero() {
		return away
	}
	return c.gate.Hold()
}

// elsewhere returns the hold while another host asks.
func (c *Client) elsewhere() upstream.Hold { return upstream.Elsewhere(c.usable, "PyPI") }

// Lift ends a hold.
func (c *Client) Lift() { c.gate.Lift() }

// CloseIdle closes the connections that no request uses. The client can still be used.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Fault returns what is wrong with PyPI as a whole, until it answers again; "" where
// nothing is.
func (c *Client) Fault() string { return c.gate.Fault() }

// ask sends one GET when its turn has come, unless the gate is closed, and returns an
// answer with status 200, 304, 404 or 410, whose body the caller closes, which ends
// the turn, and whose permit it gives back. Every other answer, and none, is an error.
// sent counts the requests made.
func (c *Client) ask(ctx context.Context, hc *http.Client, ref, accept, etag string) (resp *http.Response, permit upstream.Permit, sent int, failure *upstream.Error) {
	u := c.base.JoinPath(ref)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, permit, 0, upstream.Classify(ctx, u, err)
	}
	req.Header.Set("Accept", accept)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	permit, failure = c.admit(ctx, u)
	if failure != nil {
		return nil, permit, 0, failure
	}
	resp, err = hc.Do(req)
	sent = max(1, hops(resp))
	if err != nil {
		c.turnstile.leave()
		c.gate.Unanswered(ctx, permit, err)
		return nil, permit, sent, upstream.Classify(ctx, u, err)
	}
	resp.Body = &turn{ReadCloser: resp.Body, leave: c.turnstile.leave}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified, http.StatusNotFound, http.StatusGone:
		return resp, permit, sent, nil
	}
	defer resp.Body.Close()
	return nil, permit, sent, c.refusal(resp, permit)
}

// admit waits for a turn to ask for u. While the gate is closed, or another host asks, it
// takes none.
func (c *Client) admit(ctx context.Context, u *url.URL) (permit upstream.Permit, failure *upstream.Error) {
	if away := c.elsewhere(); !away.Until.IsZero() {
		return permit, notAsked(u, away)
	}
	if err := c.turnstile.enter(ctx); err != nil {
		return permit, upstream.Classify(ctx, u, err)
	}
	permit, hold, err := c.gate.Admit(ctx)
	if err == nil && hold.Until.IsZero() {
		err = c.turnstile.pace(ctx)
		if hold = c.elsewhere(); err == nil && hold.Until.IsZero() { // it may have changed meanwhile
			return permit, nil
		}
		c.gate.Release(permit)
	}
	c.turnstile.leave()
	if err != nil {
		return permit, upstream.Classify(ctx, u, err)
	}
	return permit, notAsked(u, hold)
}

func notAsked(u *url.URL, hold upstream.Hold) *upstream.Error {
	return &upstream.Error{Outcome: upstream.Limited, URL: upstream.Redact(u), Message: "not asked: " + hold.Reason, RetryAt: hold.Until}
}

// hops counts the requests that led to resp: redirects link back to the
// answer that caused them.
func hops(resp *http.Response) (n int) {
	for ; resp != nil; resp = resp.Request.Response {
		n++
	}
	return n
}
