package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/snapshot"
	"pkgmetad/internal/status"
	"pkgmetad/store"
)

// decoded returns the body of an answer without its compression.
func decoded(w *httptest.ResponseRecorder) ([]byte, error) {
	var body io.Reader = w.Body
	switch w.Header().Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = z
	case "zstd":
		z, err := zstd.NewReader(body)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		body = z
	}
	return io.ReadAll(body)
}

// finds is a Searcher that finds the same whatever is asked for.
type finds []Hit

func (f finds) Search(context.Context, string, int) ([]Hit, error) { return f, nil }

func (finds) State() status.Search {
	return status.Search{State: status.SearchFailing, Since: time.Now(), Sequence: 5, LastError: "no space left on device"}
}

// A world is a daemon in which everything that the document tells of happens.
type world struct {
	http.Handler              // over a store, with a snapshot
	broken       http.Handler // over a store that fails
	now          uint64       // the last sequence
	early        http.Handler // before the first snapshot
	behind       http.Handler // of a host that has not come to a sequence that another gave out
	busy         http.Handler // without a search, and somebody waits who is the only one that may
	sequence     string       // at which no feed begins, and after which a package left it
}

func newWorld(t *testing.T) world {
	records, zone := documented(t)
	o := Options{Location: zone, MaxLimit: 1000, Searcher: finds{{ID: 1609}, {Grid: true, ID: 58}, {ID: 4037}}}
	s := records.store(t, o)
	now := time.Now().UTC().Truncate(time.Microsecond)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	// Two packages that do not answer, one that is not asked, and one with all
	// that a search tells of.
	failing, err := s.Package(3964)
	check(err)
	failing.GitHub = record.Status{
		State: record.StateFailed, LastAttempt: now, LastSuccess: now.AddDate(0, 0, -3), NextDue: now.Add(time.Hour),
		Failures: 3, FailingSince: now.AddDate(0, 0, -1), LastError: "GET https://api.github.com/repos/org10/django-inline-django: HTTP 502",
	}
	gone, err := s.Package(704)
	check(err)
	gone.PyPI = record.Status{State: record.StateGone, LastAttempt: now, Failures: 1, FailingSince: now, LastError: "HTTP 404", Note: "no such project"}
	released, err := s.Package(1609)
	check(err)
	released.Project.Versions = []record.Version{{Version: *released.Project.Version, Uploaded: &now}}
	released.Project.Standing = record.Standing{Status: record.ProjectArchived, Reason: "see the other", Asked: now, Due: now}
	check(s.Put(slices.Concat(failing.Sources(), gone.Sources(), released.Sources())))

	since := strconv.FormatUint(s.Sequence(), 10)
	c := record.Catalogue{Categories: records.categories, Grids: records.grids}
	c.Categories[0].Description += strings.Repeat(", long enough to be compressed", 40)
	c.Grids[0].Description += strings.Repeat(", long enough to be compressed", 40)
	for _, p := range records.packages {
		if p.ID != 2913 {
			c.Packages = append(c.Packages, p.Entry)
		}
	}
	_, err = s.SyncCatalogue(c, now)
	check(err)

	passed := record.Pass{Started: now.Add(-time.Hour), DurationSeconds: 1.5, Tally: record.Tally{Asked: 3, Fresh: 2, Failed: 1}, Left: 4, More: true, Cancelled: true, Error: "no space left on device"}
	passed.GitHub.Requests, passed.GitHub.Charged = 9, 4
	passed.GitHub.HeldUntil, passed.GitHub.Reason = now, "the hourly limit is used up"
	passed.PyPI.Waiting, passed.PyPI.Indexed, passed.PyPI.Fault = 12, 7, "PyPI fails: connection refused"
	passed.GitHub.Points, passed.GitHub.Checked, passed.GitHub.Drifted = 3, 2, 1
	check(s.LogPass(passed, now.AddDate(0, 0, -1)))

	o.Store = s
	o.Activity = func() status.Activity {
		return status.Activity{Cluster: severalHosts(now), Problems: []record.Problem{{Kind: "store_writes", Since: now, Detail: "no space left"}}, Database: &status.Database{Bytes: 1 << 20},
			PausedSince: now, Reload: &status.Reload{At: now, Error: "no such key"}, RunningSince: now, NextTick: now.Add(time.Minute), Budgets: []status.Budget{
				{Name: "GitHub", Credential: "default", Kind: "token", Expires: now.Add(time.Hour), Known: true, Limit: 5000, Remaining: 12, Reset: now.Add(time.Hour),
					Points: &status.Points{Limit: 5000, Remaining: 4000, Reset: now.Add(time.Hour)}, HeldUntil: now.Add(time.Minute), Reason: "Retry-After", Fault: "GitHub refused the token"},
				{Name: "PyPI", Elsewhere: true},
			}}
	}
	o.Snapshots, err = snapshot.New(t.TempDir(), s, render.Rendering{Zone: zone, Base: "http://example.com"}, zerolog.Nop())
	check(err)
	w := world{sequence: since, now: s.Sequence()}
	early, err := snapshot.New(t.TempDir(), s, render.Rendering{Base: "http://example.com"}, zerolog.Nop())
	check(err)
	check(o.Snapshots.Make(t.Context()))
	w.Handler = newHandler(t, o)
	o.Snapshots = early
	w.early = newHandler(t, o)
	o.Store, o.Newest = ahead{s}, func(context.Context) (uint64, error) { return 0, errors.New("cut off") }
	w.behind = newHandler(t, o)
	o.Store, o.Newest = s, nil
	busy, entered := o, make(chan struct{})
	busy.Searcher, busy.MaxWaits, busy.Store = finder{err: ErrNotReady}, 1, watched{s, entered}
	w.busy = newHandler(t, busy)
	waiting := httptest.NewRequest("GET", fmt.Sprint(changesPath, "?wait=60&since=", s.Sequence()), nil).WithContext(t.Context())
	var waits sync.WaitGroup
	waits.Go(func() { w.busy.ServeHTTP(httptest.NewRecorder(), waiting) })
	t.Cleanup(waits.Wait) // the test's context has ended by then
	<-entered
	o.Store, o.Activity = &fakeStore{err: errors.New("the database is damaged")}, nil
	w.broken, err = New(o) // which logs to nowhere what it is made to do
	check(err)
	return w
}

