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
	"time"

	"pkgmetad/internal/upstream"
)

// Options configures a [Client].
type Options struct {
	BaseURL    string            // of the REST API, such as https://api.github.com or https://ghe.example/api/v3
	Token      string            // of the only credential; "" asks anonymously: 60 requests an hour for each address
	UserAgent  string            // GitHub refuses requests without one; "" means "pkgmetad"
	Timeout    time.Duration     // for one request, body included; 0 means upstream's default
	Reserve    int               // requests, and points, of each primary budget that are never spent, at most a tenth of it
	GraphQL    bool              // whether to ask many at once by GraphQL, which takes a token
	APIVersion string            // sent as X-GitHub-Api-Version; "" means go-github's
	Transport  http.RoundTripper // the wire; nil means upstream.NewTransport()
}

// A Client asks GitHub. It is safe for concurrent use.
type Client struct {
	credentials  []*credential
	graphQL      bool  // Options.GraphQL
	sweeps, logs batch // of queries
}

// New returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	if o.Reserve < 0 {
		return nil, errors.New("the reserve of GitHub requests must not be negative")
	}
	if o.UserAgent == "" {
		o.UserAgent = "pkgmetad"
	}
	if o.Transport == nil {
		o.Transport = upstream.NewTransport()
	}
	cr, err := newCredential(Credential{Token: o.Token}, o)
	if err != nil {
		return nil, err
	}
	return &Client{credentials: []*credential{cr}, graphQL: o.GraphQL && o.Token != ""}, nil
}

// Hold returns why nothing is asked now, and until when; its Until is zero where
// something may be. Until then every request is refused without being sent.
func (c *Client) Hold() upstream.Hold { return c.credentials[0].hold(c.credentials[0].requests) }

// Lift ends a hold, but for that of a budget that is used up.
func (c *Client) Lift() {
	for _, cr := range c.credentials {
		cr.gate.Lift()
		cr.graphQL.Lift()
	}
}

// Fault returns what is wrong with GitHub as a whole, or with the credential, until it
// answers again; "" where nothing is.
func (c *Client) Fault() string { return c.credentials[0].gate.Fault() }

// Budget is a primary limit of a credential, as last told by GitHub (x-ratelimit-*).
type Budget struct {
	Limit, Remaining int       // requests, or points of GraphQL, an hour
	Reset            time.Time // when the budget is full again
	Known            bool      // false, and all else zero, before the first answer and once Reset has passed
}

// Budget returns what is left of the primary limit.
func (c *Client) Budget() Budget { return c.credentials[0].requests.budget() }
