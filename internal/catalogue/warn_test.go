package catalogue

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
)

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    record.Catalogue
		want []string
	}{
		{"nothing to say", record.Catalogue{Packages: []record.Entry{{Slug: "one"}, {Slug: "2", ID: 2}, {Slug: "7"}}, Grids: []record.Grid{{Slug: "ONE", ID: 7}}}, nil},
		{"empty", record.Catalogue{Grids: []record.Grid{{Slug: "g", ID: 1}}}, []string{"the catalogue declares no packages: nothing is fetched, and the lists are empty"}},
		{"slugs", record.Catalogue{
			Packages:   []record.Entry{{Slug: "Wagtail", ID: 3}, {Slug: "03", ID: 4}, {Slug: "wagtail"}, {Slug: "99999999999999999999"}, {Slug: "-3"}, {Slug: "WAGTAIL"}},
			Categories: []record.Category{{Slug: "apps", ID: 1}, {Slug: "1", ID: 2}},
		}, []string{
			"the slugs Wagtail and WAGTAIL of two packages differ in case alone: they are two packages, each with an address of its own; if that is not meant, remove one",
			"the slug 03 of a package is the id of the package Wagtail, which is what is found by it; write another slug",
			"the slugs WAGTAIL and wagtail of two packages differ in case alone: they are two packages, each with an address of its own; if that is not meant, remove one",
			"the slug 1 of a category is the id of the category apps, which is what is found by it; write another slug",
		}},
	} {
		if diff := cmp.Diff(tt.want, Warnings(tt.c)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

// BenchmarkWarnings looks over a million packages: what every reload of that many costs more.
func BenchmarkWarnings(b *testing.B) {
	c := record.Catalogue{Packages: make([]record.Entry, 1_000_000)}
	for i := range c.Packages {
		c.Packages[i] = record.Entry{Slug: fmt.Sprintf("django-package-%d", i), ID: i + 1}
	}
	b.ReportAllocs()
	for b.Loop() {
		Warnings(c)
	}
}
