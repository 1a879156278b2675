package pypi

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
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

// ordered is a version with what it is ordered by.
type ordered struct {
	Version
	numbers []uint64 // of a version of numbers and dots alone, without the zeros at its end; nil for any other
	parsed  pep440.Version
	read    bool // parsed and valid are known
	valid   bool // by PEP 440
}

// plainNumbers reads a version of numbers and dots alone, which most are. Their
// order is that of the numbers, zeros at the end aside.
func plainNumbers(s string) []uint64 {
	numbers := make([]uint64, 0, 4)
	for part := range strings.SplitSeq(s, ".") {
		if strings.Trim(part, "0123456789") != "" {
			return nil
		}
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	for len(numbers) > 1 && numbers[len(numbers)-1] == 0 {
		numbers = numbers[:len(numbers)-1]
	}
	return numbers
}

func (o *ordered) parse() {
	if !o.read {
		o.parsed, o.valid = parseVersion(o.Version.Version)
		o.read = true
	}
}

// compare orders by PEP 440, versions that it cannot read first.
func (o *ordered) compare(other *ordered) int {
	if o.numbers != nil && other.numbers != nil {
		return slices.Compare(o.numbers, other.numbers)
	}
	o.parse()
	other.parse()
	if !o.valid || !other.valid {
		return rank(o.valid) - rank(other.valid)
	}
	return o.parsed.Compare(other.parsed)
}

// isFinal reports whether PEP 440 can read the version and it is no pre-release.
func (o *ordered) isFinal() bool {
	if o.numbers != nil {
		return true
	}
	o.parse()
	return o.valid && !o.parsed.IsPreRelease()
}

// order sorts versions newest first. It returns the one that PyPI would call
// the latest: not yanked before yanked, final before pre-release, then by
// version; "" where there are none.
func order(versions []Version) (latest string) {
	sorted := make([]*ordered, len(versions))
	for i, v := range versions {
		sorted[i] = &ordered{Version: v, numbers: plainNumbers(v.Version)}
	}
	slices.SortFunc(sorted, func(a, b *ordered) int {
		return cmp.Or(b.compare(a), b.Uploaded.Compare(a.Uploaded), strings.Compare(a.Version.Version, b.Version.Version))
	})
	best := -1
	for i, o := range sorted {
		versions[i] = o.Version
		final := o.isFinal()
		merit := 4*rank(!o.Yanked) + 2*rank(final) + rank(final || o.valid)
		if merit > best {
			best, latest = merit, o.Version.Version
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
