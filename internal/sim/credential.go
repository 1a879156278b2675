package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Kind is what a credential is. It decides the limits.
type Kind string

const (
	Anonymous    Kind = "anonymous"    // none: the limits are those of the address
	Token        Kind = "token"        // of a user, classic or fine-grained
	Installation Kind = "installation" // of a GitHub App
	OAuthApp     Kind = "oauth"        // an OAuth app's id and secret, as Basic authentication; REST alone
	Actions      Kind = "actions"      // the token of a workflow
	App          Kind = "app"          // a GitHub App itself, which asks for tokens of its installations
)

// A Credential says what GitHub knows of one, for [World.SetCredential].
type Credential struct {
	Kind    Kind      // "" means Token
	Account string    // credentials of the same account share its limits; "" means that it has an account of its own
	Limit   int       // REST requests per hour; 0 means what Options says, 1,000 for Actions
	Points  int       // GraphQL points per hour; likewise
	Expires time.Time // told in a header; 401 from then on; zero means never
	Revoked bool      // 401
	Blocked bool      // 403: the account, or the installation, is suspended
}

// SetCredential declares a credential: a token, or "id:secret" of an OAuth app. One that is not
// declared is a token without an expiry date, with an account of its own. It may be declared
// again at any time, as when it is revoked.
func (w *World) SetCredential(secret string, c Credential) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	if w.limits.declared == nil {
		w.limits.declared = map[[sha256.Size]byte]Credential{}
	}
	w.limits.declared[secretID(secret)] = c
}

func secretID(secret string) [sha256.Size]byte { return sha256.Sum256([]byte("s:" + secret)) }

// presented returns the secret that a request presents, "" for none, and how.
func presented(req *http.Request) (secret string, k Kind) {
	header := req.Header.Get("Authorization")
	if header == "" {
		return "", Anonymous
	}
	scheme, value, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "basic") {
		if pair, err := base64.StdEncoding.DecodeString(value); err == nil {
			return string(pair), OAuthApp
		}
	}
	if strings.HasPrefix(value, "ghs_") {
		return value, Installation
	}
	return value, Token
}

// address is the address that a request comes from.
func address(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return host
}
