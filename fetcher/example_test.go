package fetcher_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

// A package of the catalogue is filled by a pass from a simulated GitHub and PyPI.
// Then GitHub fails: its half stays as it was, and PyPI's goes on.
func Example() {
	world := sim.New(sim.Options{NoPending: true})
	defer world.Close()
	repo := world.AddRepo(&sim.Repo{FullName: "tidepool/kelp", Stars: 2718})
	project := world.AddProject(&sim.Project{Name: "kelp", Releases: []sim.Release{{Version: "1.0"}}})

	const agent = "example/1 (+ops@example.org)"
	gh, err := github.New(github.Options{BaseURL: "http://sim/", Token: "secret", UserAgent: agent, Transport: world.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	py, err := pypi.New(pypi.Options{BaseURL: "http://sim/", UserAgent: agent, Transport: world.Transport()})
	if err != nil {
		log.Fatal(err)
	}

	folder, err := os.MkdirTemp("", "fetcher-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	s, err := store.Open(filepath.Join(folder, "pkgmetad.db"), store.Options{Refer: fetcher.Refer(github.GitHubHost)})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	repoURL, projectURL := "https://github.com/tidepool/kelp", "https://pypi.org/project/kelp/"
	_, err = s.SyncCatalogue(record.Catalogue{Packages: []record.Entry{
		{Slug: "kelp", RepoURL: &repoURL, PyPIURL: &projectURL},
	}}, time.Now())
	if err != nil {
		log.Fatal(err)
	}

	f := fetcher.New(fetcher.Options{
		Store: s, GitHub: gh, PyPI: py, Log: zerolog.Nop(),
		Policy: fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour},
	})
	report, err := f.Pass(context.Background()) // both sources are new, so both are due
	show(s, report, err)

	world.Edit(func() {
		repo.Stars = 2719
		project.Releases = append(project.Releases, sim.Release{Version: "1.1"})
	})
	world.SetFault(repo, sim.Repository, sim.BadGateway, 0)
	report, err = f.RefreshAll(context.Background(), nil, nil)
	show(s, report, err)
	// Output:
	// 2 asked, 2 fresh, 0 failed: 2718 stars, version 1.0
	// 2 asked, 1 fresh, 1 failed: 2718 stars, version 1.1
}

func show(s *store.Store, report record.Pass, err error) {
	if err != nil {
		log.Fatal(err)
	}
	p, err := s.PackageBySlug("kelp")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d asked, %d fresh, %d failed: %d stars, version %s\n",
		report.Asked, report.Fresh, report.Failed, p.Repo.Stars, *p.Project.Version)
}
