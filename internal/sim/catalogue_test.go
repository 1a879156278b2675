package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v4"
)

func nasty() Catalogue {
	at := time.Date(2020, 2, 3, 4, 5, 6, 789_000, time.UTC)
	return Catalogue{
		[]Category{{1, "apps", "App: # not a comment", "Apps", "- a\n\"b\"\t\\ \x7f\u2028\ufeff 🚀 <b>&", true, at, at}},
		[]Grid{{58, "g", "null", "", true, false, at, at}, {59, "2020-01-01", "yes", "{x: [y]}", false, true, at, at}},
		[]Package{
			{1, "a", "", "apps", []string{"g", "2020-01-01"}, nil, new(""), new("https://x.example/#a: b"), at},
			{2, "b", "~", "", []string{}, new(" https://github.com/o/n "), nil, nil, at.Truncate(time.Second)},
		},
	}
}

func TestCatalogueNDJSON(t *testing.T) {
	for name, want := range map[string]Catalogue{"nasty": nasty(), "generated": Generate(1, 80, Options{Now: noon}).Catalogue()} {
		var out bytes.Buffer
		if err := want.WriteNDJSON(&out); err != nil {
			t.Fatal(err)
		}
		var got Catalogue
		for lines := bufio.NewScanner(&out); lines.Scan(); {
			var kind struct{ Kind *string }
			err := json.Unmarshal(lines.Bytes(), &kind)
			d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
			switch {
			case err != nil:
			case kind.Kind == nil:
				var p Package
				d.DisallowUnknownFields()
				err = d.Decode(&p)
				got.Packages = append(got.Packages, p)
			case *kind.Kind == "category":
				var c Category
				err = d.Decode(&c)
				got.Categories = append(got.Categories, c)
			case *kind.Kind == "grid":
				var g Grid
				err = d.Decode(&g)
				got.Grids = append(got.Grids, g)
			}
			if err != nil {
				t.Fatalf("%s: %v in %s", name, err, lines.Text())
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCatalogueYAML(t *testing.T) {
	for name, want := range map[string]Catalogue{"nasty": nasty(), "generated": Generate(1, 80, Options{Now: noon}).Catalogue(), "empty": {}} {
		var out bytes.Buffer
		if err := want.WriteYAML(&out); err != nil {
			t.Fatal(err)
		}
		var generic map[string]any
		if err := yaml.Unmarshal(out.Bytes(), &generic); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out.String())
		}
		viaJSON, err := json.Marshal(generic)
		if err != nil {
			t.Fatal(err)
		}
		var got Catalogue
		d := json.NewDecoder(bytes.NewReader(viaJSON))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s\n%s", name, diff, out.String())
		}
	}
}

func TestDerivedCatalogue(t *testing.T) {
	w := New(Options{Now: noon})
	w.AddRepo(&Repo{FullName: "o/Kettle_Lib"})
	w.AddRepo(&Repo{FullName: "other/kettle-lib"})
	w.AddRepo(&Repo{FullName: "o/hidden", Unlisted: true})
	w.AddProject(&Project{Name: "kettle.lib"})
	w.AddProject(&Project{Name: "alone"})
	w.AddPackage(Package{ID: 2, Slug: "outright", RepoURL: new("https://github.com/gone/away")})
	w.AddCategory(Category{ID: 7, Slug: "old"})
	w.AddCategory(Category{ID: 7, Slug: "kinds"})
	w.AddGrid(Grid{ID: 3, Slug: "grid"})
	if c := w.Catalogue(); len(c.Categories) != 1 || c.Categories[0].Slug != "kinds" || len(c.Grids) != 1 {
		t.Errorf("%+v", c)
	}
	type row struct {
		ID         int
		Slug       string
		Repo, PyPI string
	}
	var got []row
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for _, p := range w.Catalogue().Packages {
		got = append(got, row{p.ID, p.Slug, text(p.RepoURL), text(p.PyPIURL)})
	}
	want := []row{
		{2, "outright", "https://github.com/gone/away", "-"},
		{1, "kettle-lib", "https://github.com/o/Kettle_Lib", "https://pypi.org/project/kettle.lib/"},
		{1_000_002, "kettle-lib-2", "https://github.com/other/kettle-lib", "-"},
		{4, "alone", "-", "https://pypi.org/project/alone/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDocumented(t *testing.T) {
	bubble := func() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) } // where testing/synctest begins
	for name, w := range map[string]*World{"declared": New(Options{Now: noon, NoPending: true}), "generated": Generate(1, 50, Options{Now: noon, NoPending: true}), "in a bubble": New(Options{Now: bubble, NoPending: true})} {
		Documented(w)
		for _, step := range []time.Duration{0, 3 * day, 900 * day} {
			w.Advance(step)
			const repo = "/repos/linuxlewis/djorm-ext-pgfulltext"
			got := decode[map[string]any](t, asGitHub(t, w, repo))
			if got["stargazers_count"] != 251. || got["forks_count"] != 85. || got["description"] != "PostgreSQL full-text search integration with django orm." {
				t.Errorf("%s: %v", name, got)
			}
			if c := decode[[]commit](t, asGitHub(t, w, repo+"/commits?per_page=1")); !c[0].Commit.Committer.Date.Equal(time.Date(2016, 1, 5, 19, 49, 29, 0, time.UTC)) {
				t.Errorf("%s: %v", name, c)
			}
			if p := decode[weeks](t, asGitHub(t, w, repo+"/stats/participation")); !cmp.Equal(p.All, make([]int, 52)) {
				t.Errorf("%s: %v", name, p)
			}
			var logins []string
			for _, p := range decode[[]person](t, asGitHub(t, w, repo+"/contributors?per_page=100")) {
				logins = append(logins, p.Login)
			}
			if diff := cmp.Diff([]string{"linuxlewis", "mpasternak", "CharlesLovely", "rgreinho", "dotsbb", "akolpakov", "bitdeli-chef", "fjsj", "Gnietschow",
				"marekbrzoska", "anentropic", "raiyankamal", "graingert", "zyga", "metazet", "mulder999"}, logins); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			p := decode[projectBody](t, ask(t, w, "/pypi/djorm-ext-pgfulltext/json"))
			if _, ok := p.Releases["0.9"]; p.Info.Version != "0.10" || !ok {
				t.Errorf("%s: %+v", name, p)
			}
		}
		c := w.Catalogue()
		found := false
		grids := map[string]int{}
		for _, g := range c.Grids {
			grids[g.Slug] = g.ID
		}
		for _, p := range c.Packages {
			if p.ID != 1609 {
				continue
			}
			found = true
			want := Package{1609, "djorm-ext-pgfulltext", "djorm-ext-pgfulltext", "apps", p.Grids, new("https://github.com/linuxlewis/djorm-ext-pgfulltext"),
				new("http://pypi.python.org/pypi/djorm-ext-pgfulltext"), nil, time.Date(2012, 12, 26, 9, 29, 30, 670172000, time.UTC)}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if got := []int{grids[p.Grids[0]], grids[p.Grids[1]], grids[p.Grids[2]]}; !cmp.Equal(got, []int{58, 161, 14}) {
				t.Errorf("%s: grids %v", name, got)
			}
		}
		if !found || c.Categories[0].ID != 1 || c.Categories[0].TitlePlural != "Apps" {
			t.Errorf("%s: found %v, %+v", name, found, c.Categories)
		}
		if want := map[string]int{"generated": 51}[name]; want != 0 && len(c.Packages) != want || want == 0 && len(c.Packages) != 1 {
			t.Errorf("%s: %d packages", name, len(c.Packages))
		}
	}
}
