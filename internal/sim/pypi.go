package sim

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const simpleType = "application/vnd.pypi.simple.v1+json"

var (
	cachePyPI  = []string{"max-age=900, public"}
	cacheIndex = []string{"max-age=600, public"}
	varyPyPI   = []string{"Accept, Accept-Encoding"}
)

// projectJSON answers /pypi/{name}/json.
func (x *exchange) projectJSON() {
	if !x.pypi(x.req.PathValue("name")) {
		return
	}
	x.pypiPage(cacheKey{project: x.project, endpoint: ProjectJSON, gzip: x.gzip()}, "application/json", cachePyPI)
}

// withoutSlash redirects /pypi/{name}/json/ to its proper form.
func (x *exchange) withoutSlash() {
	if x.pypi(x.req.PathValue("name")) && x.charge(false) {
		x.redirect(http.StatusMovedPermanently, "/pypi/"+url.PathEscape(x.req.PathValue("name"))+"/json", "text/plain; charset=utf-8", []byte("301 Moved Permanently\n"))
	}
}

// simpleProject answers /simple/{name}/, or redirects there.
func (x *exchange) simpleProject() {
	name := x.req.PathValue("name")
	if !x.pypi(name) {
		return
	}
	if proper := "/simple/" + url.PathEscape(Normalize(name)) + "/"; x.req.URL.EscapedPath() != proper {
		if x.charge(false) {
			x.redirect(http.StatusMovedPermanently, proper, "text/plain; charset=utf-8", []byte("301 Moved Permanently\n"))
		}
		return
	}
	k := cacheKey{project: x.project, endpoint: Simple, gzip: x.gzip(), html: !strings.Contains(x.req.Header.Get("Accept"), simpleType)}
	x.pypiPage(k, simpleContentType(k), cacheIndex)
}

// simpleIndex answers /simple/.
func (x *exchange) simpleIndex() {
	if !x.pypi("") {
		return
	}
	k := cacheKey{endpoint: Index, gzip: x.gzip(), html: !strings.Contains(x.req.Header.Get("Accept"), simpleType)}
	x.pypiPage(k, simpleContentType(k), cacheIndex)
}

func simpleContentType(k cacheKey) string {
	if k.html {
		return "text/html; charset=UTF-8"
	}
	return simpleType
}

// pypi does what all answers of PyPI have in common: it checks the User-Agent and that
// no credential was sent, finds the project and applies faults. It reports whether the
// request is still to be answered.
func (x *exchange) pypi(name string) bool {
	h := x.rw.Header()
	h["X-Content-Type-Options"] = noSniff
	h["X-Pypi-Last-Serial"] = []string{"0"}
	if x.req.Header.Get("Authorization") != "" {
		x.w.violation(x.counters, LeakedCredential, x.req)
	}
	agent := x.req.UserAgent()
	if !properAgent(agent) {
		x.w.violation(x.counters, BadUserAgent, x.req)
	}
	if agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		x.charge(false)
		x.send(http.StatusNotAcceptable, "text/html; charset=utf-8", []byte("<html><body><h1>406 Not Acceptable</h1>Send a User-Agent that names your program.</body></html>\n"))
		return false
	}
	if name != "" {
		x.w.mu.RLock()
		if x.w.project(Normalize(name)) != nil {
			x.project = Normalize(name)
		}
		x.w.mu.RUnlock()
	}
	x.direct = x.req.URL.Query().Has(movedMark)
	return !x.faulted()
}

// properAgent reports whether a User-Agent names a program, a version and a contact.
func properAgent(agent string) bool {
	program, rest, _ := strings.Cut(agent, "/")
	return program != "" && rest != "" && (strings.Contains(rest, "://") || strings.Contains(rest, "@"))
}

// gzip reports whether to compress the body: the client accepts it, and no fault is to
// cut the body, which must be readable up to the cut.
func (x *exchange) gzip() bool {
	if x.cut == broken {
		return false
	}
	for part := range strings.SplitSeq(strings.Join(x.req.Header["Accept-Encoding"], ","), ",") {
		coding, q, _ := strings.Cut(part, ";")
		if c := strings.TrimSpace(coding); strings.EqualFold(c, "gzip") || c == "*" {
			n, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(q), "q="), 64)
			return err != nil || n > 0
		}
	}
	return false
}

// pypiPage answers 200, 304 or 404. Gzip and identity have different tags.
func (x *exchange) pypiPage(k cacheKey, contentType string, cacheControl []string) {
	if x.project == "" && k.endpoint != Index {
		x.pypiNotFoundPage(k)
		return
	}
	now := x.now()
	if age := x.w.opt.IndexAge; k.endpoint == Index && age > 0 {
		now = now.Truncate(age)
	}
	r := x.w.render(k, now, func() *rendered {
		if k.endpoint == Index {
			return x.w.renderIndex(k, now)
		}
		return x.w.renderProject(k, now)
	})
	h := x.rw.Header()
	h["X-Pypi-Last-Serial"] = []string{strconv.FormatInt(r.serial, 10)}
	if r.status == http.StatusNotFound {
		x.pypiNotFoundPage(k)
		return
	}
	tag := `"` + hex.EncodeToString(r.sum[:16]) + `"`
	h["Etag"] = []string{tag}
	h["Cache-Control"] = cacheControl
	h["Vary"] = varyPyPI
	if x.matches(tag) {
		x.charge(true)
		x.send(http.StatusNotModified, "", nil)
		return
	}
	x.charge(false)
	if k.gzip {
		h["Content-Encoding"] = []string{"gzip"}
	}
	x.send(http.StatusOK, contentType, r.body)
}

func (x *exchange) pypiNotFoundPage(k cacheKey) {
	x.charge(false)
	if k.endpoint == ProjectJSON {
		x.send(http.StatusNotFound, "application/json", []byte(`{"message": "Not Found"}`))
		return
	}
	x.send(http.StatusNotFound, "text/plain; charset=utf-8", []byte("404 Not Found\n"))
}

// pypiNotFound answers for paths that PyPI does not have.
func (x *exchange) pypiNotFound() {
	if x.pypi("") {
		x.pypiNotFoundPage(cacheKey{})
	}
}
