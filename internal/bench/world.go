package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

const (
	// worldSize is the largest number of packages that the simulated GitHub and PyPI
	// know, and so that a pass asks about. A larger store also has generated
	// packages, which no pass touches.
	worldSize = 5500

	publicURL = "https://packages.example.org" // independent of the port, so that no restart renders records again
	maxLimit  = 1000                           // records a page
	stale     = 30 * 24 * time.Hour            // so that no pass runs but those that are requested
	keepFor   = 20 * 24 * time.Hour            // age up to which a store is reused: later its packages fall due
)

func (b *bench) worldSize() int { return min(b.packages, worldSize) }

// A site is a store with what a daemon needs to serve it.
type site struct {
	folder    string
	simulator *simulator
	listen    string
	limited   bool // PyPI is asked no faster than by default
}

func (b *bench) site(s *simulator) site { return site{folder: b.dir, simulator: s} }

func (s site) path(name string) string { return filepath.Join(s.folder, name) }

// configure writes the configuration, with a free port to listen on.
func (s *site) configure() (err error) {
	if s.listen, err = freeAddress(); err != nil {
		return err
	}
	return s.writeConfig()
}

func (s *site) writeConfig() error {
	limits := ""
	if !s.limited {
		limits = ", concurrency: 8, rate: 0"
	}
	upstream := "http://" + s.simulator.address + "/"
	return os.WriteFile(s.path("config.yaml"), fmt.Appendf(nil, `store: {path: pkgmetad.db}
http: {listen: %q, public_url: %q, max_limit: %d}
catalogue: {path: catalogue.ndjson}
schedule: {refresh: "0 4 1 1 *"}
refresh: {stale_after: %s}
github: {base_url: %q}
pypi: {base_url: %q, contact: bench@example.org%s}
log: {level: error}
`, s.listen, publicURL, maxLimit, stale, upstream, upstream, limits), 0o600)
}

// made describes a complete site, in its made.json.
type made struct {
	Packages int
	At       time.Time
}

// makeSite makes a store of so many packages: those that the simulator knows, fetched
// from it, and generated ones, imported. An existing store of that size is reused.
func (b *bench) makeSite(ctx context.Context, s site, packages int) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	var known made
	if data, err := os.ReadFile(s.path("made.json")); err == nil {
		_ = json.Unmarshal(data, &known) // if it is invalid, the site is made again
	}
	if known.Packages == packages && time.Since(known.At) < keepFor {
		b.logf("reusing the %d packages in %s", packages, s.folder)
		if err := errors.Join(s.configure(), b.fetchWorld(ctx, s, 1)); err != nil {
			return fmt.Errorf("reuse the store in %s: %w\nremove that folder to start from scratch", s.folder, err)
		}
		return nil
	}
	for _, name := range []string{"made.json", "pkgmetad.db", "pkgmetad.db.search", "pkgmetad.db.snapshot", "catalogue.ndjson"} {
		if err := os.RemoveAll(s.path(name)); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := s.generateCatalogue(packages - b.worldSize()); err != nil {
		return err
	}
	b.logf("%d packages generated in %s, in %s", packages-b.worldSize(), s.folder, time.Since(began).Round(time.Second))
	if err := s.configure(); err != nil {
		return err
	}
	if err := b.fetchWorld(ctx, s, 2); err != nil { // in the first, the simulator, like GitHub, only begins to compute some figures
		return err
	}
	data, err := json.Marshal(made{packages, time.Now()})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("made.json"), data, 0o600)
}

// generateCatalogue writes the catalogue, the simulator's with n generated packages added,
// and imports these into a new store as if they had been fetched.
func (s site) generateCatalogue(n int) error {
	world, err := os.ReadFile(s.simulator.catalogue)
	if err != nil {
		return err
	}
	var g groups
	for line := range bytes.Lines(world) {
		var kind struct{ Kind string }
		err := json.Unmarshal(line, &kind)
		switch kind.Kind {
		case "category":
			g.categories = append(g.categories, record.Category{})
			err = errors.Join(err, json.Unmarshal(line, &g.categories[len(g.categories)-1]))
		case "grid":
			g.grids = append(g.grids, record.Grid{})
			err = errors.Join(err, json.Unmarshal(line, &g.grids[len(g.grids)-1]))
		}
		if err != nil {
			return fmt.Errorf("read the simulator's catalogue: %w", err)
		}
	}
	f, err := os.Create(s.path("catalogue.ndjson"))
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	_, _ = out.Write(world) // Flush returns the error
	lines := json.NewEncoder(out)
	now := time.Now().UTC().Truncate(time.Microsecond)
	recs := make([]record.Package, n)
	entries := make([]record.Entry, n)
	for i := range recs {
		recs[i] = generate(i, g, now)
		entries[i] = recs[i].Entry
		if err := lines.Encode(entries[i]); err != nil {
			return err
		}
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil || n == 0 {
		return err
	}
	rendering := render.Rendering{Zone: time.UTC, Base: publicURL}
	st, err := store.Open(s.path("pkgmetad.db"), store.Options{
		Render: render.New, Rendering: rendering.Name(),
	})
	if err != nil {
		return err
	}
	_, err = st.Import(record.Catalogue{Categories: g.categories, Grids: g.grids, Packages: entries}, recs, now)
	return errors.Join(err, st.Close())
}

// fetchWorld fetches what the simulator knows, without a daemon, so that later
// passes find nothing changed.
func (b *bench) fetchWorld(ctx context.Context, s site, passes int) error {
	began := time.Now()
	for range passes {
		if out, err := b.refresh(ctx, s); err != nil {
			return fmt.Errorf("fetch the simulator's packages: %w\n%s", err, lastPart(out))
		}
	}
	b.logf("%d of them fetched from the simulator, in %s", b.worldSize(), time.Since(began).Round(time.Second))
	return nil
}

// refresh runs a pass over all packages that the simulator knows, and returns the
// output of the command. It also fails if any package failed.
func (b *bench) refresh(ctx context.Context, s site) (out string, err error) {
	args := []string{"refresh", "--config", s.path("config.yaml")}
	slugs, err := s.simulator.slugs()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, b.program, append(args, slugs...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), "GITHUB_TOKEN="+token)
	data, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(data)), err
}

// lastPart returns the last 1,000 bytes of a command's output.
func lastPart(s string) string { return s[max(0, len(s)-1000):] }
