package sim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// digest hashes all answers of a world about its first repositories and projects.
func digest(t *testing.T, w *World, n int) [32]byte {
	h := sha256.New()
	for i, r := range w.Repos() {
		if i == n {
			break
		}
		for _, part := range []string{"", "/contributors?per_page=100", "/commits?per_page=1", "/stats/participation"} {
			a := asGitHub(t, w, "/repos/"+r.FullName+part)
			fmt.Fprintln(h, a.status, a.header.Get("ETag"), a.header.Get("Link"), a.body)
		}
	}
	for i, p := range w.Projects() {
		if i == n {
			break
		}
		a := ask(t, w, "/pypi/"+p.Name+"/json")
		fmt.Fprintln(h, a.status, a.header, a.body)
	}
	fmt.Fprintln(h, ask(t, w, "/simple/", "Accept", simpleType).body)
	if err := w.Catalogue().WriteYAML(h); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func TestSameSeedSameWorld(t *testing.T) {
	o := Options{Now: noon, Limit: 1 << 30, NoSecondary: true}
	a, b, other := Generate(7, 300, o), Generate(7, 300, o), Generate(8, 300, o)
	first := digest(t, a, 60)
	if first != digest(t, b, 60) {
		t.Fatal("the same seed made two worlds")
	}
	if first == digest(t, other, 60) {
		t.Error("two seeds made the same world")
	}
	// One is advanced at once, the other in steps with requests in between.
	a.Advance(30 * day)
	for range 30 {
		b.Advance(day)
		asGitHub(t, b, "/repos/"+b.Repos()[3].FullName)
	}
	moved := digest(t, a, 60)
	if moved != digest(t, b, 60) {
		t.Error("the same time made two worlds")
	}
	if moved == first {
		t.Error("nothing happened in 30 days")
	}
}

// All answers about a repository agree with its commits, at any time.
func TestDerivedDataAgrees(t *testing.T) {
	w := Generate(3, 400, Options{Now: noon, NoPending: true, Limit: 1 << 30, NoSecondary: true})
	pushed := 0
	for _, step := range []time.Duration{0, 9*day + 5*time.Hour, 200 * day} {
		before := w.Now()
		w.Advance(step)
		now := w.Now()
		for _, r := range w.Repos() {
			commits := w.Commits(r)
			if len(commits) == 0 || r.Blocked != "" {
				continue
			}
			if commits[0].At.After(before) {
				pushed++
			}
			want := [52]int{}
			by := map[string]int{}
			for _, c := range commits {
				if age := midnight(now).Sub(c.Authored); age > 0 && age <= 364*day {
					want[51-(age-1)/(7*day)]++
				}
				if c.Author != "" {
					by[c.Author]++
				}
			}
			id := fmt.Sprintf("/repositories/%d", r.ID)
			if got := decode[weeks](t, asGitHub(t, w, id+"/stats/participation")); !slices.Equal(got.All, want[:]) {
				t.Errorf("%s: participation %v, commits say %v", r.FullName, got.All, want)
			}
			a := asGitHub(t, w, id+"/commits?per_page=1")
			if got := decode[[]commit](t, a); !got[0].Commit.Committer.Date.Equal(commits[0].At.Truncate(time.Second)) {
				t.Errorf("%s: newest %v, want %v", r.FullName, got[0], commits[0].At)
			}
			if len(commits) > 1 && !strings.HasSuffix(links(t, a)["last"], fmt.Sprintf("&page=%d", len(commits))) {
				t.Errorf("%s: %v for %d commits", r.FullName, links(t, a), len(commits))
			}
			repo := decode[struct {
				Pushed time.Time `json:"pushed_at"`
				Stars  int       `json:"stargazers_count"`
			}](t, asGitHub(t, w, id))
			if !repo.Pushed.Equal(commits[0].At.Truncate(time.Second)) || repo.Stars < 0 {
				t.Errorf("%s: %+v", r.FullName, repo)
			}
			if r.TooLarge {
				continue
			}
			people := decode[[]person](t, asGitHub(t, w, id+"/contributors?per_page=100"))
			if len(people) != min(len(by), 100) {
				t.Errorf("%s: %d contributors, want %d", r.FullName, len(people), len(by))
			}
			for i, p := range people {
				if by[p.Login] != p.Contributions || i > 0 && people[i-1].Contributions < p.Contributions {
					t.Errorf("%s: %+v, want %d", r.FullName, p, by[p.Login])
				}
			}
		}
	}
	if pushed == 0 {
		t.Error("no push in 209 days")
	}
}

// The shares of a real catalogue, within wide bounds.
func TestDistribution(t *testing.T) {
	const n = 5500
	w := Generate(1, n, Options{Now: noon})
	repos, now := w.Repos(), w.Now()
	count := map[string]int{}
	ids, names := map[int64]bool{}, map[string]bool{}
	tomorrow := now.Add(day)
	for _, r := range repos {
		ids[r.ID], names[strings.ToLower(r.FullName)] = true, true
		g := r.graph(now)
		if r.Archived {
			count["archived"]++
		}
		if len(r.OldNames) > 0 {
			count["renamed"]++
		}
		if r.TooLarge {
			count["too large"]++
		}
		if r.Blocked != "" {
			count["blocked"]++
		}
		if g.head == none {
			count["empty"]++
			continue
		}
		if now.Unix()-g.nodes[g.head].committed > 53*7*86400 {
			count["dormant"]++
		}
		if c := r.contributors(g); len(c) > 100 {
			count["many hands"]++
		}
		if later := r.graph(tomorrow); later.nodes[later.head].oid != g.nodes[g.head].oid {
			count["moving"]++
		}
	}
	if len(ids) != len(repos) || len(names) != len(repos) {
		t.Errorf("%d ids and %d names for %d repositories", len(ids), len(names), len(repos))
	}
	projects := map[string]bool{}
	for _, p := range w.Projects() {
		projects[Normalize(p.Name)] = true
		releases, _ := p.visible(now)
		switch latest := p.latest(releases); {
		case latest == nil:
			count["no release"]++
		case latest.Yanked:
			count["all yanked"]++
		case latest.key.isPre:
			count["pre-releases alone"]++
		case latest.key.epoch > 0:
			count["epoch"]++
		case len(latest.Files) == 0:
			count["bare"]++
		}
		if p.Status == Quarantined {
			count["quarantined"]++
		}
	}
	if len(projects) != len(w.Projects()) {
		t.Error("two projects of one normalised name")
	}
	slugs := map[string]bool{}
	for _, p := range w.Catalogue().Packages {
		slugs[p.Slug] = true
		switch {
		case p.RepoURL == nil || *p.RepoURL == "":
			count["no repository"]++
		case !strings.Contains(strings.ToLower(*p.RepoURL), "github.com"):
			count["elsewhere"]++
		}
		if p.PyPIURL == nil || *p.PyPIURL == "" {
			count["no project"]++
		}
	}
	if len(slugs) != n {
		t.Errorf("%d slugs", len(slugs))
	}
	count["gone"] = n - len(repos) - count["no repository"] - count["elsewhere"]
	for what, want := range map[string][2]float64{ // percent
		"dormant": {38, 52}, "archived": {8, 12}, "renamed": {1, 3}, "gone": {1.2, 3}, "empty": {0.2, 1}, "too large": {0.1, 0.7},
		"blocked": {0.05, 0.5}, "no repository": {2, 4}, "elsewhere": {1.2, 3}, "no project": {8, 12}, "many hands": {1, 5}, "moving": {2, 4.5},
		"no release": {0.3, 2}, "all yanked": {0.3, 3}, "pre-releases alone": {1, 6}, "epoch": {0.5, 6}, "bare": {0.1, 1.5}, "quarantined": {0.1, 1.5},
	} {
		got := float64(count[what]) * 100 / n
		t.Logf("%-20s %5.2f %%", what, got)
		if got < want[0] || got > want[1] {
			t.Errorf("%s: %.2f %%, want %v", what, got, want)
		}
	}
}

func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for i := range 150_000 {
		seen[Normalize(projectName(5, i))] = true
	}
	if len(seen) != 150_000 {
		t.Errorf("%d of 150000", len(seen))
	}
}

