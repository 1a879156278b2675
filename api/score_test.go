package api

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
)

var scoredAt = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func TestScore(t *testing.T) {
	yes, no := true, false
	ago := func(months int) *time.Time { // to the 1st, so that no day is clipped
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).AddDate(0, -months, 0)
		return &at
	}
	for _, c := range []struct {
		name    string
		stars   int
		commit  *time.Time
		python3 *bool
		want    int
	}{
		{"fresh", 251, ago(0), &yes, 251},
		{"no stars", 0, ago(120), &no, 0},
		{"unknown last commit", 1000, nil, &yes, 1000},
		{"2 months", 1000, ago(2), &yes, 1000},
		{"3 months", 1000, ago(3), &yes, 900},
		{"5 months", 1000, ago(5), &yes, 900},
		{"2 years", 1000, ago(24), &yes, 200},
		{"30 months", 1000, ago(30), &yes, 0},
		{"33 months", 1000, ago(33), &yes, -100},
		{"the floor", 1000, ago(45), &yes, -500},
		{"below the floor", 1000, ago(48), &yes, -500},
		{"below the floor by far", 90_000, ago(300), &no, -500},
		{"no python 3", 1000, ago(0), &no, 700},
		{"python 3 unknown", 1000, ago(0), nil, 700},
		{"python 3, the most", 90_000, ago(0), &no, 89_000},
		{"python 3, just the most", 3334, ago(0), &no, 2334},
		{"python 3, less than the most", 3333, ago(0), &no, 2333}, // 2333.1
		{"both", 1000, ago(24), &no, -100},
		{"cut off", 251, ago(3), &yes, 225},             // 225.9
		{"cut off, python 3", 7, ago(0), &no, 4},        // 4.9
		{"cut off below zero", 251, ago(33), &yes, -25}, // -25.1
		{"all but nothing", 1, ago(0), &no, 0},          // 0.7
		{"commit ahead of the clock", 1000, ago(-12), &yes, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := record.Package{Repo: record.Repo{Stars: c.stars, LastCommit: c.commit}, Project: record.Project{Python3: c.python3}}
			if got := score(&p, scoredAt); got != c.want {
				t.Errorf("score %d, want %d", got, c.want)
			}
		})
	}
}

