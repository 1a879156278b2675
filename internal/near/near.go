// Package near finds the names that a misspelt one may have been meant as.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// maxName is the length in bytes up to which a name is compared with others: beyond, the
// time that takes would be for whoever asks to choose.
const maxName = 100

// Tolerated is the distance up to which name counts as a misspelling of another.
func Tolerated(name string) int {
	if len(name) < 4 {
		return 1
	}
	return max(2, len(name)/3)
}

// Closest returns at most limit of all that name may have been meant as, the closest first:
// those whose name is a tolerated distance away, has name in it, or is a part of it. Case
// does not count.
func Closest[T any](name string, all []T, nameOf func(T) string, limit int) (closest []T) {
	type candidate struct {
		item     T
		distance int
	}
	var found []candidate
	name = strings.ToLower(name)
	if name == "" || len(name) > maxName {
		return nil
	}
	for _, item := range all {
		other := strings.ToLower(nameOf(item))
		if other == "" || len(other) > maxName {
			continue
		}
		distance := Distance(name, other)
		if distance <= Tolerated(name) || isPart(name, other) || isPart(other, name) {
			found = append(found, candidate{item, distance})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	for _, c := range found[:min(limit, len(found))] {
		closest = append(closest, c.item)
	}
	return closest
}

// isPart reports whether part stands in whole, and is long enough for that to mean anything.
func isPart(part, whole string) bool { return len(part) >= 3 && strings.Contains(whole, part) }

// Distance returns the edit distance of a and b, in bytes: how many have to be put in,
// taken out or replaced to make one the other.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
