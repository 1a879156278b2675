package main

import (
	"testing"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// TestDemoHasTheExamplesIDs: who goes from the demo to the example catalogue finds the same
// things under the same ids.
func TestDemoHasTheExamplesIDs(t *testing.T) {
	example, err := catalogue.Load("../../packaging/catalogue.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/catalogue.yaml"
	world := demoWorld(sim.Options{})
	t.Cleanup(func() { world.Close() })
	if err := writeCatalogue(path, world); err != nil {
		t.Fatal(err)
	}
	demo, err := catalogue.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	slugs := func(c record.Catalogue) map[string]map[int]string {
		found := map[string]map[int]string{"category": {}, "grid": {}, "package": {}}
		for _, x := range c.Categories {
			found["category"][x.ID] = x.Slug
		}
		for _, x := range c.Grids {
			found["grid"][x.ID] = x.Slug
		}
		for _, x := range c.Packages {
			if x.ID != 0 { // else it is given one that nothing has
				found["package"][x.ID] = x.Slug
			}
		}
		return found
	}
	a, b := slugs(example), slugs(demo)
	for kind := range a {
		common := 0
		for id, slug := range a[kind] {
			for other, same := range b[kind] {
				if (id == other) != (slug == same) {
					t.Errorf("%s %d is %s in the example, and %d is %s in the demo", kind, id, slug, other, same)
				}
				if id == other {
					common++
				}
			}
		}
		if common == 0 {
			t.Errorf("they have no %s in common", kind)
		}
	}
}
