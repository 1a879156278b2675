package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
	"pkgmetad/store"
)

// ErrNoCatalogue is the error of a start whose catalogue file is bad while the
// store holds no earlier catalogue to go on with.
var ErrNoCatalogue = errors.New("no usable catalogue")

// Reload reads the configuration and the catalogue again. Both are checked whole, then
// put in force together, and what is new is fetched within a minute. Where one of them
// is bad its error names every mistake, and all stays as it was. A catalogue that lacks
// more of the packages than catalogue.max_removed allows is refused, unless
// allowRemovals. A daemon that is stopping reloads nothing.
func (d *Daemon) Reload(allowRemovals bool) (err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.running.Err() != nil {
		return nil
	}
	d.systemd.reloading()
	defer d.systemd.ready()
	r := d.refresher
	r.health.tell() // it may be repaired now
	defer r.health.tell()
	defer func() {
		if err != nil {
			d.log.Error().Msg("reload refused: " + err.Error())
		}
		r.noteReload(err)
		d.metrics.countReload(err)
	}()

	cfg, waiting, err := d.loadConfig()
	if err != nil {
		return err
	}
	if err := checkFolders(cfg); err != nil {
		return err
	}
	next, err := r.newSettings(cfg)
	if err != nil {
		return err
	}
	if err := r.takeOverCatalogue(cfg, allowRemovals); err != nil {
		return err
	}
	r.fetcher.Configure(r.apply(next))
	d.scheduler.follow(plan{cfg.Schedule.Cron, cfg.Schedule.TimeZone})
	d.backups.tryAgain()
	if err := d.setLogLevel(cfg.Log.Level); err != nil {
		d.log.Warn().Msg(err.Error()) // config.Load has checked it
	}
	r.warnOf(settingsWarnings(cfg))
	if len(waiting) > 0 {
		d.log.Warn().Msg("changed, and in force after a restart: " + strings.Join(waiting, ", "))
	}
	r.tellCredentials()
	d.log.Info().Msg("configuration and catalogue reloaded")
	d.scheduler.runSoon()
	return nil
}

// noteReload notes how it went to take the files over.
func (r *refresher) noteReload(err error) {
	last := &status.Reload{At: time.Now()}
	if err != nil {
		last.Error = err.Error()
	}
	r.reloaded.Store(last)
}

// loadConfig returns the configuration to go by, and the keys of it that have changed
// and take a restart.
func (d *Daemon) loadConfig() (cfg *config.Config, waiting []string, err error) {
	if d.load == nil {
		return d.refresher.cfg(), nil, nil
	}
	if cfg, err = d.load(); err != nil {
		return nil, nil, err
	}
	return cfg, config.KeepUntilRestart(cfg, d.refresher.cfg()), nil
}

// startCatalogue takes the catalogue file over, unless the store has done so
// before. Where the file is bad, the earlier catalogue goes on.
func (r *refresher) startCatalogue() error {
	cfg := r.cfg()
	digest := catalogue.Digest(cfg.Catalogue.Path, cfg.GitHub.URLHost)
	if digest != nil && bytes.Equal(digest, r.store.CatalogueDigest()) && r.store.Synced() {
		r.log.Info().Msg("catalogue as before, from " + cfg.Catalogue.Path)
		return nil
	}
	err := r.takeOverCatalogue(cfg, false)
	if err != nil && r.store.Synced() {
		r.noteReload(err)
		r.log.Error().Msg(err.Error())
		return nil
	}
	return err
}

// takeOverCatalogue syncs the store with the catalogue file that cfg names, once the
// file has been checked whole.
func (r *refresher) takeOverCatalogue(cfg *config.Config, allowRemovals bool) error {
	defer setGC(100)() // a large catalogue is much that lives, for a moment: see gcPercent
	// The digest comes first: should the file change meanwhile, the next start
	// sees that it did and reads it again.
	digest := catalogue.Digest(cfg.Catalogue.Path, cfg.GitHub.URLHost)
	next, err := catalogue.Load(cfg.Catalogue.Path)
	if err != nil {
		return r.badCatalogue(err)
	}
	next.Digest = digest
	if !allowRemovals {
		if err := r.guardRemovals(cfg, next); err != nil {
			return err
		}
	}
	var report store.SyncReport
	sync := func() (err error) {
		report, err = r.store.SyncCatalogue(next, time.Now())
		return err
	}
	if r.member == nil {
		err = sync()
	} else if err = r.member.alone(r.member.running, sync); err == nil {
		r.member.offersSoon()
	}
	if errors.Is(err, store.ErrContradiction) {
		return r.badCatalogue(err)
	}
	if err != nil {
		return err // the store's fault, not the file's
	}
	r.warnOf(catalogue.Warnings(next))
	for _, problem := range report.Problems {
		r.log.Warn().Msg(cannotAsk(problem))
	}
	r.log.Info().Int("packages", len(next.Packages)).
		Int("added", report.Added).Int("changed", report.Changed).Int("restored", report.Restored).Int("removed", report.Removed).
		Msg("catalogue taken over from " + cfg.Catalogue.Path)
	return nil
}

// removalsAlways may leave the catalogue at once, however few packages there are.
const removalsAlways = 10

// guardRemovals refuses a catalogue that lacks so many of the packages that are served
// that the file may have been cut short.
func (r *refresher) guardRemovals(cfg *config.Config, next record.Catalogue) error {
	removed, live, err := r.store.Removals(next)
	if errors.Is(err, store.ErrContradiction) {
		return r.badCatalogue(err)
	}
	if err != nil || removed <= max(removalsAlways, live*cfg.Catalogue.MaxRemoved/100) {
		return err
	}
	return fmt.Errorf("the catalogue %s lacks %d of the %d packages that are served, more than catalogue.max_removed (%d %%) allows; it stays as it was. "+
		"If they are meant to go, accept it once with: pkgmetad reload --allow-removals",
		cfg.Catalogue.Path, removed, live, cfg.Catalogue.MaxRemoved)
}

// badCatalogue says what follows from a catalogue file that cannot be taken over.
func (r *refresher) badCatalogue(err error) error {
	if !r.store.Synced() {
		return fmt.Errorf("%w: %w", ErrNoCatalogue, err)
	}
	return fmt.Errorf("the catalogue file is bad, so the catalogue stays as it was: %w", err)
}
