package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/status"
)

// What an operator does with a running daemon, over the control socket:
//
//	GET  /status                            -> Report
//	POST /reload {"allow_removals": bool}   reload configuration and catalogue
//	POST /pause, POST /resume               stop and start passes on schedule
//	POST /log-level {"level": "debug"}      until the next reload
//	POST /lift                              ask the upstreams again, whatever holds
//
// An error answers 409 with its text.

// Report is what a daemon tells its operator.
type Report struct {
	Version  string           `json:"version"`
	PID      int              `json:"pid"`
	Started  time.Time        `json:"started"`
	Listen   string           `json:"listen"` // host:port of the API
	Store    StoreReport      `json:"store"`
	LogLevel string           `json:"log_level"`
	Status   status.Catalogue `json:"status"` // as GET /status/ answers
}

// StoreReport is about the database file.
type StoreReport struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"size_bytes"`
	Sequence uint64 `json:"sequence"` // of the last change of anything served
	Ready    string `json:"not_ready,omitempty"`
}

// operations adds what an operator may ask for to the control socket's routes.
func (d *Daemon) operations(mux *http.ServeMux) {
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		report, err := d.report()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(report) // the other end notices what is missing
	})
	mux.HandleFunc("POST /reload", operation(func(o reloadRequest) error { return d.Reload(o.AllowRemovals) }))
	mux.HandleFunc("POST /pause", operation(func(struct{}) error { d.pause(); return nil }))
	mux.HandleFunc("POST /resume", operation(func(struct{}) error { d.resume(); return nil }))
	mux.HandleFunc("POST /log-level", operation(func(o levelRequest) error { return d.setLogLevel(o.Level) }))
	mux.HandleFunc("POST /lift", operation(func(struct{}) error { d.lift(); return nil }))
}

type reloadRequest struct {
	AllowRemovals bool `json:"allow_removals"`
}

type levelRequest struct {
	Level string `json:"level"`
}

// operation returns a handler that does what a request of that form asks for.
func operation[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request T
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := do(request); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}
}

func (d *Daemon) report() (Report, error) {
	st := d.refresher.store
	catalogue, err := d.status.Present()
	if err != nil {
		return Report{}, err
	}
	report := Report{
		Version: d.refresher.version, PID: os.Getpid(), Started: d.started, Listen: d.Address().String(),
		Store: StoreReport{Path: st.Path(), Sequence: st.Sequence()}, LogLevel: d.level.Load().(zerolog.Level).String(), Status: catalogue,
	}
	if info, err := os.Stat(st.Path()); err == nil {
		report.Store.Bytes = info.Size()
	}
	if err := st.Ready(); err != nil {
		report.Store.Ready = err.Error()
	}
	return report, nil
}

// pause keeps passes from beginning on schedule, until resume or a restart. The one
// that runs goes on, and a refresh on demand is done all the same.
func (d *Daemon) pause() {
	now := time.Now()
	if d.refresher.paused.CompareAndSwap(nil, &now) {
		d.log.Warn().Msg("paused: no pass begins on schedule until it is resumed, or the daemon restarted")
	}
}

func (d *Daemon) resume() {
	if d.refresher.paused.Swap(nil) != nil {
		d.log.Info().Msg("resumed")
		d.scheduler.runSoon()
	}
}

// lift opens the gates of both upstreams. A budget that is used up stays so.
func (d *Daemon) lift() {
	now := d.refresher.settings.Load()
	now.github.Lift()
	now.pypi.Lift()
	d.log.Info().Msg("holds lifted: GitHub and PyPI may be asked again")
	d.scheduler.runSoon()
}

// setLogLevel changes the least level that is logged.
func (d *Daemon) setLogLevel(name string) error {
	level, err := zerolog.ParseLevel(name)
	if err != nil || level < zerolog.TraceLevel || level > zerolog.ErrorLevel {
		return fmt.Errorf("%q is not a log level: they are trace, debug, info, warn and error", name)
	}
	if d.logLevel != nil {
		d.logLevel(level)
	}
	d.level.Store(level)
	return nil
}
