// Package daemon is pkgmetad at work: what runs between the start and the stop
// of `pkgmetad serve`, and the one pass of `pkgmetad refresh`.
//
//	New     opens the store, takes the catalogue over, listens
//	Run     serves, follows the store, and runs passes on schedule, until it is stopped
//	Reload  reads configuration and catalogue again
//	Stop    has Run end in order
//
// Other processes reach a daemon through its control socket: see [Dial].
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/api"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/search"
	"pkgmetad/internal/snapshot"
	"pkgmetad/internal/status"
)

// Options is what a daemon is made from.
type Options struct {
	Config  *config.Config
	Version string // of the program, for the User-Agent
	Log     zerolog.Logger

	// Load reads the configuration again, for a reload; nil to keep what it is.
	Load func() (*config.Config, error)
	// SetLogLevel changes the least level of Log; nil where it cannot be changed.
	SetLogLevel func(zerolog.Level)
}

// Daemon keeps a store fresh and serves it. Whoever made one calls Run once.
type Daemon struct {
	cfg       *config.Config
	log       zerolog.Logger
	refresher *refresher
	scheduler *scheduler
	listener  net.Listener
	server    *api.Server
	control   *control
	systemd   *notifier
	metrics   *metrics
	pinger    *pinger
	backups   *backups
	snapshots *snapshot.Follower
	index     *search.Index

	grace    time.Duration                  // shutdownGrace; tests have less time
	load     func() (*config.Config, error) // nil for none
	logLevel func(zerolog.Level)            // sets it; nil where it cannot be set
	level    atomic.Value                   // the zerolog.Level that is logged
	status   *status.Maker
	started  time.Time

	adminListener net.Listener // of metrics and profiles; nil for none, and so
	admin         *api.Server

	running   context.Context // ends when the daemon has to stop; its cause says why
	stop      context.CancelCauseFunc
	reloading sync.Mutex
}

// errStopped is the cause of a stop that was asked for, as against one for a fault.
var errStopped = errors.New("the daemon is stopping")

// shutdownGrace is what requests that are being answered get to finish, at a stop.
// A client that reads at all has its answer by then.
const shutdownGrace = 5 * time.Second

// New opens the store, takes the catalogue over and listens; connections wait
// until Run. It fails with ErrNoCatalogue where the catalogue file is bad and the
// store holds no earlier catalogue to go on with.
func New(o Options) (_ *Daemon, err error) {
	d := &Daemon{cfg: o.Config, log: o.Log, metrics: newMetrics(o.Version), started: time.Now(), load: o.Load, logLevel: o.SetLogLevel, grace: shutdownGrace}
	d.running, d.stop = context.WithCancelCause(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, d.release())
		}
	}()

	if err = checkFolders(d.cfg); err != nil {
		return nil, err
	}
	if d.systemd, err = newNotifier(d.log, d.doing, d.alive); err != nil {
		return nil, err
	}
	defer d.systemd.starting()()
	if d.refresher, err = newRefresher(o, d.log, openAndRender); err != nil {
		return nil, err
	}
	if d.cfg.Cluster.Enabled() {
		if err := d.join(o); err != nil {
			return nil, err
		}
	}
	if err := d.watch(); err != nil {
		return nil, err
	}
	d.scheduler = newScheduler(plan{d.cfg.Schedule.Cron, d.cfg.Schedule.TimeZone}, d.log, d.refresher.tick)
	if err := d.setLogLevel(d.cfg.Log.Level); err != nil {
		return nil, err
	}
	d.refresher.warnOf(settingsWarnings(d.cfg))
	if d.refresher.member == nil { // else once it has what the others have
		if err := d.refresher.startCatalogue(); err != nil {
			return nil, err
		}
	}
	d.refresher.tellCredentials()
	if d.listener, err = d.listen(); err != nil {
		return nil, err
	}
	if err := d.listenAdmin(); err != nil {
		return nil, err
	}
	if err := d.openFollowers(); err != nil {
		return nil, err
	}
	handler, err := d.newAPI()
	if err != nil {
		return nil, err
	}
	d.server = d.newServer(handler)
	if d.control, err = listenControl(d.running, d.refresher, d.operations); err != nil {
		return nil, err
	}
	return d, nil
}

