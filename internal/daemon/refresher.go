package daemon

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/reads"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/status"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

// refresher is what keeps a store fresh: the store, its catalogue, both clients
// and the passes. The daemon has one, and so has a refresh without a daemon.
type refresher struct {
	version  string
	log      zerolog.Logger
	fetchLog zerolog.Logger
	store    *store.Store
	fetcher  *fetcher.Fetcher
	settings atomic.Pointer[settings]

	health    *health
	member    *member        // this host's part among several; nil where it is alone
	leases    *leases        // likewise
	reads     *reads.Counter // of packages, by readers of the API
	compacted time.Time      // when that was last tried; for the goroutine of passes

	onPass   func(report *record.Pass, scheduled bool) // told of each pass that ended; nil for nobody
	reloaded atomic.Pointer[status.Reload]             // the last reload, or a start that found the catalogue bad and goes on with an earlier one; nil for neither

	passSince    atomic.Pointer[time.Time]        // when the pass on schedule that runs now began; nil for none
	passing      atomic.Int32                     // how many run
	passProgress atomic.Pointer[fetcher.Progress] // how far it is; nil before its first source
	paused       atomic.Pointer[time.Time]        // since when no pass starts on schedule; nil where they do
}

// settings are what a reload replaces.
type settings struct {
	cfg    *config.Config
	github *github.Client
	pypi   *pypi.Client
	ping   *pingTarget
}

// hold returns why nothing of a class may be asked now, and until when.
func (s *settings) hold(class string) upstream.Hold {
	if class == cluster.ClassPyPI {
		return s.pypi.Hold()
	}
	return s.github.Hold()
}

// cfg returns the configuration that is in force.
func (r *refresher) cfg() *config.Config { return r.settings.Load().cfg }

// outdated reports whether configuration or catalogue was refused when it was last
// read, and an earlier one goes on.
func (r *refresher) outdated() bool {
	last := r.reloaded.Load()
	return last != nil && last.Error != ""
}

// openMode says what opening a store does to records that were rendered under
// other settings than those of the configuration.
type openMode bool

const (
	openAsIs      openMode = false // they stay as they are, and others are rendered like them
	openAndRender openMode = true  // they are rendered anew, which the readers' daemon alone may do
)

// OpenStore opens the store that cfg names, for a command to work on. Records stay
// rendered as they are; a new store begins with the settings of cfg. migrating is as in
// [store.Options].
func OpenStore(cfg *config.Config, migrating func(sentence string)) (*store.Store, error) {
	return openStore(cfg, openAsIs, migrating)
}

func openStore(cfg *config.Config, mode openMode, migrating func(sentence string)) (*store.Store, error) {
	o := storeOptions(cfg, mode)
	o.Migrating = migrating
	return store.Open(cfg.Store.Path, o)
}

func storeOptions(cfg *config.Config, mode openMode) store.Options {
	return store.Options{
		LockWait: cfg.Store.LockWait, MaxSize: int(cfg.Store.MaxSize), Refer: fetcher.Refer(cfg.GitHub.URLHost),
		Render: render.New, Rendering: Rendering(cfg).Name(), Rerender: bool(mode), Replica: cfg.Cluster.Enabled(),
	}
}

// Rendering returns how the records of cfg's store are served.
func Rendering(cfg *config.Config) render.Rendering {
	return render.Rendering{Zone: cfg.HTTP.TimeZone, Base: cfg.HTTP.LinkBase(cfg.HTTP.Listen)}
}

// newRefresher opens the store and builds the clients and the fetcher. Close the
// store when done.
func newRefresher(o Options, fetchLog zerolog.Logger, mode openMode) (*refresher, error) {
	r := &refresher{version: o.Version, log: o.Log, fetchLog: fetchLog, reads: reads.New()}
	if o.Config.Cluster.Enabled() {
		r.leases = newLeases(o.Config, o.Log, r.settings.Load)
	}
	next, err := r.newSettings(o.Config)
	if err != nil {
		return nil, err
	}
	if r.store, err = openStore(o.Config, mode, func(sentence string) { o.Log.Warn().Msg(sentence) }); err != nil {
		return nil, err
	}
	r.health = newHealth(r.store, o.Log)
	r.fetcher = fetcher.New(r.apply(next))
	return r, nil
}

