package sim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Handler serves GitHub at /repos/, /repositories/ and /graphql, and as GitHub Enterprise Server
// has them at /api/v3/ and /api/graphql; PyPI at /pypi/ and /simple/, and the world's own
// controls at /_sim/.
func (w *World) Handler() http.Handler { return w.handler }

func (w *World) routes() http.Handler {
	mux := http.NewServeMux()
	for path, e := range map[string]Endpoint{"": Repository, "/contributors": Contributors, "/commits": CommitList, "/stats/participation": Participation} {
		mux.HandleFunc("GET /repos/{owner}/{repo}"+path, w.exchange(gitHub, e, (*exchange).byName))
		mux.HandleFunc("GET /repositories/{id}"+path, w.exchange(gitHub, e, (*exchange).byID))
	}
	mux.HandleFunc("POST /graphql", w.exchange(gitHub, GraphQL, (*exchange).graphQL))
	mux.HandleFunc("POST /api/graphql", w.exchange(gitHub, GraphQL, (*exchange).graphQL))
	mux.HandleFunc("GET /rate_limit", w.exchange(gitHub, rateLimitPath, (*exchange).rateLimits))
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", w.exchange(gitHub, AccessToken, (*exchange).accessToken))
	mux.HandleFunc("GET /pypi/{name}/json", w.exchange(pyPI, ProjectJSON, (*exchange).projectJSON))
	mux.HandleFunc("GET /pypi/{name}/json/{$}", w.exchange(pyPI, ProjectJSON, (*exchange).withoutSlash))
	mux.HandleFunc("GET /simple/{$}", w.exchange(pyPI, Index, (*exchange).simpleIndex))
	mux.HandleFunc("GET /simple/{name}", w.exchange(pyPI, Simple, (*exchange).simpleProject))
	mux.HandleFunc("GET /simple/{name}/{$}", w.exchange(pyPI, Simple, (*exchange).simpleProject))
	mux.HandleFunc("/_sim/", w.control)
	mux.Handle(enterprise+"/", belowAPI(mux))
	pypiNotFound := w.exchange(pyPI, "other", (*exchange).pypiNotFound)
	mux.HandleFunc("/pypi/", pypiNotFound)
	mux.HandleFunc("/simple/", pypiNotFound)
	mux.HandleFunc("/", w.exchange(gitHub, "other", (*exchange).byName))
	return mux
}

// exchange is one request to one of the services, and its answer.
type exchange struct {
	w        *World
	rw       http.ResponseWriter
	req      *http.Request
	service  service
	endpoint Endpoint
	counters *counters
	status   int // of the answer; 0 until it is sent

	repo    int64  // id; 0 if the request is not about a repository, or it is unknown
	project string // normalised name; likewise
	direct  bool   // asked for by id, or after a redirect: no redirect fault strikes

	account    *account // to GitHub: what limits apply to
	credential Credential
	resource   resource
	refusal    *refusal      // nil if no limit was met
	took       time.Duration // of GitHub's processors
	slow       time.Duration // that faults add to a query
	lag        time.Duration // that a fault has answers be behind
	partial    bool          // a fault has GraphQL leave out half of the repositories
	cut        cut           // how the body is cut short
}

// exchange returns a handler that counts the request, waits for the latency and answers.
func (w *World) exchange(s service, e Endpoint, answer func(*exchange)) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		x := &exchange{w: w, rw: rw, req: req, service: s, endpoint: e}
		c, done := w.begin(s, e, req)
		x.counters = c
		defer func() { done(x.status) }()
		if s == gitHub {
			x.arrive()
			defer func() { w.leave(x.account, x.resource, x.took) }()
		}
		defer x.visit()()
		if strings.EqualFold(req.URL.Hostname(), elsewhere) || strings.HasPrefix(strings.ToLower(req.Host), elsewhere) {
			x.foreign()
			return
		}
		x.wait(w.opt.Latency)
		answer(x)
	}
}

// arrive finds out what limits apply, and whether they refuse the request.
func (x *exchange) arrive() {
	if x.endpoint == GraphQL {
		x.resource = graphQL
	}
	x.account, x.credential = x.w.account(x.req)
	if r, ok := x.w.enter(x.account, x.resource, x.endpoint == rateLimitPath || x.endpoint == AccessToken); !ok {
		x.refusal = &r
	}
}

// wait waits for d. If the client or the world ends first, it aborts the handler:
// nobody is left to answer.
func (x *exchange) wait(d time.Duration) {
	if d > 0 && !pause(x.req.Context(), x.w.ctx, d) {
		panic(http.ErrAbortHandler)
	}
}

func pause(client, world context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-client.Done():
	case <-world.Done():
	}
	return false
}

// elsewhere is the host that RedirectElsewhere leads to. A client that follows
// it through World.Transport ends up here again and is detected.
const elsewhere = "elsewhere.invalid"

func (x *exchange) foreign() {
	if x.req.Header.Get("Authorization") != "" {
		x.w.violation(x.counters, LeakedCredential, x.req)
	}
	x.send(http.StatusMisdirectedRequest, "text/plain; charset=utf-8", []byte("This host is not part of the world.\n"))
}

// enterprise is where GitHub Enterprise Server has its REST API.
const enterprise = "/api/v3"

// belowAPI serves there what h serves at the root, and marks the requests.
func belowAPI(h http.Handler) http.Handler {
	h = http.StripPrefix(enterprise, h)
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		h.ServeHTTP(rw, req.WithContext(context.WithValue(req.Context(), belowKey{}, true)))
	})
}

type belowKey struct{}

// base is the address by which the client knows this server.
func (x *exchange) base() string {
	base := "http://" + x.req.Host
	if x.req.TLS != nil {
		base = "https://" + x.req.Host
	}
	if x.req.Context().Value(belowKey{}) != nil {
		base += enterprise
	}
	return base
}

// redirect answers with an absolute Location.
func (x *exchange) redirect(status int, path, contentType string, body []byte) {
	x.rw.Header()["Location"] = []string{x.base() + path}
	x.send(status, contentType, body)
}

// page reads per_page and page as GitHub does: an invalid value means the default.
func (x *exchange) page() (perPage, page int) {
	perPage, page = 30, 1
	if x.req.URL.RawQuery == "" {
		return perPage, page
	}
	q, _ := url.ParseQuery(x.req.URL.RawQuery) // the part that is valid
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		perPage = min(n, 100)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		page = min(n, 1<<30)
	}
	return perPage, page
}

// now is the world's time for the request.
func (x *exchange) now() time.Time { return x.w.Now().Add(-x.lag) }

// matches reports whether If-None-Match names the tag (RFC 9110, weakly compared).
func (x *exchange) matches(tag string) bool {
	if x.cut != whole {
		return false
	}
	for _, line := range x.req.Header["If-None-Match"] {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// send sends the answer, or the part of it that the fault leaves.
func (x *exchange) send(status int, contentType string, body []byte) {
	h := x.rw.Header()
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	if x.cut != whole {
		x.sendCut(status, body)
		return
	}
	if status != http.StatusNotModified && status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.status = status
	x.rw.WriteHeader(status)
	if len(body) > 0 {
		_, _ = x.rw.Write(body) // the client may have disconnected
	}
}

// plain answers with a line of text.
func plain(rw http.ResponseWriter, status int, format string, args ...any) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.WriteHeader(status)
	fmt.Fprintf(rw, format+"\n", args...)
}