// join has this host take part with others.
func (d *Daemon) join(o Options) error {
	r := d.refresher
	if _, err := newMember(d.running, o, r); err != nil {
		return err
	}
	r.fetcher.Configure(r.apply(r.settings.Load()))
	return nil
}

// What lies beside the store.
const (
	snapshotSuffix = ".snapshot"
	searchSuffix   = ".search"
)

// watch has passes counted, and those on schedule told to the URL to ping, and makes
// what copies the store.
func (d *Daemon) watch() error {
	d.pinger = newPinger(func() *pingTarget { return d.refresher.settings.Load().ping }, d.log, d.metrics.countPing)
	d.backups = newBackups(d.refresher.cfg, d.refresher.store, d.refresher.health, d.log)
	d.refresher.onPass = func(report *record.Pass, scheduled bool) {
		d.metrics.countPass(report)
		if scheduled {
			d.pinger.tell(report)
		}
	}
	d.metrics.registry.MustRegister(collector{d})
	return d.recallSuccess()
}

// recallSuccess has the metrics tell the last success of an earlier run.
func (d *Daemon) recallSuccess() error {
	passes, err := d.refresher.store.Passes(time.Now().Add(-status.PassesShown))
	if err != nil {
		return err
	}
	for i := range passes { // the latest first
		ended := passes[i].Started.Add(passes[i].Duration())
		if passResult(&passes[i]) == passOK && !ended.After(time.Now()) { // by a clock that was ahead, it is no news of now
			d.metrics.succeeded(ended)
			break
		}
	}
	return nil
}

// openFollowers opens what keeps up with the store.
func (d *Daemon) openFollowers() (err error) {
	served := Rendering(d.cfg)
	served.Base = d.cfg.HTTP.LinkBase(d.listener.Addr().String()) // the port that was free, if any would do
	if d.snapshots, err = snapshot.New(d.cfg.Store.Path+snapshotSuffix, d.refresher.store, served, d.log); err != nil {
		return err
	}
	if d.index, err = search.Open(d.cfg.Store.Path+searchSuffix, d.refresher.store, d.log); err != nil {
		return err
	}
	if m := d.refresher.member; m != nil {
		m.rebuilt = func() {
			d.index.Renew()
			d.snapshots.Renew()
		}
	}
	return nil
}

func (d *Daemon) newAPI() (http.Handler, error) {
	pagesChanged, err := d.refresher.store.Dated("pages", fmt.Sprintf("max_limit=%d", d.cfg.HTTP.MaxLimit))
	if err != nil {
		return nil, err
	}
	o := api.Options{
		Store: d.refresher.store, Snapshots: d.snapshots, Searcher: searcher{d.index}, Activity: d.activity,
		PublicURL: d.cfg.HTTP.PublicURL, Site: api.Site(d.cfg.Site), TrustedProxies: d.cfg.HTTP.TrustedProxies,
		Location: d.cfg.HTTP.TimeZone, MaxLimit: d.cfg.HTTP.MaxLimit, PagesChanged: pagesChanged, Read: d.refresher.reads.Count,
		MaxWaits: (d.cfg.HTTP.MaxConnections + 1) / 2, Log: d.log,
	}
	if d.admin != nil {
		o.Observe = d.metrics.countRequest
	}
	if m := d.refresher.member; m != nil {
		o.Newest = m.newest
	}
	d.status = api.NewStatus(o)
	return api.New(o)
}

func (d *Daemon) newServer(handler http.Handler) *api.Server {
	h := &d.cfg.HTTP
	return api.NewServer(api.ServerOptions{
		Handler: handler, Log: d.log, LogRequests: h.LogRequests, CrossOrigin: h.CrossOrigin,
		Context:        d.running, // whoever waits for a change is let go at a stop
		MaxConnections: h.MaxConnections, MaxPerAddress: h.MaxConnectionsPerAddress, TrustedProxies: h.TrustedProxies,
	})
}

// Address returns where the API listens.
func (d *Daemon) Address() net.Addr { return d.listener.Addr() }