// severalHosts is what a host that is cut off from two others tells, so that it tells all.
func severalHosts(now time.Time) *status.Cluster {
	ago := now.Add(-time.Minute)
	left := &status.Left{Limit: 5000, Remaining: 17}
	return &status.Cluster{
		Host: "a", CutOffSince: ago, Reason: "no majority of the servers answers", Reached: 1, Servers: 3, Applied: 9, Lag: 2, Rebuilding: ago, Trouble: "no space left on device",
		Compared: ago, Expires: ago, Warnings: []string{"stream PKGMETAD has 1 replica and not 3"}, AsOf: ago,
		Hosts:  []status.Host{{Name: "a", State: status.HostHere, Seen: now, Server: true, Version: "1.0", Workers: 8, Applied: 9, Trouble: "no space left on device"}, {Name: "b", State: status.HostUnknown}},
		Leases: []status.Lease{{Right: status.RightScheduler}, {Right: status.RightCredential, Credential: "default", Holder: "b", Since: ago, Requests: left, Points: left}},
		Work:   []status.Work{{Class: "github", Waiting: 7, Taken: 3}}, Unscheduled: ago, Double: ago, Ahead: 61,
	}
}

// ahead is a store to which every sequence is one that it has not come to.
type ahead struct{ *store.Store }

func (ahead) Changes(uint64, int) ([]store.Change, uint64, bool, error) {
	return nil, 0, false, store.ErrAhead
}

// watched tells when somebody begins to wait, who then waits in vain.
type watched struct {
	*store.Store
	entered chan struct{}
}

func (w watched) Wait(ctx context.Context, _ uint64) error {
	close(w.entered)
	<-ctx.Done()
	return ctx.Err()
}

// A trial is one request, and the place in the document that tells of its answer.
type trial struct {
	h              http.Handler
	method, target string
	headers        []string
	path           string // as the document names it
	response       string // pointer to the response; "" for that of the path, the method and the status
}

