package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SetInstallation declares an installation of a GitHub App, whose access tokens are to be had
// at /app/installations/{id}/access_tokens, for an hour each, with a JSON Web Token of the app.
// All of its tokens share one account. The signature of the JWT is not verified, but its times
// are.
func (w *World) SetInstallation(id int64, c Credential) {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	if w.limits.installations == nil {
		w.limits.installations = map[int64]Credential{}
	}
	w.limits.installations[id] = c
}

const accessTokenDocs = "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app"

// accessToken answers POST /app/installations/{id}/access_tokens.
func (x *exchange) accessToken() {
	x.gitHubHeader()
	if x.faulted() {
		return
	}
	app, problem := appOf(x.req.Header.Get("Authorization"), x.w.opt.Now())
	if problem != "" {
		x.gitHubError(http.StatusUnauthorized, problem, "", nil)
		return
	}
	id, _ := strconv.ParseInt(x.req.PathValue("id"), 10, 64) // no installation has the id 0
	token, c, ok := x.w.mint(id, app)
	switch {
	case !ok:
		x.gitHubError(http.StatusNotFound, "Not Found", accessTokenDocs, nil)
	case c.Blocked:
		x.gitHubError(http.StatusForbidden, "This installation has been suspended", accessTokenDocs, nil)
	default:
		x.send(http.StatusCreated, jsonType, marshal(map[string]any{
			"token": token, "expires_at": c.Expires.UTC().Format(time.RFC3339), "permissions": map[string]string{"metadata": "read"}, "repository_selection": "all",
		}))
	}
}

// mint makes an access token.
func (w *World) mint(id int64, app string) (token string, c Credential, ok bool) {
	n := w.requestID.Load()
	w.limits.mu.Lock()
	c, ok = w.limits.installations[id]
	w.limits.mu.Unlock()
	if !ok || c.Blocked {
		return "", c, ok
	}
	c.Kind, c.Account = Installation, installationAccount(strconv.FormatInt(id, 10))
	c.Expires = w.opt.Now().Add(w.hour())
	part := func(i uint64, bytes int) string {
		var b []byte
		for d := roll(n, i); len(b) < bytes; {
			b = append(b, byte(d.next()))
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	token = "ghs_" + app + "_" + part(1, 30) + "." + part(2, 140) + "." + part(3, 200)
	w.SetCredential(token, c)
	return token, c, true
}

// installationAccount names the account of all tokens of an installation.
func installationAccount(id string) string { return "installation " + id }

// appOf returns the app that a JWT was issued by, or what GitHub says against it.
func appOf(authorization string, now time.Time) (app, problem string) {
	scheme, jwt, _ := strings.Cut(authorization, " ")
	parts := strings.Split(jwt, ".")
	if !strings.EqualFold(scheme, "bearer") || len(parts) != 3 {
		return "", "A JSON web token could not be decoded"
	}
	var claims struct {
		Issuer  any   `json:"iss"`
		Issued  int64 `json:"iat"`
		Expires int64 `json:"exp"`
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	switch {
	case err != nil:
		return "", "A JSON web token could not be decoded"
	case claims.Expires <= now.Unix():
		return "", "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case claims.Expires > now.Unix()+600+60:
		return "", "'Expiration time' claim ('exp') is too far in the future"
	case claims.Issued > now.Unix()+60:
		return "", "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	}
	return fmt.Sprint(claims.Issuer), ""
}
