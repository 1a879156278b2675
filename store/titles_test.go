package store_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

func TestServedByTitle(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "c", "d", "e", "f")
	for i, title := range []string{"zeta", "Ärger", "same", "\U0001F600", "same", "Zeta"} {
		c.Packages[i].ID, c.Packages[i].Title = i+1, title
	}
	c.Categories = []record.Category{{ID: 4, Slug: "four"}}
	c.Packages[2].Category, c.Packages[5].Category = 4, 4
	sync(t, s, c, t0)
	byTitle := func(category, offset, limit int) (ids []int, total int, err error) {
		err = s.ServedByTitle(category, offset, limit,
			func(n int) { ids, total = nil, n },
			func(p store.Served) { ids = append(ids, p.ID) })
		return ids, total, err
	}
	check := func(category, offset, limit int, want string, total int) {
		t.Helper()
		ids, n, err := byTitle(category, offset, limit)
		must(t, err)
		slugs, err := s.Slugs(ids)
		if got := strings.Join(slugs, ""); err != nil || got != want || n != total {
			t.Errorf("category %d, %d+%d: %q of %d, want %q of %d; %v", category, offset, limit, got, n, want, total, err)
		}
	}
	check(0, 0, 9, "fceabd", 6)
	check(0, 1, 2, "ce", 6)
	check(0, 0, 0, "", 6)
	check(0, 5, math.MaxInt, "d", 6)
	check(0, math.MaxInt, math.MaxInt, "", 6)
	check(4, 0, 9, "fc", 2)
	check(4, 1, 9, "c", 2)
	check(0, -1, -1, "", 6)
	check(5, 0, 9, "", 0)

	// A sync changes titles and categories, adds and removes.
	c.Packages = entries("a", "b", "c", "e", "f", "g").Packages
	for i, title := range []string{"A", "Ärger", "same", "same", "Zeta", "B"} {
		c.Packages[i].Title = title
	}
	c.Packages[1].Category = 4
	sync(t, s, c, t0)
	check(0, 0, 9, "agfceb", 6)
	check(4, 0, 9, "b", 1)

	ids, _, err := byTitle(0, 0, 9)
	must(t, err)
	slugs, err := s.Slugs(append(ids, 999, -1))
	must(t, err)
	diff(t, "slugs", []string{"a", "g", "f", "c", "e", "b"}, slugs)

	must(t, s.Close())
	if _, _, err := byTitle(0, 0, 1); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("of a closed store: %v", err)
	}
}