// run sends the request, holds the answer against the document and returns it.
func (d *described) run(t *testing.T, r trial) *httptest.ResponseRecorder {
	t.Helper()
	w := do(r.h, r.method, r.target, r.headers...)
	at := r.response
	if at == "" {
		at = pointer("paths", r.path, strings.ToLower(r.method), "responses", strconv.Itoa(w.Code))
	}
	body := bytes.Clone(w.Body.Bytes())
	if err := d.holds(at, r.method == "HEAD", w); err != nil {
		t.Errorf("%s %s %q is %d, and not as documented at %s: %v", r.method, r.target, r.headers, w.Code, at, err)
	}
	w.Body = bytes.NewBuffer(body)
	return w
}

// addresses are the concrete ones of each path of the document that has a
// format: what is there, and what is not.
var addresses = map[string]struct {
	there   []string
	missing string
}{
	"/api/v4/":                 {there: []string{"/api/v4/"}},
	"/api/v4/packages/":        {there: []string{"/api/v4/packages/", "/api/v4/packages/?limit=2&offset=2", "/api/v4/packages/?limit=1000"}},
	"/api/v4/packages/{key}/":  {there: []string{"/api/v4/packages/1609/", "/api/v4/packages/djorm-ext-pgfulltext/", "/api/v4/packages/4037/"}, missing: "/api/v4/packages/nobody/"},
	"/api/v4/search/":          {there: []string{"/api/v4/search/?q=full+text", "/api/v4/search/"}},
	"/api/v4/grids/":           {there: []string{"/api/v4/grids/", "/api/v4/grids/?limit=1"}},
	"/api/v4/grids/{key}/":     {there: []string{"/api/v4/grids/58/", "/api/v4/grids/grid-58/"}, missing: "/api/v4/grids/0/"},
	"/api/v4/categories/":      {there: []string{"/api/v4/categories/", "/api/v4/categories/?offset=1"}},
	"/api/v4/categories/{id}/": {there: []string{"/api/v4/categories/1/"}, missing: "/api/v4/categories/99/"},
	"/changes/":                {there: []string{"/changes/", "/changes/?limit=1", "/changes/?since={since}"}},
	"/status/":                 {there: []string{"/status/"}},
	"/status/packages/{key}/":  {there: []string{"/status/packages/1609/", "/status/packages/django-inline-django/", "/status/packages/704/"}, missing: "/status/packages/nobody/"},
}

// addressesV3 are those of API v3, which has one format.
var addressesV3 = map[string]struct {
	there   []string
	missing string
}{
	"/api/v3/":                       {there: []string{"/api/v3/"}},
	"/api/v3/packages/":              {there: []string{"/api/v3/packages/", "/api/v3/packages/?limit=2&offset=2", "/api/v3/packages/?limit=0&category=apps"}},
	"/api/v3/packages/{slug}/":       {there: []string{"/api/v3/packages/djorm-ext-pgfulltext/", "/api/v3/packages/django-inline-django/"}, missing: "/api/v3/packages/nobody/"},
	"/api/v3/grids/":                 {there: []string{"/api/v3/grids/", "/api/v3/grids/?limit=1&offset=1"}},
	"/api/v3/grids/{slug}/":          {there: []string{"/api/v3/grids/grid-58/"}, missing: "/api/v3/grids/58/"},
	"/api/v3/grids/{slug}/packages/": {there: []string{"/api/v3/grids/grid-58/packages/", "/api/v3/grids/grid-295/packages/?limit=3&offset=3"}, missing: "/api/v3/grids/nothing/packages/"},
	"/api/v3/categories/":            {there: []string{"/api/v3/categories/", "/api/v3/categories/?offset=1"}},
	"/api/v3/categories/{slug}/":     {there: []string{"/api/v3/categories/apps/"}, missing: "/api/v3/categories/1/"},
}

