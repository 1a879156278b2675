package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// fakeStore is a Store in memory.
type fakeStore struct {
	packages   []record.Package
	categories []record.Category
	grids      []record.Grid
	zone       *time.Location
	err        error // what every method fails with, where there is one
}

// fakeChanged is when anything in a fakeStore last changed.
var fakeChanged = time.Date(2026, 2, 16, 1, 2, 3, 456789000, time.UTC)

func (f *fakeStore) serve(p record.Package) store.Served {
	return store.Served{ID: p.ID, Sequence: uint64(p.ID), Changed: fakeChanged.AddDate(0, 0, -1), Body: render.Rendering{Zone: f.zone}.Template()(&p)}
}

func (f *fakeStore) Served(id int, use func(store.Served)) error {
	p, err := f.Package(id)
	if err == nil {
		use(f.serve(p))
	}
	return err
}

func (f *fakeStore) ServedBySlug(slug string, use func(store.Served)) error {
	p, err := f.PackageBySlug(slug)
	if err == nil {
		use(f.serve(p))
	}
	return err
}

func (f *fakeStore) ServedPage(offset, limit int, begin func(int), use func(store.Served)) error {
	begin(99) // of a state that is gone
	use(store.Served{Body: []byte("garbage")})
	recs, total, err := f.Packages(offset, limit)
	begin(total)
	for _, p := range recs {
		use(f.serve(p))
	}
	return err
}

func (f *fakeStore) EachServed(use func(store.Served) error) (uint64, time.Time, error) {
	for _, p := range f.packages {
		if err := use(f.serve(p)); err != nil {
			return 0, fakeChanged, err
		}
	}
	return f.Sequence(), fakeChanged, f.err
}

func (f *fakeStore) Sequence() uint64   { return uint64(len(f.packages)) }
func (f *fakeStore) Changed() time.Time { return fakeChanged }

// Changes is a feed in which each package changed once, in their order.
func (f *fakeStore) Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error) {
	if since > f.Sequence() {
		return nil, 0, false, store.ErrForgotten
	}
	for i := since; i < f.Sequence(); i++ {
		if len(changes) == limit {
			return changes, i, true, f.err
		}
		p := f.serve(f.packages[i])
		changes = append(changes, store.Change{Sequence: i + 1, ID: p.ID, At: fakeChanged, Body: p.Body})
	}
	return changes, f.Sequence(), false, f.err
}

func (f *fakeStore) Wait(ctx context.Context, since uint64) error {
	if since < f.Sequence() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeStore) Summary(time.Time, []time.Duration, int) (record.Summary, error) {
	sum := record.Summary{Packages: len(f.packages)}
	sum.GitHub.Ages, sum.PyPI.Ages = make([]int, 6), make([]int, 6)
	return sum, f.err
}

func (f *fakeStore) Passes(time.Time) ([]record.Pass, error) { return nil, f.err }

func lookUp[T any](err error, items []T, is func(T) bool) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i], nil
	}
	return none, store.ErrNotFound
}

func stretch[T any](err error, items []T, id func(T) int, offset, limit int) ([]T, int, error) {
	if err != nil {
		return nil, 0, err
	}
	items = slices.SortedFunc(slices.Values(items), func(a, b T) int { return cmp.Compare(id(b), id(a)) })
	total := len(items)
	from := min(offset, total)
	return items[from:min(from+limit, total)], total, nil
}

func (f *fakeStore) Package(id int) (record.Package, error) {
	return lookUp(f.err, f.packages, func(p record.Package) bool { return p.ID == id })
}

func (f *fakeStore) PackageBySlug(slug string) (record.Package, error) {
	return lookUp(f.err, f.packages, func(p record.Package) bool { return p.Slug == slug })
}

func (f *fakeStore) Packages(offset, limit int) ([]record.Package, int, error) {
	return stretch(f.err, f.packages, func(p record.Package) int { return p.ID }, offset, limit)
}

func (f *fakeStore) ServedByTitle(category, offset, limit int, begin func(total int), use func(store.Served)) error {
	all := f.byTitle()
	if category != 0 {
		all = slices.DeleteFunc(all, func(p record.Package) bool { return p.Category != category })
	}
	begin(len(all))
	from := min(offset, len(all))
	for _, p := range all[from:min(from+limit, len(all))] {
		use(f.serve(p))
	}
	return f.err
}

