// Package api serves the package records read-only over HTTP, in exactly the
// shape that Django Packages documents as its API v4.
//
// That API is a Django REST framework (DRF) site, and its clients rely on more
// than the fields: on the hyperlinks, the paging, the negotiation of the media
// type and the way the JSON is written. So this package follows DRF's rules, one
// a file:
//
//	routes.go     the views by path, and the redirect that appends a slash
//	view.go       the order of the checks, and the answers to failures
//	negotiate.go  Accept, ?format= and the ".json" suffix
//	page.go       ?limit= and ?offset=, next and previous
//	query.go      query strings as Python reads and writes them
//	number.go     numbers as Python's int() reads them
//	records.go    packages, grids and categories, one by one and in lists
//	base.go       scheme and host of the links
//	search.go     the search; a [Searcher] ranks the hits
//	lists.go      what sorts and filters the pages that list packages
//	score.go      the scores and weights of search results
//	v3.go         the older API, v3, which the same sites serve; pagev3.go has its pages
//	send.go       validators, 304 and compression, of every answer
//
// The JSON itself, as DRF's renderer writes it, is package render's.
//
// In addition to the API there are the feed of changes (changes.go), the snapshot
// (snapshot.go), the status (status.go), HTML pages (html.go, on top of package
// web), the addresses that pages have elsewhere (addresses.go), what search engines ask for
// (robots.go, sitemap.go), the OpenAPI description (openapi.go), the health checks (health.go) and a
// server with the limits that an open port needs (server.go, on top of
// connections.go, clients.go and requestlog.go). Requests only read the store; none
// of them causes a request to an upstream.
package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/snapshot"
	"pkgmetad/internal/status"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// Store is what the API reads. Its methods are called concurrently and, except
// for the Served ones, return copies. A method that looks up one record returns
// store.ErrNotFound, possibly wrapped, if there is no such record. A list method
// returns at most limit records starting at offset, highest id first, and the
// number of all records; neither offset nor limit is negative, and both may lie
// far beyond the end.
type Store interface {
	// Served, ServedBySlug and ServedPage pass packages to use, rendered by
	// [render.Rendering.Template]; use must not keep their bytes. ServedPage first
	// calls begin with the number of all packages. If it has to start over, it calls
	// begin again, and what was passed to use before is void.
	Served(id int, use func(store.Served)) error
	ServedBySlug(slug string, use func(store.Served)) error
	ServedPage(offset, limit int, begin func(total int), use func(store.Served)) error
	// ServedByTitle is ServedPage by title in code point order, then id: of all packages, or
	// of those in a category other than 0.
	ServedByTitle(category, offset, limit int, begin func(total int), use func(store.Served)) error

	Package(id int) (record.Package, error)
	PackageBySlug(slug string) (record.Package, error)
	Packages(offset, limit int) ([]record.Package, int, error)
	// List returns the part of a list of packages, sorted and filtered, that q asks for; see
	// [store.Store.List].
	List(q record.ListQuery) (record.Listing, error)
	// Slugs returns the slugs of packages, without those that do not exist.
	Slugs(ids []int) ([]string, error)

	Category(id int) (record.Category, error)
	Categories(offset, limit int) ([]record.Category, int, error)

	Grid(id int) (record.Grid, error)
	GridBySlug(slug string) (record.Grid, error)
	Grids(offset, limit int) ([]record.Grid, int, error)
	// GridPackages returns the ids of the packages of a grid in the order in
	// which they are served: by title, then id.
	GridPackages(gridID int) ([]int, error)

	// Changes is the feed; see [store.Store.Changes].
	Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error)
	// Wait returns nil as soon as anything served has changed after the sequence
	// since, or ctx's error.
	Wait(ctx context.Context, since uint64) error
	// Changed returns when anything served last changed. Reads after the call see
	// the state of that time or a later one.
	Changed() time.Time

	// Summary counts packages by state and age, and lists at most limit failing sources.
	Summary(now time.Time, bounds []time.Duration, limit int) (record.Summary, error)
	// Passes returns the reports of the passes that began at since or later, newest first.
	Passes(since time.Time) ([]record.Pass, error)

	// Ready returns nil if the store answers and holds a synced catalogue, and
	// otherwise an error that says why not, for people.
	Ready() error
}

