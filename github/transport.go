package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

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
	permit            *upstream.Permit // of an answer with a value, whose use is not known yet
}

type callKey struct{}

// transport passes on to go-github only answers that have a value (200, 204) and
// the redirects that the http.Client follows. All others become an
// *upstream.Error.
type transport struct {
	wire   http.RoundTripper
	limits *limits
	token  string
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := req.Context().Value(callKey{}).(*call) // set by fetch.get, which makes all requests
	c.url = req.URL
	if err := context.Cause(req.Context()); err != nil {
		return nil, err
	}
	p, hold, err := t.limits.admit(req.Context())
	if err != nil {
		return nil, err
	}
	if !hold.Until.IsZero() {
		return nil, &upstream.Error{Outcome: upstream.Limited, URL: upstream.Redact(req.URL), Message: "not sent: " + hold.Reason, RetryAt: hold.Until}
	}
	if c.tag != "" {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", c.tag)
	}
	resp, err := t.wire.RoundTrip(req)
	if err != nil {
		sent := !neverSent(err)
		if sent {
			c.requests++
			c.charged++
		}
		t.limits.settle(p, nil, sent)
		t.limits.gate.Unanswered(req.Context(), p.gate, err)
		return nil, err
	}
	c.requests++
	charged := resp.StatusCode != http.StatusNotModified || t.token == ""
	if charged {
		c.charged++
	}
	t.limits.settle(p, resp.Header, charged)
	c.more = strings.Contains(resp.Header.Get("Link"), `rel="next"`)
	if !hasValue(resp) {
		defer upstream.DrainAndClose(resp.Body)
		return nil, t.classify(resp, c, p)
	}
	if resp.StatusCode < 300 {
		c.permit = &p.gate // until its body has been read
	} else {
		t.limits.gate.Answered(p.gate)
	}
	// go-github itself refuses requests once it has read that none remain, until
	// the reset, by its own clock. Without that header it leaves the budget to us.
	resp.Header.Del("X-RateLimit-Reset")
	return resp, nil
}

func (t *transport) CloseIdleConnections() { upstream.CloseIdle(t.wire) }

// neverSent reports a failure to connect. Such a request costs nothing at
// GitHub; if it counted, the budget would seem to shrink while the network is
// down.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func hasValue(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return true
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}