// answersV3 is answers for API v3.
func (d *described) answersV3(t *testing.T, world world, inJSON map[string][]any) {
	for path, a := range addressesV3 {
		at := pointer("paths", path, "get", "responses", "200", "content", "application/json", "schema")
		of := func(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
			return d.run(t, trial{h: h, method: method, target: target, headers: headers, path: path})
		}
		for _, target := range a.there {
			value, err := jsonschema.UnmarshalJSON(of(world, "GET", target).Body)
			if err != nil {
				t.Errorf("%s: %v", target, err)
			}
			inJSON[at] = append(inJSON[at], value)
		}
		first := a.there[0]
		for _, method := range []string{"GET", "HEAD"} {
			w := of(world, method, first, "Accept", "text/html", "Accept-Encoding", "gzip")
			if w.Code != http.StatusOK {
				t.Errorf("%s is %d", first, w.Code)
			}
			of(world, method, first, "If-None-Match", w.Header().Get("ETag"))
			of(world.broken, method, first)
			if a.missing != "" {
				of(world, method, a.missing)
			}
			if item, _ := d.at(pointer("paths", path, "get", "responses", "400")); item != nil {
				of(world, method, with(first, "limit=-1"))
			}
		}
		other := trial{h: world, path: path, target: first, response: pointer("paths", path, "x-other-methods")}
		for _, other.method = range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			if w := d.run(t, other); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s is %d", other.method, first, w.Code)
			}
		}
		bare := trial{h: world, path: path, target: strings.TrimSuffix(first, "/"), response: pointer("paths", path, "x-without-slash")}
		for _, bare.method = range []string{"GET", "HEAD", "POST"} {
			if w := d.run(t, bare); w.Code != http.StatusMovedPermanently {
				t.Errorf("%s %s is %d", bare.method, bare.target, w.Code)
			}
		}
	}
}

// answers provokes what the document tells of, and returns the answers in JSON
// by the pointer to their schema.
func (d *described) answers(t *testing.T, world world) map[string][]any {
	const asHTML = "text/html"
	inJSON := map[string][]any{}
	for path, a := range addresses {
		here := trial{h: world, path: path}
		of := func(method, target string, headers ...string) *httptest.ResponseRecorder {
			r := here
			r.method, r.target, r.headers = method, strings.ReplaceAll(target, "{since}", world.sequence), headers
			return d.run(t, r)
		}
		for _, target := range a.there {
			w := of("GET", target)
			if value, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes())); err != nil || w.Code != 200 {
				t.Errorf("%s is %d, %v", target, w.Code, err)
			} else {
				at := pointer("paths", path, "get", "responses", "200", "content", "application/json", "schema")
				inJSON[at] = append(inJSON[at], value)
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				of(method, target)
				for _, accept := range []string{"application/json; indent=4", asHTML, "image/png"} {
					of(method, target, "Accept", accept, "Accept-Encoding", "gzip")
				}
				of(method, target, "If-None-Match", w.Header().Get("ETag"))
			}
		}
		first := a.there[0]
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			of(method, with(first, "format=xml"))
			if a.missing != "" && method != "OPTIONS" {
				of(method, a.missing)
				of(method, a.missing, "Accept", asHTML, "Accept-Encoding", "gzip")
			}
			here.h = world.broken
			if method != "OPTIONS" {
				of(method, first)
				of(method, first, "Accept", asHTML, "Accept-Encoding", "gzip")
			}
			here.h = world
		}
		here.response = pointer("paths", path, "x-other-methods")
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			if w := of(method, first); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s is %d", method, first, w.Code)
			}
		}
		of("PATCH", first, "Accept", asHTML, "Accept-Encoding", "gzip")
		here.response = pointer("paths", path, "x-without-slash")
		before, query, _ := strings.Cut(first, "?")
		bare := strings.TrimSuffix(before, "/")
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if w := of(method, with(bare, query)); w.Code != http.StatusMovedPermanently {
				t.Errorf("%s %s is %d", method, bare, w.Code)
			}
		}
		here.response = ""
		item, _ := d.at(pointer("paths", path))
		if template, ok := item.(node)["x-with-suffix"].(string); ok {
			target := bare + ".json"
			if path == root {
				target = root + ".json"
			}
			if !matches(template, target) {
				t.Errorf("%s is not %s", target, template)
			}
			if w := of("GET", target); w.Code != http.StatusOK {
				t.Errorf("%s is %d", target, w.Code)
			}
		}
	}
	d.answersV3(t, world, inJSON)
	d.specialAnswers(t, world)
	return inJSON
}