func TestMonthsBetween(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     int
	}{
		{"2026-03-31T12:00:00Z", "2026-03-31T12:00:00Z", 0},
		{"2026-01-31T12:00:00Z", "2026-02-28T11:59:59Z", 0},
		{"2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z", 1}, // January has no 28th for it
		{"2026-01-31T12:00:00Z", "2026-03-30T12:00:00Z", 1},
		{"2026-01-31T12:00:00Z", "2026-03-31T12:00:00Z", 2},
		{"2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z", 12},
		{"2024-02-29T00:00:00Z", "2025-02-27T23:59:59Z", 11},
		{"2024-02-29T00:00:00Z", "2028-02-28T23:59:59Z", 47},
		{"2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z", 48},
		{"2023-11-30T00:00:00Z", "2024-02-29T00:00:00Z", 3},
		{"2025-11-30T00:00:00Z", "2026-02-28T00:00:00Z", 3},
		{"2025-12-31T23:59:59.999999Z", "2026-03-31T23:59:59.999998Z", 2},
		{"2025-12-31T23:59:59.999999Z", "2026-03-31T23:59:59.999999Z", 3},
		{"2025-12-31T22:00:00-05:00", "2026-04-01T02:59:59Z", 2}, // UTC's months, not another zone's
		{"2025-12-31T22:00:00-05:00", "2026-04-01T03:00:00Z", 3},
		{"2016-01-05T19:49:29Z", "2026-03-31T12:00:00Z", 122},
		{"2027-03-31T12:00:00Z", "2026-03-31T12:00:00Z", 0},
	} {
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := time.Parse(time.RFC3339, c.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := monthsBetween(from, to); got != c.want {
			t.Errorf("from %s to %s: %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

func TestWeight(t *testing.T) {
	yes, docs, latest := true, "https://docs.example/", "2.0"
	at := func(months int) *time.Time {
		then := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).AddDate(0, -months, 0)
		return &then
	}
	weeks := func(n int) []int {
		commits := make([]int, 52)
		for i := range n {
			commits[51-i] = i + 1
		}
		return commits
	}
	best := func() record.Package {
		return record.Package{
			Entry:   record.Entry{DocumentationURL: &docs},
			Repo:    record.Repo{Stars: 9999, Description: "All of it.", LastCommit: at(0), Commits52: weeks(52)},
			Project: record.Project{Version: &latest, Versions: []record.Version{{Version: "1.0"}, {Version: latest, Uploaded: at(1)}}, Python3: &yes},
		}
	}
	for _, c := range []struct {
		name string
		of   func(*record.Package)
		want int
	}{
		{"everything", func(p *record.Package) {}, 100},
		{"nothing", func(p *record.Package) { *p = record.Package{} }, 0},
		{"more stars", func(p *record.Package) { p.Repo.Stars = 1_000_000 }, 100},
		{"a tenth of the stars", func(p *record.Package) { p.Repo.Stars = 999 }, 90},
		{"one star", func(p *record.Package) { p.Repo.Stars = 1 }, 63},
		{"no stars", func(p *record.Package) { p.Repo.Stars = 0 }, 60},
		{"3 months", func(p *record.Package) { p.Repo.LastCommit = at(3) }, 90},
		{"6 months", func(p *record.Package) { p.Repo.LastCommit = at(6) }, 85},
		{"12 months", func(p *record.Package) { p.Repo.LastCommit = at(12) }, 80},
		{"last commit unknown", func(p *record.Package) { p.Repo.LastCommit = nil }, 80},
		{"10 weeks", func(p *record.Package) { p.Repo.Commits52 = weeks(10) }, 100},
		{"3 weeks", func(p *record.Package) { p.Repo.Commits52 = weeks(3) }, 93},
		{"weeks unknown", func(p *record.Package) { p.Repo.Commits52 = nil }, 90},
		{"archived", func(p *record.Package) { p.Repo.Archived = true }, 70},
		{"an old release", func(p *record.Package) { p.Project.Versions[1].Uploaded = at(13) }, 95},
		{"release without files", func(p *record.Package) { p.Project.Versions[1].Uploaded = nil }, 90},
		{"latest not among the versions", func(p *record.Package) { p.Project.Versions = p.Project.Versions[:1] }, 90},
		{"no release", func(p *record.Package) { p.Project = record.Project{Python3: &yes} }, 90},
		{"python 3 unknown", func(p *record.Package) { p.Project.Python3 = nil }, 90},
		{"blank documentation", func(p *record.Package) { p.DocumentationURL = new(string) }, 95},
		{"documentation on PyPI", func(p *record.Package) { p.DocumentationURL, p.Project.DocumentationURL = nil, docs }, 100},
		{"no description", func(p *record.Package) { p.Repo.Description = "" }, 95},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := best()
			c.of(&p)
			if got := weight(&p, scoredAt); got != c.want {
				t.Errorf("weight %d, want %d", got, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, noPrefix, clean string }{
		{"", "", ""},
		{"django-rest-framework-social-oauth2", "rest-framework-social-oauth2", "restframeworksocialoauth2"}, // as documented
		{"Django Crispy Forms", "crispy forms", "crispyforms"},
		{"django", "django", "django"},
		{"django_me", "me", "me"}, {"django,me", "me", "me"}, {"django.me", "me", "me"}, {"django-me", "me", "me"},
		{"django me", "me", "me"}, {"django/me", "me", "me"}, {"django|me", "me", "me"}, {"djangome", "djangome", "djangome"},
		{"wagtail-django-cms", "wagtail-cms", "wagtailcms"}, // wherever it stands
		{"django-django-x", "x", "x"},
		{"djangodjango__", "djangodjango__"[:6] + "_", "django"},
		{"django--x", "-x", "x"},
		{"C++ & Ünïcode", "c++ & ünïcode", "cncode"},
	} {
		got := noPrefix(c.name)
		if got != c.noPrefix {
			t.Errorf("noPrefix(%q) = %q, want %q", c.name, got, c.noPrefix)
		}
		if clean := cleanTitle(got); clean != c.clean {
			t.Errorf("cleanTitle(%q) = %q, want %q", got, clean, c.clean)
		}
	}
}
