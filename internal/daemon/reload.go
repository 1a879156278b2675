package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"pkgmetad/internal/catalogue"
	"pkgmetad/store"
)

// ErrNoCatalogue is the error of a start whose catalogue file is bad while the
// store holds no earlier catalogue to go on with.
var ErrNoCatalogue = errors.New("no usable catalogue")

// Reload takes the catalogue file over again and has what is new in it fetched
// within a minute. Where the file is bad, its error names every mistake, and the
// catalogue stays as it was. A daemon that is stopping reloads nothing.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.running.Err() != nil {
		return nil
	}
	d.refresher.health.tell() // it may be repaired now
	defer d.refresher.health.tell()
	if err := d.refresher.takeOverCatalogue(); err != nil {
		return err
	}
	d.scheduler.runSoon()
	return nil
}

// startCatalogue takes the catalogue file over, unless the store has done so
// before. Where the file is bad, the earlier catalogue goes on.
func (r *refresher) startCatalogue() error {
	digest := catalogue.Digest(r.cfg.Catalogue.Path, r.cfg.GitHub.URLHost)
	if digest != nil && bytes.Equal(digest, r.store.CatalogueDigest()) && r.store.Synced() {
		r.log.Info().Msg("catalogue as before, from " + r.cfg.Catalogue.Path)
		return nil
	}
	err := r.takeOverCatalogue()
	if err != nil && r.store.Synced() {
		r.log.Error().Msg(err.Error())
		return nil
	}
	return err
}

// takeOverCatalogue takes the catalogue file over into the store: all of it, or
// nothing.
func (r *refresher) takeOverCatalogue() error {
	defer setGC(100)() // a large catalogue is much that lives, for a moment: see gcPercent
	// The digest comes first: should the file change meanwhile, the next start
	// sees that it did and reads it again.
	digest := catalogue.Digest(r.cfg.Catalogue.Path, r.cfg.GitHub.URLHost)
	next, err := catalogue.Load(r.cfg.Catalogue.Path)
	if err != nil {
		return r.badCatalogue(err)
	}
	next.Digest = digest
	report, err := r.store.SyncCatalogue(next, time.Now())
	if errors.Is(err, store.ErrContradiction) {
		return r.badCatalogue(err)
	}
	if err != nil {
		return err // the store's fault, not the file's
	}
	for _, problem := range report.Problems {
		r.log.Warn().Msg(problem + "; the package is served, and this half of it never fetched")
	}
	r.log.Info().Int("packages", len(next.Packages)).
		Int("added", report.Added).Int("changed", report.Changed).Int("restored", report.Restored).Int("removed", report.Removed).
		Msg("catalogue taken over from " + r.cfg.Catalogue.Path)
	return nil
}

// badCatalogue says what follows from a catalogue file that cannot be taken over.
func (r *refresher) badCatalogue(err error) error {
	if !r.store.Synced() {
		return fmt.Errorf("%w: %w", ErrNoCatalogue, err)
	}
	return fmt.Errorf("the catalogue file is bad, so the catalogue stays as it was: %w", err)
}
