package api

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// livez answers 200 as long as the process serves at all. It asks neither the
// upstreams nor the store: a restart would fix neither.
func (a *api) livez(w http.ResponseWriter, r *http.Request) {
	sendText(w, r, http.StatusOK, "ok")
}

// readyz answers 200 when there is something to serve, and otherwise 503 with
// the reason. Below that it names what else is wrong with the program: what is stored
// is served while nothing new can be stored.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	status, text := http.StatusOK, "ok"
	if err := a.store.Ready(); err != nil {
		status, text = http.StatusServiceUnavailable, err.Error()
	}
	if a.activity != nil {
		now := a.activity()
		for _, p := range now.Problems {
			text += "\n" + p.Kind + ": " + p.Detail
		}
		for _, wrong := range now.Cluster.Wrong(time.Now()) {
			text += "\ncluster: " + wrong
		}
	}
	if status != http.StatusOK {
		text += "\n"
	}
	sendText(w, r, status, text)
}

// index redirects browsers to the first page, and tells other clients where the
// API is.
func (a *api) index(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if f, err := negotiate(r.Header["Accept"], ""); reads && err == nil && f.html {
		w.Header()["Vary"] = []string{"Accept"}
		http.Redirect(w, r, a.base.prefix+root, http.StatusFound)
		return
	}
	sendText(w, r, http.StatusOK, "The API is at "+a.base.of(r)+root+"\n")
}

// sendText answers a GET or HEAD in plain text.
func sendText(w http.ResponseWriter, r *http.Request, status int, text string) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		status, text = http.StatusMethodNotAllowed, "only GET and HEAD are answered here\n"
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, text)
	}
}
