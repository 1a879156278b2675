package api

import "net/http"

// What lets the scripts of pages of any origin read the answers (the Fetch standard, "CORS
// protocol"). There are no credentials here, so nobody gets to read what they could not read
// without a browser.
var (
	anyOrigin      = []string{"*"}
	exposedHeaders = []string{"ETag, Last-Modified, " + sequenceHeader + ", Link"}
	readMethods    = []string{"GET, HEAD"}
	preflightAge   = []string{"86400"} // seconds that a browser may keep the answer
)

// crossOrigin lets pages of any origin read what next answers to GET and HEAD, and answers
// the preflight with which a browser asks whether it may send the headers of a request, such
// as If-None-Match. Any other OPTIONS is left to next.
func crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			allowOrigins(h)
		case isPreflight(r):
			h["Access-Control-Allow-Origin"] = anyOrigin
			h["Access-Control-Allow-Methods"] = readMethods
			h["Access-Control-Allow-Headers"] = anyOrigin
			h["Access-Control-Max-Age"] = preflightAge
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposedHeaders
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}