func (f *fakeStore) List(q record.ListQuery) (record.Listing, error) {
	byID := slices.SortedFunc(slices.Values(f.packages), func(a, b record.Package) int { return cmp.Compare(a.ID, b.ID) })
	place := func(of func(p record.Package) string, p record.Package) uint32 {
		var all []string
		for _, p := range f.packages {
			all = append(all, of(p))
		}
		slices.Sort(all)
		return uint32(slices.Index(slices.Compact(all), of(p))) + 1
	}
	var all []record.Listed
	for _, p := range byID {
		l := p.Listed()
		l.Slug = place(func(p record.Package) string { return p.Slug }, p)
		l.Name = place(func(p record.Package) string { return strings.ToLower(cmp.Or(p.Title, p.Slug)) }, p)
		if p.Project.Licence != "" {
			l.Licence = place(func(p record.Package) string { return p.Project.Licence }, p)
		}
		all = append(all, l)
	}
	return record.Select(all, q), f.err
}

func (f *fakeStore) byTitle() []record.Package {
	return slices.SortedFunc(slices.Values(f.packages), func(a, b record.Package) int {
		return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID))
	})
}

func (f *fakeStore) Slugs(ids []int) (slugs []string, err error) {
	for _, id := range ids {
		if p, err := f.Package(id); err == nil {
			slugs = append(slugs, p.Slug)
		}
	}
	return slugs, f.err
}

func (f *fakeStore) Category(id int) (record.Category, error) {
	return lookUp(f.err, f.categories, func(c record.Category) bool { return c.ID == id })
}

func (f *fakeStore) Categories(offset, limit int) ([]record.Category, int, error) {
	return stretch(f.err, f.categories, func(c record.Category) int { return c.ID }, offset, limit)
}

func (f *fakeStore) Grid(id int) (record.Grid, error) {
	return lookUp(f.err, f.grids, func(g record.Grid) bool { return g.ID == id })
}

func (f *fakeStore) GridBySlug(slug string) (record.Grid, error) {
	return lookUp(f.err, f.grids, func(g record.Grid) bool { return g.Slug == slug })
}

func (f *fakeStore) Grids(offset, limit int) ([]record.Grid, int, error) {
	return stretch(f.err, f.grids, func(g record.Grid) int { return g.ID }, offset, limit)
}

func (f *fakeStore) GridPackages(grid int) ([]int, error) {
	var ids []int
	for _, p := range f.byTitle() {
		if slices.Contains(p.Grids, grid) {
			ids = append(ids, p.ID)
		}
	}
	return ids, f.err
}

func (f *fakeStore) Ready() error { return f.err }

// documented returns the records of testdata and the zone they are served in.
func documented(t testing.TB) (*fakeStore, *time.Location) {
	t.Helper()
	data, err := os.ReadFile("testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TimeZone   string            `json:"time_zone"`
		Categories []record.Category `json:"categories"`
		Grids      []record.Grid     `json:"grids"`
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
		} `json:"packages"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(file.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeStore{categories: file.Categories, grids: file.Grids, zone: zone}
	for _, p := range file.Packages {
		rec := record.Package{
			Entry: p.Entry,
			Repo: record.Repo{
				Stars: p.RepoWatchers, Forks: p.RepoForks, Description: p.RepoDescription,
				Participants: p.Participants, Commits52: p.CommitsOver52, LastCommit: p.LastUpdated,
			},
			Project:  record.Project{Version: p.PyPIVersion},
			GitHub:   record.Status{State: record.StateOK},
			PyPI:     record.Status{State: record.StateOK},
			Modified: p.Modified,
		}
		if p.LastFetched != nil {
			rec.LastFetched = *p.LastFetched
			rec.GitHub = record.Status{State: record.StateOK, LastAttempt: rec.LastFetched, LastSuccess: rec.LastFetched}
			rec.PyPI = rec.GitHub
		}
		f.packages = append(f.packages, rec)
	}
	return f, zone
}

// handler returns the API over the documented records as they are served.
func handler(t testing.TB) http.Handler {
	t.Helper()
	records, zone := documented(t)
	return newHandler(t, Options{Store: records, Location: zone})
}

func newHandler(t testing.TB, o Options) http.Handler {
	t.Helper()
	o.Log = zerolog.New(zerolog.NewTestWriter(t))
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// do sends one request; headers are pairs of name and value.
func do(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
