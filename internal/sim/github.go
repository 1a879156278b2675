package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const jsonType = "application/json; charset=utf-8"

// byName answers /repos/{owner}/{repo}…, and every path of GitHub that is not known.
func (x *exchange) byName() {
	w := x.w
	w.mu.RLock()
	name := x.req.PathValue("owner") + "/" + x.req.PathValue("repo")
	r, former := w.named(name, x.now())
	moved := 0
	if former {
		if moved = r.MoveStatus; moved == 0 {
			moved = http.StatusMovedPermanently
		}
	}
	if r != nil {
		x.repo = r.ID
	}
	w.mu.RUnlock()
	x.github(moved)
}

// byID answers /repositories/{id}…, the target of redirects after a rename.
func (x *exchange) byID() {
	id, _ := strconv.ParseInt(x.req.PathValue("id"), 10, 64) // no repository has the id 0
	x.w.mu.RLock()
	if r := x.w.repoAt(id, x.now()); r != nil {
		x.repo = id
	}
	x.w.mu.RUnlock()
	x.direct = true
	x.github(0)
}

// github answers for the repository, or redirects with the status moved.
func (x *exchange) github(moved int) {
	if !x.admitted() || x.faulted() {
		return
	}
	if x.repo == 0 || x.endpoint == "other" {
		x.charged(http.StatusNotFound, "Not Found", docs[x.endpoint])
		return
	}
	if moved != 0 {
		x.movedTo(moved)
		return
	}
	x.serveRepo()
}

// admitted answers a request whose credential or a limit refuses it.
func (x *exchange) admitted() bool {
	x.gitHubHeader()
	if v := x.req.Header.Get("X-Github-Api-Version"); v != "" {
		if !slices.Contains(apiVersions, v) {
			x.gitHubError(http.StatusBadRequest, "The version "+v+" of the API is not supported.", "https://docs.github.com/rest/about-the-rest-api/api-versions", nil)
			return false
		}
		x.rw.Header()["X-Github-Api-Version-Selected"] = []string{v}
	}
	switch expires := x.credential.Expires; {
	case x.credential.Revoked, !expires.IsZero() && !x.w.opt.Now().Before(expires), !x.credentialOK():
		x.gitHubError(http.StatusUnauthorized, "Bad credentials", "", nil)
		return false
	case x.credential.Blocked:
		x.gitHubError(http.StatusForbidden, "Sorry. Your account was suspended.", "", nil)
		return false
	case !expires.IsZero():
		x.rw.Header()["Github-Authentication-Token-Expiration"] = []string{expires.UTC().Format("2006-01-02 15:04:05 UTC")}
	}
	if x.refusal == nil {
		return true
	}
	if x.refusal.kind != "" {
		x.w.violation(x.counters, x.refusal.kind, x.req)
	}
	if x.refusal.primary {
		x.primaryLimit(x.refusal.rate)
	} else {
		x.secondaryLimit()
	}
	return false
}

