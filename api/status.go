package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/status"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

const statusPath = "/status/"

func (a *api) status() view {
	return view{
		name:        "Status",
		description: "How fresh the whole catalogue is, what the last passes did, what the upstreams' limits leave, and what fails.",
		get: func(e *render.Encoder, rq *request) error {
			rq.changed = time.Time{} // unknown: the ages depend on the present time
			state, err := a.statusMaker.Catalogue()
			if err != nil {
				return err
			}
			return writeValue(e, state)
		},
		page: func(w io.Writer, rq *request, f web.Frame) error {
			state, err := a.statusMaker.Catalogue()
			if err != nil {
				return err
			}
			f.Path, f.Description = statusPath, "How fresh the catalogue is, and what is failing."
			return web.Status(w, f, web.StatusPage{Catalogue: state, Zone: a.location, JSON: statusPath + "?format=json"})
		},
	}
}

// statusStore adapts a Store to what package status reads.
type statusStore struct{ Store }

func (s statusStore) Find(id int) (p record.Package, ok bool, err error) {
	p, err = s.Package(id)
	if errors.Is(err, store.ErrNotFound) {
		return p, false, nil
	}
	return p, err == nil, err
}

// NewStatus returns the maker of the status for these options.
func NewStatus(o Options) *status.Maker {
	s := status.Options{Store: statusStore{o.Store}, Activity: o.Activity, Zone: o.Location}
	if o.Snapshots != nil {
		s.Snapshot = func() (status.Snapshot, bool) {
			n, ok := o.Snapshots.Latest()
			return status.Snapshot{Sequence: n.Sequence, Made: n.Made, Bytes: n.Size}, ok
		}
	}
	if o.Searcher != nil {
		s.Search = o.Searcher.State
	}
	return status.New(s)
}

func (a *api) packageStatus() view {
	return view{
		name:        "Package Status",
		description: "Where the sources of one package stand: last attempt, last success, next due, failures, last error.",
		near:        a.nearPackages,
		get: func(e *render.Encoder, rq *request) error {
			rq.changed = time.Time{} // unknown: a failed attempt changes this answer, but nothing that the store dates
			rec, err := a.find(rq.key)
			if err != nil {
				return err
			}
			return writeValue(e, a.statusMaker.Package(&rec))
		},
		page: func(w io.Writer, rq *request, f web.Frame) error {
			rec, err := a.find(rq.key)
			if err != nil {
				return err
			}
			f.Title = "Status of " + rec.Slug
			return web.PackageStatus(w, f, web.PackageStatusPage{
				Clock: a.clock(), Package: a.statusMaker.Package(&rec),
				Path: packagePath(rec.ID), JSON: packageStatusPath(rec.Slug) + "?format=json",
			})
		},
	}
}

func packageStatusPath(slug string) string { return statusPath + "packages/" + slug + "/" }

// find returns the package that the key in a path names.
func (a *api) find(key string) (record.Package, error) {
	return find("Package", key, a.store.Package, a.store.PackageBySlug)
}

// writeValue writes v as encoding/json does.
func writeValue(e *render.Encoder, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	e.JSON(bytes.TrimSpace(b.Bytes()))
	return nil
}
