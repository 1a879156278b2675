package daemon

import (
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"pkgmetad/api"
)

const (
	adminConnections = 32
	adminWriteTime   = 2 * time.Minute // a profile is taken for as long as its reader asks
)

// listenAdmin opens the operator's listener, which has metrics and profiles. There is
// none unless the configuration names its address.
func (d *Daemon) listenAdmin() (err error) {
	if d.cfg.HTTP.AdminListen == "" {
		return nil
	}
	if d.adminListener, err = Listen(d.cfg.HTTP.AdminListen); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "/metrics       for Prometheus\n/debug/pprof/  profiles, for go tool pprof\n")
	})
	mux.Handle("GET /metrics", d.metrics.handler())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	d.admin = api.NewServer(api.ServerOptions{
		Handler: mux, Log: d.log, Context: d.running, // a profile ends at a stop
		MaxConnections: adminConnections, WriteTimeout: adminWriteTime,
	})
	return nil
}

// AdminAddress returns where metrics and profiles are; nil for nowhere.
func (d *Daemon) AdminAddress() net.Addr {
	if d.adminListener == nil {
		return nil
	}
	return d.adminListener.Addr()
}
