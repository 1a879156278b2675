package web

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

const prefix = "/facts"

var (
	berlin = time.FixedZone("CET", 3600)
	now    = time.Date(2026, 2, 16, 13, 45, 10, 0, time.UTC)
	clock  = Clock{Now: now, Zone: berlin}
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// crispy is a package of which everything is known.
func crispy() record.Package {
	rec := record.Package{
		Entry: record.Entry{
			ID: 43, Slug: "django-crispy-forms", Title: "django-crispy-forms", Category: 1, Grids: []int{58, 161},
			RepoURL:          new("https://github.com/django-crispy-forms/django-crispy-forms"),
			PyPIURL:          new("https://pypi.org/project/django-crispy-forms/"),
			DocumentationURL: new("https://django-crispy-forms.readthedocs.io/en/latest/"),
			Created:          time.Date(2010, 9, 5, 18, 5, 5, 0, time.UTC),
		},
		RepoKey: "github.com/django-crispy-forms/django-crispy-forms", ProjectKey: "pypi:django-crispy-forms",
		Repo: record.Repo{
			Name: "django-crispy-forms/django-crispy-forms", Stars: 5104, Forks: 729,
			Description:  "The best way to have DRY Django forms. The app provides a tag and filter that lets you quickly render forms in a div format while providing an enormous amount of capability to configure and control the rendered HTML.",
			Participants: []string{"maraujop", "smithdc1", "carltongibson", "dependabot[bot]", "pydanny", "zoidbergwill"},
			LastCommit:   new(ago(29 * time.Hour)), Commits: 1543,
		},
		Project: record.Project{
			Name: "django-crispy-forms", Version: new("2.5"), Licence: "MIT", Status: 5, RequiresPython: ">=3.10", Python3: new(true),
			Support:  &record.Support{Python: []string{"3", "3.10", "3.13"}, Django: []string{"5", "5.1", "5.2"}},
			Standing: record.Standing{Status: record.ProjectArchived, Reason: "moved to django-crispier-forms", Asked: ago(9 * 24 * time.Hour)},
		},
		GitHub:      record.Status{State: record.StateOK, LastAttempt: ago(3 * time.Hour), LastSuccess: ago(3 * time.Hour), NextDue: now.Add(17 * time.Hour)},
		PyPI:        record.Status{State: record.StateFailed, LastAttempt: ago(12 * time.Minute), LastSuccess: ago(26 * time.Hour), NextDue: now.Add(18 * time.Minute), Failures: 3, LastError: "GET https://pypi.org/pypi/django-crispy-forms/json: 503 Service Unavailable; asked again later"},
		Modified:    ago(29 * time.Hour),
		LastFetched: ago(26 * time.Hour),
	}
	for i := range 52 {
		rec.Repo.Commits52 = append(rec.Repo.Commits52, (i*i*7+i*3)%11*(i%5)/2)
	}
	for i := range 80 {
		rec.Repo.Participants = append(rec.Repo.Participants, fmt.Sprintf("contributor-%d", i))
	}
	for i := range 60 {
		minor := 59 - i
		rec.Project.Versions = append(rec.Project.Versions, record.Version{
			Version: fmt.Sprintf("%d.%d.%d", minor/24, minor/4%6, minor%4), Uploaded: new(ago(time.Duration(i*71+20) * 24 * time.Hour)), Yanked: i%17 == 4,
		})
	}
	rec.Project.Versions[0].Version = "2.5"
	rec.Project.Versions[59].Uploaded = nil
	return rec
}

// quiet is a package in which nothing has happened for long.
func quiet() record.Package {
	return record.Package{
		Entry:  record.Entry{ID: 1609, Slug: "djorm-ext-pgfulltext", Title: "djorm-ext-pgfulltext", RepoURL: new("https://github.com/linuxlewis/djorm-ext-pgfulltext")},
		Repo:   record.Repo{Stars: 251, Forks: 85, Archived: true, Description: "PostgreSQL full-text search integration with django orm.", Commits52: make([]int, 52), Participants: []string{"linuxlewis"}, LastCommit: new(time.Date(2016, 1, 5, 19, 49, 29, 0, time.UTC))},
		GitHub: record.Status{State: record.StateOK, LastAttempt: ago(time.Hour), LastSuccess: ago(time.Hour)},
		PyPI:   record.Status{State: record.StateNone},
	}
}

const (
	attack    = `"><img src=x onerror=alert(1)></script><script>alert(1)</script>'`
	scriptURL = "javascript:alert(1)"
)

// hostile is a package that says nothing but what would do harm unescaped.
func hostile() record.Package {
	bad := func() *string { return new(attack) }
	rec := record.Package{
		Entry:   record.Entry{ID: -1, Slug: attack, Title: attack, RepoURL: new("https://github.com/" + attack), PyPIURL: bad(), DocumentationURL: new(scriptURL)},
		RepoKey: "github.com/a/b", ProjectKey: "pypi:a",
		Repo: record.Repo{
			Name: "a/" + attack, Stars: -5, Forks: 1 << 62, Description: attack, Commits52: []int{-3, 1 << 62, 7}, LastCommit: new(time.Time{}),
			Participants: []string{attack, "../../evil", "dependabot[bot]", "", "javascript:alert(1)"},
		},
		Project:  record.Project{Name: "a; rm -rf " + attack, Version: bad(), Licence: attack, Support: &record.Support{Python: []string{attack}, Django: []string{attack}}, RequiresPython: attack, Status: 99, DocumentationURL: scriptURL, Versions: []record.Version{{Version: attack, Yanked: true}}, Standing: record.Standing{Status: attack, Reason: attack}},
		GitHub:   record.Status{State: attack, LastError: attack, Note: attack, Failures: -1, LastAttempt: time.Unix(1<<40, 0)},
		PyPI:     record.Status{State: record.StateFailed, LastError: attack, Note: attack, Failures: 1 << 60},
		Modified: time.Unix(-1<<40, 0),
	}
	return rec
}

// huge is a package with more of everything than any screen takes.
func huge() record.Package {
	rec := crispy()
	rec.Title, rec.Slug = strings.Repeat("W", 250), "huge"
	rec.Repo.Description = "هذه حزمة بايثون لمعالجة النصوص العربية من اليمين إلى اليسار, with \u202esome override"
	rec.Repo.Stars, rec.Repo.Forks = 123_456_789, 98_765_432
	rec.Repo.Participants, rec.Project.Versions = nil, nil
	for i := range 500 {
		rec.Repo.Participants = append(rec.Repo.Participants, fmt.Sprintf("somebody-with-a-long-name-%d", i))
	}
	for i := range 10_000 {
		rec.Project.Versions = append(rec.Project.Versions, record.Version{Version: fmt.Sprintf("%d.0.dev20260216+local.build.with.a.long.name", 10_000-i), Uploaded: new(now)})
	}
	for i := range rec.Repo.Commits52 {
		rec.Repo.Commits52[i] = i * 2345
	}
	rec.GitHub.State = record.StatePending
	return rec
}

func packagePage(rec record.Package) PackagePage {
	return PackagePage{
		Clock: clock, Record: rec,
		Category: Link{"Apps", "/api/v4/categories/1/"},
		Grids:    []Link{{"Forms", "/api/v4/grids/58/"}, {"Rich " + attack, "/api/v4/grids/161/"}},
		JSON:     "/api/v4/packages/43/?format=json", Status: "/status/packages/django-crispy-forms/",
	}
}

func answer() *Answer {
	return &Answer{
		Method: "GET", Path: "/api/v4/packages/django-crispy-forms/", Status: 200, Base: "https://facts.example" + prefix,
		Header: [][2]string{{"Allow", "GET, HEAD, OPTIONS"}, {"Content-Type", "application/json"}, {"Vary", "Accept"}},
		Body: []byte(`{
    "category": "https://facts.example/facts/api/v4/categories/1/",
    "grids": [
        "https://facts.example/facts/api/v4/grids/58/"
    ],
    "id": 43,
    "title": "django-crispy-forms",
    "last_updated": "2026-02-15T09:45:10+01:00",
    "repo_url": "https://github.com/django-crispy-forms/django-crispy-forms",
    "pypi_version": "2.5",
    "repo_description": "\"><img src=x onerror=alert(1)><script>alert(1)</script> https://not.a.link.example",
    "documentation_url": "javascript:alert(1)"
}`),
	}
}

// ages counts packages by the classes that the status has.
func ages(packages ...int) (all []status.AgeCount) {
	for i, under := range []int64{3600, 21600, 86400, 172800, 604800, 0} {
		all = append(all, status.AgeCount{UnderSeconds: under, Packages: packages[i]})
	}
	return all
}

// catalogue is the status of a catalogue in which something fails.
func catalogue() status.Catalogue {
	s := status.Catalogue{
		Now: now, Packages: 5500, NextTick: now.Add(14 * time.Minute),
		Budgets: []status.Budget{
			{Name: "GitHub", Credential: "bot", Kind: "token", Expires: now.Add(20 * 24 * time.Hour), Known: true, Limit: 5000, Remaining: 1312, Reset: now.Add(23 * time.Minute),
				Points: &status.Points{Limit: 5000, Remaining: 4812, Reset: now.Add(40 * time.Minute)}},
			{Name: "GitHub", Credential: "app", Kind: "app", HeldUntil: now.Add(5 * time.Minute), Reason: "GitHub refused the app's installation: Not Found", Fault: "GitHub refused the app's installation: Not Found"},
			{Name: "GitHub", Credential: "spare", Kind: "token", Elsewhere: true},
			{Name: "PyPI", HeldUntil: now.Add(5 * time.Minute), Reason: "429 Too Many Requests, Retry-After 300"},
		},
		Failing: []status.Failing{
			{Slug: "old-thing", Title: "Old thing", Source: "GitHub", State: record.StateGone, Since: ago(40 * 24 * time.Hour), Failures: 9, LastError: "GET https://api.github.com/repos/a/old-thing: 404 Not Found"},
			{Slug: "django-crispy-forms", Title: "django-crispy-forms", Source: "PyPI", State: record.StateFailed, Since: ago(26 * time.Hour), Failures: 3, LastError: "GET https://pypi.org/pypi/django-crispy-forms/json: 503 Service Unavailable; asked again later"},
			{Slug: attack, Title: attack, Source: "PyPI", State: record.StateBlocked, LastError: attack},
		},
		FailingTotal: 57,
		Snapshot:     &status.Snapshot{Sequence: 20417, Made: ago(4 * time.Minute), Bytes: 3_456_789},
		Search:       &status.Search{State: status.SearchFailing, Since: ago(9 * time.Minute), Sequence: 20410, LastError: "write to the search index: no space left on device " + attack},
		Problems:     []record.Problem{{Kind: "store_writes", Since: ago(3 * time.Hour), Detail: "no space left on device; make room on the disk"}, {Kind: "backup", Since: ago(time.Hour), Detail: attack}, {Kind: "search", Since: ago(9 * time.Minute), Detail: "write to the search index: no space left on device"}},
		Reload:       &status.Reload{At: ago(2 * time.Hour), Error: "catalogue.yaml:7:3: no such key " + attack},
		Database:     &status.Database{Bytes: 23_456_789, Free: 1 << 20},
	}
	s.Cluster = &status.Cluster{
		Host: "a", Connected: true, Quorum: true, Reached: 3, Servers: 4, Applied: 20417, Lag: 1234, CaughtUp: true, Trouble: attack, Compared: ago(3 * time.Hour), Expires: now.AddDate(0, 0, 20),
		Warnings: []string{"stream PKGMETAD has 1 replica and not 3 " + attack}, AsOf: ago(3 * time.Second),
		Hosts: []status.Host{
			{Name: "a", State: status.HostHere, Seen: now, Server: true, Version: "1.4.0", Workers: 8, Applied: 20417, Lag: 1234},
			{Name: "b", State: status.HostMissing, Seen: ago(2 * time.Hour), Server: true, Version: "1.3.9", Workers: 16},
			{Name: "c", State: status.HostMissing, Server: true},
			{Name: "reader", State: status.HostHere, Seen: ago(4 * time.Second), Version: attack, Differently: true, Trouble: attack},
			{Name: attack, State: status.HostStopped, Seen: ago(time.Hour), Lag: 1 << 63},
		},
		Leases: []status.Lease{
			{Right: status.RightScheduler, Holder: "a", Here: true, Since: ago(time.Hour)},
			{Right: status.RightCredential, Credential: "bot", Own: true, Holder: "a", Here: true, Since: ago(time.Hour), Requests: &status.Left{Limit: 5000, Remaining: 4210}, Points: &status.Left{Limit: 5000, Remaining: 17}},
			{Right: status.RightCredential, Credential: "3d45cb94", Holder: attack, Since: ago(time.Hour)},
			{Right: status.RightPyPI},
		},
		Work: []status.Work{{Class: "github", Waiting: 1200, Taken: 300}, {Class: "pypi", Taken: 1}},
	}
	s.GitHub = status.Totals{Ages: ages(540, 830, 1440, 1210, 1130, 117), Never: 18, States: []status.StateCount{
		{State: record.StateOK, Packages: 5080}, {State: record.StatePending, Packages: 130}, {State: record.StateNew, Packages: 18},
		{State: record.StateFailed, Packages: 57}, {State: record.StateGone, Packages: 99}, {State: record.StateBlocked, Packages: 4},
		{State: record.StateUnsupported, Packages: 66}, {State: record.StateNone, Packages: 46},
	}}
	s.PyPI = status.Totals{Ages: ages(330, 2000, 2253, 0, 0, 0), States: []status.StateCount{
		{State: record.StateOK, Packages: 4583}, {State: record.StateNone, Packages: 917},
	}}
	for i := range 48 {
		p := record.Pass{
			Started: ago(time.Duration(i)*30*time.Minute + 16*time.Minute), DurationSeconds: 71.4 + float64(i*13%40),
			Tally:  record.Tally{Asked: 115 + i, Fresh: 40 + i%7, Unchanged: 70, Pending: i % 3, Failed: i % 4, Gone: i % 2},
			GitHub: record.Use{Requests: 388 + i, Charged: 41}, PyPI: record.Use{Requests: 112},
		}
		if i == 2 {
			p.Deferred, p.GitHub.HeldUntil, p.GitHub.Reason = 31, ago(50*time.Minute), "the primary limit is used up"
		}
		if i == 5 {
			p.Error = "write 256 records: no space left on device; free some"
		}
		s.Passes = append(s.Passes, p)
	}
	return s
}

// samples are all pages, of everything from nothing to too much, by name.
func samples(t testing.TB) map[string]string {
	t.Helper()
	all, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var rendered = sync.OnceValues(func() (map[string]string, error) {
	all := map[string]string{}
	var failures []error
	add := func(name string, write func(b *bytes.Buffer, f Frame) error) {
		var b bytes.Buffer
		failures = append(failures, write(&b, Frame{Prefix: prefix, Title: name, Answer: answer()}))
		all[name] = b.String()
	}
	items := []Item{
		{crispy(), "/api/v4/packages/django-crispy-forms/"}, {quiet(), "/api/v4/packages/djorm-ext-pgfulltext/"},
		{hostile(), "/api/v4/packages/-1/"}, {huge(), "/api/v4/packages/huge/"}, {record.Package{}, "/api/v4/packages/0/"},
	}
	pager := Pager{Count: 5500, First: 21, Last: 25, Previous: new("https://facts.example/facts/api/v4/packages/?limit=20"), Next: new("https://facts.example/facts/api/v4/packages/?limit=20&offset=40")}
	list := func(items []Item, p Pager, sorted record.Column) List {
		l := List{Pager: p, All: p.Count + 7, Items: items, Other: "/api/v4/grids/58/?view=django",
			Heads:   Heads(sorted, true, func(sort string) string { return "/api/v4/packages/?sort=" + sort }),
			Filters: []Filter{{"Alive", true, "/api/v4/packages/"}, {"Stable", false, "/api/v4/packages/?alive=yes&stable=yes"}},
			Plain:   "/api/v4/packages/",
		}
		for minor := range 14 {
			l.Django = append(l.Django, record.VersionCount{Version: fmt.Sprintf("%d.%d", 6-minor/3, 2-minor%3), Packages: minor})
		}
		return l
	}
	for name, rec := range map[string]record.Package{"package": crispy(), "package quiet": quiet(), "package hostile": hostile(), "package huge": huge(), "package empty": {GitHub: record.Status{State: record.StateNone}, PyPI: record.Status{State: record.StateUnsupported}}} {
		add(name, func(b *bytes.Buffer, f Frame) error { return Package(b, f, packagePage(rec)) })
	}
	add("package zero", func(b *bytes.Buffer, f Frame) error { return Package(b, f, PackagePage{}) })
	add("root", func(b *bytes.Buffer, f Frame) error {
		return Root(b, f, RootPage{Packages: 5500, Grids: 94, Categories: 4, More: []RootLink{{Link{"openapi.json", "/openapi.json"}, "all of it"}}})
	})
	add("packages", func(b *bytes.Buffer, f Frame) error {
		return Packages(b, f, ListPage{Clock: clock, List: list(items, pager, record.ByDefault)})
	})
	add("packages empty", func(b *bytes.Buffer, f Frame) error {
		return Packages(b, f, ListPage{List: List{All: 3, Pager: Pager{Count: 3}}})
	})
	add("packages filtered", func(b *bytes.Buffer, f Frame) error { return Packages(b, f, ListPage{List: List{All: 3}}) })
	grid := record.Grid{ID: 58, Slug: "forms", Title: "Forms", Description: "Everything about forms. " + attack, IsLocked: true}
	add("grids", func(b *bytes.Buffer, f Frame) error {
		return Grids(b, f, GridsPage{Pager: pager, Items: []GridItem{{grid, "/api/v4/grids/58/", 7}, {record.Grid{}, "/api/v4/grids/0/", 0}}})
	})
	add("grids empty", func(b *bytes.Buffer, f Frame) error { return Grids(b, f, GridsPage{}) })
	add("grid", func(b *bytes.Buffer, f Frame) error {
		return Grid(b, f, GridPage{Clock: clock, Grid: grid, List: list(items, pager, record.ByStars), JSON: "/api/v4/grids/58/?format=json"})
	})
	add("readiness", func(b *bytes.Buffer, f Frame) error {
		l := list(items, pager, record.ByDjango)
		l.Readiness = true
		return Grid(b, f, GridPage{Clock: clock, Grid: grid, List: l, JSON: "/api/v4/grids/58/?format=json"})
	})
	add("grid empty", func(b *bytes.Buffer, f Frame) error { return Grid(b, f, GridPage{}) })
	category := record.Category{ID: 1, Slug: "apps", Title: "App", TitlePlural: "Apps", Description: "Small components. " + attack, ShowPyPI: true, Created: ago(1e17), Modified: ago(1e14)}
	add("categories", func(b *bytes.Buffer, f Frame) error {
		return Categories(b, f, CategoriesPage{Pager: Pager{Count: 2, First: 1, Last: 2}, Items: []CategoryItem{{category, "/api/v4/categories/1/"}, {}}})
	})
	add("categories empty", func(b *bytes.Buffer, f Frame) error { return Categories(b, f, CategoriesPage{}) })
	add("category", func(b *bytes.Buffer, f Frame) error {
		return Category(b, f, CategoryPage{clock, category, list(items, pager, record.ByLicence), "/api/v4/categories/1/?format=json"})
	})
	add("category empty", func(b *bytes.Buffer, f Frame) error { return Category(b, f, CategoryPage{}) })
	add("search", func(b *bytes.Buffer, f Frame) error {
		return Search(b, f, SearchPage{Clock: clock, Query: "form " + attack, Asked: true, Full: true, Hits: []Hit{
			{Package: &items[0], Category: "Apps"}, {Grid: &GridItem{grid, "/api/v4/grids/58/", 7}}, {Package: &items[2], Category: attack}, {Package: &items[4]}, {},
		}})
	})
	add("search empty", func(b *bytes.Buffer, f Frame) error { return Search(b, f, SearchPage{}) })
	add("search none", func(b *bytes.Buffer, f Frame) error { return Search(b, f, SearchPage{Query: "xyzzy", Asked: true}) })
	for _, state := range []string{status.SearchBehind, status.SearchFailing} {
		add("search "+state, func(b *bytes.Buffer, f Frame) error {
			return Search(b, f, SearchPage{Query: "xyzzy", Asked: true, State: state})
		})
	}
	add("status", func(b *bytes.Buffer, f Frame) error {
		return Status(b, f, StatusPage{catalogue(), berlin, "/status/?format=json"})
	})
	add("status empty", func(b *bytes.Buffer, f Frame) error { return Status(b, f, StatusPage{}) })
	add("package status", func(b *bytes.Buffer, f Frame) error {
		rec := crispy()
		p := status.New(status.Options{Zone: berlin}).Package(&rec)
		p.PyPI.FailingSince, p.PyPI.Note = ago(26*time.Hour), attack
		return PackageStatus(b, f, PackageStatusPage{clock, p, "/api/v4/packages/43/", "/status/packages/django-crispy-forms/?format=json"})
	})
	add("package status empty", func(b *bytes.Buffer, f Frame) error { return PackageStatus(b, f, PackageStatusPage{}) })
	add("plain", func(b *bytes.Buffer, f Frame) error {
		f.Answer.Status, f.Answer.Body = 404, []byte("{\n    \"detail\": \"No Package matches the given query.\"\n}")
		return Plain(b, f, PlainPage{"Not found", "There is no package here. " + attack, []Link{{"Forms " + attack, "/api/v4/packages/43/"}}})
	})
	add("plain answer", func(b *bytes.Buffer, f Frame) error { return Plain(b, f, PlainPage{Heading: "Changes"}) })
	return all, errors.Join(failures...)
})
