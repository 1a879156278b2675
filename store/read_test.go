package store_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestLookups(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a")
	c.Packages[0].ID = 7
	c.Categories = []record.Category{{ID: 2, Slug: "apps"}}
	c.Grids = []record.Grid{{ID: 3, Slug: "cms"}}
	sync(t, s, c, t0)

	rec, err := s.Package(7)
	must(t, err)
	diff(t, "by slug", rec, get(t, s, "a"))
	if category, err := s.Category(2); err != nil || category.Slug != "apps" {
		t.Errorf("category: %+v %v", category, err)
	}
	if grid, err := s.Grid(3); err != nil || grid.Slug != "cms" {
		t.Errorf("grid: %+v %v", grid, err)
	}
	if grid, err := s.GridBySlug("cms"); err != nil || grid.ID != 3 {
		t.Errorf("grid by slug: %+v %v", grid, err)
	}
	for name, lookup := range map[string]func() error{
		"package":         func() error { _, err := s.Package(8); return err },
		"negative id":     func() error { _, err := s.Package(-1); return err },
		"slug":            func() error { _, err := s.PackageBySlug("b"); return err },
		"empty slug":      func() error { _, err := s.PackageBySlug(""); return err },
		"long slug":       func() error { _, err := s.PackageBySlug(strings.Repeat("x", 1<<17)); return err },
		"category":        func() error { _, err := s.Category(3); return err },
		"grid":            func() error { _, err := s.Grid(2); return err },
		"grid by slug":    func() error { _, err := s.GridBySlug("x"); return err },
		"grid by no slug": func() error { _, err := s.GridBySlug(""); return err },
	} {
		if err := lookup(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPaging(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c", "d", "e")
	for i := range 5 {
		c.Categories = append(c.Categories, record.Category{ID: i + 1, Slug: c.Packages[i].Slug})
	}
	sync(t, s, c, t0)
	for _, test := range []struct {
		offset, limit int
		want          string
	}{
		{0, 2, "ed"}, {2, 2, "cb"}, {4, 2, "a"}, {5, 2, ""}, {9, 2, ""}, {0, 9, "edcba"},
		{0, 0, ""}, {-3, 2, "ed"}, {0, -1, ""}, {math.MaxInt, math.MaxInt, ""}, {0, math.MaxInt, "edcba"}, {math.MinInt, 1, "e"},
	} {
		recs, total, err := s.Packages(test.offset, test.limit)
		if got := strings.Join(slugsOf(recs), ""); err != nil || total != 5 || got != test.want {
			t.Errorf("packages %d+%d: %q of %d, want %q; %v", test.offset, test.limit, got, total, test.want, err)
		}
		categories, total, err := s.Categories(test.offset, test.limit)
		got := ""
		for _, category := range categories {
			got += category.Slug
		}
		if err != nil || total != 5 || got != test.want {
			t.Errorf("categories %d+%d: %q of %d, want %q; %v", test.offset, test.limit, got, total, test.want, err)
		}
	}
}

func TestSourcesAfter(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c")
	c.Packages[1].RepoURL = nil
	c.Packages[2].RepoURL, c.Packages[2].PyPIURL = nil, c.Packages[1].PyPIURL
	sync(t, s, c, t0)
	for _, test := range []struct {
		after record.Key
		limit int
		want  string
	}{{"", 2, "Aa"}, {"", 9, "Aab"}, {"github.com/o/a", 9, "ab"}, {"pypi:a", 1, "b"}, {"pypi:b", 9, ""}, {"", 0, ""}} {
		sources, err := s.SourcesAfter(test.after, test.limit)
		if got := names(sources); err != nil || got != test.want {
			t.Errorf("after %s: %q, want %q; %v", test.after, got, test.want, err)
		}
	}
	for slug, want := range map[string]string{"a": "Aa", "b": "b", "c": "b"} {
		if sources, err := s.Sources(slug); err != nil || names(sources) != want {
			t.Errorf("%s refers to %q, want %q; %v", slug, names(sources), want, err)
		}
	}
	if _, err := s.Sources("x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("sources of no package: %v", err)
	}
}

func TestGridPackagesByTitle(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	var c record.Catalogue
	for _, title := range []string{"zeta", "same", "Ärger", "\U0001F600", "same", "Zeta", "Ab", "A", "\uffee", "", strings.Repeat("y", 9000)} {
		e := entry("p" + string(rune('a'+len(c.Packages))))
		e.Title, e.Grids = title, []int{2, 1}
		c.Packages = append(c.Packages, e)
	}
	c.Packages[7].Grids = []int{1}
	sync(t, s, c, t0)
	expect := func(grid int, want ...int) {
		t.Helper()
		got, err := s.GridPackages(grid)
		must(t, err)
		diff(t, "order", want, got)
	}
	expect(1, 10, 8, 7, 6, 2, 5, 11, 1, 3, 9, 4)
	expect(2, 10, 7, 6, 2, 5, 11, 1, 3, 9, 4)
	expect(3)
	c.Packages[0].Title = "B"
	c.Packages[1].Grids = nil
	c.Packages = c.Packages[:10]
	sync(t, s, c, t0)
	expect(2, 10, 7, 1, 6, 5, 3, 9, 4)
	checkFile(t, s)
}
