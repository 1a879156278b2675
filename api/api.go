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
//	base.go       scheme and host of the links
//
// Beside the API stand the health checks (health.go) and an http.Server with
// the limits that an open port needs (server.go). A request reads the store
// and nothing else; no request causes one to an upstream.
package api

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/store"
)

// Store is what the API reads. Its methods are called concurrently and return
// copies. One that looks a record up returns store.ErrNotFound, wrapped or not,
// where there is none. A list method returns the records from offset on, at
// most limit of them, highest id first, and how many there are in all; neither
// offset nor limit is negative, and both may lie far beyond the end.
type Store interface {
	Package(id int) (store.Record, error)
	PackageBySlug(slug string) (store.Record, error)
	Packages(offset, limit int) ([]store.Record, int, error)

	Category(id int) (store.Category, error)
	Categories(offset, limit int) ([]store.Category, int, error)

	Grid(id int) (store.Grid, error)
	GridBySlug(slug string) (store.Grid, error)
	Grids(offset, limit int) ([]store.Grid, int, error)
	// GridPackages returns the ids of the packages of a grid in the order in
	// which they are served: by title, then id.
	GridPackages(gridID int) ([]int, error)

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

	Location *time.Location // zone of the times that are served; nil for UTC
	MaxLimit int            // the most that ?limit= may ask for; 0 for no cap
	Log      zerolog.Logger // told of failures of the store
}

type api struct {
	store    Store
	base     base
	location *time.Location
	maxLimit int
	log      zerolog.Logger
	encoders sync.Pool // of *encoder
}

// New returns the handler of the API, the health checks and the index. It
// fails where o has no Store or a PublicURL that cannot stand before a path.
func New(o Options) (http.Handler, error) {
	if o.Store == nil {
		return nil, errors.New("api: no store to serve from")
	}
	if o.MaxLimit < 0 {
		return nil, errors.New("api: the cap of ?limit= is negative: use 0 for no cap")
	}
	b, err := newBase(o.PublicURL, o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	a := &api{
		store:    o.Store,
		base:     b,
		location: o.Location,
		maxLimit: o.MaxLimit,
		log:      o.Log,
		encoders: sync.Pool{New: func() any { return new(encoder) }},
	}
	if a.location == nil {
		a.location = time.UTC
	}
	return a.routes(), nil
}
