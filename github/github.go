// Package github asks GitHub about one repository at a time: its numbers, who
// contributed, its newest commit, its commits per week.
//
// [ParseURL] finds the owner and the name in whatever URL a person pasted.
// [Client.Fetch] asks the wanted [Parts] and gives each its own outcome, so that
// one part can fail while the others are of use.
//
// A [Client] has one or more credentials, and each of them its own limits (credential.go,
// permit.go, limits.go): a gate that closes while GitHub refuses it, a budget of REST requests and
// one of GraphQL points, and a pace (pace.go) that keeps to what GitHub allows in a
// minute. A question goes to the credential that can answer it first (choose.go). While a
// budget does not suffice for what is planned (plan.go) it is spread over the time until
// its reset. A request waits for its turn, for a minute at most. Whatever takes longer is a
// hold: requests are refused at once, with the time at which to come back, which
// [Client.Hold] tells beforehand. While another host uses a credential (elsewhere.go), it
// is on hold as well.
//
// The work is divided in three. What is said by status and header is settled
// below go-github, in an http.RoundTripper for each credential (transport.go):
// conditional requests, budgets and gates, and the one switch from a status to an
// outcome (classify.go). So go-github, which builds requests and reads Link
// headers, sees only answers that have a value, and its own handling of limits,
// which would block a client for the better part of an hour, is never used. Above
// it each part decodes the few fields that it needs (parts.go, contributors.go).
// At the end the parts are compared with each other: one that they contradict is
// asked again before it is believed (history.go, doubt.go).
package github

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/upstream"
)

// Options configures a [Client].
type Options struct {
	BaseURL     string            // of the REST API, such as https://api.github.com or https://ghe.example/api/v3
	Token       string            // of a credential without a name; "" for none
	Credentials []Credential      // further ones, with a name each; without any the client asks anonymously
	UserAgent   string            // GitHub refuses requests without one; "" means "pkgmetad"
	Timeout     time.Duration     // for one request, from when it is sent to the end of its answer; 0 means 30 s
	Reserve     int               // requests, and points, of each primary budget that are never spent, at most a tenth of it
	PerMinute   int               // requests of a credential, of REST and of GraphQL each; 0 means what GitHub's secondary limits allow
	GraphQL     bool              // whether to ask many at once by GraphQL, which takes a token or an app
	APIVersion  string            // sent as X-GitHub-Api-Version; "" means go-github's
	Transport   http.RoundTripper // the wire; nil means upstream.NewTransport()

	// Of several hosts with the same credentials one at a time uses each: Usable tells whether
	// this one may, by Credential.Fingerprint under FingerprintKey. It is asked just before
	// each request, and in between, from many goroutines, so it answers at once. While it says
	// no, the credential is set aside. nil means always; then no key is needed.
	FingerprintKey []byte
	Usable         func(fingerprint string) bool

	Log zerolog.Logger // is told when one of several credentials is refused or taken again, and when a token expires soon
}

// A Client asks GitHub. It is safe for concurrent use.
type Client struct {
	credentials        []*credential
	questions, queries *plan
	graphQL            bool  // Options.GraphQL
	sweeps, logs       batch // of queries
}

// New returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	if o.Reserve < 0 {
		return nil, errors.New("the reserve of GitHub requests must not be negative")
	}
	if o.Usable != nil && len(o.FingerprintKey) == 0 {
		return nil, errors.New("GitHub credentials that several hosts share need a key for their fingerprints")
	}
	o.UserAgent = cmp.Or(o.UserAgent, "pkgmetad")
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	if o.Transport == nil {
		o.Transport = upstream.NewTransport()
	}
	all := o.Credentials
	if o.Token != "" || len(all) == 0 {
		all = append([]Credential{{Token: o.Token}}, all...)
	}
	c := &Client{questions: newPlan(3), queries: newPlan(1), graphQL: o.GraphQL}
	names := map[string]bool{}
	for _, given := range all {
		cr, err := newCredential(given, o, c)
		if err != nil {
			return nil, err
		}
		switch {
		case names[cr.name]:
			return nil, fmt.Errorf("two GitHub credentials are named %s", cr.name)
		case cr.kind == KindAnonymous && len(all) > 1:
			return nil, fmt.Errorf("the GitHub credential %s has no token, nor an app", cr.name)
		}
		names[cr.name] = true
		cr.alone = len(all) == 1
		c.credentials = append(c.credentials, cr)
	}
	return c, nil
}

// Hold returns why nothing is asked now, and until when; its Until is zero where
// something may be, with any of the credentials. Until then every request is refused
// without being sent.
func (c *Client) Hold() (first upstream.Hold) {
	for i, cr := range c.credentials {
		hold := cr.hold(cr.requests, cr.units(AllParts))
		if hold.Until.IsZero() {
			return hold
		}
		if i == 0 || hold.Until.Before(first.Until) {
			first = hold
			first.Reason = cr.label(hold.Reason)
		}
	}
	return first
}

// Lift ends a hold, but for that of a budget that is used up.
func (c *Client) Lift() {
	for _, cr := range c.credentials {
		cr.gate.Lift()
		if cr.points != nil {
			cr.points.gate.Lift()
		}
	}
}

// CloseIdle closes the connections that no request uses. The client can still be used.
func (c *Client) CloseIdle() {
	for _, cr := range c.credentials {
		cr.gh.Client().CloseIdleConnections()
	}
}

// Fault returns what is wrong with GitHub as a whole, or with every credential, until it
// answers again; "" where nothing is.
func (c *Client) Fault() string {
	for _, cr := range c.credentials {
		if cr.gate.Fault() == "" {
			return ""
		}
	}
	return c.credentials[0].label(c.credentials[0].gate.Fault())
}

// Budget is a primary limit of a credential, as last told by GitHub (x-ratelimit-*).
type Budget struct {
	Limit, Remaining int       // requests, or points of GraphQL, an hour
	Reset            time.Time // when the budget is full again
	Known            bool      // false, and all else zero, before the first answer and once Reset has passed
}

// CredentialState is how a credential stands. While another host uses it (Hold.Elsewhere),
// its budgets, and what is wrong with it, are not known here.
type CredentialState struct {
	Name        string
	Fingerprint string // "" without Options.FingerprintKey, and of an anonymous one
	Kind        Kind
	Requests    Budget        // of REST
	Points      Budget        // of GraphQL
	Expires     time.Time     // zero where GitHub does not tell
	Hold        upstream.Hold // of REST
	Fault       string        // what is wrong with the credential, or with GitHub, until it answers again; "" for nothing
}

// Credentials returns how each credential stands.
func (c *Client) Credentials() []CredentialState {
	all := make([]CredentialState, len(c.credentials))
	for i, cr := range c.credentials {
		s := CredentialState{
			Name: cr.name, Fingerprint: cr.fingerprint, Kind: cr.kind, Requests: cr.requests.budget(), Fault: cr.gate.Fault(),
			Hold: cr.hold(cr.requests, cr.units(AllParts)),
		}
		if cr.points != nil {
			s.Points = cr.points.budget()
		}
		if s.Hold.Elsewhere {
			s.Requests, s.Points, s.Fault = Budget{}, Budget{}, ""
		}
		if expires := cr.expires.Load(); expires != nil {
			s.Expires = *expires
		}
		all[i] = s
	}
	return all
}
