// Package api serves the package records read-only over HTTP, in exactly the
// shape that Django Packages documents as its API v4.
//
// That API is a Django REST framework (DRF) site, and its clients rely on more
// than the fields: on the hyperlinks, the paging, the negotiation of the media
// type and the way the JSON is spelt. So this package follows DRF's rules, one
// a file:
//
//	routes.go     which path is which view, and the redirect to the closing slash
//	view.go       the order of the checks, and the answers to failures
//	negotiate.go  Accept, ?format= and the ".json" suffix
//	page.go       ?limit= and ?offset=, next and previous
//	query.go      query strings as Python reads and writes them
//	number.go     numbers as Python's int() reads them
//	json.go       JSON as Python's json module spells it
//	render.go     the records
//	template.go   a package that is rendered once, in the store, for all answers
//	base.go       scheme and host of the links
//	search.go     the search, its order a [Searcher]'s
//	send.go       validators, 304 and compression, of every answer
//
// Beside the API stand the feed of changes (changes.go), the snapshot
// (snapshot.go, snapshotserve.go), the status (status.go), the pages for people
// (html.go, over package web), the description for machines (openapi.go), the
// health checks (health.go) and an http.Server with the limits that an open port
// needs (server.go). A request reads the store and nothing else; no request
// causes one to an upstream.
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
	"pkgmetad/store"
)

// Store is what the API reads. Its methods are called concurrently and return
// copies. One that looks a record up returns store.ErrNotFound, wrapped or not,
// where there is none. A list method returns the records from offset on, at
// most limit of them, highest id first, and how many there are in all; neither
// offset nor limit is negative, and both may lie far beyond the end.
type Store interface {
	// Served, ServedBySlug and ServedPage hand packages to use as the store
	// keeps them for readers: rendered by [Template]. ServedPage calls begin with
	// the count of all packages first, and again should it have to start over.
	Served(id int, use func(store.Served)) error
	ServedBySlug(slug string, use func(store.Served)) error
	ServedPage(offset, limit int, begin func(total int), use func(store.Served)) error

	Package(id int) (record.Package, error)
	PackageBySlug(slug string) (record.Package, error)
	Packages(offset, limit int) ([]record.Package, int, error)

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
	// Wait returns nil as soon as anything served changed after since, or ctx's error.
	Wait(ctx context.Context, since uint64) error
	// Changed returns when anything served last changed. What is read after the
	// call is of that time or later.
	Changed() time.Time

	// Summary counts packages by state and age, and lists sources that fail.
	Summary(now time.Time, bounds []time.Duration, limit int) (record.Summary, error)
	// Passes returns the reports of the passes that began at since or later, the latest first.
	Passes(since time.Time) ([]record.Pass, error)

	// Ready returns nil when the store answers and holds a synced catalogue,
	// and otherwise the reason for a person.
	Ready() error
}

// Options say what is served and how. Only Store is needed.
type Options struct {
	Store Store

	// PublicURL stands before the path of every link: scheme://host[/prefix].
	// Where it is "", the scheme and host of the request stand there.
	PublicURL string

	// TrustedProxies are the peers whose X-Forwarded-Proto and
	// X-Forwarded-Host are believed.
	TrustedProxies []netip.Prefix

	Snapshots *snapshot.Follower     // serves the snapshot; nil for none
	Searcher  Searcher               // finds packages and grids; nil finds nothing
	Activity  func() status.Activity // what the program is doing, for the status; nil for nothing; called concurrently

	Location *time.Location // zone of the times that are served, and that Store's packages are rendered in; nil for UTC
	MaxLimit int            // the most that ?limit= may ask for; 0 for no cap

	// PagesChanged is when the settings that shape pages and not records, such as
	// MaxLimit, last changed. No list tells an earlier date, by which a client
	// would go on with what it has. Zero where that is not known.
	PagesChanged time.Time

	MaxWaits int            // readers that may wait for changes at once; 0 for 500
	Log      zerolog.Logger // told of failures of the store
}

type api struct {
	store        Store
	base         base
	location     *time.Location
	maxLimit     int
	pagesChanged time.Time
	log          zerolog.Logger
	encoders     sync.Pool // of *render.Encoder
	zippers      sync.Pool // of *zipper

	snapshots    *snapshot.Follower
	snapshotBase string // of the links in the snapshot and the feed
	searcher     Searcher
	searches     chan struct{} // holds one for each search that runs
	waiting      chan struct{} // holds one for each reader that waits for changes
	statusMaker  *status.Maker
	activity     func() status.Activity
}

// New returns the handler of the API, the health checks and the index. It
// fails where o has no Store or a PublicURL that cannot stand before a path.
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
		location:     o.Location,
		maxLimit:     o.MaxLimit,
		pagesChanged: o.PagesChanged,
		log:          o.Log,
		encoders:     sync.Pool{New: func() any { return new(render.Encoder) }},
		zippers:      sync.Pool{New: func() any { return newZipper() }},

		snapshots:   o.Snapshots,
		searcher:    o.Searcher,
		searches:    make(chan struct{}, runtime.GOMAXPROCS(0)),
		waiting:     make(chan struct{}, cmp.Or(o.MaxWaits, 500)),
		statusMaker: newStatus(o),
		activity:    o.Activity,
	}
	a.snapshotBase = b.public
	if o.Snapshots != nil {
		a.snapshotBase = o.Snapshots.Base()
	}
	if a.location == nil {
		a.location = time.UTC
	}
	return a.routes(), nil
}
