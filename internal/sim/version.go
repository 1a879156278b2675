package sim

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// versionPattern is that of PEP 440, which accepts many more spellings than it
// recommends.
var versionPattern = regexp.MustCompile(`(?i)^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
	`(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?` +
	`(-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?` +
	`(?:[-_.]?(dev)[-_.]?(\d*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

// versionKey is a version as numbers, which compare in the order of PEP 440.
type versionKey struct {
	text         string
	valid        bool
	isPre        bool
	epoch        int
	release      []int
	preKind, pre int // kind: −1 dev alone, 0 a, 1 b, 2 rc, 3 final
	post, dev    int // post: −1 none; dev: MaxInt none
	local        []string
}

func parseVersion(s string) versionKey {
	k := versionKey{text: s, valid: true, preKind: 3, post: -1, dev: math.MaxInt}
	if plainVersion(s) {
		k.setRelease(s)
		return k
	}
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return versionKey{text: s}
	}
	k.epoch = number(m[1])
	k.setRelease(m[2])
	if m[5] != "" {
		k.post = number(strings.TrimLeft(strings.ToLower(m[5]), "-_.postrev"))
	}
	if m[6] != "" {
		k.dev, k.isPre = number(m[7]), true
		if m[5] == "" {
			k.preKind = -1
		}
	}
	if m[3] != "" {
		k.isPre, k.pre = true, number(m[4])
		switch strings.ToLower(m[3])[0] {
		case 'a':
			k.preKind = 0
		case 'b':
			k.preKind = 1
		default:
			k.preKind = 2
		}
	}
	if m[8] != "" {
		k.local = separators.Split(strings.ToLower(m[8]), -1)
	}
	return k
}

// plainVersion reports whether a version consists of digits and single dots. Most do, and
// are parsed without the regular expression.
func plainVersion(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

func (k *versionKey) setRelease(s string) {
	for part := range strings.SplitSeq(s, ".") {
		k.release = append(k.release, number(part))
	}
	for len(k.release) > 1 && k.release[len(k.release)-1] == 0 {
		k.release = k.release[:len(k.release)-1]
	}
}

// number parses digits: none are 0, and too many the largest int.
func number(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return math.MaxInt - 1
	}
	return n
}

// compare compares in the order of PEP 440, with invalid versions first, by their text.
func (k versionKey) compare(o versionKey) int {
	switch {
	case k.valid && !o.valid:
		return 1
	case !k.valid && o.valid:
		return -1
	case !k.valid:
		return strings.Compare(k.text, o.text)
	}
	return cmp.Or(
		cmp.Compare(k.epoch, o.epoch),
		slices.Compare(k.release, o.release),
		cmp.Compare(k.preKind, o.preKind),
		cmp.Compare(k.pre, o.pre),
		cmp.Compare(k.post, o.post),
		cmp.Compare(k.dev, o.dev),
		slices.CompareFunc(k.local, o.local, compareLocal),
	)
}

// compareLocal compares one segment of local versions: numbers come after words.
func compareLocal(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return 1
	case errY == nil:
		return -1
	}
	return strings.Compare(a, b)
}
