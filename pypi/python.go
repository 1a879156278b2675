package pypi

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// python3 reports whether some Python 3 satisfies the requires_python
// specifiers. Where they are absent or cannot be read the classifiers decide;
// where those are silent too it returns nil.
func python3(requires string, classifiers []string) *bool {
	if strings.TrimSpace(requires) != "" {
		if yes, err := admitsPython3(requires); err == nil {
			return &yes
		}
	}
	const prefix = "Programming Language :: Python :: "
	two := false
	for _, c := range classifiers {
		tag, ok := strings.CutPrefix(c, prefix)
		if !ok {
			continue
		}
		major, _, _ := strings.Cut(strings.TrimSpace(tag), " ")
		major, _, _ = strings.Cut(major, ".")
		switch major {
		case "3":
			yes := true
			return &yes
		case "2":
			two = true
		}
	}
	if two {
		no := false
		return &no
	}
	return nil
}

var errSpecifier = errors.New("not a version specifier")

// maxSpecifiers bounds what is taken for specifiers, in bytes: the work grows
// with the square of it.
const maxSpecifiers = 500

// admitsPython3 reports whether the versions that satisfy all specifiers
// (PEP 440, separated by commas) and those of Python 3 have one in common. It
// reckons with intervals of versions and so needs no list of Python's
// releases, past or future.
func admitsPython3(specifiers string) (bool, error) {
	if len(specifiers) > maxSpecifiers {
		return false, errSpecifier
	}
	left := []interval{{lo: at("3.0"), hi: before("4.dev0")}}
	some := false
	for _, s := range strings.Split(specifiers, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		some = true
		allowed, err := parseSpecifier(s)
		if err != nil {
			return false, err
		}
		left = intersect(left, allowed)
	}
	if !some {
		return false, errSpecifier
	}
	return len(left) > 0, nil
}

// The longer operators come first, as their beginnings are operators too.
var operators = []string{"===", "==", "!=", "~=", "<=", ">=", "<", ">"}

// parseSpecifier returns the versions that one specifier allows. Forms with
// ".*" after an ordering operator are not in PEP 440 but in many old releases:
// they speak of all versions that begin so.
func parseSpecifier(s string) ([]interval, error) {
	i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(s, op) })
	if i < 0 {
		return nil, errSpecifier
	}
	op := operators[i]
	text := strings.TrimSpace(s[len(op):])
	text, wild := strings.CutSuffix(text, ".*")
	version, ok := parseVersion(text)
	if !ok || wild && op == "===" {
		return nil, errSpecifier
	}
	base := version.BaseVersion()
	plain := base == version.String() // no pre-release, post-release or the like
	// The versions that the text stands for: one, or all that begin with it.
	first, last := bound{v: version}, bound{v: version}
	if wild {
		if !plain {
			return nil, errSpecifier
		}
		var err error
		if first, last, err = beginningWith(base); err != nil {
			return nil, err
		}
	}
	switch op {
	case "==", "===":
		return []interval{{lo: &first, hi: &last}}, nil
	case "!=":
		return []interval{{hi: first.flip()}, {lo: last.flip()}}, nil
	case ">=":
		return []interval{{lo: &first}}, nil
	case ">":
		return []interval{{lo: last.flip()}}, nil
	case "<=":
		return []interval{{hi: &last}}, nil
	case "<":
		if plain { // "<3.9" leaves out the pre-releases of 3.9 as well
			first = *at(base + ".dev0")
		}
		return []interval{{hi: first.flip()}}, nil
	}
	// "~=3.9.1" is ">=3.9.1, ==3.9.*".
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 {
		return nil, errSpecifier
	}
	_, end, err := beginningWith(base[:dot])
	return []interval{{lo: &bound{v: version}, hi: &end}}, err
}

// beginningWith returns the bounds of all versions that begin with a release,
// pre-releases included: for "3.9" from 3.9.dev0 up to but not 3.10.dev0.
func beginningWith(release string) (first, last bound, err error) {
	head, tail := "", release
	if dot := strings.LastIndexByte(release, '.'); dot >= 0 {
		head, tail = release[:dot+1], release[dot+1:]
	}
	n, err := strconv.ParseUint(tail, 10, 63)
	if err != nil {
		return bound{}, bound{}, errSpecifier
	}
	next := head + strconv.FormatUint(n+1, 10)
	return *at(release + ".dev0"), *before(next + ".dev0"), nil
}

// bound is an end of an interval: the version itself belongs to it unless open.
type bound struct {
	v    pep440.Version
	open bool
}

func at(version string) *bound     { return &bound{v: pep440.MustParse(version)} }
func before(version string) *bound { return &bound{v: pep440.MustParse(version), open: true} }

// flip makes of an end of an interval the beginning of what lies beyond it.
func (b bound) flip() *bound {
	b.open = !b.open
	return &b
}

// interval is a range of versions; a nil end is unbounded.
type interval struct {
	lo, hi *bound
}

func (i interval) empty() bool {
	if i.lo == nil || i.hi == nil {
		return false
	}
	c := i.lo.v.Compare(i.hi.v)
	return c > 0 || c == 0 && (i.lo.open || i.hi.open)
}

// intersect returns the parts that a and b have in common.
func intersect(a, b []interval) (both []interval) {
	for _, x := range a {
		for _, y := range b {
			part := interval{lo: tighter(x.lo, y.lo, 1), hi: tighter(x.hi, y.hi, -1)}
			if !part.empty() {
				both = append(both, part)
			}
		}
	}
	return both
}

// tighter returns the later of two ends for dir 1, the earlier for dir -1.
func tighter(a, b *bound, dir int) *bound {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	if c := a.v.Compare(b.v) * dir; c > 0 || c == 0 && a.open {
		return a
	}
	return b
}
