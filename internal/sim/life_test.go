package sim

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNamesAreFound(t *testing.T) {
	g := Generate(3, 1_000_000, Options{Now: noon}).generated
	for i := 0; i < g.n; i += 997 {
		for _, name := range []string{projectName(3, i), projectName(3, i) + renamed[i%len(renamed)]} {
			if got, ok := g.find(name); !ok || got != i {
				t.Fatalf("%s: %d, %v; want %d", name, got, ok, i)
			}
		}
		r := g.repo(i)
		if r == nil {
			continue
		}
		if of, ok := g.repoID(r.ID); !ok || of != (generatedID{i: i}) {
			t.Fatalf("id %d: %v, want %d", r.ID, of, i)
		}
		if r.ID > math.MaxInt32 {
			t.Fatalf("id %d is too large for GraphQL", r.ID)
		}
	}
	for _, name := range []string{"", "-", "django-", "amber", "amber-otterling-1", "amber-otterling-99999999999", "django-amber-otterling-99", "nonsense"} {
		if i, ok := g.find(name); ok && projectName(3, i) != name {
			t.Errorf("%s: %d", name, i)
		}
	}
}

// served is what the APIs say of a repository that a name leads to, and of a project.
type served struct {
	ID          int64
	Name        string
	Stars       int
	Forks       int
	Description *string
	Archived    bool
	Head        string
	Weeks       []int
	People      []Contributor
	Version     string
	Serial      int64
	Status      string // of the project
}

func look(t *testing.T, w *World, repo, project string) (s served) {
	t.Helper()
	a := asGitHub(t, w, "/repos/"+repo)
	if a.status == http.StatusMovedPermanently {
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		a = asGitHub(t, w, u.Path)
	}
	if a.status == http.StatusOK {
		about := decode[struct {
			ID          int64   `json:"id"`
			Name        string  `json:"full_name"`
			Stars       int     `json:"stargazers_count"`
			Forks       int     `json:"forks_count"`
			Description *string `json:"description"`
			Archived    bool    `json:"archived"`
		}](t, a)
		s = served{ID: about.ID, Name: about.Name, Stars: about.Stars, Forks: about.Forks, Description: about.Description, Archived: about.Archived}
		path := fmt.Sprintf("/repositories/%d/", about.ID)
		if a := asGitHub(t, w, path+"commits?per_page=1"); a.status == http.StatusOK {
			s.Head = decode[[]commit](t, a)[0].SHA
		}
		s.Weeks = decode[weeks](t, asGitHub(t, w, path+"stats/participation")).All
		for page := 1; ; page++ {
			a := asGitHub(t, w, fmt.Sprintf("%scontributors?per_page=100&page=%d", path, page))
			if a.status != http.StatusOK {
				break
			}
			list := decode[[]person](t, a)
			for _, p := range list {
				s.People = append(s.People, Contributor{p.Login, p.Contributions})
			}
			if len(list) < 100 {
				break
			}
		}
	}
	sameByGraphQL(t, w, s)
	if a := ask(t, w, "/pypi/"+project+"/json"); a.status == http.StatusOK {
		about := decode[projectBody](t, a)
		s.Version, s.Serial = about.Info.Version, about.LastSerial
	}
	if a := ask(t, w, "/simple/"+project+"/", "Accept", simpleType); a.status == http.StatusOK {
		s.Status = decode[struct {
			Status struct{ Status string } `json:"project-status"`
		}](t, a).Status.Status
	}
	return s
}

// sameByGraphQL compares with what a sweep tells of a repository.
func sameByGraphQL(t *testing.T, w *World, s served) {
	t.Helper()
	if s.ID == 0 {
		return
	}
	n := graphql(t, w, sweep, map[string]any{"ids": []string{nextID(nodeRepository, s.ID, "")}}).fine(t).Data.Nodes[0]
	got := served{ID: n.DatabaseID, Name: n.NameWithOwner, Stars: n.StargazerCount, Forks: n.ForkCount, Description: n.Description, Archived: n.IsArchived}
	if n.DefaultBranchRef != nil {
		got.Head = n.DefaultBranchRef.Target.OID
	}
	want := s
	want.Weeks, want.People = nil, nil
	if !cmp.Equal(got, want) {
		t.Fatalf("REST and GraphQL differ: %s", cmp.Diff(want, got))
	}
}

// truthOf is the same as the world tells it.
func truthOf(w *World, repo, project string, at time.Time) (s served) {
	if t, _ := w.RepoTruth(w.RepoNamed(repo, at), at); t.ID != 0 && !t.Gone && t.Blocked == "" {
		s = served{ID: t.ID, Name: t.FullName, Stars: t.Stars, Forks: t.Forks, Description: t.Description, Archived: t.Archived, Head: t.Head, Weeks: t.Weeks[:]}
		if !t.TooLarge {
			s.People = t.Contributors
		}
	}
	if t, ok := w.ProjectTruth(project, at); ok {
		if !t.Gone {
			s.Version, s.Serial = t.Latest, t.Serial
		}
		if t.Status != Deleted {
			s.Status = string(t.Status)
		}
	}
	return s
}