// Run serves, and runs a first pass at once and further ones on schedule. It
// returns when the daemon was stopped and everything is closed: what has arrived
// is stored, what was being answered has been answered. The error is nil unless a
// listener broke or something could not be closed.
func (d *Daemon) Run() error {
	defer setGC(gcPercent)()
	defer setMemoryLimit()()
	defer addProcessor()()
	var others sync.WaitGroup
	serve := func(s interface{ Serve(net.Listener) error }, l net.Listener) {
		others.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				d.stop(fmt.Errorf("serve %s: %w", l.Addr(), err))
			}
		})
	}
	if d.admin != nil {
		serve(d.admin, d.adminListener)
		d.log.Info().Str("listen", d.AdminAddress().String()).Msg("metrics at http://" + d.AdminAddress().String() + "/metrics")
	}
	serve(d.server, d.listener)
	serve(d.control.server, d.control.listener)
	d.log.Info().Str("listen", d.Address().String()).Msg("serving http://" + d.Address().String() + "/api/v4/")

	others.Go(func() { d.pinger.run(d.running) })
	others.Go(func() {
		d.snapshots.Run(d.running, func(err error) { d.refresher.health.report(problemSnapshot, err) })
	})
	others.Go(func() {
		if err := d.index.Run(d.running); err != nil {
			d.log.Error().Err(err).Msg("the search finds what it found so far, and nothing newer")
		}
	})
	others.Go(func() { d.systemd.run(d.running) })
	others.Go(func() { d.refresher.health.run(d.running, d.scheduler.runSoon) })
	others.Go(func() { d.backups.run(d.running) })
	if m := d.refresher.member; m != nil {
		others.Go(func() { m.run(d.running) })
	}
	d.scheduler.run(d.running) // until the daemon is stopped and the pass has stored what arrived

	err := d.shutdown()
	others.Wait()
	return errors.Join(d.fault(), err, d.release())
}

// Stop has Run end in order, and does not wait for it.
func (d *Daemon) Stop() { d.stop(errStopped) }

// fault returns what the daemon stopped for, nil where it was told to.
func (d *Daemon) fault() error {
	if cause := context.Cause(d.running); !errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

// shutdown lets the servers finish what they answer, at the same time: none may use
// up what the others have.
func (d *Daemon) shutdown() error {
	grace, cancel := context.WithTimeout(context.Background(), d.grace)
	defer cancel()
	var errs [3]error
	var others sync.WaitGroup
	others.Go(func() { errs[0] = d.control.shutdown(grace) })
	if d.admin != nil {
		others.Go(func() { errs[1] = d.admin.Shutdown(grace) })
	}
	errs[2] = d.server.Shutdown(grace)
	others.Wait()
	return errors.Join(errs[:]...)
}

// release closes what is open, the store last. A reload that has begun ends first.
func (d *Daemon) release() error {
	d.Stop()
	d.reloading.Lock()
	defer d.reloading.Unlock()
	var errs []error
	if d.control != nil {
		errs = append(errs, d.control.remove())
	}
	if d.listener != nil {
		_ = d.listener.Close() // the server has closed it, unless New failed
	}
	if d.adminListener != nil {
		_ = d.adminListener.Close()
	}
	if d.index != nil {
		errs = append(errs, d.index.Close())
	}
	if d.refresher != nil {
		if m := d.refresher.member; m != nil {
			errs = append(errs, m.close())
		}
		errs = append(errs, d.refresher.store.Close())
	}
	return errors.Join(errs...)
}

// searcher lets the API search the index.
type searcher struct{ index *search.Index }

func (s searcher) Search(ctx context.Context, query string, limit int) ([]api.Hit, error) {
	found, err := s.index.Search(ctx, query, limit)
	if errors.Is(err, search.ErrNotReady) || errors.Is(err, search.ErrClosed) {
		err = fmt.Errorf("%w: %w", api.ErrNotReady, err)
	}
	hits := make([]api.Hit, len(found))
	for i, hit := range found {
		hits[i] = api.Hit(hit)
	}
	return hits, err
}

func (s searcher) State() status.Search {
	x := s.index.State()
	state := status.Search{State: string(x.Standing), Since: x.Since, Sequence: x.Sequence}
	if x.Err != nil {
		state.LastError = x.Err.Error()
	}
	return state
}
