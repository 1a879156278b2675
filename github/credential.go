package github

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
	"golang.org/x/sync/semaphore"

	"pkgmetad/internal/upstream"
)

// A Kind is what a credential is.
type Kind string

// Limits are those that GitHub usually grants; what its answers tell is what counts.
const (
	KindAnonymous Kind = "anonymous" // none: 60 requests an hour for each address, and no GraphQL
	KindToken     Kind = "token"     // of a user (5,000 requests and points an hour) or of an Actions workflow (1,000)
)

// A Credential is what GitHub knows a client by. Without a Token it asks anonymously.
type Credential struct {
	Name   string // for logs, status and metrics; "" means "default"
	Source string // where it is from, which is where to look when GitHub refuses it; "" means github.token_file
	Token  string
}

// maxInFlight is how many requests of one credential are in flight at once. GitHub allows
// 100, of all who share it.
const maxInFlight = 80

// credential is a Credential at work. What it may still ask is known here and nowhere else:
// go-github and GitHub count by credential.
type credential struct {
	name, source string
	kind         Kind
	secret       string // taken out of whatever GitHub repeats; "" for none
	authorize    func(*http.Request) error

	gh       *gh.Client
	gate     *upstream.Gate // of all requests
	graphQL  *upstream.Gate // of queries, beside gate: GraphQL fails, or is not there, by itself
	requests *limits        // of REST
	points   *limits        // of GraphQL
	inFlight *semaphore.Weighted
}

// newCredential returns a credential that has not been used yet.
func newCredential(c Credential, o Options) (*credential, error) {
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("the GitHub token holds white space or other characters that no token has; check " + c.source())
	}
	cr := &credential{
		name: c.Name, source: c.source(), kind: KindAnonymous, secret: c.Token, authorize: func(*http.Request) error { return nil },
		gate: upstream.NewGate("GitHub"), graphQL: upstream.NewGate("GitHub's GraphQL"),
		inFlight: semaphore.NewWeighted(maxInFlight),
		requests: newLimits("core", "requests", maxInFlight, o.Reserve),
		points:   newLimits("graphql", "points", 1, o.Reserve),
	}
	if cr.name == "" {
		cr.name = "default"
	}
	if c.Token != "" {
		cr.kind = KindToken
		cr.authorize = func(req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+c.Token)
			return nil
		}
	}
	hc, base, err := upstream.NewClient(upstream.Options{
		BaseURL:   o.BaseURL,
		UserAgent: o.UserAgent,
		Timeout:   o.Timeout,
		Transport: &transport{wire: upstream.Gunzip(o.Transport), credential: cr, apiVersion: o.APIVersion},
	})
	if err != nil {
		return nil, err
	}
	cr.gh = gh.NewClient(hc)
	cr.gh.BaseURL = base
	return cr, nil
}

func (c *Credential) source() string {
	if c.Source == "" {
		return "github.token_file"
	}
	return c.Source
}

// hold returns what forbids requests, or queries, of the credential now: its gate, or the
// budget if that lasts longer.
func (cr *credential) hold(l *limits) upstream.Hold {
	hold := cr.gate.Hold()
	if used := l.hold(); used.Until.After(hold.Until) {
		return used
	}
	return hold
}

// refused says that GitHub does not take the credential.
func (cr *credential) refused() string {
	if cr.kind == KindAnonymous {
		return "GitHub wants a token (401); set github.token_file"
	}
	return fmt.Sprintf("GitHub refused the %s (401); check %s", cr.kind, cr.source)
}

// badTokenDelay is how long requests are kept back after a credential was refused:
// long enough not to look like an attack, short enough for a person who puts in
// a new one.
const badTokenDelay = 5 * time.Minute

// redact takes the secret, and whatever looks like one, out of a text of GitHub's, which
// may repeat what it was sent.
func (cr *credential) redact(s string) string {
	if cr.secret != "" {
		s = strings.ReplaceAll(s, cr.secret, "***")
	}
	return upstream.RedactTokens(s)
}
