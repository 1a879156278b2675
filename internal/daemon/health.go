package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
	"pkgmetad/store"
)

// Kinds of [record.Problem] that the daemon has, beside those of the store.
const (
	problemBackup   = "backup"   // no backup could be made
	problemSnapshot = "snapshot" // no snapshot could be made
	problemSearch   = "search"   // the search index cannot be opened, or cannot follow the store
)

const (
	lookEvery  = 10 * time.Second // at what the store says of itself
	probeEvery = time.Minute      // of writes that fail
)

// health knows what is wrong with the program itself: with its store, and whatever else
// was reported to it. Each problem is logged once when it begins and once when it is
// over; the status and /readyz show it for as long as it lasts.
type health struct {
	store *store.Store
	log   zerolog.Logger

	mu       sync.Mutex
	reported map[string]record.Problem // by kind, of others than the store
	told     map[string]bool           // kinds that were logged as problems
}

func newHealth(s *store.Store, log zerolog.Logger) *health {
	return &health{store: s, log: log, reported: map[string]record.Problem{}, told: map[string]bool{}}
}

// report is told how something went that the store does not know of: an error is a
// problem of that kind until nil is reported.
func (h *health) report(kind string, err error) {
	h.mu.Lock()
	if err == nil {
		delete(h.reported, kind)
	} else {
		p, known := h.reported[kind]
		if !known {
			p = record.Problem{Kind: kind, Since: time.Now().UTC()}
		}
		p.Detail = err.Error()
		h.reported[kind] = p
	}
	h.mu.Unlock()
	h.tell()
}

// problems returns all that is wrong now and that h knows of.
func (h *health) problems() []record.Problem {
	all := h.store.Problems()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, kind := range []string{problemBackup, problemSnapshot} {
		if p, ok := h.reported[kind]; ok {
			all = append(all, p)
		}
	}
	return all
}

// problems returns all that is wrong with the program itself now.
func (d *Daemon) problems() []record.Problem {
	all := d.refresher.health.problems()
	if s := d.index.State(); s.Err != nil { // the index logs by itself
		all = append(all, record.Problem{Kind: problemSearch, Since: s.Since.UTC(), Detail: s.Err.Error()})
	}
	return all
}

// tell logs what has begun or ended since the last call.
func (h *health) tell() {
	now := map[string]bool{}
	problems := h.problems()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range problems {
		now[p.Kind] = true
		if !h.told[p.Kind] {
			h.told[p.Kind] = true
			h.log.Error().Str("problem", p.Kind).Str("error", p.Detail).Msg(meaning(p.Kind))
		}
	}
	for kind := range h.told {
		if !now[kind] {
			delete(h.told, kind)
			h.log.Info().Str("problem", kind).Msg("that is over; it works again")
		}
	}
}

// meaning says what a problem means for what the daemon does.
func meaning(kind string) string {
	switch kind {
	case store.ProblemFile:
		return "the store's file is gone: nothing is fetched until it is back, and the records are served as they were"
	case store.ProblemDamage:
		return "the store is damaged: /readyz says so until a reload or a restart has repaired it"
	case store.ProblemWrites:
		return "nothing can be written to the store: nothing is fetched until a trial write works"
	case problemBackup:
		return "no backup could be made; another attempt is made within the hour"
	case problemSnapshot:
		return "no new snapshot could be made, so the old one is still served; another attempt is made every minute"
	}
	return "something is wrong"
}

// writable returns nil if what a pass learns can be stored.
func (h *health) writable() error {
	err := h.store.Writable()
	h.tell()
	if err != nil {
		return fmt.Errorf("nothing is fetched, since nothing can be stored: %w", err)
	}
	return nil
}

// run looks after the store until ctx ends. It calls recovered when writes that failed
// work again.
func (h *health) run(ctx context.Context, recovered func()) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	failed, probed := false, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		h.tell()
		switch now := h.failsToWrite(); {
		case now && !failed:
			failed, probed = true, time.Now()
		case now && time.Since(probed) >= probeEvery:
			probed = time.Now()
			_ = h.writable() // which tells how that went
		}
		if failed && !h.failsToWrite() {
			failed = false
			recovered()
		}
	}
}

// failsToWrite reports whether a write, or the last look at the file, has failed.
func (h *health) failsToWrite() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told[store.ProblemWrites] || h.told[store.ProblemFile]
}

// checkFolders fails, with what to do about it, if one of the folders that the daemon
// writes to cannot be written to: better at the start than at the first write.
func checkFolders(cfg *config.Config) error {
	var problems []error
	folder, fails := filepath.Dir(cfg.Store.Path), false // of the store
	for _, f := range []struct{ path, key, what string }{
		{folder, "store.path", "keeps its database, and what it makes of it, there"},
		{orParent(cfg.Store.Path + snapshotSuffix), "store.path", "keeps the snapshot there"},
		{orParent(cfg.Store.Path + searchSuffix), "store.path", "keeps the search index there"},
		{orParent(cfg.Store.Backup.Folder), "store.backup.folder", "puts its backups there"},
	} {
		if f.path == "" {
			continue
		}
		if err := CheckFolder(f.path); err != nil {
			if within := f.path == folder || filepath.Dir(f.path) == folder; within && fails {
				continue // told of already
			}
			fails = fails || f.path == folder
			problems = append(problems, fmt.Errorf("%s: %w; the daemon %s: let its user write there", f.key, err, f.what))
		}
	}
	return errors.Join(problems...)
}

// orParent returns path or, where there is no such folder yet, the one that it would be
// in.
func orParent(path string) string {
	if info, err := os.Stat(path); path != "" && (err != nil || !info.IsDir()) {
		return filepath.Dir(path)
	}
	return path
}

// CheckFolder fails if files cannot be made in a folder. A full disk is no such case.
func CheckFolder(path string) error {
	f, err := os.CreateTemp(path, ".pkgmetad-*")
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return nil
	case err != nil:
		return fmt.Errorf("the folder %s cannot be written to: %w", path, strict.Cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
