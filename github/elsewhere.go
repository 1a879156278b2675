package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"pkgmetad/internal/upstream"
)

// Several hosts may have the same credential, of which one at a time uses it: which one,
// [Options.Usable] tells. What the last one knows of the budgets it hands on as an
// [Allowance], under the credential's fingerprint.

// Fingerprint names a credential among hosts that share a key, and tells nothing of it to
// anyone else: 32 hexadecimal digits, of an HMAC-SHA256. It is of the token, or of the ids
// of an app, whose tokens and keys change. An anonymous one has none, "": it is limited by
// the host's address, which no other host uses.
func (c Credential) Fingerprint(key []byte) string {
	var kind Kind
	var identity string
	switch {
	case c.App != nil:
		kind, identity = KindApp, fmt.Sprint(c.App.ID, "/", c.App.Installation)
	case c.OAuth != nil:
		kind, identity = KindOAuth, c.OAuth.ID
	case c.Token != "":
		kind, identity = KindToken, c.Token
	default:
		return ""
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "pkgmetad credential %s %s", kind, identity)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// elsewhere returns the hold while another host uses the credential.
func (cr *credential) elsewhere() upstream.Hold {
	return upstream.Elsewhere(cr.usable, "this credential")
}

// An Allowance is what a credential is left with, for the host that is to use it next. It
// holds no times, as the clocks of hosts differ, but how far off they are.
type Allowance struct {
	Requests Left `json:"requests,omitzero"` // of REST
	Points   Left `json:"points,omitzero"`   // of GraphQL

	HeldSeconds int    `json:"held_seconds,omitempty"` // for how long GitHub forbids requests, as after a secondary limit
	Reason      string `json:"reason,omitempty"`       // for that
}

// Left is what is left of a primary limit; zero while that is not known.
type Left struct {
	Limit        int   `json:"limit"`
	Remaining    int   `json:"remaining"`     // what is in flight taken off
	Reset        int64 `json:"reset"`         // Unix seconds by GitHub's clock, which tell one window from the next
	ResetSeconds int   `json:"reset_seconds"` // how far off that is
}

// Allowance returns what is left of the credential with that fingerprint, as far as this
// host knows; zero where it knows nothing, or has no such credential.
func (c *Client) Allowance(fingerprint string) (a Allowance) {
	cr := c.find(fingerprint)
	if cr == nil {
		return a
	}
	a.Requests = cr.requests.leave()
	if cr.points != nil {
		a.Points = cr.points.leave()
	}
	// A fault is not handed on: it may be this host's network that is broken.
	if hold := cr.gate.Hold(); !hold.Until.IsZero() && !hold.Fault {
		a.HeldSeconds, a.Reason = ceilSeconds(time.Until(hold.Until)), hold.Reason
	}
	return a
}

// Learn takes over what another host knew of the credential with that fingerprint. age is
// how long ago that was, by any clock that measures spans. What is known here stays where
// it is newer: a window that ends later counts, and within one window the lower number.
func (c *Client) Learn(fingerprint string, a Allowance, age time.Duration) {
	cr := c.find(fingerprint)
	if cr == nil {
		return
	}
	age = max(age, 0)
	cr.requests.inherit(a.Requests, age)
	if cr.points != nil {
		cr.points.inherit(a.Points, age)
	}
	cr.gate.Inform(time.Now().Add(time.Duration(a.HeldSeconds)*time.Second-age), a.Reason)
}

// find returns the credential with that fingerprint; nil for none.
func (c *Client) find(fingerprint string) *credential {
	for _, cr := range c.credentials {
		if fingerprint != "" && cr.fingerprint == fingerprint {
			return cr
		}
	}
	return nil
}

// leave returns what is left for another host.
func (l *limits) leave() Left {
	l.mu.Lock()
	defer l.mu.Unlock()
	off := time.Until(l.reset)
	if off <= 0 {
		return Left{}
	}
	return Left{l.limit, max(l.remaining-l.inFlight, 0), l.resetUnix, ceilSeconds(off)}
}

// inherit takes over what another host left, that long ago.
func (l *limits) inherit(left Left, age time.Duration) {
	off := time.Duration(left.ResetSeconds)*time.Second - age
	r := rate{limit: left.Limit, remaining: left.Remaining, reset: left.Reset, answered: time.Unix(left.Reset, 0).Add(-off)}
	if off <= 0 || !r.sane() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(r, time.Now())
}

func ceilSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