// A generated repository or project may be edited like a declared one.
func TestEditGenerated(t *testing.T) {
	w := Generate(2, 50, Options{Now: noon})
	p := w.Projects()[0]
	serial := func() int64 {
		w.mu.RLock()
		defer w.mu.RUnlock()
		return p.at(w.Now()).serial(w.Now())
	}
	before := serial()
	releases := w.Releases(p)
	w.Edit(func() {
		p.Status = Active
		r := releases[0]
		r.Yanked = !r.Yanked
		p.Releases = append(p.Releases, r)
	})
	after := w.Releases(p)
	if len(after) != len(releases) || after[0].Yanked == releases[0].Yanked || serial() <= before {
		t.Errorf("%d releases, yanked %v, serial %d after %d", len(after), after[0].Yanked, serial(), before)
	}
	r := w.Repos()[0]
	n := len(w.Commits(r))
	w.Edit(func() { r.Commits = append(r.Commits, Commit{At: noon(), Author: "me"}) })
	if got := w.Commits(r); len(got) != n+1 || got[0].Author != "me" {
		t.Errorf("%d commits after %d", len(got), n)
	}
}

func TestReleasesHappen(t *testing.T) {
	w := Generate(4, 200, Options{Now: noon})
	index := func() map[string]int64 {
		m := map[string]int64{}
		for _, p := range decode[indexBody](t, ask(t, w, "/simple/", "Accept", simpleType)).Projects {
			m[p.Name] = p.Serial
		}
		return m
	}
	before := index()
	w.Advance(60 * day)
	grown := 0
	for name, serial := range index() {
		if serial < before[name] {
			t.Errorf("%s went back from %d to %d", name, before[name], serial)
		}
		if serial > before[name] {
			grown++
			if got := decode[projectBody](t, ask(t, w, "/pypi/"+name+"/json")); got.LastSerial != serial {
				t.Errorf("%s: %d, index says %d", name, got.LastSerial, serial)
			}
		}
	}
	if grown < 20 || grown > 120 {
		t.Errorf("%d of 200 projects released in 60 days", grown)
	}
}
