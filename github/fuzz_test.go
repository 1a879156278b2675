package github

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzFetch has some of the endpoints give an answer of any shape.
func FuzzFetch(f *testing.F) {
	add := func(status int, header, body string) { f.Add(status, header, body, byte(0xff), true) }
	add(200, "ETag: x", repoJSON("o/n"))
	add(200, "ETag: x\nLink: "+lastLink(3), commitJSON("2024-01-01T00:00:00Z"))
	add(200, `Link: <https://api.test/x?page=2>; rel="next"`, `[{"login":"a"},{},null]`)
	add(200, "ETag: x", weeksJSON(52, 1))
	add(200, "Content-Type: text/html", "<html>")
	add(200, "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 9223372036854775807", "null")
	add(200, "", `[{"commit":{"committer":{"date":7},"author":[]}}]`)
	add(200, `Link: <x?page=9>; rel="first"`, commitJSON("-1-00-00T"))
	add(200, "", `[]`)
	add(200, "", `{"id":1E3,"full_name":"o/n","stargazers_count":1e999,"forks_count":-0.0,"all":[null]}`)
	add(202, "", "{}")
	add(204, "", "")
	add(301, "Location: /repositories/7", "")
	add(302, "Location: https://elsewhere.test/", "")
	add(301, "Location: http://%zz/"+strings.Repeat("x", 3000), "")
	add(304, "", "")
	add(401, "", `{"message":"Bad credentials"}`)
	add(403, "Retry-After: 5", `{"message":"secondary rate limit"}`)
	add(403, "X-RateLimit-Remaining: 0", `{"message":"list is too large","block":{"reason":"tos"}}`)
	add(409, "", "")
	add(429, "", `{"message":7,"block":[]}`)
	add(451, "", `{"block":{"reason":"dmca"}}`)
	add(503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "<")
	f.Fuzz(func(t *testing.T, status int, header, body string, which byte, known bool) {
		r := reply{status: status, body: body, header: map[string]string{}}
		for line := range strings.Lines(header) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				r.header[http.CanonicalHeaderKey(k)] = strings.TrimSpace(v)
			}
		}
		w := newFake()
		for i, uri := range []string{repoURI, usersURI, comURI, weekURI, "/repositories/7", usersPage(2), usersPage(3)} {
			if which&(1<<i) != 0 {
				w.set(uri, r)
			}
		}
		tags := Validators{}
		if known {
			tags = maps.Clone(allTags)
			tags["contributors/2"] = `"t2"`
		}
		before := maps.Clone(tags)
		c := newClient(t, w)
		q := Question{Ref: ref, Parts: AllParts, Known: tags}
		if known {
			q.Commits, q.Participants = 7, 2
		}
		a := c.Fetch(t.Context(), q)
		checkAnswer(t, a, AllParts, tags)
		if !cmp.Equal(before, tags) {
			t.Error("the validators passed in were changed")
		}
		if a.Requests != len(w.asked) {
			t.Errorf("said %d requests, sent %q", a.Requests, w.asked)
		}
		for name, tag := range a.Validators {
			if tag == "" || strings.ContainsAny(tag, "\x00\r\n") {
				t.Errorf("validator %s is %q", name, tag)
			}
		}
		for auth := range w.tokens {
			if auth != "Bearer "+canary {
				t.Errorf("asked with %q", auth)
			}
		}
		for _, e := range errorsOf(a) {
			if e != nil && (len(e.Error()) > 2000 || strings.ContainsAny(e.Message, "\r\n\x00")) {
				t.Errorf("an error for no person: %q", e)
			}
		}
		if hold := c.Hold(); hold.Until.IsZero() != (hold.Reason == "") {
			t.Errorf("holds until %v: %q", hold.Until, hold.Reason)
		}
	})
}

// FuzzQuery has GraphQL, and what gives an app its tokens, give an answer of any shape.
func FuzzQuery(f *testing.F) {
	add := func(status int, header, body string) { f.Add(status, header, body, status == 201) }
	add(200, "", `{"data":{"nodes":[{"id":"R_1"},null],"rateLimit":{"cost":3}},"errors":[{"type":"NOT_FOUND","path":["nodes",1],"message":"no"}]}`)
	add(200, "", `{"data":null,"errors":[{"type":"RATE_LIMITED"}]}`)
	add(200, "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 99999999999\nX-RateLimit-Resource: graphql", `{"errors":[{"type":"RATE_LIMIT"}]}`)
	add(200, "", `{"data":{"rateLimit":{"cost":1e300}},"errors":{"path":[[[1e400]]]}}`)
	add(200, "", `{"data":{"data":{}},"data":7}`)
	add(200, "Content-Type: text/html", "<html>")
	add(201, "", `{"token":"ghs_x","expires_at":"2000-01-01T02:00:00Z"}`)
	add(201, "", `null`)
	add(401, "", `{"message":"Bad credentials"}`)
	add(403, "Retry-After: 9", `{"message":"secondary rate limit"}`)
	add(404, "", ``)
	add(502, "", `<html>`)
	appKey()
	f.Fuzz(func(t *testing.T, status int, header, body string, office bool) {
		r := reply{status: status, body: body, header: map[string]string{}}
		for line := range strings.Lines(header) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				r.header[http.CanonicalHeaderKey(k)] = strings.TrimSpace(v)
			}
		}
		w := newFake().set(graphURI, r)
		app := Credential{App: &AppKey{ID: 7, Installation: 42, Key: appKey()}}
		if office {
			w.set(installed, r)
		} else {
			app = Credential{Token: canary}
		}
		c, err := New(Options{BaseURL: "https://api.test", UserAgent: "test", Transport: w, Credentials: []Credential{app}})
		if err != nil {
			t.Fatal(err)
		}
		_, a, e := ask(t, c)
		if e != nil && (len(e.Error()) > 2000 || strings.ContainsAny(e.Message, "\r\n\x00") || e.Outcome == limited && e.RetryAt.IsZero()) {
			t.Errorf("an error for no person: %q", e)
		}
		if a.Requests > 1 || e == nil && a.Cost < 1 {
			t.Errorf("%+v after %q", a, w.asked)
		}
		for _, x := range a.Errors {
			if len(x.Type) > 2000 || len(x.Path) > 2000 || strings.ContainsAny(x.Message+x.Path, "\r\n\x00") {
				t.Errorf("an error for no person: %+v", x)
			}
		}
		if p := c.credentials[0]; p.points.queued != 0 || p.points.inFlight != 0 {
			t.Errorf("%d queued, %d in flight after it", p.points.queued, p.points.inFlight)
		}
	})
}
