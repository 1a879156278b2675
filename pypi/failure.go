package pypi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"pkgmetad/internal/upstream"
)

// refusal names an answer that is neither a value nor "not found", and tells the
// gate of it, which closes where it speaks for every request.
func (c *Client) refusal(resp *http.Response, permit upstream.Permit) *upstream.Error {
	e := &upstream.Error{Outcome: upstream.Failed, URL: upstream.Redact(resp.Request.URL), Status: resp.StatusCode}
	now := time.Now()
	until := upstream.RetryAfter(resp.Header, now)
	if !until.After(now) {
		until = time.Time{} // "at once" is no time to wait for
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		e.Outcome, e.Message = upstream.Limited, "PyPI asks for fewer requests"
		e.RetryAt = c.gate.Refused(permit, until, e.Message, false)
	case code == http.StatusServiceUnavailable && !until.IsZero():
		e.Outcome, e.Message = upstream.Limited, "PyPI is unavailable and says when to come back"
		e.RetryAt = c.gate.Refused(permit, until, e.Message, false)
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		e.Message, e.Quick = "PyPI is unavailable", true
	case code >= 500:
		e.Message = "PyPI failed to answer: " + said(resp)
	case code == http.StatusForbidden:
		e.Message = "PyPI refused the request: " + said(resp)
		if resp.Request.URL.Scheme == "http" {
			e.Message += "; PyPI wants https, see the base URL"
		}
	case code == http.StatusNotAcceptable:
		e.Message = fmt.Sprintf("PyPI refused the request, as it does for a User-Agent that it does not like; sent was %q, use one that names the program, its version and a contact", c.userAgent)
	case code == http.StatusUnavailableForLegalReasons:
		e.Outcome, e.Message = upstream.Blocked, "PyPI withholds the project for legal reasons: "+said(resp)
	default:
		e.Message = "an answer that PyPI is not known to give: " + said(resp)
	}
	switch e.Outcome {
	case upstream.Limited:
	case upstream.Blocked:
		c.gate.Answered(permit)
	default:
		c.gate.Failed(permit, resp.StatusCode, fmt.Sprintf("%s (HTTP %d)", e.Message, resp.StatusCode))
	}
	return e
}

// malformed is an answer that can be read but is not what it should be.
type malformed string

func (m malformed) Error() string { return string(m) }

const needlessNotModified = malformed("\"not modified\" to a question without If-None-Match")

// broken names an answer of status 200 or 304 whose content could not be used.
func broken(ctx context.Context, resp *http.Response, err error) *upstream.Error {
	e := &upstream.Error{Outcome: upstream.Failed, URL: upstream.Redact(resp.Request.URL), Status: resp.StatusCode, Err: err}
	var (
		shape  malformed
		syntax *jsontext.SyntacticError
	)
	switch {
	case ctx.Err() != nil:
		return upstream.Classify(ctx, resp.Request.URL, err)
	case errors.As(err, &shape):
		e.Message = "broken answer: " + err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message, e.Quick = "broken answer: it ends in the middle", true
	case errors.As(err, &syntax):
		e.Message = "broken answer: not JSON: " + oneLine(syntax.Err.Error(), 200)
		if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && !strings.Contains(media, "json") {
			e.Message = "broken answer: not JSON but " + oneLine(media, 60)
		}
	default:
		return upstream.Classify(ctx, resp.Request.URL, err)
	}
	return e
}

var titleTag = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// said returns what an error answer says for itself, in one short line.
func said(resp *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	var answer struct {
		Message string `json:"message"`
	}
	text := ""
	if json.Unmarshal(body, &answer) == nil {
		text = answer.Message
	} else if m := titleTag.FindSubmatch(body); m != nil {
		text = html.UnescapeString(string(m[1]))
	} else if !strings.Contains(string(body), "<") {
		text = string(body)
	}
	if text = oneLine(text, 200); text == "" {
		// PyPI's edge puts its reason into the status line.
		_, text, _ = strings.Cut(resp.Status, " ")
		text = oneLine(text, 200)
	}
	if text == "" {
		text = "no reason given"
	}
	return text
}

// oneLine makes foreign text fit for a log line: printable, white space
// collapsed, at most limit characters.
func oneLine(s string, limit int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// lastSerial reads the serial that PyPI repeats in a header; 0 for none.
func lastSerial(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("X-PyPI-Last-Serial"), 10, 64)
	if err != nil || n < 0 || n > maxNumber {
		return 0
	}
	return n
}
