package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"pkgmetad/internal/config"
	"pkgmetad/internal/near"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/strict"
	"pkgmetad/store"
)

// Show returns the package with that slug or id, and how its record is served: from the
// daemon that serves cfg's store or, where none runs, from the store, which it only reads.
// Where there is no such package, the error is a [record.ErrNotFound] and names those with
// slugs like it.
func Show(ctx context.Context, cfg *config.Config, key string) (p record.Package, rendering render.Rendering, err error) {
	if running := Dial(ctx, cfg); running != nil {
		return running.Show(ctx, key)
	}
	if _, err := os.Stat(cfg.Store.Path); err != nil {
		return p, rendering, fmt.Errorf("there is no store yet: %s: %w; pkgmetad serve and pkgmetad refresh make it", cfg.Store.Path, strict.Cause(err))
	}
	st, err := store.Open(cfg.Store.Path, store.Options{
		ReadOnly: true, LockWait: cfg.Store.LockWait, Render: render.New, Rendering: Rendering(cfg).Name(),
	})
	if err != nil {
		return p, rendering, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if rendering, err = render.Parse(st.Rendering()); err != nil {
		return p, rendering, err
	}
	p, err = find(st, key)
	return p, rendering, err
}

// find returns the package with that id or slug. As in the API, an id goes first.
func find(st *store.Store, key string) (record.Package, error) {
	if id, err := strconv.Atoi(key); err == nil {
		if p, err := st.Package(id); !errors.Is(err, record.ErrNotFound) {
			return p, err
		}
	}
	p, err := st.PackageBySlug(key)
	if errors.Is(err, record.ErrNotFound) {
		err = noPackage(st, key)
	}
	return p, err
}

// noPackage says that there is no such package, and which may be meant.
func noPackage(st *store.Store, key string) error {
	what := "slug"
	if _, err := strconv.Atoi(key); err == nil {
		what = "id or slug"
	}
	advice := "; the catalogue declares them, and a running daemon reads it again on SIGHUP"
	closest, err := nearSlugs(st, key)
	if err != nil {
		return err
	}
	if len(closest) > 0 {
		advice = "; did you mean " + strings.Join(closest, " or ") + "?"
	}
	return &notFound{fmt.Sprintf("no package has the %s %q%s", what, key, advice)}
}

// How many slugs like another one are named, and looked at: some are of packages that
// have left the catalogue.
const (
	nearShown  = 3
	nearLooked = 50
)

// nearSlugs returns the slugs that are most like another one.
func nearSlugs(st *store.Store, slug string) (closest []string, err error) {
	ids, _, err := st.IDs()
	if err != nil {
		return nil, err
	}
	all := slices.Sorted(maps.Keys(ids))
	for _, candidate := range near.Closest(slug, all, func(s string) string { return s }, nearLooked) {
		if _, err := st.PackageBySlug(candidate); err == nil && len(closest) < nearShown {
			closest = append(closest, candidate)
		}
	}
	return closest, nil
}

// notFound is a [record.ErrNotFound] in words of its own, which pass the control socket.
type notFound struct{ text string }

func (e *notFound) Error() string        { return e.text }
func (e *notFound) Is(target error) bool { return target == record.ErrNotFound }
