package github

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pkgmetad/internal/upstream"
)

// call is one question to go-github, redirects included. It travels in the
// request's context, so that the transport below the http.Client can record
// each hop.
type call struct {
	tag               string // sent as If-None-Match; "" asks unconditionally
	moves             upstream.Moves
	url               *url.URL // the last one asked
	more              bool     // the last answer links to a next page
	requests, charged int
	units             int       // of the budget that have to be left: see credential.admit
	admitted          bool      // its first request
	sent              time.Time // the latest one
	query             bool      // to GraphQL
	rate              rate      // as the last answer tells; zero where it does not
	permit            *permit   // of an answer with a value, whose use is not known yet
}

type callKey struct{}

// transport is where requests of one credential meet its limits. It passes on to
// go-github only answers that have a value (200, 204) and the redirects that the
// http.Client follows. All others become an *upstream.Error.
type transport struct {
	wire       http.RoundTripper
	credential *credential
	apiVersion string        // sent as X-GitHub-Api-Version; "" leaves go-github's
	timeout    time.Duration // for a request, from when it is sent to the end of its body
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := req.Context().Value(callKey{}).(*call) // set by credential.ask, which makes all requests
	c.url = req.URL
	if err := context.Cause(req.Context()); err != nil {
		return nil, err
	}
	l := t.credential.requests
	if c.query {
		l = t.credential.points
	}
	p, hold, err := t.credential.admit(req.Context(), l, c.units)
	if err != nil {
		return nil, err
	}
	if !hold.Until.IsZero() {
		return nil, notSent(req.Method, req.URL, t.credential.label(hold.Reason), hold.Until)
	}
	c.admitted, c.units = true, 1 // which a redirect needs
	req = t.dress(req, c)
	err = t.credential.authorize(req)
	if hold := t.credential.elsewhere(); !hold.Until.IsZero() { // it may have changed hands meanwhile
		p.withdraw()
		return nil, notSent(req.Method, req.URL, t.credential.label(hold.Reason), hold.Until)
	}
	if err != nil {
		defer p.leave()
		p.settle(nil, false)
		return nil, t.noToken(req, p, err)
	}
	c.sent = time.Now()
	resp, err := t.exchange(req)
	if err != nil {
		defer p.leave()
		t.unanswered(req, c, p, err)
		return nil, err
	}
	return t.answered(resp, c, p)
}

// unanswered notes that no answer came to the request of p.
func (t *transport) unanswered(req *http.Request, c *call, p permit, err error) {
	sent := !neverSent(err)
	if sent {
		c.requests++
		c.charged++
	}
	p.settle(nil, sent)
	t.credential.gate.Unanswered(req.Context(), p.gate, err)
}

// answered notes what the answer to the request of p says of the limits, and passes it on
// if it has a value.
func (t *transport) answered(resp *http.Response, c *call, p permit) (*http.Response, error) {
	c.requests++
	charged := resp.StatusCode != http.StatusNotModified || t.credential.kind == KindAnonymous
	if charged {
		c.charged++
	}
	c.rate = p.settle(resp.Header, charged)
	t.credential.noteExpiry(resp.Header)
	c.more = strings.Contains(resp.Header.Get("Link"), `rel="next"`)
	if !hasValue(resp, c) {
		defer upstream.DrainAndClose(resp.Body)
		defer p.leave()
		return nil, t.classify(resp, c, p)
	}
	if resp.StatusCode < 300 {
		c.permit = &p // until its body has been read
	} else {
		p.end(nil)
	}
	// go-github itself refuses requests once it has read that none remain, until
	// the reset, by its own clock. Without that header it leaves the budget to us.
	resp.Header.Del("X-RateLimit-Reset")
	return resp, nil
}

// exchange sends a request, which has t.timeout until its answer has been read.
func (t *transport) exchange(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	resp, err := t.wire.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &timedBody{resp.Body, cancel}
	return resp, nil
}

// timedBody ends the time for a request when its answer is closed.
type timedBody struct {
	io.ReadCloser
	cancel func()
}

func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// dress returns a request with what go-github cannot give it.
func (t *transport) dress(req *http.Request, c *call) *http.Request {
	req = req.Clone(req.Context())
	if c.tag != "" {
		req.Header.Set("If-None-Match", c.tag)
	}
	if t.apiVersion != "" {
		req.Header.Set("X-GitHub-Api-Version", t.apiVersion)
	}
	return req
}

// notSent says that a request was not made, and until when.
func notSent(method string, u *url.URL, reason string, until time.Time) *upstream.Error {
	return &upstream.Error{Outcome: upstream.Limited, Method: method, URL: upstream.Redact(u), Message: "not sent: " + reason, RetryAt: until}
}

func (t *transport) CloseIdleConnections() { upstream.CloseIdle(t.wire) }

// neverSent reports a failure to connect. Such a request costs nothing at
// GitHub; if it counted, the budget would seem to shrink while the network is
// down.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func hasValue(resp *http.Response, c *call) bool {
	if c.query {
		return resp.StatusCode == http.StatusOK
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return true
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}
