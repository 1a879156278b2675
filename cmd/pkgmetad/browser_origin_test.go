package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// read is what a script of another origin got to read.
type read struct {
	Slugs    []string // by API v4 and v3
	Tag      bool     // there is an ETag
	Modified bool     // there is a Last-Modified
	Sequence bool     // there is a Pkgmetad-Sequence
	Again    int      // status when asked with the ETag
	Missing  int      // status of what is not there
	Written  string   // what came of a PUT
	Closed   string   // what came of a service that lets nobody in
}

const readElsewhere = `(async () => {
	const site = %q, closed = %q
	const refused = e => e.name
	const answer = await fetch(site + '/api/v4/packages/1609/')
	const older = await fetch(site + '/api/v3/packages/djorm-ext-pgfulltext')
	const snapshot = await fetch(site + '/snapshot/packages.ndjson', {method: 'HEAD'})
	const tag = answer.headers.get('ETag')
	return {
		Slugs: [(await answer.json()).slug, (await older.json()).slug],
		Tag: tag !== null,
		Modified: answer.headers.get('Last-Modified') !== null,
		Sequence: Number(snapshot.headers.get('Pkgmetad-Sequence')) > 0,
		Again: (await fetch(answer.url, {headers: {'If-None-Match': tag}, cache: 'no-store'})).status,
		Missing: (await fetch(site + '/api/v4/packages/nothing/')).status,
		Written: await fetch(answer.url, {method: 'PUT', body: '{}'}).then(r => r.status, refused),
		Closed: await fetch(closed).then(r => r.status, refused),
	}
})()`

// testOtherOrigin has a script of a page of another origin read the site: over a redirect,
// and with headers that take a preflight. That a browser keeps such a script out of what
// does not let it in is seen at another service.
func testOtherOrigin(t *testing.T, browser context.Context, s *site) {
	answer := func(kind, body string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server
	}
	elsewhere, closed := answer("text/html", `<title>Elsewhere</title><link rel="icon" href="data:,">`), answer("application/json", "{}")
	b := openTab(t, browser, &site{url: elsewhere.URL})
	b.ignore() // requests elsewhere are the point
	b.visit("/")
	got := act(b, chromedp.Evaluate[read](fmt.Sprintf(readElsewhere, s.url, closed.URL), chromedp.EvalAwaitPromise))
	want := read{
		Slugs: []string{"djorm-ext-pgfulltext", "djorm-ext-pgfulltext"}, Tag: true, Modified: true, Sequence: true,
		Again: http.StatusNotModified, Missing: http.StatusNotFound, Written: "TypeError", Closed: "TypeError",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
