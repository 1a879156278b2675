package pypi

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// longNumber is a number that may not fit 64 bits, which PEP 440 allows and
// the version library refuses.
var longNumber = regexp.MustCompile(`[0-9]{20,}`)

// parseVersion reads a version by PEP 440. It fills two gaps of the library:
// a number beyond 64 bits counts as the largest one, and a local label may
// have "-" and "_" for its dots.
func parseVersion(s string) (pep440.Version, bool) {
	if public, local, ok := strings.Cut(s, "+"); ok {
		s = public + "+" + strings.NewReplacer("-", ".", "_", ".").Replace(local)
	}
	v, err := pep440.Parse(longNumber.ReplaceAllStringFunc(s, shorten))
	return v, err == nil
}

// shorten makes a long number fit 64 bits.
func shorten(n string) string {
	if n = strings.TrimLeft(n, "0"); len(n) >= 20 {
		return "18446744073709551615"
	}
	return "0" + n
}

// order sorts versions newest first. It returns the one that PyPI would call
// the latest: not yanked before yanked, final before pre-release, then by
// version; "" where there are none.
func order(versions []Version) (latest string) {
	type entry struct {
		Version
		parsed pep440.Version
		valid  bool
	}
	entries := make([]entry, len(versions))
	for i, v := range versions {
		entries[i].Version = v
		entries[i].parsed, entries[i].valid = parseVersion(v.Version)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.valid != b.valid:
			return rank(b.valid) - rank(a.valid)
		case a.valid:
			if c := b.parsed.Compare(a.parsed); c != 0 {
				return c
			}
		}
		return cmp.Or(b.Uploaded.Compare(a.Uploaded), strings.Compare(a.Version.Version, b.Version.Version))
	})
	best := -1
	for i, e := range entries {
		versions[i] = e.Version
		final := e.valid && !e.parsed.IsPreRelease()
		if merit := 4*rank(!e.Yanked) + 2*rank(final) + rank(e.valid); merit > best {
			best, latest = merit, e.Version.Version
		}
	}
	return latest
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}
