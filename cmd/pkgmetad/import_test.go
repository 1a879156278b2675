package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pkgmetad/api"
	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

const newYork = "America/New_York" // where the documented records are

// documented returns the records that the API's own tests are held against.
func documented(t *testing.T) (c record.Catalogue, recs []record.Package) {
	t.Helper()
	data, err := os.ReadFile("../../api/testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Categories []record.Category
		Grids      []record.Grid
		Packages   []struct {
			record.Entry
			LastUpdated     *time.Time `json:"last_updated"`
			LastFetched     *time.Time `json:"last_fetched"`
			PyPIVersion     *string    `json:"pypi_version"`
			Modified        time.Time  `json:"modified"`
			RepoForks       int        `json:"repo_forks"`
			RepoDescription string     `json:"repo_description"`
			RepoWatchers    int        `json:"repo_watchers"`
			CommitsOver52   []int      `json:"commits_over_52"`
			Participants    []string   `json:"participants"`
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	c.Categories, c.Grids = file.Categories, file.Grids
	for _, p := range file.Packages {
		rec := record.Package{Entry: p.Entry, Modified: p.Modified, Project: record.Project{Version: p.PyPIVersion}, Repo: record.Repo{
			Stars: p.RepoWatchers, Forks: p.RepoForks, Description: p.RepoDescription,
			Participants: p.Participants, Commits52: p.CommitsOver52, LastCommit: p.LastUpdated,
		}}
		if p.LastFetched != nil {
			rec.LastFetched = *p.LastFetched
			rec.GitHub = record.Status{State: record.StateOK, LastAttempt: rec.LastFetched, LastSuccess: rec.LastFetched}
			rec.PyPI = rec.GitHub
		}
		c.Packages = append(c.Packages, p.Entry)
		recs = append(recs, rec)
	}
	if len(recs) < 40 || len(c.Grids) == 0 || len(c.Categories) == 0 {
		t.Fatal("the documented records are missing")
	}
	return c, recs
}

// place is a folder with a configuration, for a store and a catalogue.
type place struct {
	t         *testing.T
	folder    string
	catalogue string
}

func newPlace(t *testing.T, catalogue string) place {
	p := place{t, t.TempDir(), catalogue}
	write(t, p.path("config.yaml"), fmt.Sprintf("store: {path: test.db, lock_wait: 1s}\ncatalogue: {path: %s}\nhttp: {time_zone: %s}\npypi: {contact: ops@example.org}\n", catalogue, newYork))
	return p
}

func (p place) path(name string) string { return filepath.Join(p.folder, name) }

// imports runs the command, which must end with this code, and returns all that it says.
func (p place) imports(code int, args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	args = append([]string{"import", "--config", p.path("config.yaml")}, args...)
	if got := run(context.Background(), args, &out, &out); got != code {
		p.t.Fatalf("%q: exit code %d, want %d\n%s", args, got, code, &out)
	}
	return out.String()
}

func (p place) open() *store.Store {
	p.t.Helper()
	cfg, err := config.Load(p.path("config.yaml"), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	st, err := daemon.OpenStore(cfg, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

// serve serves a store as the daemon does, until the test ends.
func serveStore(t *testing.T, st *store.Store) *httptest.Server {
	t.Helper()
	zone, err := time.LoadLocation(newYork)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Options{Store: st, Location: zone})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// bodies are the answers of a server to all that a client can ask for, without its own address.
func bodies(t *testing.T, s *httptest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	get := func(path string) string {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		all[path] = strings.ReplaceAll(string(body), s.URL, "")
		return all[path]
	}
	for _, list := range []string{"packages", "grids", "categories"} {
		path := "/api/v4/" + list + "/"
		get(path)
		var page struct{ Results []struct{ ID int } }
		if err := json.Unmarshal([]byte(get(path+"?limit=1000")), &page); err != nil || len(page.Results) == 0 {
			t.Fatalf("%s: %d entries, %v", path, len(page.Results), err)
		}
		for _, entry := range page.Results {
			get(fmt.Sprintf("%s%d/", path, entry.ID))
		}
	}
	return all
}

// documentedSite serves the documented records.
func documentedSite(t *testing.T) *httptest.Server {
	t.Helper()
	c, recs := documented(t)
	st := newPlace(t, "unused.yaml").open()
	t.Cleanup(func() { _ = st.Close() })
	if _, err := st.Import(c, recs, time.Now()); err != nil {
		t.Fatal(err)
	}
	return serveStore(t, st)
}

// served returns what the place serves.
func (p place) served() map[string]string {
	p.t.Helper()
	st := p.open()
	defer st.Close()
	s := serveStore(p.t, st)
	defer s.Close()
	return bodies(p.t, s)
}

// untouched fails the test unless f leaves catalogue and store as they are.
func (p place) untouched(f func()) {
	p.t.Helper()
	state := func() (s [3]any) {
		info, err := os.Stat(p.path(p.catalogue))
		if err != nil {
			p.t.Fatal(err)
		}
		data, err := os.ReadFile(p.path(p.catalogue))
		if err != nil {
			p.t.Fatal(err)
		}
		st := p.open()
		defer st.Close()
		return [3]any{info.ModTime(), string(data), st.Sequence()}
	}
	before := state()
	f()
	if diff := cmp.Diff(before, state()); diff != "" {
		p.t.Errorf("catalogue or store changed (-before +after):\n%s", diff)
	}
}

func TestImportServesTheSameBytes(t *testing.T) {
	site := documentedSite(t)
	want := bodies(t, site)
	for _, name := range []string{"catalogue.yaml", "catalogue.ndjson", "catalogue.json"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, name)
			said := p.imports(0, site.URL+"/api/v4/")
			if !strings.HasPrefix(said, "imported 46 packages, 8 grids, 3 categories from http://") || !strings.Contains(said, "catalogue written to "+p.path(name)) || strings.Count(said, "\n") != 1 {
				t.Errorf("it says:\n%s", said)
			}
			if diff := cmp.Diff(want, p.served()); diff != "" {
				t.Errorf("-source +imported:\n%s", diff)
			}
			p.untouched(func() {
				if said := p.imports(0, site.URL+"/api/v4"); !strings.Contains(said, "nothing has changed") {
					t.Errorf("the second import says:\n%s", said)
				}
			})
			for _, leftover := range []string{"test.db.import", name + ".bak"} {
				if _, err := os.Stat(p.path(leftover)); err == nil {
					t.Errorf("%s is left over", leftover)
				}
			}

			// A daemon takes the same catalogue over and finds nothing to do.
			st := p.open()
			c, err := catalogue.Load(p.path(name))
			if err != nil {
				t.Fatal(err)
			}
			sequence := st.Sequence()
			if report, err := st.SyncCatalogue(c, time.Now()); err != nil || report.Unchanged != 46 || st.Sequence() != sequence {
				t.Errorf("the daemon's own sync: %+v, %v", report, err)
			}

			// And from ourselves again.
			second := newPlace(t, "other.ndjson")
			second.imports(0, serveStore(t, st).URL+"/api/v4/")
			if diff := cmp.Diff(want, second.served()); diff != "" {
				t.Errorf("-source +imported twice over:\n%s", diff)
			}
			_ = st.Close()
		})
	}
}

// bodiesV3 are the answers of a server in API v3.
func bodiesV3(t *testing.T, s *httptest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range []string{"", "packages/?limit=1000", "grids/?limit=1000", "categories/", "grids/grid-295/packages/", "packages/?category=other"} {
		resp, err := http.Get(s.URL + "/api/v3/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		all[path] = string(body)
	}
	return all
}

// TestImportV3: what API v3 serves is imported, and served there as it was read; what is
// known here by its slug keeps its id.
func TestImportV3(t *testing.T) {
	site := documentedSite(t)
	want := bodiesV3(t, site)
	serve := func(p place) map[string]string {
		st := p.open()
		defer st.Close()
		s := serveStore(t, st)
		defer s.Close()
		return bodiesV3(t, s)
	}
	p := newPlace(t, "catalogue.ndjson")
	said := p.imports(0, site.URL+"/api/v3")
	if !strings.Contains(said, "imported 46 packages, 8 grids, 3 categories from http://") || !strings.HasPrefix(said, "warning: this API, v3, tells neither ids nor when") || strings.Count(said, "\n") != 2 {
		t.Errorf("it says:\n%s", said)
	}
	if diff := cmp.Diff(want, serve(p)); diff != "" {
		t.Errorf("-source +imported:\n%s", diff)
	}
	p.untouched(func() {
		if said := p.imports(0, site.URL+"/api/v3/"); !strings.Contains(said, "nothing has changed") {
			t.Errorf("the second import says:\n%s", said)
		}
	})
	st := p.open()
	recs, _, err := st.Packages(0, 100)
	if err != nil || len(recs) != 46 || recs[0].ID != 46 {
		t.Errorf("%d packages, %v", len(recs), err)
	}
	now := time.Now()
	due, _, err := st.Due(now, 100, record.Order{})
	_ = st.Close()
	repos := 0
	for _, source := range due {
		if strings.HasPrefix(string(source.Key), "github.com/") {
			repos++
		}
	}
	if err != nil || repos < 40 {
		t.Errorf("%d repositories are due, %v", repos, err)
	}
	for i := 1; i < len(recs); i++ {
		if recs[i].Created.After(recs[i-1].Created) {
			t.Errorf("%s has the id %d and is younger than %s", recs[i].Slug, recs[i].ID, recs[i-1].Slug)
		}
	}

	known := newPlace(t, "catalogue.ndjson")
	known.imports(0, site.URL+"/api/v4/")
	ids := func() (all string) {
		c, err := catalogue.Load(known.path("catalogue.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Packages {
			all += fmt.Sprintln(p.Slug, p.ID, p.Category, p.Grids)
		}
		return all
	}
	before := ids()
	known.imports(0, site.URL+"/api/v3/")
	if diff := cmp.Diff(before, ids()); diff != "" {
		t.Errorf("ids (-before +after):\n%s", diff)
	}
}

// snapshotOf returns packages as the API serves them, one a line.
func snapshotOf(t *testing.T, site *httptest.Server) []byte {
	t.Helper()
	var page struct{ Results []json.RawMessage }
	resp, err := http.Get(site.URL + "/api/v4/packages/?limit=1000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, line := range page.Results {
		all = append(append(all, line...), '\n')
	}
	return all
}

func compressed(t *testing.T, data []byte, to func(io.Writer) (io.WriteCloser, error)) string {
	t.Helper()
	var b bytes.Buffer
	w, err := to(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestImportSnapshot(t *testing.T) {
	site := documentedSite(t)
	want := bodies(t, site)
	data := snapshotOf(t, site)
	zipped := compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	for name, content := range map[string]string{
		"plain.ndjson": string(data),
		"no-line-end":  strings.TrimSuffix(string(data), "\n"),
		"zipped":       zipped,
		"zst":          compressed(t, data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	} {
		t.Run(name, func(t *testing.T) {
			// Where the catalogue is at hand, all is as it was.
			p := newPlace(t, "catalogue.yaml")
			p.imports(0, site.URL+"/api/v4/")
			if err := os.Remove(p.path("test.db")); err != nil {
				t.Fatal(err)
			}
			write(t, p.path(name), content)
			if said := p.imports(0, p.path(name)); !strings.HasPrefix(said, "imported 46 packages, 8 grids, 3 categories") || !strings.Contains(said, "says the same already") {
				t.Errorf("it says:\n%s", said)
			}
			if diff := cmp.Diff(want, p.served()); diff != "" {
				t.Errorf("-source +restored:\n%s", diff)
			}
			p.untouched(func() { p.imports(0, p.path(name)) })

			// Where the store is, its categories and grids do.
			if err := os.Remove(p.path("catalogue.yaml")); err != nil {
				t.Fatal(err)
			}
			p.imports(0, p.path(name))
			if diff := cmp.Diff(want, p.served()); diff != "" {
				t.Errorf("-source +restored:\n%s", diff)
			}

			// Where nothing is, the packages are, under placeholders.
			bare := newPlace(t, "catalogue.ndjson")
			write(t, bare.path(name), content)
			if said := bare.imports(0, bare.path(name)); !strings.Contains(said, "3 categories and 8 grids are known by their ids alone") {
				t.Errorf("it says:\n%s", said)
			}
			got := bare.served()
			for path, body := range want {
				if strings.Contains(path, "/packages/") && got[path] != body {
					t.Errorf("%s: -source +restored:\n%s", path, cmp.Diff(body, got[path]))
				}
			}
			if body := got["/api/v4/categories/1/"]; !strings.Contains(body, `"title":"category-1","slug":"category-1"`) {
				t.Errorf("the placeholder is %s", body)
			}
			bare.untouched(func() { bare.imports(0, bare.path(name)) })
		})
	}

	p := newPlace(t, "catalogue.yaml")
	write(t, p.path("cut"), zipped[:len(zipped)/2])
	if said := p.imports(1, p.path("cut")); !strings.Contains(said, "cannot be read: ") {
		t.Errorf("a file cut short: %s", said)
	}
	if _, err := os.Stat(p.path("catalogue.yaml")); err == nil {
		t.Error("a file cut short made a catalogue")
	}
}

// TestPlaceholders: a made-up slug is nobody else's.
func TestPlaceholders(t *testing.T) {
	n := namer{kind: "grid", ids: map[int]bool{7: true}, slugs: map[string]bool{"grid-1": true, "grid-1_": true}}
	for _, test := range []struct {
		id   int
		want string
	}{{0, ""}, {7, ""}, {1, "grid-1__"}, {1, ""}, {2, "grid-2"}} {
		if got := n.name(test.id); got != test.want {
			t.Errorf("grid %d is named %q, want %q", test.id, got, test.want)
		}
	}
	if n.named != 2 {
		t.Errorf("%d named", n.named)
	}
}

// TestImportGuards: what people have declared does not vanish by the way.
func TestImportGuards(t *testing.T) {
	site := documentedSite(t)
	root := site.URL + "/api/v4/"
	p := newPlace(t, "catalogue.yaml")
	p.imports(0, root)
	own, err := os.ReadFile(p.path("catalogue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	mine := string(own) + "\n  - slug: mine-1\n\n  - slug: mine-2\n"
	write(t, p.path("catalogue.yaml"), mine)
	p.untouched(func() {
		if said := p.imports(1, root); !strings.Contains(said, "2 packages of the present catalogue") || !strings.Contains(said, "mine-1, mine-2") || !strings.Contains(said, "--replace") {
			t.Errorf("it says: %s", said)
		}
	})
	p.imports(0, "--replace", root)
	if got, _ := os.ReadFile(p.path("catalogue.yaml")); string(got) != string(own) {
		t.Error("--replace did not write the source's catalogue")
	}
	if got, _ := os.ReadFile(p.path("catalogue.yaml.bak")); string(got) != mine {
		t.Error("what stood there is not kept")
	}

	write(t, p.path("catalogue.yaml"), "packages: oops\n")
	p.untouched(func() {
		if said := p.imports(1, root); !strings.Contains(said, "catalogue.yaml:1:11") || !strings.Contains(said, "--replace") {
			t.Errorf("it says: %s", said)
		}
	})
	p.imports(0, "--replace", root)

	// A catalogue as SOURCE stands under the same rule.
	write(t, p.path("few.yaml"), "packages:\n  - {id: 1609, slug: djorm-ext-pgfulltext, repo_url: https://github.com/a/b}\n")
	p.untouched(func() { p.imports(1, p.path("few.yaml")) })
	p.imports(0, "--replace", p.path("few.yaml"))
	c, err := catalogue.Load(p.path("catalogue.yaml"))
	if err != nil || len(c.Packages) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	// And so does the catalogue itself, which is only taken over.
	p.untouched(func() { p.imports(0, p.path("catalogue.yaml")) })

	write(t, p.path("none.ndjson"), `{"slug":"x"}`+"\n"+`{"slug":"x"}`)
	p.untouched(func() { p.imports(1, p.path("none.ndjson")) })
	write(t, p.path("what.txt"), "hello")
	if said := p.imports(1, p.path("what.txt")); !strings.Contains(said, "is not a snapshot") || !strings.Contains(said, ".ndjson") {
		t.Errorf("it says: %s", said)
	}
	p.imports(1, p.path("nowhere"))
	p.imports(1, p.folder)
}

// TestImportReadsAgain: what a site was when it was refused is not kept; what
// this machine could not write is not read a second time.
func TestImportReadsAgain(t *testing.T) {
	root, err := url.Parse(documentedSite(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(root)
	whole, asked, meanwhile := false, 0, func() {}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		meanwhile()
		if r.URL.Path == "/api/v4/packages/" && !whole {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"count":0,"next":null,"previous":null,"results":[]}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer site.Close()
	source := site.URL + "/api/v4/"
	p := newPlace(t, "catalogue.yaml")
	if said := p.imports(1, source); !strings.Contains(said, "holds no package") {
		t.Errorf("it says: %s", said)
	}
	whole = true
	p.imports(0, source)

	// The guard's refusal.
	own, err := os.ReadFile(p.path("catalogue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.path("catalogue.yaml"), string(own)+"\n  - slug: mine\n")
	p.untouched(func() { p.imports(1, source) })
	if _, err := os.Stat(p.path("test.db.import")); err == nil {
		t.Error("the pages of a refused import are kept")
	}
	write(t, p.path("catalogue.yaml"), string(own))
	asked = 0
	if said := p.imports(0, source); asked != 4 || strings.Contains(said, "resuming") {
		t.Errorf("after %d requests it says: %s", asked, said)
	}

	// A folder of the catalogue that is yet to be made is reported before anything is asked.
	q := newPlace(t, "sub/catalogue.yaml")
	asked = 0
	if said := q.imports(1, source); asked != 0 || !strings.Contains(said, "sub cannot be written to") {
		t.Errorf("after %d requests it says: %s", asked, said)
	}
	makeFolder := func() {
		if err := os.Mkdir(q.path("sub"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	makeFolder()

	// A catalogue that cannot be written, as its folder has gone meanwhile.
	meanwhile = func() { _ = os.Remove(q.path("sub")) }
	q.imports(1, source)
	meanwhile = func() {}
	makeFolder()
	if said := q.imports(0, source); asked != 4 || !strings.Contains(said, "resuming the import") {
		t.Errorf("after %d requests it says: %s", asked, said)
	}
}

// TestImportUnsettled: a site that never holds still is imported, and not with exit code 0.
func TestImportUnsettled(t *testing.T) {
	documented := documentedSite(t).Config.Handler
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		page := httptest.NewRecorder()
		documented.ServeHTTP(page, r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bytes.Replace(page.Body.Bytes(), []byte(`"count":46`), []byte(`"count":47`), 1))
	}))
	defer site.Close()
	p := newPlace(t, "catalogue.yaml")
	said := p.imports(1, site.URL+"/api/v4/")
	for _, want := range []string{
		"warning: packages changed each of the 3 times they were read, or the site miscounts them (the last time it counted 47 and listed 46): some may be missing; import again\n",
		"imported 46 packages",
		"pkgmetad: packages may be missing, as the warning says; everything listed is imported: run the same command again\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if _, err := os.Stat(p.path("test.db.import")); err == nil {
		t.Error("to run it again would not read again")
	}
}

// TestImportKeepsNewer: what the daemon has fetched since stays.
func TestImportKeepsNewer(t *testing.T) {
	site := documentedSite(t)
	p := newPlace(t, "catalogue.yaml")
	p.imports(0, site.URL+"/api/v4/")
	st := p.open()
	rec, err := st.Package(1609)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if now.Before(rec.LastFetched) {
		t.Fatal("the record is from the future")
	}
	rec.Repo.Stars, rec.LastFetched, rec.Modified = 252, now, now
	rec.GitHub.LastAttempt, rec.GitHub.LastSuccess = now, now
	rec.PyPI = rec.GitHub
	if err := st.Put(rec.Sources()); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	p.untouched(func() { p.imports(0, site.URL+"/api/v4/") })
	if body := p.served()["/api/v4/packages/1609/"]; !strings.Contains(body, `"repo_watchers":252`) {
		t.Errorf("an older record came back: %s", body)
	}
}

// TestImportGoesOn: stopped and killed at the worst moments, the same command completes it.
func TestImportGoesOn(t *testing.T) {
	site := documentedSite(t)
	want := bodies(t, site)
	root, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	proxy := httputil.NewSingleHostReverseProxy(root)
	var asked []string
	stalling := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if len(asked) == 4 {
			stop()
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer stalling.Close()
	p := newPlace(t, "catalogue.yaml")
	var out bytes.Buffer
	args := []string{"import", "-c", p.path("config.yaml"), stalling.URL + "/api/v4/"}
	if code := run(ctx, args, &out, &out); code != 1 || out.String() != "pkgmetad: stopped; run the same command again to resume\n" {
		t.Fatalf("exit code %d:\n%s", code, &out)
	}
	if _, err := os.Stat(p.path("catalogue.yaml")); err == nil {
		t.Error("a stopped import wrote a catalogue")
	}
	if said := p.imports(0, args[3]); !strings.Contains(said, "resuming the import begun at") || len(asked) != 5 {
		t.Errorf("after %q it says:\n%s", asked, said)
	}
	if diff := cmp.Diff(want, p.served()); diff != "" {
		t.Errorf("-source +imported:\n%s", diff)
	}

	// Killed between store and file: the file is missing, or as it was.
	whole, err := os.ReadFile(p.path("catalogue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"", "packages: []\n"} {
		if err := os.Remove(p.path("catalogue.yaml")); err != nil {
			t.Fatal(err)
		}
		if left != "" {
			write(t, p.path("catalogue.yaml"), left)
			// Even a daemon that ran then, and buried all of them, changes nothing for good.
			st := p.open()
			if _, err := st.SyncCatalogue(record.Catalogue{}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
		p.imports(0, args[3])
		if got, err := os.ReadFile(p.path("catalogue.yaml")); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("the catalogue differs: %v", err)
		}
		if diff := cmp.Diff(want, p.served()); diff != "" {
			t.Errorf("-source +imported:\n%s", diff)
		}
	}
}

// TestImportTellsTheZone: a hint, where the bytes would differ.
func TestImportTellsTheZone(t *testing.T) {
	site := documentedSite(t)
	p := newPlace(t, "catalogue.yaml")
	write(t, p.path("config.yaml"), "store: {path: test.db}\ncatalogue: {path: catalogue.yaml}\n")
	if said := p.imports(0, site.URL+"/api/v4/"); !strings.Contains(said, "http.time_zone (UTC); to serve the same bytes, set it to "+newYork+"\n") {
		t.Errorf("it says: %s", said)
	}
}

// TestImportSameHost: a site whose links carry an internal address is imported with
// the flag that the failure names, and nothing goes to that address.
func TestImportSameHost(t *testing.T) {
	internal := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s of the internal host was asked for", r.URL)
	}))
	defer internal.Close()
	documented := documentedSite(t)
	want := bodies(t, documented)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		r.Host = strings.TrimPrefix(internal.URL, "http://") // which the links carry
		documented.Config.Handler.ServeHTTP(w, r)
	}))
	defer site.Close()
	p := newPlace(t, "catalogue.yaml")
	said := p.imports(1, site.URL+"/api/v4/")
	if !strings.Contains(said, "leads to another host than") || !strings.Contains(said, "add --same-host") || !strings.Contains(said, internal.URL+"/api/v4/") {
		t.Errorf("it says: %s", said)
	}
	if said := p.imports(0, "--same-host", site.URL+"/api/v4/"); !strings.HasPrefix(said, "imported 46 packages, 8 grids, 3 categories") {
		t.Errorf("it says: %s", said)
	}
	if diff := cmp.Diff(want, p.served()); diff != "" {
		t.Errorf("-source +imported:\n%s", diff)
	}
	if said := p.imports(2, "--same-host", p.path("catalogue.yaml")); !strings.Contains(said, "SOURCE is a file") {
		t.Errorf("it says: %s", said)
	}
	if said := p.imports(0, "--help"); !strings.Contains(said, "--same-host") {
		t.Errorf("the help says: %s", said)
	}
}

func TestImportUsage(t *testing.T) {
	p := newPlace(t, "catalogue.yaml")
	for _, args := range [][]string{
		{}, {"a", "b"}, {"https://example.org/api/v4/?limit=5"}, {"ftp://example.org/"}, {"https://u:canary@example.org/"}, {"https://"}, {"--nonsense", "x"},
	} {
		if said := p.imports(2, args...); strings.Contains(said, "canary") {
			t.Errorf("%s: a password in %s", args, said)
		}
	}
}
