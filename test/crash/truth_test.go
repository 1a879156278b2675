package crash

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pkgmetad/internal/sim"
)

var (
	repository = regexp.MustCompile(`github\.com[/:]+([^/]+)/([^/?#]+)`)
	project    = regexp.MustCompile(`pypi\.(?:python\.)?org/(?:project|pypi|simple)/([^/?#]+)`)
)

// truth asks GitHub and PyPI about a package, in the plainest way there is, and returns
// what should be served. What they do not tell has no field.
func (s *soak) truth(t *testing.T, p sim.Package) map[string]string {
	t.Helper()
	want := map[string]string{}
	if m := repository.FindStringSubmatch(text(p.RepoURL)); m != nil {
		path := "repos/" + m[1] + "/" + strings.TrimSuffix(m[2], ".git")
		var about struct {
			Stars       int     `json:"stargazers_count"`
			Forks       int     `json:"forks_count"`
			Description *string `json:"description"`
		}
		if s.ask(t, path, &about) {
			want["repo_watchers"], want["repo_forks"], want["repo_description"] = fmt.Sprint(about.Stars), fmt.Sprint(about.Forks), text(about.Description)
			var weeks struct {
				All []int `json:"all"`
			}
			if s.ask(t, path+"/stats/participation", &weeks) && len(weeks.All) == 52 {
				want["commits_over_52"] = fmt.Sprint(weeks.All)
			}
		}
	}
	if m := project.FindStringSubmatch(text(p.PyPIURL)); m != nil {
		var about struct{ Info struct{ Version string } }
		if s.ask(t, "pypi/"+m[1]+"/json", &about) {
			want["pypi_version"] = about.Info.Version
		}
	}
	return want
}

// ask reports whether there is an answer.
func (s *soak) ask(t *testing.T, path string, into any) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.upstream+path, nil)
	must(t, err)
	req.Header.Set("User-Agent", "truth/1.0 (ops@example.org)")
	if strings.HasPrefix(path, "repos/") {
		req.Header.Set("Authorization", "token truth")
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false
	}
	must(t, json.NewDecoder(resp.Body).Decode(into))
	return true
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
