package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/render"
	"pkgmetad/internal/strict"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

// parts are what serve and refresh are made of.
type parts struct {
	cfg     *config.Config
	log     zerolog.Logger
	store   *store.Store
	github  *github.Client
	pypi    *pypi.Client
	fetcher *fetcher.Fetcher

	passSince atomic.Pointer[time.Time] // when the pass that runs now began; nil for none
}

// openStore opens the store that cfg names. Only the daemon has packages rendered
// anew that were rendered under other settings; a new file begins with those of cfg.
func openStore(cfg *config.Config, rerender bool) (*store.Store, error) {
	return store.Open(cfg.Store.Path, store.Options{
		LockWait: cfg.Store.LockWait, MaxSize: int(cfg.Store.MaxSize), Refer: fetcher.Refer(cfg.GitHub.URLHost),
		Render: render.New, Rendering: rendering(cfg).Name(), Rerender: rerender,
	})
}

// rendering is how records are served.
func rendering(cfg *config.Config) render.Rendering {
	return render.Rendering{Zone: cfg.HTTP.TimeZone, Base: linkBase(cfg, cfg.HTTP.Listen)}
}

// linkBase is what stands before the links of answers that are no answer to one
// request: the snapshot, and the feed of changes.
func linkBase(cfg *config.Config, listen string) string {
	return cmp.Or(cfg.HTTP.PublicURL, "http://"+reachable(listen))
}

// openParts opens the store and builds the clients and the fetcher. Close the
// store when done.
func openParts(cfg *config.Config, log zerolog.Logger, rerender bool) (*parts, error) {
	gh, err := github.New(github.Options{
		BaseURL: cfg.GitHub.BaseURL, Token: cfg.GitHub.Token.Reveal(), UserAgent: userAgent(cfg.PyPI.Contact),
		Timeout: cfg.GitHub.Timeout, Reserve: cfg.GitHub.Reserve,
	})
	if err != nil {
		return nil, err
	}
	py, err := pypi.New(pypi.Options{
		BaseURL: cfg.PyPI.BaseURL, UserAgent: userAgent(cfg.PyPI.Contact), Timeout: cfg.PyPI.Timeout,
	})
	if err != nil {
		return nil, err
	}
	st, err := openStore(cfg, rerender)
	if err != nil {
		return nil, err
	}
	return &parts{cfg: cfg, log: log, store: st, github: gh, pypi: py, fetcher: fetcher.New(fetcher.Options{
		Store: st, GitHub: gh, PyPI: py, Log: log,
		Workers: cfg.Refresh.Workers, MaxSources: cfg.Refresh.MaxPackages, PendingWait: cfg.Refresh.PendingWait,
		Policy: fetcher.Policy{StaleAfter: cfg.Refresh.StaleAfter, RetryMin: cfg.Refresh.RetryMin, RetryMax: cfg.Refresh.RetryMax},
	})}, nil
}

// What is wrong with a catalogue file that is bad: with an earlier catalogue
// in the store, that one goes on; without, there is nothing to go on with.
var (
	errStaleCatalogue = errors.New("the catalogue file is bad, so the catalogue stays as it was")
	errNoCatalogue    = errors.New("no usable catalogue")
)

// startCatalogue is syncCatalogue, unless the store has taken over this very
// file before.
func (p *parts) startCatalogue() error {
	if digest := catalogue.Digest(p.cfg.Catalogue.Path, p.cfg.GitHub.URLHost); digest != nil && bytes.Equal(digest, p.store.CatalogueDigest()) && p.store.Ready() == nil {
		p.log.Info().Msg("catalogue as before, from " + p.cfg.Catalogue.Path)
		return nil
	}
	return p.syncCatalogue()
}

// syncCatalogue takes the catalogue file over into the store. Its error wraps
// errStaleCatalogue or errNoCatalogue where the file is to blame.
func (p *parts) syncCatalogue() error {
	defer setGC(100)()                                                     // a large catalogue is much that lives, for a moment: see gcPercent
	digest := catalogue.Digest(p.cfg.Catalogue.Path, p.cfg.GitHub.URLHost) // before it is read: should it change meanwhile, it is read again at the next start
	next, err := catalogue.Load(p.cfg.Catalogue.Path)
	next.Digest = digest
	var report store.SyncReport
	if err == nil {
		report, err = p.store.SyncCatalogue(next, time.Now())
	}
	var file *strict.FileError
	switch {
	case err == nil:
	case !errors.As(err, &file) && !errors.Is(err, store.ErrContradiction):
		return err // the store's fault, not the file's
	case p.store.Ready() != nil:
		return fmt.Errorf("%w: %w", errNoCatalogue, err)
	default:
		return fmt.Errorf("%w: %w", errStaleCatalogue, err)
	}
	for _, problem := range report.Problems {
		p.log.Warn().Msg(problem + "; the package is served, and this half of it never fetched")
	}
	p.log.Info().Int("packages", len(next.Packages)).
		Int("added", report.Added).Int("changed", report.Changed).Int("restored", report.Restored).Int("removed", report.Removed).
		Msg("catalogue taken over from " + p.cfg.Catalogue.Path)
	return nil
}

// warn tells what works, but not as well as it could.
func (p *parts) warn() {
	for _, w := range p.cfg.Warnings {
		p.log.Warn().Msg(w)
	}
	if p.cfg.GitHub.Token.Empty() {
		p.log.Warn().Msg("no GitHub token: GitHub answers 60 requests an hour, about 15 packages; with one (github.token_file or GITHUB_TOKEN) it answers 5000")
	} else {
		p.log.Info().Msg("GitHub token from " + p.cfg.GitHub.TokenSource)
	}
	if p.cfg.PyPI.Contact == "" {
		p.log.Warn().Msg("pypi.contact is empty: GitHub and PyPI ask for a contact in the User-Agent, and block who has none first")
	}
}