// secondaryLimit answers that a secondary limit is exceeded.
func (x *exchange) secondaryLimit() {
	h := x.rw.Header()
	x.refusal.rate.header(h, x.w.ahead())
	if !x.w.opt.NoRetryAfter {
		h["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(60 / x.w.opt.Speed)))}
	}
	status := http.StatusForbidden
	if x.w.opt.TooManyStatus != 0 {
		status = x.w.opt.TooManyStatus
	}
	x.gitHubError(status, secondaryMessage, secondaryDocs, nil)
}

func (x *exchange) serveRepo() {
	x.w.mu.RLock()
	var blocked string
	var tooLarge bool
	var times int
	if r := x.w.repo(x.repo); r != nil {
		blocked, tooLarge, times = r.Blocked, r.TooLarge, r.Pending
	}
	x.w.mu.RUnlock()
	switch {
	case blocked != "":
		x.blocked(blocked)
		return
	case tooLarge && x.endpoint == Contributors:
		x.charged(http.StatusForbidden, tooLargeMessage, docs[Contributors])
		return
	}
	k := cacheKey{repo: x.repo, endpoint: x.endpoint}
	if x.endpoint == Contributors || x.endpoint == CommitList {
		k.perPage, k.page = x.page()
	}
	now := x.now()
	r := x.w.render(k, now, func() *rendered { return x.w.renderRepo(k, now) })
	switch {
	case r.status == http.StatusNotFound:
		x.charged(r.status, "Not Found", docs[x.endpoint])
	case r.status == http.StatusConflict:
		x.charged(r.status, "Git Repository is empty.", docs[CommitList])
	case r.status == http.StatusNoContent:
		if x.charge(false) {
			x.send(r.status, "", nil)
		}
	case x.endpoint == Participation && r.head != (oid{}) && !x.w.opt.NoPending && x.w.pending.ask(x.repo, r.head, times):
		if x.charge(false) {
			x.send(http.StatusAccepted, jsonType, []byte("{}"))
		}
	default:
		x.sendRendered(r, k)
	}
}

// sendRendered answers 200, or 304 to a request with the tag in If-None-Match. With a
// credential, 304 is free of charge.
func (x *exchange) sendRendered(r *rendered, k cacheKey) {
	tag := x.weakTag(r)
	match := x.matches(tag)
	if !x.charge(match && x.account.kind != Anonymous) {
		return
	}
	h := x.rw.Header()
	h["Etag"] = []string{tag}
	h["Cache-Control"] = cachePrivate
	if x.account.kind == Anonymous {
		h["Cache-Control"] = cachePublic
	}
	if link := x.links(k, r.last); link != "" {
		h["Link"] = []string{link}
	}
	if match {
		x.send(http.StatusNotModified, "", nil)
		return
	}
	x.send(http.StatusOK, jsonType, r.body)
}

// weakTag depends on the body and, as on GitHub, on the credential.
func (x *exchange) weakTag(r *rendered) string {
	sum := sha256.Sum256(append(r.sum[:], x.account.id[:]...))
	return `W/"` + hex.EncodeToString(sum[:]) + `"`
}

// links returns the Link header of a page, with URLs by the repository's id.
func (x *exchange) links(k cacheKey, last int) string {
	if last <= 1 {
		return ""
	}
	path := map[Endpoint]string{Contributors: "/contributors", CommitList: "/commits"}[k.endpoint]
	q, _ := url.ParseQuery(x.req.URL.RawQuery)
	q.Del("page")
	query := q.Encode()
	if query != "" {
		query += "&"
	}
	var b strings.Builder
	add := func(page int, rel string) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("<" + x.base() + "/repositories/" + strconv.FormatInt(x.repo, 10) + path + "?" + query + "page=" + strconv.Itoa(page) + `>; rel="` + rel + `"`)
	}
	if k.page > 1 {
		add(k.page-1, "prev")
	}
	if k.page < last {
		add(k.page+1, "next")
		add(last, "last")
	}
	if k.page > 1 {
		add(1, "first")
	}
	return b.String()
}

// movedTo redirects to the same endpoint under the repository's id.
func (x *exchange) movedTo(status int) {
	if !x.charge(false) {
		return
	}
	path := "/repositories/" + strconv.FormatInt(x.repo, 10)
	if parts := strings.SplitN(x.req.URL.Path, "/", 5); len(parts) == 5 {
		path += "/" + parts[4]
	}
	if x.req.URL.RawQuery != "" {
		path += "?" + x.req.URL.RawQuery
	}
	message := "Moved Permanently"
	if status != http.StatusMovedPermanently {
		message = http.StatusText(status)
	}
	x.redirect(status, path, jsonType, marshal(struct {
		Message string `json:"message"`
		URL     string `json:"url"`
		Docs    string `json:"documentation_url"`
	}{message, x.base() + path, "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"}))
}

var (
	cachePrivate = []string{"private, max-age=60, s-maxage=60"}
	cachePublic  = []string{"public, max-age=60, s-maxage=60"}
	varyGitHub   = []string{"Accept, Authorization, Cookie, X-GitHub-OTP", "Accept-Encoding, Accept, X-Requested-With"}
	serverGitHub = []string{"github.com"}
	mediaType    = []string{"github.v3; format=json"}
	apiVersion   = []string{"2022-11-28"} // where a request names none
	apiVersions  = []string{"2022-11-28", "2026-03-10"}
	noSniff      = []string{"nosniff"}
)

