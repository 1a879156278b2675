package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/config"
	"pkgmetad/internal/durable"
	"pkgmetad/internal/strict"
	"pkgmetad/store"
)

// Backup puts a copy of cfg's store at path, in place of an earlier one: from the daemon
// where one runs, else from the file. The copy is checked before it takes its place.
func Backup(ctx context.Context, cfg *config.Config, path string) (store.Report, error) {
	if isFile(path, cfg.Store.Path) {
		return store.Report{}, fmt.Errorf("%s is the store itself; name another file", path)
	}
	if err := store.MayReplace(path); err != nil {
		return store.Report{}, fmt.Errorf("no backup is made: %w", err)
	}
	running := Dial(ctx, cfg)
	return keepCopy(cfg, path, func(w io.Writer) error {
		if running != nil {
			return running.Backup(ctx, w)
		}
		return store.BackupFile(cfg.Store.Path, storeOptions(cfg, openAsIs), w)
	})
}

func isFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// unfinished is what the name of a copy ends with until it has been checked.
const unfinished = ".tmp"

// keepCopy has a copy of cfg's store written beside path, checks it, and moves it to
// path. A copy that is not good is removed.
func keepCopy(cfg *config.Config, path string, write func(io.Writer) error) (report store.Report, err error) {
	temporary := path + unfinished
	if err := durable.Create(temporary, 0o600, write); err != nil {
		return report, fmt.Errorf("write the backup %s: %w", path, err)
	}
	if err = store.MarkCopy(temporary); err == nil {
		report, err = store.CheckFile(temporary, storeOptions(cfg, openAsIs))
	}
	if err == nil && len(report.Findings) > 0 {
		err = fmt.Errorf("the copy is damaged, and so is the store: %s (findings: %d); pkgmetad check lists them", report.Findings[0], len(report.Findings)+report.More)
	}
	if err == nil {
		err = durable.Rename(temporary, path)
	}
	if err != nil {
		return report, errors.Join(fmt.Errorf("the backup %s was not kept: %w", path, err), os.Remove(temporary))
	}
	return report, nil
}

// Check checks the file or, where it is "", cfg's store. Where a daemon runs, it checks a
// copy of the store, since a check needs a file that stands still. name says what was
// checked.
func Check(ctx context.Context, cfg *config.Config, file string) (report store.Report, name string, err error) {
	if file == "" {
		file = cfg.Store.Path
	}
	running := Dial(ctx, cfg)
	if running == nil || !isFile(file, cfg.Store.Path) {
		report, err = store.CheckFile(file, storeOptions(cfg, openAsIs))
		return report, file, err
	}
	copied, err := os.CreateTemp(filepath.Dir(cfg.Store.Path), filepath.Base(cfg.Store.Path)+".check-*")
	if err != nil {
		return report, file, fmt.Errorf("copy the store to check it: %w", err)
	}
	defer func() { _ = os.Remove(copied.Name()) }()
	if err := errors.Join(running.Backup(ctx, copied), copied.Close()); err != nil {
		return report, file, fmt.Errorf("copy the store to check it: %w", err)
	}
	report, err = store.CheckFile(copied.Name(), storeOptions(cfg, openAsIs))
	return report, file, err
}

// Compact has cfg's store rewritten without its free pages: by the daemon where one
// runs. It returns its bytes before and after. migrating is as in [store.Options].
func Compact(ctx context.Context, cfg *config.Config, migrating func(sentence string)) (before, after int64, err error) {
	if running := Dial(ctx, cfg); running != nil {
		return running.Compact(ctx)
	}
	if _, err := os.Stat(cfg.Store.Path); err != nil {
		return 0, 0, fmt.Errorf("there is no store to compact: %w", err)
	}
	s, err := OpenStore(cfg, migrating)
	if err != nil {
		return 0, 0, err
	}
	before, after, err = s.Compact()
	return before, after, errors.Join(err, s.Close())
}

// backups copies a store into a folder on schedule, and keeps the last few copies.
type backups struct {
	cfg    func() *config.Config // the one in force
	store  *store.Store
	health *health
	log    zerolog.Logger
	again  chan struct{} // holds a token when there is reason to try again
	retry  time.Time     // after a failure: not before
}

func newBackups(cfg func() *config.Config, s *store.Store, h *health, log zerolog.Logger) *backups {
	return &backups{cfg: cfg, store: s, health: h, log: log, again: make(chan struct{}, 1)}
}

// tryAgain has a backup that failed tried again now rather than within the hour: the
// settings may be others.
func (b *backups) tryAgain() {
	select {
	case b.again <- struct{}{}:
	default:
	}
}