// specialAnswers provokes what only one path has.
func (d *described) specialAnswers(t *testing.T, world world) {
	const asHTML = "text/html"
	etag := do(world, "GET", openAPIPath).Header().Get("ETag")
	snapshot := do(world, "GET", snapshotPath).Header().Get("ETag")
	other := `"1-other"`
	for _, method := range []string{"GET", "HEAD"} {
		of := func(h http.Handler, path, target string, headers ...string) {
			d.run(t, trial{h: h, method: method, target: target, headers: headers, path: path})
		}
		for _, target := range []string{"/changes/?since=x", "/changes/?since=5"} {
			of(world, changesPath, target)
			of(world, changesPath, target, "Accept", asHTML, "Accept-Encoding", "gzip")
		}
		for path, target := range map[string]string{
			changesPath: fmt.Sprint(changesPath, "?wait=60&since=", world.now), root + "search/": root + "search/?q=x",
		} {
			of(world.busy, path, target)
			of(world.busy, path, target, "Accept", asHTML, "Accept-Encoding", "gzip")
		}
		of(world.behind, changesPath, changesPath+"?since=1")
		of(world, snapshotPath, snapshotPath)
		of(world.early, snapshotPath, snapshotPath)
		for _, coding := range []string{"zstd, gzip", "gzip"} {
			of(world, snapshotPath, snapshotPath, "Accept-Encoding", coding)
			of(world, snapshotPath, snapshotPath, "Accept-Encoding", coding, "Range", "bytes=7-")
			of(world, snapshotPath, snapshotPath, "Accept-Encoding", coding, "If-Match", other)
		}
		of(world, snapshotPath, snapshotPath, "If-None-Match", snapshot)
		of(world, snapshotPath, snapshotPath, "If-Match", other)
		of(world, snapshotPath, snapshotPath, "Range", "bytes=0-9", "If-Range", snapshot)
		of(world, snapshotPath, snapshotPath, "Range", "bytes=0-9", "If-Range", other)
		of(world, snapshotPath, snapshotPath, "Range", "bytes=0-1,5-6")
		of(world, snapshotPath, snapshotPath, "Range", "bytes=99999999-")
		of(world, openAPIPath, openAPIPath, "Accept-Encoding", "gzip")
		of(world, openAPIPath, openAPIPath, "If-None-Match", etag)
		for _, path := range []string{"/livez", "/readyz", "/"} {
			of(world, path, path)
			of(world.broken, path, path)
		}
		of(world, "/", "/", "Accept", asHTML)
	}
	for _, path := range []string{snapshotPath, openAPIPath, "/livez", "/readyz", "/"} {
		for _, method := range []string{"POST", "OPTIONS"} {
			w := d.run(t, trial{h: world, method: method, target: path, response: pointer("paths", path, "x-other-methods")})
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s is %d", method, path, w.Code)
			}
		}
	}
}

func with(target, query string) string {
	switch {
	case query == "":
		return target
	case strings.Contains(target, "?"):
		return target + "&" + query
	}
	return target + "?" + query
}

// matches reports whether an address is one of a path of the document.
func matches(path, address string) bool {
	pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/.]+")
	return regexp.MustCompile("^" + pattern + "$").MatchString(address)
}

// TestAnswersAreAsDescribed: what is answered is documented, and what is
// documented is answered, to the last header.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := readDocument(t, openAPIDocument)
	d.answers(t, newWorld(t))
	var unseen []string
	response := func(at string) {
		found, target := d.at(at)
		documented := found.(node)
		content, _ := documented["content"].(node)
		if len(content) == 0 && !d.used[at] {
			unseen = append(unseen, at)
		}
		for _, kind := range []string{"content", "headers"} {
			members, _ := documented[kind].(node)
			for name := range members {
				if place := at + pointer(kind, name); !d.used[place] {
					unseen = append(unseen, place+" ("+target+")")
				}
			}
		}
	}
	for path, item := range d.root["paths"].(node) {
		for key, value := range item.(node) {
			if strings.HasPrefix(key, "x-other") || strings.HasPrefix(key, "x-without") {
				response(pointer("paths", path, key))
			}
			if operation, ok := value.(node); ok && operation["responses"] != nil {
				for status := range operation["responses"].(node) {
					response(pointer("paths", path, key, "responses", status))
				}
			}
		}
	}
	slices.Sort(unseen)
	for _, at := range unseen {
		t.Errorf("%s is documented, and no answer has it", at)
	}
}