// Options say what is served and how. Only Store is required.
type Options struct {
	Store Store

	// PublicURL is what every link begins with: scheme://host[/prefix]. If it is
	// "", links begin with the scheme and host of the request.
	PublicURL string

	Site Site // what the pages say of themselves; without a name they have that of the program

	// TrustedProxies are the peers whose X-Forwarded-Proto and
	// X-Forwarded-Host are trusted.
	TrustedProxies []netip.Prefix

	Snapshots *snapshot.Follower     // provides the snapshot; nil for none
	Searcher  Searcher               // finds packages and grids; nil finds nothing
	Activity  func() status.Activity // what the program is doing, for the status; nil for nothing; called concurrently

	Location *time.Location // zone of the times that are served, and that Store's packages are rendered in; nil for UTC
	MaxLimit int            // upper bound of ?limit=; 0 for none

	// PagesChanged is when the settings that affect lists but not records, such as
	// MaxLimit, last changed; zero if unknown. The Last-Modified of a list is never
	// earlier, because clients would keep using a list made with other settings.
	PagesChanged time.Time

	// Newest asks the other hosts that share Store's records how far any of them has come in
	// the feed: a reader may have got a sequence there that Store has not come to yet. An
	// error says that it is not known. Nil where there are no other hosts; called
	// concurrently.
	Newest func(ctx context.Context) (sequence uint64, err error)

	// Observe is told of every request that was answered: by which route, a pattern and
	// never a path of a client's making, with which status, and how long that took. Nil
	// for nobody; called concurrently.
	Observe func(route string, status int, took time.Duration)

	// Read is told of every answer that shows one package, by its id: its record, as JSON
	// or as a page. Nil for nobody; called concurrently.
	Read func(id int)

	MaxWaits int            // clients that may wait for changes at once; 0 for 500
	Log      zerolog.Logger // for failures, mostly of the store
}

// Site is what every page says of the site that it belongs to.
type Site = web.Site

type api struct {
	store        Store
	base         base
	site         Site
	location     *time.Location
	maxLimit     int
	pagesChanged time.Time
	failures     failures
	read         func(id int) // nil for nobody
	encoders     sync.Pool    // of *render.Encoder
	zippers      sync.Pool    // of *zipper

	snapshots    *snapshot.Follower
	snapshotBase string // what the links in the snapshot and the feed begin with; "" for the request's scheme and host
	searcher     Searcher
	searches     chan struct{} // semaphore: one element for each running search
	selecting    chan struct{} // semaphore: one element for each list that is put in order
	seeking      sync.Mutex    // held while packages with a similar name are sought
	waiting      chan struct{} // semaphore: one element for each client that waits for changes
	statusMaker  *status.Maker
	activity     func() status.Activity
	newest       func(context.Context) (uint64, error) // nil where there are no other hosts
}

// New returns the handler of everything that this package serves. It fails if o
// has no Store, an invalid PublicURL or a negative limit.
func New(o Options) (http.Handler, error) {
	if o.Store == nil {
		return nil, errors.New("api: no store to serve from")
	}
	if o.MaxLimit < 0 || o.MaxWaits < 0 {
		return nil, errors.New("api: the cap of ?limit= or of waiting readers is negative: use 0 for no cap")
	}
	b, err := newBase(o.PublicURL, o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	a := &api{
		store:        o.Store,
		base:         b,
		site:         o.Site,
		location:     o.Location,
		maxLimit:     o.MaxLimit,
		read:         o.Read,
		pagesChanged: o.PagesChanged,
		failures:     failures{log: o.Log},
		encoders:     sync.Pool{New: func() any { return new(render.Encoder) }},
		zippers:      sync.Pool{New: func() any { return newZipper() }},

		snapshots:   o.Snapshots,
		searcher:    o.Searcher,
		searches:    make(chan struct{}, runtime.GOMAXPROCS(0)),
		selecting:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		waiting:     make(chan struct{}, cmp.Or(o.MaxWaits, 500)),
		statusMaker: NewStatus(o),
		activity:    o.Activity,
		newest:      o.Newest,
	}
	a.site.Name = cmp.Or(a.site.Name, "pkgmetad")
	a.snapshotBase = b.public
	if o.Snapshots != nil {
		a.snapshotBase = o.Snapshots.Base()
	}
	if a.location == nil {
		a.location = time.UTC
	}
	return observed(a.routes(), o.Observe), nil
}
