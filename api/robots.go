package api

import (
	"net/http"
	"strings"
	"time"
)

const robotsPath = "/robots.txt"

// robots says what search engines may read (RFC 9309): the pages, whose addresses the
// sitemap lists. Addresses with a query lead to the same records in other orders and parts,
// without end, and the feed and the snapshot are for programs that keep a copy.
func (a *api) robots(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		sendText(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	p := a.base.prefix
	lines := []string{
		"User-agent: *",
		"Allow: " + p + sitemapStem, // first: some readers go by the first rule that fits, others by the longest
		"Disallow: " + p + "/*?",
		"Disallow: " + p + changesPath,
		"Disallow: " + p + snapshotPath,
		"Allow: " + p + "/",
		"",
		"Sitemap: " + a.base.of(r) + sitemapPath,
	}
	h := w.Header()
	h["Content-Type"] = typeText
	h["Vary"] = varyEncoding
	a.send(w, r, http.StatusOK, []byte(strings.Join(lines, "\n")+"\n"), time.Time{})
}

var typeText = []string{"text/plain; charset=utf-8"}