// retryBackup is how long a backup that failed waits for the next attempt.
const retryBackup = time.Hour

// run makes backups until ctx ends. What is there says when the last one was made, so a
// backup that fell due while no daemon ran is made up for at once.
func (b *backups) run(ctx context.Context) {
	ticker := time.NewTicker(resyncEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if b.cfg().Store.Backup.Folder == "" {
			b.health.report(problemBackup, nil)
		} else if now := time.Now(); b.due(now) {
			err := b.make(now)
			if err != nil {
				b.retry = now.Add(retryBackup)
			}
			b.health.report(problemBackup, err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-b.again:
			b.retry = time.Time{}
		}
	}
}

func (b *backups) due(now time.Time) bool {
	if now.Before(b.retry) && b.retry.Sub(now) <= retryBackup { // else the clock was set back
		return false
	}
	var last time.Time
	for _, name := range b.list() {
		if at := b.at(name); !at.After(now) && at.After(last) {
			last = at
		}
	}
	cfg := b.cfg()
	return last.IsZero() || !cfg.Store.Backup.Schedule.Next(last.In(cfg.Schedule.TimeZone)).After(now)
}

const backupTime = "20060102T150405Z"

// base returns what the name of every backup begins with, and what it ends with.
func (b *backups) base() (prefix, suffix string) {
	name := filepath.Base(b.cfg().Store.Path)
	suffix = filepath.Ext(name)
	return strings.TrimSuffix(name, suffix) + "-", suffix
}

// at returns when the backup of that name was made; zero if it is none.
func (b *backups) at(name string) time.Time {
	prefix, suffix := b.base()
	text, begins := strings.CutPrefix(name, prefix)
	text, ends := strings.CutSuffix(text, suffix)
	at, err := time.Parse(backupTime, text)
	if err != nil || !begins || !ends {
		return time.Time{}
	}
	return at
}

// list returns the names of the backups, the oldest first.
func (b *backups) list() (names []string) {
	entries, err := os.ReadDir(b.cfg().Store.Backup.Folder)
	if err != nil {
		return nil // to write there fails as well, and tells
	}
	for _, e := range entries { // sorted by name
		if !b.at(e.Name()).IsZero() {
			names = append(names, e.Name())
		}
	}
	return names
}

// make makes a backup, and removes the oldest that are too many.
func (b *backups) make(now time.Time) error {
	cfg := b.cfg()
	folder := cfg.Store.Backup.Folder
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the folder of the backups: %s: %w", folder, strict.Cause(err))
	}
	prefix, suffix := b.base()
	entries, _ := os.ReadDir(folder) // to write there fails as well, and tells
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), unfinished); is && !b.at(name).IsZero() { // which a kill has left
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
	path := filepath.Join(folder, prefix+now.UTC().Format(backupTime)+suffix)
	report, err := keepCopy(cfg, path, b.store.Backup)
	if err != nil {
		return err
	}
	b.log.Info().Str("file", path).Int("packages", report.Packages).Int64("size_bytes", report.Bytes).Msg("backup made and checked")
	names := b.oldestFirst(now)
	for _, name := range names[:max(0, len(names)-cfg.Store.Backup.Keep)] {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("remove a backup that is too old: %w", err)
		}
	}
	return nil
}

// oldestFirst returns the names of the backups, the first to be removed first. Those dated
// after now are among the oldest: the clock was ahead when they were made, and they would
// outlive all later ones.
func (b *backups) oldestFirst(now time.Time) []string {
	names := b.list()
	ahead := slices.IndexFunc(names, func(name string) bool { return b.at(name).After(now) })
	if ahead < 0 {
		return names
	}
	return slices.Concat(names[ahead:], names[:ahead])
}

const compactAgain = 24 * time.Hour // after an attempt

// worthCompacting reports whether a store has much to give back: more than half of a file
// that is not small.
func worthCompacting(size, free int64) bool { return size >= 16<<20 && free*2 > size }

// compactIfWorth compacts the store where more than half of it is free. It is called
// when no pass runs, since writers wait meanwhile.
func (r *refresher) compactIfWorth() {
	if !worthCompacting(r.store.Space()) || !r.compacted.IsZero() && time.Since(r.compacted) < compactAgain || len(r.store.Problems()) > 0 {
		return
	}
	r.compacted = time.Now()
	before, after, err := r.store.Compact()
	if err != nil {
		r.log.Warn().Err(err).Msg("more than half of the store's file is free, but it could not be compacted; another attempt is made in a day")
		return
	}
	r.log.Info().Int64("before_bytes", before).Int64("after_bytes", after).Msg("the store's file was more than half free, and has been compacted")
}
