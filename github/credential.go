package github

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	gh "github.com/google/go-github/v60/github"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"pkgmetad/internal/upstream"
)

// A Kind is what a credential is.
type Kind string

// The budgets are those that GitHub usually grants an hour; what its answers tell is what
// counts.
const (
	KindAnonymous Kind = "anonymous" // none: 60 requests for each address, and no GraphQL
	KindToken     Kind = "token"     // of a user, 5,000 requests and points; of an Actions workflow, 1,000
	KindApp       Kind = "app"       // an installation of a GitHub App, 5,000 to 12,500
	KindOAuth     Kind = "oauth"     // id and secret of an OAuth app: 5,000 requests on public data, and no GraphQL
)

// A Credential is what GitHub knows a client by: a Token, an App or an OAuth app. Without
// any of them it asks anonymously.
type Credential struct {
	Name   string // for logs, status and metrics; "" means "default"
	Source string // where it is from, which is where to look when GitHub refuses it; "" means github.token_file
	Token  string
	App    *AppKey
	OAuth  *OAuthApp
}

// An OAuthApp identifies itself by its id and its secret (HTTP Basic).
type OAuthApp struct{ ID, Secret string }

// maxInFlight is how many requests of one credential are in flight at once. GitHub allows
// 100, of all who share it.
const maxInFlight = 80

// credential is a Credential at work, with all that is known of what it may still ask.
type credential struct {
	name, source string
	kind         Kind
	alone        bool   // there is no other
	secret       string // taken out of whatever GitHub repeats; "" for none
	authorize    func(*http.Request) error
	fingerprint  string      // "" where there is one host alone, and of an anonymous one
	usable       func() bool // Options.Usable for it; nil for always
	log          zerolog.Logger

	gh       *gh.Client
	gate     *upstream.Gate // of all requests
	requests *limits        // of REST
	points   *limits        // of GraphQL; nil for a kind that it does not take
	inFlight *semaphore.Weighted

	expires   atomic.Pointer[time.Time] // nil where GitHub does not tell
	warned    atomic.Int64              // of that expiry, Unix seconds
	setAside  atomic.Bool               // GitHub refuses it, and that is logged
	noGraphQL atomic.Bool               // GraphQL was not there, or not for it, when it was last asked
}

// newCredential returns a credential of a client that has not been used yet.
func newCredential(c Credential, o Options, client *Client) (*credential, error) {
	cr := &credential{
		name: cmp.Or(c.Name, "default"), source: cmp.Or(c.Source, "github.token_file"),
		log: o.Log, gate: upstream.NewGate("GitHub"), inFlight: semaphore.NewWeighted(maxInFlight),
	}
	usual := 5000
	switch {
	case c.App != nil:
		tokens, err := newInstallation(cr, c.App, o)
		if err != nil {
			return nil, err
		}
		cr.kind, cr.authorize = KindApp, tokens.authorize
	case c.OAuth != nil:
		cr.kind, cr.secret = KindOAuth, c.OAuth.Secret
		cr.authorize = func(req *http.Request) error { req.SetBasicAuth(c.OAuth.ID, c.OAuth.Secret); return nil }
	case c.Token != "":
		cr.kind, cr.secret = KindToken, c.Token
		cr.authorize = func(req *http.Request) error { req.Header.Set("Authorization", "Bearer "+c.Token); return nil }
	default:
		cr.kind, usual = KindAnonymous, 60
		cr.authorize = func(*http.Request) error { return nil }
	}
	if strings.ContainsFunc(cr.secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("the GitHub %s %s holds white space or other characters that none has; check %s", cr.kind, cr.name, cr.source)
	}
	if len(o.FingerprintKey) > 0 {
		cr.fingerprint = c.Fingerprint(o.FingerprintKey)
	}
	if o.Usable != nil && cr.fingerprint != "" {
		cr.usable = func() bool { return o.Usable(cr.fingerprint) }
	}
	cr.requests = &limits{
		resource: "core", unit: "requests", usual: usual, perMinute: cmp.Or(o.PerMinute, restPerMinute), reserve: o.Reserve, plan: client.questions,
	}
	if cr.kind == KindToken || cr.kind == KindApp {
		cr.points = &limits{
			resource: "graphql", unit: "points", usual: usual, perMinute: cmp.Or(o.PerMinute, graphQLPerMinute), reserve: o.Reserve, plan: client.queries,
			gate: upstream.NewGate("GitHub's GraphQL"), turns: semaphore.NewWeighted(1),
		}
	}
	hc, base, err := upstream.NewClient(upstream.Options{
		BaseURL:   o.BaseURL,
		UserAgent: o.UserAgent,
		Transport: &transport{wire: upstream.Gunzip(o.Transport), credential: cr, apiVersion: o.APIVersion, timeout: o.Timeout},
	})
	if err != nil {
		return nil, err
	}
	hc.Timeout = 0 // it would begin before a request's turn comes
	cr.gh = gh.NewClient(hc)
	cr.gh.BaseURL = base
	return cr, nil
}

// badTokenDelay is how long a credential is not asked with after GitHub refused it: long
// enough not to look like an attack, short enough for a person who puts in a new one.
const badTokenDelay = 5 * time.Minute

// refuse notes that GitHub does not take the credential, as the answer to the request of
// p says, and returns when it is tried again. If others go on, that is the only thing to
// be seen of it, so it is logged.
func (cr *credential) refuse(p permit, message string) time.Time {
	at := cr.gate.Refused(p.gate, time.Now().Add(badTokenDelay), message, true)
	if !cr.setAside.Swap(true) && !cr.alone {
		cr.log.Error().Str("credential", cr.name).Time("hold", at).Msg(message + "; it is set aside and tried again later, the others go on")
	}
	return at
}

// noteUse notes that an answer was of use, and logs it where the credential had been
// set aside.
func (cr *credential) noteUse() {
	if cr.setAside.Load() && cr.gate.Fault() == "" && cr.setAside.Swap(false) && !cr.alone {
		cr.log.Info().Str("credential", cr.name).Msg("GitHub takes the credential again")
	}
}

// expiresSoon is how long before a token expires the log warns of it.
const expiresSoon = 7 * 24 * time.Hour

// expiryLayouts are the two ways in which GitHub writes when a token expires.
var expiryLayouts = []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"}

// noteExpiry notes when the token expires, if an answer tells
// (github-authentication-token-expiration). That of an installation is of no interest: it
// lasts for an hour and is renewed.
func (cr *credential) noteExpiry(h http.Header) {
	told := h.Get("GitHub-Authentication-Token-Expiration")
	if told == "" || cr.kind != KindToken {
		return
	}
	for _, layout := range expiryLayouts {
		if t, err := time.Parse(layout, told); err == nil {
			t = t.UTC()
			cr.expires.Store(&t)
			if time.Until(t) < expiresSoon && cr.warned.Swap(t.Unix()) != t.Unix() {
				cr.log.Warn().Str("credential", cr.name).Time("expires", t).Msg("the token expires soon; make a new one, put it where this one is from (" + cr.source + ") and reload")
			}
			return
		}
	}
}

// redact takes the secret, and whatever looks like one, out of a text of GitHub's, which
// may repeat what it was sent.
func (cr *credential) redact(s string) string {
	if cr.secret != "" {
		s = strings.ReplaceAll(s, cr.secret, "***")
	}
	return upstream.RedactTokens(s)
}

// label names the credential in a message about it where there are several.
func (cr *credential) label(message string) string {
	if cr.alone || message == "" {
		return message
	}
	return "credential " + cr.name + ": " + message
}