// TestWhatIsServedIsDescribed: every path that this package names, and every one
// that its answers and pages lead to, is in the document. It leaves out what
// only belongs to pages: their style and scripts.
func TestWhatIsServedIsDescribed(t *testing.T) {
	d := readDocument(t, openAPIDocument)
	world := newWorld(t)
	served := []string{"/", "/livez", "/readyz", root, changesPath, statusPath, snapshotPath, openAPIPath}
	link := regexp.MustCompile(`(?:href="|"http://example\.com)(/[^"?#]*)`)
	for _, a := range addresses {
		for _, target := range a.there {
			for _, accept := range []string{"application/json", "text/html"} {
				for _, found := range link.FindAllStringSubmatch(do(world, "GET", target, "Accept", accept).Body.String(), -1) {
					served = append(served, found[1])
				}
			}
		}
	}
	linkV3 := regexp.MustCompile(`"(/api/v3/[^"?]*)`)
	for _, a := range addressesV3 {
		for _, target := range a.there {
			for _, found := range linkV3.FindAllStringSubmatch(do(world, "GET", target).Body.String(), -1) {
				if found[1] != "/api/v3/users/" { // which is a 404, and named all the same
					served = append(served, found[1])
				}
			}
		}
	}
	slices.Sort(served)
	for _, address := range slices.Compact(served) {
		known := strings.HasPrefix(address, "/static/")
		for path := range d.root["paths"].(node) {
			known = known || matches(path, address)
		}
		if !known {
			t.Errorf("%s is served and not documented", address)
		}
	}
	for path := range d.root["paths"].(node) {
		_, v4 := addresses[path]
		_, v3 := addressesV3[path]
		if !v4 && !v3 && !slices.Contains(served, path) {
			t.Errorf("%s is documented, and no test asks for it", path)
		}
	}
}

// optional are the members that an object of an answer may lack.
var optional = []string{
	"left", "more", "cancelled",
	"age_under_seconds", "elsewhere", "running_since", "next_tick", "limit_requests", "reset", "held_until", "reason", "waiting", "fault", "credential", "kind", "expires", "graphql", "paused_since", "reload", "error",
	"failing_since", "error", "last_attempt", "last_success", "next_due",
	"cluster", "cut_off_since", "rebuilding_since", "trouble", "compared", "certificate_expires", "as_of", "unscheduled_since", "same_name_seen", "clock_ahead_seconds", "seen", "held_since", "left_requests", "left_points",
	"project_status", "project_status_reason", "project_status_asked", "indexed", "points", "checked", "drifted",
}

// TestWrongAnswersAreNoticed: the document is so strict that an answer with any
// member more, less, or of another type does not pass for one.
func TestWrongAnswersAreNoticed(t *testing.T) {
	d := readDocument(t, openAPIDocument)
	answers := d.answers(t, newWorld(t))
	tried := map[string]bool{} // a place in the answers of a schema is tried once
	for at, values := range answers {
		for _, value := range values {
			mutate(value, "", func(change, place string) {
				if key := at + " " + change + place; !tried[key] {
					tried[key] = true
					if d.valid(at, value) == nil {
						t.Errorf("%s: an answer with %s %s passes", at, change, place)
					}
				}
			})
			if err := d.valid(at, value); err != nil { // all was put back
				t.Fatal(err)
			}
		}
	}
	for _, member := range optional {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(tried)), func(place string) bool { return strings.HasSuffix(place, "/"+member) }) {
			t.Errorf("no answer has the member %s", member)
		}
	}
	walk("", d.root["components"].(node)["schemas"], func(at string, n node) {
		if n["type"] != "object" {
			return
		}
		for member := range n["properties"].(node) {
			if !slices.Contains(n["required"].([]any), any(member)) && !slices.Contains(optional, member) {
				t.Errorf("%s: %s is not required", at, member)
			}
		}
	})
}

// mutate changes each place of an answer in turn, calls try, and puts it back.
// The items of an array are one place.
func mutate(value any, place string, try func(change, place string)) {
	foreign := func(set func(any), was any) {
		set(node{"unexpected": true})
		try("another type at", place)
		set(was)
	}
	switch v := value.(type) {
	case node:
		v["unexpected"] = true
		try("an unknown member in", place+"/")
		delete(v, "unexpected")
		for key, was := range v {
			outer := place
			place = outer + "/" + key
			if !slices.Contains(optional, key) {
				delete(v, key)
				try("nothing at", place)
				v[key] = was
			}
			foreign(func(other any) { v[key] = other }, was)
			mutate(was, place, try)
			place = outer
		}
	case []any:
		place += "/*"
		for i, was := range v {
			foreign(func(other any) { v[i] = other }, was)
			mutate(was, place, try)
		}
	}
}