// newSettings makes what is new in cfg. A client whose settings are as before is kept:
// it knows what its upstream allows.
func (r *refresher) newSettings(cfg *config.Config) (next *settings, err error) {
	next = &settings{cfg: cfg}
	userAgent := upstream.UserAgent(r.version, cfg.PyPI.Contact, cfg.Cluster.Name)
	if next.ping, err = newPingTarget(cfg.Notify.PingURL, userAgent); err != nil {
		return nil, err
	}
	before := r.settings.Load()
	if before != nil && reflect.DeepEqual(before.cfg.GitHub, cfg.GitHub) && before.cfg.PyPI.Contact == cfg.PyPI.Contact {
		next.github = before.github
	} else {
		o := github.Options{
			BaseURL: cfg.GitHub.BaseURL, Credentials: credentials(cfg.GitHub), UserAgent: userAgent, Log: r.log,
			Timeout: cfg.GitHub.Timeout, Reserve: cfg.GitHub.Reserve, APIVersion: string(cfg.GitHub.APIVersion), GraphQL: cfg.GitHub.Strategy == "auto",
		}
		if r.leases != nil {
			o.FingerprintKey, o.Usable = r.leases.secret, r.leases.usable
			o.Transport = leased{upstream.NewTransport(), r.leases}
		}
		if next.github, err = github.New(o); err != nil {
			return nil, err
		}
	}
	pypiOptions := r.pypiOptions(cfg)
	if before != nil && reflect.DeepEqual(r.pypiOptions(before.cfg), pypiOptions) {
		next.pypi = before.pypi
		return next, nil
	}
	if r.leases != nil {
		pypiOptions.Usable = func() bool { return r.leases.usable(pypiLease) }
		pypiOptions.Transport = leased{upstream.NewTransport(), r.leases}
	}
	next.pypi, err = pypi.New(pypiOptions)
	return next, err
}

func (r *refresher) pypiOptions(cfg *config.Config) pypi.Options {
	return pypi.Options{
		BaseURL: cfg.PyPI.BaseURL, UserAgent: upstream.UserAgent(r.version, cfg.PyPI.Contact, cfg.Cluster.Name), Timeout: cfg.PyPI.Timeout,
		Concurrency: cfg.PyPI.Concurrency, Rate: cfg.PyPI.Rate,
	}
}

// credentials returns what GitHub is asked with; none is anonymous.
func credentials(cfg config.GitHub) (all []github.Credential) {
	if !cfg.Token.Empty() {
		all = append(all, github.Credential{Name: "default", Source: cfg.TokenSource, Token: cfg.Token.Reveal()})
	}
	for _, c := range cfg.Credentials {
		if c.Secret.Empty() {
			continue // the configuration warns of it
		}
		next := github.Credential{Name: c.Name, Source: c.Source()}
		switch {
		case c.App != config.App{}:
			next.App = &github.AppKey{ID: int64(c.App.ID), Installation: int64(c.App.Installation), Key: []byte(c.Secret.Reveal())}
		case c.OAuth != config.OAuth{}:
			next.OAuth = &github.OAuthApp{ID: c.OAuth.ID, Secret: c.Secret.Reveal()}
		default:
			next.Token = c.Secret.Reveal()
		}
		all = append(all, next)
	}
	return all
}

// apply puts settings in force, but for those of the fetcher, which it returns. A pass
// that runs goes on with those that it began with.
func (r *refresher) apply(next *settings) fetcher.Options {
	before := r.settings.Swap(next)
	if before != nil && before.github != next.github {
		before.github.CloseIdle()
	}
	if before != nil && before.pypi != next.pypi {
		before.pypi.CloseIdle()
	}
	if r.leases != nil {
		r.leases.want(next.github)
	}
	refresh := next.cfg.Refresh
	o := fetcher.Options{
		Store: r.store, GitHub: next.github, PyPI: next.pypi, Log: r.fetchLog,
		Workers: refresh.Workers, MaxSources: refresh.MaxPackages, PendingWait: refresh.PendingWait, Reads: r.reads.All,
		PyPIWorkers: next.cfg.PyPI.Concurrency, IndexAbove: next.cfg.PyPI.IndexAbove,
		Policy: fetcher.Policy{StaleAfter: refresh.StaleAfter, ActiveAfter: refresh.ActiveAfter, RetryMin: refresh.RetryMin, RetryMax: refresh.RetryMax},
	}
	if r.member != nil {
		for _, l := range r.member.lines {
			l.configure(o)
		}
	}
	return o
}

// Refresh opens the store, runs the pass that is asked for, and closes the store:
// a refresh where no daemon runs. One goroutine calls progress after each source.
//
// Progress and the report tell a person what failed, so the log repeats it only at
// the levels debug and trace.
func Refresh(ctx context.Context, o Options, which Selection, progress func(fetcher.Progress)) (report record.Pass, err error) {
	fetchLog := o.Log
	if level := o.Log.GetLevel(); level >= zerolog.InfoLevel {
		o.Log = o.Log.Level(max(level, zerolog.WarnLevel))
		fetchLog = o.Log.Level(max(level, zerolog.ErrorLevel))
	}
	if o.Config.Cluster.Enabled() {
		return report, errors.New("this host is one of several, and nothing is fetched without its daemon: start pkgmetad serve, then ask again")
	}
	r, err := newRefresher(o, fetchLog, openAsIs)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	if err := r.startCatalogue(); err != nil {
		return report, err
	}
	return r.refresh(ctx, which, progress)
}
