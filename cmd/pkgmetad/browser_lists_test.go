package main

import (
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
)

// laidOut is how the browser has laid out a list that compares packages.
type laidOut struct {
	Names  []string // of the packages
	Heads  []string // that are to be seen
	Sorted []string // the heads that are marked as sorted, with how
	Cut    int      // px of the table that have to be scrolled to
	Across bool     // the first package's cells stand beside each other, as in a table
}

const readList = `(() => {
	const cells = [...document.querySelectorAll('.compared tbody tr:first-child td')].map(c => c.getBoundingClientRect()).filter(r => r.width > 0);
	return {
		Names: [...document.querySelectorAll('.compared tbody th a')].map(a => a.textContent),
		Heads: [...document.querySelectorAll('.compared thead th')].filter(h => { const r = h.getBoundingClientRect(); return r.width > 10 && r.right <= innerWidth }).map(h => h.textContent),
		Sorted: [...document.querySelectorAll('.compared [aria-sort]')].map(h => h.textContent.split(' ')[0] + ' ' + h.ariaSort),
		Cut: document.querySelector('.compared').scrollWidth - document.querySelector('.compared').clientWidth,
		Across: Math.max(...cells.map(r => r.top)) === Math.min(...cells.map(r => r.top)),
	};
})()`

// cutWhenLarge fills the table of versions with the numbers of a large category, and returns
// how many pixels of it are then cut off.
const cutWhenLarge = `(() => {
	const counts = document.querySelectorAll('.readiness small');
	for (const count of counts) count.textContent = '1,234 of 12,345';
	const table = document.querySelector('.compared');
	return counts.length === 12 ? table.scrollWidth - table.clientWidth : -1;
})()`

// testLists looks at packages compared, on a desk and on a phone, and clicks through what
// sorts and filters them.
func testLists(b *tab) {
	for _, path := range []string{"/api/v4/packages/", "/api/v4/packages/?sort=-stars&limit=100", "/api/v4/grids/kinds/", "/api/v4/categories/90/", "/api/v4/grids/kinds/?view=django", "/api/v4/categories/90/?view=django"} {
		heads := 12
		if strings.Contains(path, "view=") {
			heads = 2
		}
		for _, width := range []int{1440, phoneWidth} {
			b.resize(1440, 900)
			if width == phoneWidth {
				b.phone()
			}
			b.visit(path)
			b.well(path, width)
			list := eval[laidOut](b, readList)
			if list.Cut > 0 || len(list.Heads) < heads || len(list.Names) < 7 {
				b.Errorf("%s at %d px: %d px are cut off; the heads are %q, the packages %q", path, width, list.Cut, list.Heads, list.Names)
			}
			if list.Across != (width == 1440) && heads == 12 {
				b.Errorf("%s at %d px: cells in a row is %v", path, width, list.Across)
			}
		}
	}

	b.resize(1440, 900)
	b.visit("/api/v4/grids/kinds/?view=django")
	if cut := eval[int](b, cutWhenLarge); cut != 0 {
		b.Errorf("of a dozen versions of Django (-1: not a dozen), %d px are cut off", cut)
	}

	b.visit("/api/v4/grids/kinds/")
	click := func(link string) laidOut {
		b.follow(chromedp.Click(chromedp.Search("//main//a[contains(., '" + link + "')]")))
		return eval[laidOut](b, readList)
	}
	down := click("Stars")
	if !slices.Equal(down.Sorted, []string{"Stars descending"}) || b.path() != "/api/v4/grids/kinds/?sort=-stars" {
		b.Errorf("at %s, %q", b.path(), down.Sorted)
	}
	up := click("Stars")
	if !slices.Equal(up.Sorted, []string{"Stars ascending"}) || slices.Equal(up.Names, down.Names) {
		b.Errorf("at %s, %q", b.path(), up.Sorted)
	}
	alive := click("Alive")
	if b.path() != "/api/v4/grids/kinds/?alive=yes&sort=stars" || len(alive.Names) == 0 || len(alive.Names) >= len(up.Names) || slices.Contains(alive.Names, "Gone") {
		b.Errorf("at %s, alive are %q", b.path(), alive.Names)
	}
	if ready := click("Django readiness"); b.path() != "/api/v4/grids/kinds/?alive=yes&sort=stars&view=django" || !slices.Equal(ready.Names, alive.Names) {
		b.Errorf("at %s, %q", b.path(), ready.Names)
	}
	click("Comparison")
	if again := click("Alive"); !slices.Equal(again.Names, up.Names) {
		b.Errorf("at %s, %q", b.path(), again.Names)
	}
	if plain := click("Reset"); b.path() != "/api/v4/grids/kinds/" || len(plain.Sorted) != 0 {
		b.Errorf("at %s, %q", b.path(), plain.Sorted)
	}
}
