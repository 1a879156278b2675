package github

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"pkgmetad/internal/upstream"
)

// classify turns an answer without a value into an error, and tells the gate of it:
// an answer that concerns every request closes that.
func (t *transport) classify(resp *http.Response, c *call, p permit) *upstream.Error {
	b := t.credential.readProblem(resp)
	e := &upstream.Error{
		Method:  resp.Request.Method,
		URL:     upstream.Redact(resp.Request.URL),
		Status:  resp.StatusCode,
		RetryAt: upstream.RetryAfter(resp.Header, time.Now()),
	}
	e.Outcome, e.Message = t.meaning(resp, c, b)
	gate := t.credential.gate
	switch {
	case e.Outcome == upstream.Limited && (e.Status == http.StatusUnauthorized || b.suspended()):
		e.RetryAt = t.credential.refuse(p, e.Message)
	case e.Outcome == upstream.Limited:
		gate.Refused(p.gate, p.limits.until(resp.Header), e.Message, false)
		e.RetryAt = t.credential.hold(p.limits, 1).Until
	case c.query: // what GraphQL alone says concerns GraphQL alone
		gate.Release(p.gate)
	case e.Status >= 500:
		gate.Failed(p.gate, e.Status, fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status))
		switch e.Status {
		case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			e.Quick = e.RetryAt.IsZero()
		}
	default:
		gate.Answered(p.gate)
	}
	return e
}

// meaning is the one place that says what a status stands for.
func (t *transport) meaning(resp *http.Response, c *call, b *problem) (upstream.Outcome, string) {
	conditional := c.tag != ""
	switch s := resp.StatusCode; {
	case s == http.StatusAccepted:
		return upstream.Pending, "GitHub is still computing this; ask again later"
	case s == http.StatusNotModified && conditional:
		return upstream.Unchanged, "unchanged"
	case s == http.StatusNotModified:
		return upstream.Failed, `broken answer: "not modified" to a request that was not conditional`
	case s == http.StatusUnauthorized && t.credential.kind == KindAnonymous:
		return upstream.Limited, "GitHub wants a token (401); set github.token_file"
	case s == http.StatusUnauthorized, s == http.StatusForbidden && b.suspended():
		return upstream.Limited, fmt.Sprintf("GitHub refused the %s (%d, %s); check %s", t.credential.kind, s, b.text(), t.credential.source)

	// A 403 can mean four things. The two that concern one repository are tried
	// first: such an answer can also be the last that the budget allowed, and
	// then has all signs of a limit.
	case s == http.StatusForbidden && b.tooLarge():
		return upstream.TooLarge, "GitHub does not list this for so large a repository: " + b.text()
	case s == http.StatusUnavailableForLegalReasons,
		s == http.StatusForbidden && b.blocked():
		return upstream.Blocked, "GitHub has blocked access to the repository: " + b.text()
	case s == http.StatusTooManyRequests || s == http.StatusForbidden && b.limited(resp.Header):
		if resp.Header.Get("X-RateLimit-Remaining") == "0" {
			return upstream.Limited, "GitHub's primary rate limit is used up: " + b.text()
		}
		return upstream.Limited, "GitHub's secondary rate limit was exceeded: " + b.text()

	case c.query && (s == http.StatusBadGateway || s == http.StatusGatewayTimeout):
		return upstream.TooLarge, "GraphQL did not answer the query in time: " + b.text()
	case c.query && (s == http.StatusForbidden || s == http.StatusNotFound):
		return upstream.Gone, "GraphQL is not there, or not for this credential: " + b.text()
	case s == http.StatusForbidden:
		return upstream.Failed, "GitHub refused access: " + b.text()

	case s == http.StatusNotFound, s == http.StatusGone:
		return upstream.Gone, "no such repository, or not visible with this credential: " + b.text()
	case s == http.StatusConflict:
		return upstream.Empty, "the repository is empty: " + b.text()
	case s >= 500:
		return upstream.Failed, "GitHub failed: " + b.text()
	}
	return upstream.Failed, "unexpected answer: " + b.text()
}

// problem is what is used of the body of an answer without a value.
type problem struct {
	Message          string `json:"message"`
	DocumentationURL string `json:"documentation_url"`
	Block            struct {
		Reason string `json:"reason"`
	} `json:"block"`

	webPage bool
}

// readProblem reads the start of the body. A body that cannot be read or decoded
// is no fault: in most cases the status alone decides.
func (cr *credential) readProblem(resp *http.Response) *problem {
	var b problem
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = json.Unmarshal(body, &b)
	b.webPage = isWebPage(resp.Header) || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
	b.Message, b.Block.Reason = cr.redact(b.Message), cr.redact(b.Block.Reason)
	return &b
}

func isWebPage(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html")
}

// text returns the explanation that the answer gives, in one line.
func (b *problem) text() string {
	s := clip(b.Message)
	switch {
	case s == "" && b.webPage:
		return "a web page instead of JSON"
	case s == "":
		s = "no message"
	}
	if b.Block.Reason != "" {
		s += ", reason " + clip(b.Block.Reason)
	}
	return s
}

func (b *problem) tooLarge() bool {
	m := strings.ToLower(b.Message)
	return strings.Contains(m, "list is too large") || strings.Contains(m, "too large to list")
}

func (b *problem) blocked() bool {
	return b.Block.Reason != "" || strings.Contains(strings.ToLower(b.Message), "access blocked")
}

// suspended reports whether the credential's account, or installation, is: that of a
// repository makes it a 404.
func (b *problem) suspended() bool {
	m := strings.ToLower(b.Message)
	return strings.Contains(m, "account was suspended") || strings.Contains(m, "has been suspended") || strings.Contains(m, "is suspended")
}

// limited tells a limit from a plain refusal. No single sign of it is always
// there.
func (b *problem) limited(h http.Header) bool {
	m := strings.ToLower(b.Message)
	return h.Get("X-RateLimit-Remaining") == "0" ||
		h.Get("Retry-After") != "" ||
		strings.Contains(m, "rate limit") ||
		strings.Contains(m, "abuse detection") ||
		strings.HasSuffix(b.DocumentationURL, "secondary-rate-limits") ||
		strings.HasSuffix(b.DocumentationURL, "#abuse-rate-limits")
}