func (x *exchange) gitHubHeader() {
	h := x.rw.Header()
	h["Date"] = []string{x.w.Now().Format(http.TimeFormat)}
	h["Server"] = serverGitHub
	h["Vary"] = varyGitHub
	h["X-Github-Media-Type"] = mediaType
	h["X-Github-Api-Version-Selected"] = apiVersion
	h["X-Content-Type-Options"] = noSniff
	n := x.w.requestID.Add(1)
	id := strings.ToUpper(strconv.FormatUint(0x1000_0000_0000_0000+n*0x9E37_79B1, 16))
	h["X-Github-Request-Id"] = []string{id[:4] + ":" + id[4:10] + ":" + id[10:]}
}

// charge charges the request to its budget and sets the rate limit headers. If the budget
// has run out meanwhile, it answers that and returns false.
func (x *exchange) charge(free bool) bool {
	if x.service == pyPI {
		x.count(free, 1)
		return true
	}
	cost := x.cost()
	if free {
		cost = 0
	}
	if _, ok := x.pay(cost); !ok {
		return false
	}
	x.took = serverTime(x.endpoint, free)
	return true
}

// pay is charge for GitHub, at a cost that is known; 0 is a free request.
func (x *exchange) pay(cost int) (r rate, ok bool) {
	if r, ok = x.w.spend(x.account, x.resource, cost); !ok {
		x.primaryLimit(r)
		return r, false
	}
	x.count(cost == 0, cost)
	x.rateHeader(r)
	return r, true
}

// count counts what was charged.
func (x *exchange) count(free bool, cost int) {
	c := &x.counters.services[x.service]
	switch {
	case free:
		c.free.Add(1)
	case x.resource == core:
		c.charged.Add(int64(cost))
	default:
		c.points.Add(int64(cost))
	}
}

func (x *exchange) rateHeader(r rate) {
	if !x.w.opt.NoLimits {
		r.header(x.rw.Header(), x.w.ahead())
	}
}

// cost is what the endpoint takes from the primary budget.
func (x *exchange) cost() int {
	if n := x.w.opt.Costs[x.endpoint]; n > 0 {
		return n
	}
	return 1
}

// serverTime is how long an answer of the REST API keeps a processor of GitHub's busy. These
// are guesses: GitHub tells only that it counts it.
func serverTime(e Endpoint, unchanged bool) time.Duration {
	switch {
	case unchanged:
		return 10 * time.Millisecond
	case e == Contributors:
		return 60 * time.Millisecond
	case e == CommitList, e == Participation:
		return 40 * time.Millisecond
	}
	return 20 * time.Millisecond
}

// credentialOK reports whether the credential is the one in Options, if that has one.
func (x *exchange) credentialOK() bool {
	_, token, _ := strings.Cut(x.req.Header.Get("Authorization"), " ")
	return x.w.opt.Token == "" || x.account.kind == Anonymous || token == x.w.opt.Token
}

func (x *exchange) primaryLimit(r rate) {
	x.counters.services[gitHub].over.Add(1)
	x.cut = whole
	x.sendPrimaryLimit(r)
}

func (x *exchange) userID() string { return strconv.Itoa(1_000_000 + int(x.account.id[0])) }

// sendPrimaryLimit answers that nothing is left until r.reset.
func (x *exchange) sendPrimaryLimit(r rate) {
	r.used = r.limit
	x.rateHeader(r)
	if x.resource == graphQL {
		x.reply(nil, []graphQLError{{Type: "RATE_LIMITED", Code: "graphql_rate_limit", Message: "API rate limit already exceeded for user ID " + x.userID() + "."}})
		return
	}
	message := "API rate limit exceeded for user ID " + x.userID() + "."
	if x.account.kind == Anonymous {
		message = "API rate limit exceeded for 203.0.113.7. (But here's the good news: Authenticated requests get a higher rate limit. Check out the documentation for more details.)"
	}
	x.gitHubError(http.StatusForbidden, message, rateLimitDocs, nil)
}
