package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// mostAsked is how many packages are asked for one by one; the lists have all.
const mostAsked = 1500

// same waits until all hosts that run serve the same: each package and list with its ETag, the
// feed from its beginning, the snapshot, searches. It returns how many answers were compared.
func (s *site) same(t *testing.T) (compared int) {
	t.Helper()
	hosts := s.running()
	eventually(t, patience, func() (err error) {
		compared, err = compare(hosts)
		return err
	})
	return compared
}

// compare compares what hosts serve, and returns how many answers of each.
func compare(hosts []*host) (int, error) {
	paths, err := hosts[0].paths()
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		var first answer
		for i, h := range hosts {
			a, err := h.get(context.Background(), path, "application/json")
			if err != nil || a.status != http.StatusOK {
				return 0, fmt.Errorf("host %s: %s: status %d, error %v", h.name, path, a.status, err)
			}
			if i == 0 {
				first = a
				continue
			}
			for _, header := range []string{"ETag", "Pkgmetad-Sequence"} {
				if x, y := first.header.Get(header), a.header.Get(header); x != y {
					return 0, fmt.Errorf("%s: %s is %s on host %s, and %s on host %s", path, header, x, hosts[0].name, y, h.name)
				}
			}
			if !bytes.Equal(first.body, a.body) {
				return 0, fmt.Errorf("%s: hosts %s and %s serve different bodies:\n%s", path, hosts[0].name, h.name, difference(first.body, a.body))
			}
		}
	}
	return len(paths), nil
}

// difference returns what two bodies differ in.
func difference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(i-150, 0)
	return fmt.Sprintf("…%s\n…%s", a[from:min(i+150, len(a))], b[from:min(i+150, len(b))])
}

// paths returns what is compared.
func (h *host) paths() ([]string, error) {
	paths := []string{
		"/snapshot/packages.ndjson", "/api/v4/categories/?limit=1000", "/api/v4/grids/?limit=1000",
		"/api/v4/search/?q=django", "/api/v4/search/?q=postgresql", "/api/v4/search/?q=wagtail",
		"/api/v3/packages/?limit=50", "/sitemap.xml",
	}
	for since, more := uint64(0), true; more; {
		paths = append(paths, fmt.Sprintf("/changes/?since=%d&limit=1000", since))
		c, err := h.changes(context.Background(), since, 0)
		if err != nil {
			return nil, err
		}
		since, more = c.Next, c.More
	}
	asked := 0
	for offset, more := 0, true; more; offset += 1000 {
		path := fmt.Sprintf("/api/v4/packages/?limit=1000&offset=%d", offset)
		paths = append(paths, path)
		var list struct {
			Meta    struct{ Next *string }
			Results []struct{ ID int }
		}
		if err := h.read(context.Background(), path, &list); err != nil {
			return nil, err
		}
		for _, p := range list.Results {
			if asked++; asked <= mostAsked {
				paths = append(paths, "/api/v4/packages/"+strconv.Itoa(p.ID)+"/")
			}
		}
		more = len(list.Results) == 1000
	}
	return paths, nil
}

var (
	repository = regexp.MustCompile(`^https://github\.com/([^/?#]+/[^/?#]+?)(?:\.git)?/?$`)
	project    = regexp.MustCompile(`^https://pypi\.org/project/([^/?#]+)/?$`)
)

// truth waits until a host serves what GitHub and PyPI say, or said while it was fetched, and
// returns how many values were compared.
func (s *site) truth(t *testing.T, h *host) (compared int) {
	t.Helper()
	eventually(t, patience, func() (err error) {
		compared, err = s.compareWithTruth(h)
		return err
	})
	return compared
}

// whole returns the slug of a package of which both GitHub and PyPI know.
func (s *site) whole(t *testing.T) string {
	t.Helper()
	now := s.world.Now()
	for _, p := range s.world.Catalogue().Packages {
		repo, release := repository.FindStringSubmatch(text(p.RepoURL)), project.FindStringSubmatch(text(p.PyPIURL))
		if repo == nil || release == nil {
			continue
		}
		x, known := s.world.RepoTruth(s.world.RepoNamed(repo[1], now), now)
		y, released := s.world.ProjectTruth(release[1], now)
		if known && !x.Gone && x.Blocked == "" && !x.Disabled && released && !y.Gone {
			return p.Slug
		}
	}
	t.Fatal("there is no such package")
	return ""
}

func (s *site) compareWithTruth(h *host) (compared int, err error) {
	a, err := h.get(context.Background(), "/api/v4/packages/?limit=100000", "application/json")
	if err != nil {
		return 0, err
	}
	var list struct {
		Results []struct {
			Slug    string
			RepoURL *string    `json:"repo_url"`
			PyPIURL *string    `json:"pypi_url"`
			Stars   int        `json:"repo_watchers"`
			Forks   int        `json:"repo_forks"`
			Version *string    `json:"pypi_version"`
			Fetched *time.Time `json:"last_fetched"`
		}
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return 0, err
	}
	now := s.world.Now()
	ahead := time.Until(now)
	for _, p := range list.Results {
		if p.Fetched == nil {
			continue
		}
		then := p.Fetched.Add(ahead - fetching) // stars and releases only become more
		if m := repository.FindStringSubmatch(text(p.RepoURL)); m != nil {
			id := s.world.RepoNamed(m[1], now)
			least, known := s.world.RepoTruth(id, then)
			most, _ := s.world.RepoTruth(id, now)
			if known && !most.Gone && most.Blocked == "" && !most.Disabled {
				if compared++; p.Stars < least.Stars || p.Stars > most.Stars || p.Forks < least.Forks || p.Forks > most.Forks {
					return 0, fmt.Errorf("%s has %d stars and %d forks on host %s, and %d and %d at GitHub", p.Slug, p.Stars, p.Forks, h.name, most.Stars, most.Forks)
				}
			}
		}
		if m := project.FindStringSubmatch(text(p.PyPIURL)); m != nil {
			earlier, known := s.world.ProjectTruth(m[1], then)
			x, _ := s.world.ProjectTruth(m[1], now)
			if known && !x.Gone && x.Latest != "" {
				if compared++; text(p.Version) != x.Latest && text(p.Version) != earlier.Latest {
					return 0, fmt.Errorf("%s has version %q on host %s, and %q at PyPI", p.Slug, text(p.Version), h.name, x.Latest)
				}
			}
		}
	}
	return compared, nil
}

// fetching is how long it may take from one answer about a package to the last.
const fetching = 5 * time.Minute

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// settle waits until all hosts that run are done and serve the same, and holds them against
// all that was ever told, and against GitHub and PyPI. It returns a line of figures.
func (s *site) settle(t *testing.T, packages int) string {
	t.Helper()
	began := time.Now()
	s.allDone(t, packages)
	values := s.truth(t, s.running()[0])
	answers := s.same(t)
	for _, h := range s.running() {
		s.readers.verify(t, h)
	}
	s.polite(t)
	return fmt.Sprintf("%d hosts serve the same %d answers, among them the feed, the snapshot and searches, and %d values as GitHub and PyPI say, %s after the last trouble; lost or undone: nothing",
		len(s.running()), answers, values, time.Since(began).Round(time.Second))
}
