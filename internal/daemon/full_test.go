package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/sim"
	"pkgmetad/store"
)

// TestFullDisk: with no room left, one batch is lost at most. From then on nothing is
// asked, and what is there is served, until there is room again.
func TestFullDisk(t *testing.T) {
	x := newTrialOver(t, sim.New(sim.Options{Limit: 1 << 30, NoSecondary: true}))
	folder := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "none", folder).CombinedOutput(); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	x.cfg.Store.Path = filepath.Join(folder, "test.db")
	catalogue := "packages:\n"
	for i := range 900 {
		name := fmt.Sprintf("acme/p%04d", i)
		x.world.AddRepo(&sim.Repo{FullName: name, Stars: 5, Description: new(strings.Repeat("d", 300)), Commits: []sim.Commit{{At: time.Now().Add(-time.Hour), Author: "ada"}}})
		catalogue += fmt.Sprintf("- {slug: p%04d, repo_url: https://github.com/%s}\n", i, name)
	}
	x.catalogue(catalogue)
	r, err := newRefresher(x.options(), x.options().Log, openAndRender)
	if err != nil {
		t.Fatal(err)
	}
	defer r.store.Close()
	if err := r.startCatalogue(); err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	if _, err := io.Copy(filler, zeros{}); err == nil {
		t.Fatal("the disk is endless")
	}

	for range 12 { // a trial write that was too small to tell is followed by a larger one
		r.passes(t.Context())
	}
	asked := x.world.Stats().Requests
	t.Logf("%d requests until then", asked)
	if asked == 0 || asked > 4*600 {
		t.Errorf("%d requests were made before it was noticed", asked)
	}
	for range 5 {
		r.passes(t.Context())
		if _, err := r.refresh(t.Context(), Selection{Slugs: []string{"p0001"}}, func(fetcher.Progress) {}); err == nil || !strings.Contains(err.Error(), "make room on the disk") {
			t.Errorf("a refresh on demand: %v", err)
		}
	}
	if now := x.world.Stats().Requests; now != asked {
		t.Errorf("%d requests were made for nothing", now-asked)
	}
	if p := r.health.problems(); len(p) != 1 || p[0].Kind != store.ProblemWrites {
		t.Errorf("problems: %+v", p)
	}
	if n := x.logged(`"level":"error"`, store.ProblemWrites); n != 1 {
		t.Errorf("the log tells of it %d times:\n%s", n, x.log)
	}
	if _, err := r.store.PackageBySlug("p0001"); err != nil {
		t.Errorf("what is there cannot be read: %v", err)
	}

	if err := errors.Join(filler.Truncate(0), r.health.writable()); err != nil {
		t.Fatal(err)
	}
	r.passes(t.Context())
	if p, err := r.store.PackageBySlug("p0899"); err != nil || p.Repo.Stars != 5 {
		t.Errorf("with room again: %+v, %v", p.GitHub, err)
	}
	if n := x.logged(store.ProblemWrites, "works again"); n != 1 {
		t.Errorf("the log tells of the end %d times:\n%s", n, x.log)
	}
	if err := r.store.Close(); err != nil {
		t.Error(err)
	}
	if report, err := store.CheckFile(x.cfg.Store.Path, storeOptions(x.cfg, openAsIs)); err != nil || len(report.Findings) > 0 {
		t.Errorf("the file: %q, %v", report.Findings, err)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
