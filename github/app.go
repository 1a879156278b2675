package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"pkgmetad/internal/upstream"
)

// An AppKey is what an installation of a GitHub App identifies itself with.
type AppKey struct {
	ID           int64  // of the app
	Installation int64  // where the app is installed
	Key          []byte // the app's private key (PEM)
}

// installation gets the tokens of an installation (POST
// /app/installations/{id}/access_tokens), which last for an hour each.
type installation struct {
	*ghinstallation.Transport
	turn    chan struct{} // ghinstallation has a lock in which it asks for a token, deaf to contexts
	timeout time.Duration
}

// newInstallation returns the source of tokens for a credential. It sends nothing.
func newInstallation(cr *credential, key *AppKey, o Options) (*installation, error) {
	wire := &tokenWire{wire: upstream.Gunzip(o.Transport), credential: cr, userAgent: o.UserAgent, apiVersion: o.APIVersion}
	t, err := ghinstallation.New(wire, key.ID, key.Installation, key.Key)
	if err != nil {
		return nil, fmt.Errorf("the private key of the GitHub App cannot be used: %w; check %s", err, cr.source)
	}
	t.BaseURL = o.BaseURL
	return &installation{Transport: t, turn: make(chan struct{}, 1), timeout: o.Timeout}, nil
}

// authorize adds the installation's token to a request, and gets one where there is none
// or it is about to expire. One request at a time does that, the others wait for it.
func (i *installation) authorize(req *http.Request) error {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-req.Context().Done():
		return req.Context().Err()
	}
	ctx, cancel := context.WithTimeout(req.Context(), i.timeout)
	defer cancel()
	token, err := i.Token(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// tokenWire sends requests for a token. It passes on only answers that have one; all
// others become an *upstream.Error.
type tokenWire struct {
	wire       http.RoundTripper
	credential *credential
	userAgent  string
	apiVersion string
}

func (w *tokenWire) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", w.userAgent)
	if w.apiVersion != "" {
		req.Header.Set("X-GitHub-Api-Version", w.apiVersion)
	}
	if hold := w.credential.elsewhere(); !hold.Until.IsZero() {
		return nil, notSent(req.Method, req.URL, hold.Reason, hold.Until)
	}
	resp, err := w.wire.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer upstream.DrainAndClose(resp.Body)
	failure := &upstream.Error{Outcome: upstream.Failed, Method: req.Method, URL: upstream.Redact(req.URL), Status: resp.StatusCode}
	if resp.StatusCode != http.StatusCreated {
		b := w.credential.readProblem(resp)
		switch {
		case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusForbidden && b.limited(resp.Header):
			failure.Outcome, failure.RetryAt = upstream.Limited, w.credential.requests.until(resp.Header)
			failure.Message = "GitHub gives the app no token now, for a limit: " + b.text()
		case resp.StatusCode >= 400 && resp.StatusCode < 500:
			failure.Outcome = upstream.Gone
			failure.Message = "GitHub refused the app's installation: " + b.text() + "; check " + w.credential.source
		default:
			failure.Message = "GitHub gave the app no token: " + b.text()
		}
		return nil, failure
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // it may list repositories
	if err != nil {
		return nil, err
	}
	var token struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(body, &token); err != nil || token.Token == "" || token.Expires.IsZero() {
		failure.Message = "GitHub gave the app a broken answer instead of a token"
		return nil, failure
	}
	// Only what is used: a field of an unexpected type that nobody reads must not matter.
	body, err = json.Marshal(token)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// noToken says that a request could not be made, as its credential has no token, and
// tells the gate of it.
func (t *transport) noToken(req *http.Request, p permit, err error) error {
	var e *upstream.Error
	if !errors.As(err, &e) {
		t.credential.gate.Unanswered(req.Context(), p.gate, err)
		return err
	}
	told := *e
	switch told.Outcome {
	case upstream.Gone:
		told.Outcome, told.RetryAt = upstream.Limited, t.credential.refuse(p, told.Message)
	case upstream.Limited:
		told.RetryAt = t.credential.gate.Refused(p.gate, told.RetryAt, told.Message, false)
	default:
		t.credential.gate.Failed(p.gate, told.Status, told.Message)
	}
	return &told
}
