package github

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"pkgmetad/internal/upstream"
)

// badTokenDelay is how long a refused token keeps requests back: long enough
// not to be taken for an attack, short enough for who puts in a new one.
const badTokenDelay = 5 * time.Minute

// classify turns an answer without a value into the outcome it stands for.
// An answer that concerns every request closes the gate.
func (t *transport) classify(resp *http.Response, c *call, p permit) *upstream.Error {
	b := t.readProblem(resp)
	e := &upstream.Error{
		Outcome: upstream.Failed,
		URL:     upstream.Redact(resp.Request.URL),
		Status:  resp.StatusCode,
		RetryAt: upstream.RetryAfter(resp.Header, time.Now()),
	}
	set := func(o upstream.Outcome, message string) { e.Outcome, e.Message = o, message }

	switch s := resp.StatusCode; {
	case s == http.StatusAccepted:
		set(upstream.Pending, "GitHub is still computing this; ask again later")
	case s == http.StatusNotModified && c.tag != "":
		set(upstream.Unchanged, "unchanged")
	case s == http.StatusNotModified:
		set(upstream.Failed, `broken answer: "not modified" to a request that named nothing to compare with`)

	case s == http.StatusUnauthorized && t.token != "":
		set(upstream.Limited, "GitHub refused the token (401); check github.token_file")
		t.limits.close(time.Now().Add(badTokenDelay), e.Message)
	case s == http.StatusUnauthorized:
		set(upstream.Limited, "GitHub wants a token (401); set github.token_file")
		t.limits.close(time.Now().Add(badTokenDelay), e.Message)

	// Of the meanings of a 403 the two that concern one repository come first:
	// they keep their meaning when they happen to be the last of the budget.
	case s == http.StatusForbidden && b.tooLarge():
		set(upstream.TooLarge, "GitHub does not list this for so large a repository: "+b.text())
	case s == http.StatusUnavailableForLegalReasons,
		s == http.StatusForbidden && b.blocked():
		set(upstream.Blocked, "GitHub has blocked access to the repository: "+b.text())
	case s == http.StatusTooManyRequests || s == http.StatusForbidden && b.limited(resp.Header):
		if resp.Header.Get("X-RateLimit-Remaining") == "0" {
			set(upstream.Limited, "GitHub's primary rate limit is used up: "+b.text())
		} else {
			set(upstream.Limited, "GitHub's secondary rate limit was met: "+b.text())
		}
		t.limits.closeFor(p, resp.Header, e.Message)
	case s == http.StatusForbidden:
		set(upstream.Failed, "GitHub refused access: "+b.text())

	case s == http.StatusNotFound, s == http.StatusGone:
		set(upstream.Gone, "no such repository, or not visible with this credential: "+b.text())
	case s == http.StatusConflict:
		set(upstream.Empty, "the repository is empty: "+b.text())
	case s >= 500:
		set(upstream.Failed, "GitHub failed: "+b.text())
		e.Quick = e.RetryAt.IsZero() && (s == http.StatusInternalServerError || s == http.StatusBadGateway ||
			s == http.StatusServiceUnavailable || s == http.StatusGatewayTimeout)
	default:
		set(upstream.Failed, "unexpected answer: "+b.text())
	}
	if e.Outcome == upstream.Limited {
		e.RetryAt, _ = t.limits.hold()
	}
	return e
}

// problem is the body of an answer without a value, as far as GitHub gives one.
type problem struct {
	Message          string `json:"message"`
	DocumentationURL string `json:"documentation_url"`
	Block            struct {
		Reason string `json:"reason"`
	} `json:"block"`

	webPage bool
}

// readProblem reads as much of the body as can be of use. It takes what it can
// get: the status alone decides in most cases.
func (t *transport) readProblem(resp *http.Response) *problem {
	var b problem
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = json.Unmarshal(body, &b)
	b.webPage = isWebPage(resp.Header) || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
	if t.token != "" { // nothing keeps a server from repeating what it was sent
		b.Message = strings.ReplaceAll(b.Message, t.token, "***")
		b.Block.Reason = strings.ReplaceAll(b.Block.Reason, t.token, "***")
	}
	return &b
}

func isWebPage(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html")
}

// text is what the answer says for itself, in a line.
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

// limited tells a limit from a plain refusal. GitHub has no one sign for it.
func (b *problem) limited(h http.Header) bool {
	m := strings.ToLower(b.Message)
	return h.Get("X-RateLimit-Remaining") == "0" ||
		h.Get("Retry-After") != "" ||
		strings.Contains(m, "rate limit") ||
		strings.Contains(m, "abuse detection") ||
		strings.HasSuffix(b.DocumentationURL, "secondary-rate-limits") ||
		strings.HasSuffix(b.DocumentationURL, "#abuse-rate-limits")
}
