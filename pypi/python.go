package pypi

import (
	"errors"
	"fmt"
	"regexp"
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

var errSpecifiers = errors.New("no version specifiers")

// maxSpecifiers bounds what is taken for specifiers, in bytes: nobody means
// more, and every one of them is checked against many versions.
const maxSpecifiers = 500

// specifier is one version specifier as people write it, which is more than
// PEP 440 allows: also "3.6", "3.6+", "^3.6", "~3.6", ">=3.6.*" and ">=3.6.".
var specifier = regexp.MustCompile(`(?i)(===|==|~=|!=|<=|>=|<|>|=|\^|~|)\s*v?([0-9][0-9a-z!+_-]*(?:\.[0-9a-z!+_-]+)*)(\.?\*|\.)?`)

// normalSpelling returns specifiers in the spelling that [specifier] reads: other
// operators, wildcards, separators and ranges than PEP 440 has, brackets and quotes.
func normalSpelling(specifiers string) string {
	s := otherSpellings.Replace(specifiers)
	s = letterWildcard.ReplaceAllString(s, ".*")
	s = hyphenRange.ReplaceAllString(s, ">=$1,<=$2.*")
	return longNumber.ReplaceAllStringFunc(s, shorten)
}

var (
	otherSpellings = strings.NewReplacer("=>", ">=", "=<", "<=", ";", ",", "(", " ", ")", " ", "'", " ", `"`, " ")
	letterWildcard = regexp.MustCompile(`(?i)(\.x)+\b`)                                             // as in 3.x
	hyphenRange    = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)*)\s+-\s+([0-9]+(?:\.[0-9]+)*)(\.\*)?`) // as in 3.6 - 3.9
)

// admitsPython3 reports whether the specifiers, or one of several alternatives that
// "||" separates, let in some version of Python 3. Its error says that they cannot be
// read.
func admitsPython3(specifiers string) (bool, error) {
	if len(specifiers) > maxSpecifiers {
		return false, errSpecifiers
	}
	var unreadable error
	for alternative := range strings.SplitSeq(specifiers, "||") {
		yes, err := allAdmitPython3(alternative)
		if yes {
			return true, nil
		}
		unreadable = errors.Join(unreadable, err)
	}
	return false, unreadable
}

// allAdmitPython3 reports whether the specifiers together let in some version of
// Python 3, released or not: it asks about 3.0 to 3.60, every version named in them,
// and the next patch and minor after each of those.
func allAdmitPython3(specifiers string) (bool, error) {
	if s := strings.TrimSpace(specifiers); s == "" || s == "*" {
		return false, errSpecifiers
	}
	if isFrom3(specifiers) {
		return true, nil
	}
	var probes []pep440.Version // those named first: they often satisfy, and a check is not cheap
	bare, bare3 := false, false
	specifiers = specifier.ReplaceAllStringFunc(normalSpelling(specifiers), func(s string) string {
		m := specifier.FindStringSubmatch(s)
		op, wild := m[1], strings.HasSuffix(m[3], "*")
		version, orLater := strings.CutSuffix(m[2], "+")
		named := around(version)
		probes = append(probes, named...)
		switch {
		case op == "" && orLater:
			bare3 = true // in a list, as in "2.7, 3.3+"
			return ">=" + version
		case op == "":
			bare, bare3 = true, bare3 || len(named) > 0
			return "==" + version
		case op == "^", op == "~", op == "~=" && !strings.Contains(version, "."):
			major, _, _ := strings.Cut(version, ".")
			return ">=" + version + ",==" + major + ".*"
		case wild && op == ">": // beyond all versions that begin so
			return ">" + version + ",!=" + version + ".*"
		case wild && op == "<=": // up to the last that begins so
			return "<=" + version + ".999999"
		case wild && strings.Trim(op, "=!") == "":
			return strings.Replace(op, "===", "==", 1) + version + ".*"
		}
		return op + version
	})
	set, err := pep440.NewSpecifiers(specifiers)
	switch {
	case err != nil:
		return false, err
	case bare && !bare3: // "2.7" may well mean "from 2.7 on"
		return false, errSpecifiers
	case bare: // likewise "2.7, 3.6"
		return true, nil
	}
	return slices.ContainsFunc(probes, set.Check) || slices.ContainsFunc(minors, set.Check), nil
}

var (
	python3First = pep440.MustParse("3.0")
	python4First = pep440.MustParse("4.dev0")

	minors = func() (list []pep440.Version) {
		for minor := range 61 {
			list = append(list, pep440.MustParse(fmt.Sprintf("3.%d.0", minor)))
		}
		return list
	}()
)

// isFrom3 reports whether the specifiers are ">=" and a plain version of Python 3,
// as those of most projects are. That version itself satisfies them.
func isFrom3(specifiers string) bool {
	version, found := strings.CutPrefix(strings.TrimSpace(specifiers), ">=")
	numbers := plainNumbers(strings.TrimSpace(version))
	return found && numbers != nil && numbers[0] == 3
}

// around returns the version itself and the next patch and minor after it, as
// far as they are of Python 3.
func around(version string) (list []pep440.Version) {
	v, ok := parseVersion(version)
	if !ok || v.LessThan(python3First) || !v.LessThan(python4First) {
		return nil
	}
	list = append(list, v)
	var n [3]uint64
	for i, part := range strings.SplitN(v.BaseVersion(), ".", 4) {
		if i < len(n) {
			n[i], _ = strconv.ParseUint(part, 10, 63)
		}
	}
	return append(list,
		pep440.MustParse(fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2]+1)),
		pep440.MustParse(fmt.Sprintf("%d.%d.0", n[0], n[1]+1)))
}
