package sim

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// Status is the lifecycle status of a PyPI project (PEP 792).
type Status string

const (
	Active      Status = "active" // also ""
	Archived    Status = "archived"
	Deprecated  Status = "deprecated"
	Quarantined Status = "quarantined" // 404 from the JSON API, missing in the index
	Deleted     Status = "deleted"     // 404 everywhere
)

// A Project is a PyPI project. Its fields may be changed in [World.Edit].
type Project struct {
	Name              string // as its owner spells it
	Status            Status
	StatusReason      string
	Summary           string
	Description       string
	Author            string
	AuthorEmail       string
	HomePage          string
	DocsURL           *string
	License           string  // the free-text field
	LicenseExpression *string // SPDX, null where nil
	Classifiers       []string
	ProjectURLs       map[string]string // null where nil
	RequiresPython    string            // of releases that declare none of their own

	// Releases in any order. A generated project also has releases of its own; one
	// declared here replaces that of the same version.
	Releases []Release
	// Latest is info.version; "" means the one that PyPI's rule gives: not yanked before
	// yanked, then final before pre-release, then the highest version.
	Latest string
	// Serial grows with every change of the project. If it is 0 when the project is
	// added, one is chosen.
	Serial int64

	Unlisted bool // left out of what World.Catalogue derives

	gen         *projectHistory // a generated project's own releases; nil for a declared one
	life        *projectLife    // what else happens to it; nil for a declared one
	timeless    bool            // its releases are visible whatever the clock says
	lastSerial  int64           // Serial as of the end of the last Edit
	serialFrom  time.Time       // Serial covers the changes until then
	catalogueID int

	// Only what at returns, the project at a moment, has these.
	pulled  pulled
	changed time.Time // when its life last changed it so that the serial grew
	until   time.Time // when its life may next change it
}

// A Release is one version of a project.
type Release struct {
	Version        string
	Yanked         bool // and so are all of its files
	YankedReason   string
	RequiresPython *string // nil means the project's
	Files          []File  // may be empty
	Quarantined    bool    // in neither API, as if it had never been made

	key     versionKey // set by Project.contents
	changed time.Time  // of a generated one: when it was made, or yanked
}

// A File is one distribution file.
type File struct {
	Name     string // "" means one made from project and version
	Uploaded time.Time
	Wheel    bool
	Size     int64
}

// uploaded is the time of the earliest upload of a file, or zero without files.
func (r *Release) uploaded() (t time.Time) {
	for _, f := range r.Files {
		if t.IsZero() || f.Uploaded.Before(t) {
			t = f.Uploaded
		}
	}
	return t
}

// contents are the releases so far, in version order, those that are quarantined too.
type contents struct {
	releases []Release
	until    time.Time // when that may next change
	changed  time.Time // when it last did; zero if it did not since the project was added
}

func (p *Project) contents(now time.Time) contents {
	c := contents{until: never}
	var own []Release
	if p.gen != nil {
		own, c.until = p.gen.releases(p, now)
	}
	for _, r := range own {
		c.changed = later(c.changed, r.changed)
		if !slices.ContainsFunc(p.Releases, func(d Release) bool { return d.Version == r.Version }) {
			c.releases = append(c.releases, r)
		}
	}
	for _, r := range p.Releases {
		at := r.uploaded()
		if at.After(now) && !p.timeless {
			c.until = earlier(c.until, at)
			continue
		}
		c.changed = later(c.changed, at)
		c.releases = append(c.releases, r)
	}
	for i := range c.releases {
		c.releases[i].key = parseVersion(c.releases[i].Version)
	}
	slices.SortStableFunc(c.releases, func(a, b Release) int { return a.key.compare(b.key) })
	return c
}

// visible returns the releases so far that the APIs list, in version order, and when that
// may next change.
func (p *Project) visible(now time.Time) (list []Release, until time.Time) {
	c := p.contents(now)
	hidden := func(r Release) bool { return r.Quarantined || p.pulled == allReleases }
	if p.pulled == newestRelease && len(c.releases) > 0 {
		c.releases[len(c.releases)-1].Quarantined = true
	}
	return slices.DeleteFunc(c.releases, hidden), c.until
}

// serial is the project's serial: it grows with every change but that of being archived.
func (p *Project) serial(now time.Time) int64 {
	if p.timeless {
		return p.Serial
	}
	var changed time.Time
	if p.gen != nil && len(p.Releases) == 0 {
		changed = p.gen.changed(now)
	} else {
		changed = p.contents(now).changed
	}
	return p.Serial + secondsBetween(p.serialFrom, later(changed, p.changed))
}

// noteEdit moves the serial past all of its former values if the project was changed.
// A serial that the edit itself has set is kept.
func (p *Project) noteEdit(changed bool, now time.Time) {
	switch {
	case p.Serial != p.lastSerial:
		p.serialFrom = now
	case changed:
		p.Serial += secondsBetween(p.serialFrom, now) + 1
		p.serialFrom = now
	}
	p.lastSerial = p.Serial
}

// secondsBetween rounds up, so that a later time always gives a larger number.
func secondsBetween(a, b time.Time) int64 {
	return int64(max(b.Sub(a)+time.Second-1, 0) / time.Second)
}

// latest returns the release that info describes, nil without releases.
func (p *Project) latest(releases []Release) *Release {
	var best *Release
	for i := range releases {
		r := &releases[i]
		if p.Latest != "" && r.Version == p.Latest {
			return r
		}
		if best == nil || betterLatest(r, best) {
			best = r
		}
	}
	return best
}

// betterLatest reports whether r, which comes after best in version order, replaces it
// as the latest release.
func betterLatest(r, best *Release) bool {
	if r.Yanked != best.Yanked {
		return best.Yanked
	}
	if r.key.isPre != best.key.isPre {
		return best.key.isPre
	}
	return true
}

// gone reports whether the JSON API answers 404.
func (p *Project) gone(releases []Release) bool {
	return p.Status == Deleted || p.Status == Quarantined || len(releases) == 0
}

// fingerprint changes with everything but the serial and archiving, which does not
// move a project's serial on PyPI.
func (p *Project) fingerprint() uint64 {
	c := *p
	c.Serial = 0
	if c.Status == Archived || c.Status == Deprecated {
		c.Status, c.StatusReason = Active, ""
	}
	if c.Status == "" {
		c.Status = Active
	}
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(&c) // writing to a hash cannot fail, and JSON can encode every type of the struct
	return h.Sum64()
}

func (p *Project) url() string { return "https://pypi.org/project/" + p.Name + "/" }

// fileName is the name that build tools give to a distribution file.
func (p *Project) fileName(version string, f File) string {
	switch {
	case f.Name != "":
		return f.Name
	case f.Wheel:
		return strings.ReplaceAll(Normalize(p.Name), "-", "_") + "-" + version + "-py3-none-any.whl"
	}
	return p.Name + "-" + version + ".tar.gz"
}
