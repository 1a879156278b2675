package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// Present is the present catalogue file, before an import replaces it.
type Present struct {
	Exists    bool
	Catalogue record.Catalogue // if it exists and can be read
	Err       error            // why it cannot be read, if it exists

	path string
}

// ReadPresent reads the catalogue file at path, which need not exist.
func ReadPresent(path string) *Present {
	p := &Present{path: path}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return p
	}
	p.Exists = true
	p.Catalogue, p.Err = Load(path)
	return p
}

// maxNamed is how many of the packages that would vanish an error names.
const maxNamed = 5

// Guard refuses a catalogue that lacks packages of the present one, and any
// catalogue in place of a file that cannot be read.
func (p *Present) Guard(next record.Catalogue) error {
	const advice = "nothing was changed; --replace lets the import replace it, and keeps it as .bak"
	if p.Err != nil {
		return fmt.Errorf("the present catalogue cannot be read, so it is unknown what would be lost with it: %w\n%s", p.Err, advice)
	}
	vanishing := missing(p.Catalogue, next)
	if len(vanishing) == 0 {
		return nil
	}
	named := vanishing
	if len(named) > maxNamed {
		named = append(named[:maxNamed:maxNamed], "…")
	}
	return fmt.Errorf("%s of the present catalogue %s would vanish: %s, which SOURCE lacks; %s", record.Count(len(vanishing), "package", "packages"), p.path, strings.Join(named, ", "), advice)
}

// KeepStaleAfter gives the packages and categories of next the stale_after that they have
// in the present catalogue, by id or by slug. Another site, or a snapshot, does not know it.
func (p *Present) KeepStaleAfter(next *record.Catalogue) {
	byID, bySlug := map[int]time.Duration{}, map[string]time.Duration{}
	for i := range p.Catalogue.Packages {
		if e := &p.Catalogue.Packages[i]; e.StaleAfter != 0 {
			bySlug[e.Slug] = e.StaleAfter
			if e.ID != 0 {
				byID[e.ID] = e.StaleAfter
			}
		}
	}
	for i := range next.Packages {
		e := &next.Packages[i]
		e.StaleAfter = cmp.Or(byID[e.ID], bySlug[e.Slug])
	}
	categories := map[int]time.Duration{}
	for _, c := range p.Catalogue.Categories {
		categories[c.ID] = c.StaleAfter
	}
	for i := range next.Categories {
		next.Categories[i].StaleAfter = categories[next.Categories[i].ID]
	}
}

// missing returns the slugs of the packages in from that next has neither by slug
// nor by id.
func missing(from, next record.Catalogue) (slugs []string) {
	hasID, hasSlug := make(map[int]bool, len(next.Packages)), make(map[string]bool, len(next.Packages))
	for i := range next.Packages {
		hasID[next.Packages[i].ID], hasSlug[next.Packages[i].Slug] = true, true
	}
	for i := range from.Packages {
		if e := &from.Packages[i]; !hasSlug[e.Slug] && (e.ID == 0 || !hasID[e.ID]) {
			slugs = append(slugs, e.Slug)
		}
	}
	return slugs
}
