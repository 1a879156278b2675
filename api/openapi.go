package api

import (
	_ "embed"
	"net/http"
	"time"
)

const openAPIPath = "/openapi.json"

//go:embed openapi.json
var openAPIDocument []byte

// openAPI serves the description of everything here, in OpenAPI 3.1.
func (a *api) openAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		sendText(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	w.Header()["Content-Type"] = typeJSON
	w.Header()["Vary"] = []string{"Accept-Encoding"}
	a.send(w, r, http.StatusOK, openAPIDocument, time.Time{})
}