// Whatever happens in a world, the APIs tell the truth of that moment, and of what is over the
// truth stays what was told.
func TestTruth(t *testing.T) {
	clock := noon()
	rates := LivelyRates()
	for _, r := range []*float64{&rates.Described, &rates.Archived, &rates.Renamed, &rates.Deleted, &rates.Quarantined, &rates.ProjectsArchived, &rates.ProjectsDeleted} {
		*r *= 10
	}
	rates.Pushes, rates.Odd, rates.Releases = 0.15, 0.3, 0.03
	w := Generate(11, 24, Options{Now: func() time.Time { return clock }, NoPending: true, Limit: 1 << 30, PointLimit: 1 << 30, NoSecondary: true, Rates: rates})
	var repos, projects []string
	for i := range w.generated.n {
		b := w.generated.base(i)
		repos, projects = append(repos, b.owner()+"/"+b.name), append(projects, b.name)
	}
	type moment struct {
		at   time.Time
		said []served
	}
	var told []moment
	d := roll(5)
	changes := map[string]int{}
	for range 24 {
		m := moment{at: clock}
		for i := range repos {
			s := look(t, w, repos[i], projects[i])
			m.said = append(m.said, s)
			if want := truthOf(w, repos[i], projects[i], clock); !cmp.Equal(s, want) {
				t.Fatalf("%v: %s: %s", clock, repos[i], cmp.Diff(want, s))
			}
			if len(told) == 0 {
				continue
			}
			before := told[len(told)-1].said[i]
			for what, changed := range map[string]bool{
				"gone": before.ID != 0 && s.ID == 0, "another": before.ID != 0 && s.ID != 0 && s.ID != before.ID, "renamed": before.ID == s.ID && s.Name != before.Name,
				"archived": !before.Archived && s.Archived, "head": s.Head != before.Head, "version": s.Version != before.Version, "status": s.Status != before.Status,
				"description": before.ID == s.ID && !cmp.Equal(s.Description, before.Description), "stars": s.Stars != before.Stars,
			} {
				if changed {
					changes[what]++
				}
			}
			if before.Serial > s.Serial && s.Serial != 0 {
				t.Errorf("%s: the serial went from %d to %d", projects[i], before.Serial, s.Serial)
			}
			if before.Version != s.Version && before.Serial == s.Serial && s.Serial != 0 {
				t.Errorf("%s: %s, then %s, with the same serial", projects[i], before.Version, s.Version)
			}
		}
		told = append(told, m)
		clock = clock.Add(time.Duration(d.below(17*86400)) * time.Second)
	}
	for _, m := range told {
		for i := range repos {
			if want := truthOf(w, repos[i], projects[i], m.at); !cmp.Equal(m.said[i], want) {
				t.Fatalf("%v, looked at from %v: %s: %s", m.at, clock, repos[i], cmp.Diff(want, m.said[i]))
			}
		}
	}
	t.Log(changes)
	for _, what := range []string{"gone", "another", "renamed", "archived", "head", "version", "status", "description", "stars"} {
		if changes[what] == 0 {
			t.Errorf("nothing of this happened: %s", what)
		}
	}
}

// What is found by looking back alone is what all releases say.
func TestSerialsByLookingBack(t *testing.T) {
	rates := LivelyRates()
	rates.Releases, rates.Yanked = 0.05, 0.4
	w := Generate(6, 40, Options{Now: noon, Rates: rates})
	for i := range w.generated.n {
		p := w.generated.project(i)
		if p == nil {
			continue
		}
		for n := range 300 {
			now := noon().Add(time.Duration(n) * 29 * time.Hour)
			if got, want := p.gen.changed(now), p.contents(now).changed; !got.Equal(want) {
				t.Fatalf("%s at %v: %v, want %v", p.Name, now, got, want)
			}
		}
	}
}

func TestRates(t *testing.T) {
	const n, days = 4000, 20
	for _, want := range []Rates{DefaultRates(), {Pushes: 0.1, Dormant: 0.2}, {Pushes: 0.01, Dormant: 0.8}} {
		w := Generate(1, n, Options{Now: noon, Rates: want})
		moved, dormant, repos := 0, 0, 0
		for i := range n {
			r := w.generated.repo(i)
			if r == nil || r.gen == nil {
				continue
			}
			repos++
			last, committed := r.gen.tip(noon())
			if noon().Unix()-committed > 53*7*86400 {
				dormant++
			}
			for d := range days {
				o, _ := r.gen.tip(noon().Add(time.Duration(d+1) * day))
				if o != last {
					moved++
				}
				last = o
			}
		}
		if got := float64(moved) / float64(repos*days); got < want.Pushes*0.8 || got > want.Pushes*1.25 {
			t.Errorf("%.3f of the heads move on a day, not %.3f", got, want.Pushes)
		}
		if got := float64(dormant) / float64(repos); math.Abs(got-want.Dormant) > 0.04 {
			t.Errorf("%.2f are dormant, not %.2f", got, want.Dormant)
		}
	}
}

// A repository that somebody holds may be edited, and is still the one that is served.
func TestHeldRepositories(t *testing.T) {
	w := Generate(2, 50, Options{Now: noon})
	first := w.Repos()[0]
	if w.Repo(first.FullName) != first || !slices.Contains(w.Repos(), first) {
		t.Fatal("it is another each time")
	}
	w.Edit(func() { first.Homepage = "https://edited.example" })
	if a := asGitHub(t, w, "/repos/"+first.FullName); decode[map[string]any](t, a)["homepage"] != "https://edited.example" {
		t.Error(a.body)
	}
	w.RemoveRepo(first.FullName)
	if a := asGitHub(t, w, "/repos/"+first.FullName); a.status != 404 || w.Repo(first.FullName) != nil {
		t.Error("removed:", a.status)
	}
	second := w.Repos()[0]
	mine := w.AddRepo(&Repo{FullName: second.FullName, Stars: 7})
	if a := asGitHub(t, w, "/repos/"+second.FullName); decode[map[string]any](t, a)["id"] != float64(mine.ID) {
		t.Error("replaced:", a.body)
	}
	p := w.Projects()[0]
	w.AddProject(&Project{Name: p.Name, Releases: []Release{{Version: "77"}}})
	if got := decode[projectBody](t, ask(t, w, "/pypi/"+p.Name+"/json")); got.Info.Version != "77" {
		t.Error("replaced:", got.Info.Version)
	}
}
