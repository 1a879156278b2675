package strict

import "strings"

// unknownKey returns the message for a key that does not exist. siblings are the
// keys that exist in its place.
func (d *decoder) unknownKey(key string, siblings []string) string {
	closest, distance := nearest(key, siblings)
	if distance > 1 && d.KeyAdvice != nil {
		if advice := d.KeyAdvice(key); advice != "" {
			return advice
		}
	}
	if distance <= tolerated(key) {
		return "is not a key; did you mean " + closest + "?"
	}
	for _, name := range siblings {
		if strings.HasPrefix(name, key+"_") {
			return "is not a key; did you mean " + name + "?"
		}
	}
	for _, name := range d.known {
		if strings.HasSuffix(name, "."+key) {
			return "is not a key here; did you mean " + name + "?"
		}
	}
	return "is not a key; the keys here are " + strings.Join(siblings, ", ")
}

// tolerated is the distance up to which a key counts as a misspelling of another.
func tolerated(key string) int {
	if len(key) < 4 {
		return 1
	}
	return max(2, len(key)/3)
}

// nearest returns the candidate with the smallest edit distance to s, or "" if s
// is too long for a key.
func nearest(s string, candidates []string) (best string, distance int) {
	distance = len(s) + 1
	if len(s) > 60 {
		return "", distance
	}
	for _, c := range candidates {
		if d := levenshtein(strings.ToLower(s), c); d < distance {
			best, distance = c, d
		}
	}
	return best, distance
}

// levenshtein returns the edit distance of a and b, in bytes.
func levenshtein(a, b string) int {
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
