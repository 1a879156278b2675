package catalogue

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"pkgmetad/internal/record"
)

// Warnings returns a sentence for each thing in a catalogue that is allowed and seldom
// meant: that it has no packages, slugs that differ in case alone, and slugs that are the
// id of another entry of their kind, by which that one is found.
func Warnings(c record.Catalogue) (all []string) {
	if len(c.Packages) == 0 {
		all = append(all, "the catalogue declares no packages: nothing is fetched, and the lists are empty")
	}
	all = append(all, slugWarnings("package", "packages", slugs(c.Packages, func(e *record.Entry) (string, int) { return e.Slug, e.ID }))...)
	all = append(all, slugWarnings("grid", "grids", slugs(c.Grids, func(g *record.Grid) (string, int) { return g.Slug, g.ID }))...)
	return append(all, slugWarnings("category", "categories", slugs(c.Categories, func(c *record.Category) (string, int) { return c.Slug, c.ID }))...)
}

// slugs yields the slug and the id of each entry.
func slugs[T any](entries []T, of func(*T) (slug string, id int)) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for i := range entries {
			if !yield(of(&entries[i])) {
				return
			}
		}
	}
}

// slugWarnings are those about the entries of one kind. There may be a million, so it keeps
// only the slugs that are out of the ordinary: with capitals, or numbers.
func slugWarnings(one, many string, entries iter.Seq2[string, int]) (all []string) {
	alike := func(a, b string) {
		all = append(all, fmt.Sprintf("the slugs %s and %s of two %s differ in case alone: they are two %s, each with an address of its own; if that is not meant, remove one", a, b, many, many))
	}
	capitals, numbers := map[string]string{}, map[int]string{} // in lower case, and as a number -> as it is
	for slug, id := range entries {
		if lower := strings.ToLower(slug); lower != slug {
			if earlier, twice := capitals[lower]; twice {
				alike(earlier, slug)
			}
			capitals[lower] = slug
		}
		if slug == "" || slug[0] > '9' {
			continue
		}
		if n, err := strconv.Atoi(slug); err == nil && n > 0 && n != id {
			numbers[n] = slug
		}
	}
	for slug, id := range entries {
		if other, twice := capitals[slug]; twice {
			alike(other, slug)
		}
		if number, taken := numbers[id]; taken {
			all = append(all, fmt.Sprintf("the slug %s of a %s is the id of the %s %s, which is what is found by it; write another slug", number, one, one, slug))
		}
	}
	return all
}
