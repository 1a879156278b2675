package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/web"
	"pkgmetad/store"
)

// What the status tells of the running program; see package web for the fields.
type Budget = web.Budget // what a limit of an upstream leaves

// Running is the part of the status that the store does not know.
type Running struct {
	Since    time.Time // when the pass that runs now began; zero for none
	NextTick time.Time // of the schedule
	Budgets  []Budget
}

// Daemon tells what the program does now. It is called concurrently.
type Daemon func() Running

const (
	statusPath = "/status/"

	shownFailing = 200             // sources that fail, on the status
	statusAge    = 2 * time.Second // of a count of all packages, before it is made anew
)

// PassesShown is how far back the status tells of passes.
const PassesShown = 24 * time.Hour

func (a *api) status() view {
	return view{
		name:        "Status",
		description: "How fresh the whole catalogue is, what the last passes did, what the upstreams' limits leave, and what fails.",
		get: func(e *render.Encoder, rq *request) error {
			rq.changed = time.Time{} // it changes with the time
			state, err := a.statusCache.get(a.state)
			if err != nil {
				return err
			}
			return writeValue(e, state)
		},
		page: func(w io.Writer, rq *request, f web.Frame) error {
			state, err := a.statusCache.get(a.state)
			if err != nil {
				return err
			}
			return web.Status(w, f, web.StatusPage{CatalogueState: state, Zone: a.location, JSON: statusPath + "?format=json"})
		},
	}
}

// statusCache spares the store a count of all packages for each request.
type statusCache struct {
	mu    sync.Mutex
	state web.CatalogueState
	taken time.Time
}

func (c *statusCache) get(state func() (web.CatalogueState, error)) (web.CatalogueState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := time.Since(c.taken); age >= 0 && age < statusAge {
		return c.state, nil
	}
	s, err := state()
	if err == nil {
		c.state, c.taken = s, time.Now()
	}
	return s, err
}

// state is the present status.
func (a *api) state() (web.CatalogueState, error) {
	now := time.Now().Truncate(time.Second).In(a.location)
	s := web.CatalogueState{Now: now, Budgets: []Budget{}, Failing: []web.Failing{}, Passes: []record.Pass{}}
	sum, err := a.store.Summary(now, web.AgeBounds(), shownFailing)
	if err != nil {
		return s, err
	}
	s.Packages, s.FailingTotal = sum.Packages, sum.AllFailing
	s.GitHub, s.PyPI = web.NewSourceTotals(sum.GitHub), web.NewSourceTotals(sum.PyPI)
	for _, f := range sum.Failing {
		rec, err := a.store.Package(f.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has left the catalogue meanwhile
		}
		if err != nil {
			return s, err
		}
		name, source := "github", rec.GitHub
		if f.PyPI {
			name, source = "pypi", rec.PyPI
		}
		s.Failing = append(s.Failing, web.Failing{
			Slug: rec.Slug, Title: rec.Title, Source: name, State: source.State,
			Since: a.moment(source.FailingSince), Failures: source.Failures, LastError: source.LastError,
		})
	}
	passes, err := a.store.Passes(now.Add(-PassesShown))
	if err != nil {
		return s, err
	}
	for _, p := range passes {
		for _, t := range []*time.Time{&p.Started, &p.GitHub.HeldUntil, &p.PyPI.HeldUntil} {
			*t = a.moment(*t)
		}
		s.Passes = append(s.Passes, p)
	}
	if a.daemon != nil {
		running := a.daemon()
		s.RunningSince, s.NextTick = a.moment(running.Since), a.moment(running.NextTick)
		for _, b := range running.Budgets {
			b.Reset, b.HeldUntil = a.moment(b.Reset), a.moment(b.HeldUntil)
			s.Budgets = append(s.Budgets, b)
		}
	}
	if a.snapshots != nil {
		if n, ok := a.snapshots.Latest(); ok {
			s.Snapshot = &web.Snapshot{Sequence: n.Sequence, Made: a.moment(n.Made), Bytes: n.Size}
		}
	}
	return s, nil
}

// moment is a time as the status tells it.
func (a *api) moment(t time.Time) time.Time { return t.Truncate(time.Microsecond).In(a.location) }

func (a *api) packageStatus() view {
	return view{
		name:        "Package Status",
		description: "Where the sources of one package stand: last attempt, last success, next due, failures, last error.",
		get: func(e *render.Encoder, rq *request) error {
			rq.changed = time.Time{} // an attempt that failed changes this and nothing else
			rec, err := a.find(rq.key)
			if err != nil {
				return err
			}
			return writeValue(e, a.packageState(&rec))
		},
		page: func(w io.Writer, rq *request, f web.Frame) error {
			rec, err := a.find(rq.key)
			if err != nil {
				return err
			}
			f.Title = "Status of " + rec.Slug
			return web.PackageStatus(w, f, web.PackageStatusPage{
				Clock: a.clock(), PackageState: a.packageState(&rec),
				Path: packagePath(rec.ID), JSON: packageStatusPath(rec.Slug) + "?format=json",
			})
		},
	}
}

func (a *api) packageState(rec *record.Package) web.PackageState {
	return web.PackageState{
		Slug: rec.Slug, ID: rec.ID, Title: rec.Title,
		GitHub: web.NewSourceState(rec.GitHub, a.location), PyPI: web.NewSourceState(rec.PyPI, a.location),
	}
}

func packageStatusPath(slug string) string { return statusPath + "packages/" + slug + "/" }

// find returns the record that the key in a path names.
func (a *api) find(key string) (record.Package, error) {
	return find("Package", key, a.store.Package, a.store.PackageBySlug)
}

// value writes what has JSON tags.
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
