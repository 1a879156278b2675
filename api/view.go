package api

import (
	"errors"
	"io"
	"net/http"
	"time"

	"pkgmetad/internal/render"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// A view answers the requests for one kind of path.
type view struct {
	name, description string // in the answer to OPTIONS
	// get writes the answer to GET and HEAD as JSON. Its error is a *problem or a
	// failure of the store; what it has written is then discarded.
	get func(e *render.Encoder, rq *request) error
	// page writes the answer as an HTML page, in a frame that shows the JSON as well;
	// nil for a page without more than that. Its errors are like those of get.
	page func(w io.Writer, rq *request, f web.Frame) error
	// near returns the pages that may have been meant by a key that names no record; nil
	// where keys name none.
	near func(rq *request) []web.Link
}

// A collection is a list of records and each record by itself.
type collection struct {
	path           string // its segment of the paths
	list, instance view
}

// A request is an HTTP request with what the views need of it, parsed.
type request struct {
	*http.Request
	representation
	key    string // the id or slug in the path of an instance
	query  query
	path   string       // as requested
	header http.Header  // of the response
	links  render.Links // their suffix is "/" or the requested format suffix, and then ?format= if it was requested

	// found is what a search found, for the JSON and for the page around it: one request
	// searches once. It is nil before.
	found []result

	// changed is when the answer last changed, or a later time; zero if unknown.
	// It starts as the time of the last change of anything served; a view that
	// knows better sets it.
	changed time.Time
}

// A problem is an error that is answered with a status and a JSON object.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

var (
	errNotFound      = &problem{http.StatusNotFound, "Not found."}
	errNotAcceptable = &problem{http.StatusNotAcceptable, "Could not satisfy the request Accept header."}
	errServer        = &problem{http.StatusInternalServerError, "Internal server error."}
)

func (a *api) serve(v view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, v, "", "") }
}

// unknown answers a request for a path that does not exist.
func (a *api) unknown(w http.ResponseWriter, r *http.Request) {
	e := a.encoder()
	defer a.release(e)
	rq := request{Request: r}
	if rq.representation, _ = negotiate(r.Header["Accept"], ""); rq.html {
		e.Reset(pageIndent)
	}
	writeProblem(e, errNotFound)
	h := w.Header()
	h["Vary"] = varyAccept
	if rq.html {
		a.answerPage(w, &rq, view{}, errNotFound.status, e)
		return
	}
	h["Content-Type"] = typeJSON
	a.send(w, r, errNotFound.status, e.Bytes(), time.Time{})
}

// answer answers a request for a view. The answer is complete before its first
// byte goes out, so no failure can cut it short.
func (a *api) answer(w http.ResponseWriter, r *http.Request, v view, key, suffix string) {
	e := a.encoder()
	defer a.release(e)
	h := w.Header()
	rq := request{Request: r, header: h, key: key, query: parseQuery(r.URL.RawQuery), path: r.URL.Path, links: render.Links{Suffix: "/"}}
	h["Allow"] = allowed
	h["Vary"] = varyAccept
	status := http.StatusOK
	if err := a.respond(e, &rq, v, suffix); err != nil {
		p := a.explain(r, err)
		status = p.status
		e.Reset(e.Indent())
		writeProblem(e, p)
		rq.changed = time.Time{}
		if status == http.StatusServiceUnavailable {
			h["Retry-After"] = []string{"5"}
		}
	}
	if rq.html {
		a.answerPage(w, &rq, v, status, e)
		return
	}
	h["Content-Type"] = typeJSON
	a.send(w, r, status, e.Bytes(), rq.changed)
}

// Header values that never change.
var (
	allowed    = []string{"GET, HEAD, OPTIONS"}
	varyAccept = []string{"Accept, Accept-Encoding"}
	typeJSON   = []string{"application/json"}
)

// explain returns the problem to answer an error with: the error itself if it is
// one, else errServer, and the error is logged.
func (a *api) explain(r *http.Request, err error) *problem {
	var p *problem
	if !errors.As(err, &p) {
		p = errServer
		a.failures.note(r, err, "an API request could not be answered")
	}
	return p
}

// respond writes the answer. It checks in DRF's order: first the format and the
// Accept header, so that even a problem has the requested format; then the method;
// then the record. OPTIONS does not look for the record.
func (a *api) respond(e *render.Encoder, rq *request, v view, suffix string) (err error) {
	queryFormat, inQuery := rq.query.get("format")
	format := suffix
	if format == "" {
		format = queryFormat
	}
	rq.representation, err = negotiate(rq.Header["Accept"], format)
	if rq.html {
		rq.indent = pageIndent
	}
	e.Reset(rq.indent)
	if err != nil {
		return err
	}
	switch rq.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		writeMetadata(e, v)
		return nil
	default:
		return &problem{http.StatusMethodNotAllowed, `Method "` + rq.Method + `" not allowed.`}
	}
	rq.links.Base = a.base.of(rq.Request)
	if suffix != "" {
		rq.links.Suffix = "." + suffix
	}
	if inQuery {
		rq.links.Suffix += "?" + query{{"format", queryFormat}}.encode()
	}
	rq.changed = a.store.Changed() // before the records are read, so that these are not older
	return v.get(e, rq)
}

func writeProblem(e *render.Encoder, p *problem) {
	e.Open('{')
	e.Key("detail")
	e.String(p.detail)
	e.Close('}')
}

// writeMetadata writes the answer to OPTIONS.
func writeMetadata(e *render.Encoder, v view) {
	e.Open('{')
	e.Key("name")
	e.String(v.name)
	e.Key("description")
	e.String(v.description)
	e.Key("renders")
	e.Strings("application/json", "text/html")
	e.Key("parses")
	e.Strings("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
	e.Close('}')
}

// find looks up a record by the key in its path: a key of digits is tried as an id
// first, then as a slug. name is the kind of record, for the answer if there is none.
func find[T any](name, key string, byID func(int) (T, error), bySlug func(string) (T, error)) (T, error) {
	if allDigits(key) {
		if id, ok := parseID(key); ok {
			if item, err := byID(id); !errors.Is(err, store.ErrNotFound) {
				return item, err
			}
		}
	}
	item, err := bySlug(key)
	return item, missing(name, err)
}

// missing turns store.ErrNotFound into a 404 that names the kind of record.
func missing(name string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &problem{http.StatusNotFound, "No " + name + " matches the given query."}
	}
	return err
}

// maxKept is the capacity in bytes above which a buffer is not reused: one large
// page must not hold its memory for ever.
const maxKept = 1 << 20

func (a *api) encoder() *render.Encoder {
	e := a.encoders.Get().(*render.Encoder)
	e.Reset(0)
	return e
}

func (a *api) release(e *render.Encoder) {
	if cap(e.Bytes()) <= maxKept {
		a.encoders.Put(e)
	}
}
