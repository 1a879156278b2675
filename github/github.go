// Package github asks GitHub, with one credential, about one repository at a
// time: its numbers, who contributed, its newest commit, its commits per week.
//
// [ParseURL] finds the owner and the name in whatever URL a person pasted.
// [Client.Fetch] asks the wanted [Parts] and gives each its own outcome, so that
// one part can fail while the others are of use. It never waits for a limit:
// while one is in force requests are refused at once, with the time at which to
// come back ([Client.Hold] tells it beforehand).
//
// The work is divided in three. What is said by status and header is settled
// below go-github, in one http.RoundTripper (transport.go): conditional requests,
// the budget and the gate (limits.go), and the one switch from a status to an
// outcome (classify.go). So go-github, which builds requests and reads Link
// headers, sees only answers that have a value, and its own handling of limits,
// which would block a client for the better part of an hour, is never used. Above
// it each part decodes the few fields that it needs (parts.go, contributors.go).
// At the end the parts are compared with each other: one that they contradict is
// asked again before it is believed (history.go, doubt.go).
package github

import (
	"errors"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// Options configures a [Client].
type Options struct {
	BaseURL   string            // of the REST API, such as https://api.github.com or https://ghe.example/api/v3
	Token     string            // "" asks anonymously: 60 requests an hour for each address
	UserAgent string            // GitHub refuses requests without one; "" means "pkgmetad"
	Timeout   time.Duration     // for one request, body included; 0 means upstream's default
	Reserve   int               // requests of the primary budget that are never spent, at most a tenth of it
	Transport http.RoundTripper // the wire; nil means upstream.NewTransport()
}

// A Client asks GitHub with one credential. It is safe for concurrent use.
type Client struct {
	gh     *gh.Client
	limits *limits
}

// New returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("the GitHub token holds white space or other characters that no token has; check github.token_file")
	}
	if o.Reserve < 0 {
		return nil, errors.New("the reserve of GitHub requests must not be negative")
	}
	if o.UserAgent == "" {
		o.UserAgent = "pkgmetad"
	}
	if o.Transport == nil {
		o.Transport = upstream.NewTransport()
	}
	l := &limits{reserve: o.Reserve, gate: upstream.NewGate("GitHub")}
	hc, base, err := upstream.NewClient(upstream.Options{
		BaseURL:   o.BaseURL,
		UserAgent: o.UserAgent,
		Token:     o.Token,
		Timeout:   o.Timeout,
		Transport: &transport{wire: upstream.Gunzip(o.Transport), limits: l, token: o.Token},
	})
	if err != nil {
		return nil, err
	}
	client := gh.NewClient(hc)
	client.BaseURL = base
	return &Client{gh: client, limits: l}, nil
}

// Hold returns why nothing is asked now, and until when; its Until is zero where
// something may be. Until then every request is refused without being sent.
func (c *Client) Hold() upstream.Hold { return c.limits.hold() }

// Lift ends a hold, but for that of a budget that is used up.
func (c *Client) Lift() { c.limits.gate.Lift() }

// CloseIdle closes the connections that no request uses. The client can still be used.
func (c *Client) CloseIdle() { c.gh.Client().CloseIdleConnections() }

// Fault returns what is wrong with GitHub as a whole, or with the credential, until it
// answers again; "" where nothing is.
func (c *Client) Fault() string { return c.limits.gate.Fault() }

// Budget is the primary limit of the credential (x-ratelimit-* of the resource
// "core"), as last told by GitHub.
type Budget struct {
	Limit, Remaining int       // requests an hour
	Reset            time.Time // when the budget is full again
	Known            bool      // false, and all else zero, before the first answer and once Reset has passed
}

// Budget returns what is left of the primary limit.
func (c *Client) Budget() Budget { return c.limits.budget() }
