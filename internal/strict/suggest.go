package strict

import (
	"strings"

	"pkgmetad/internal/near"
)

// unknownKey returns the message for a key that does not exist. siblings are the
// keys that exist in its place.
func (d *decoder) unknownKey(key string, siblings []string) string {
	closest, distance := nearest(key, siblings)
	if distance > 1 && d.KeyAdvice != nil {
		if advice := d.KeyAdvice(key); advice != "" {
			return advice
		}
	}
	if distance <= near.Tolerated(key) {
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

// nearest returns the candidate with the smallest edit distance to s, or "" if s
// is too long for a key.
func nearest(s string, candidates []string) (best string, distance int) {
	distance = len(s) + 1
	if len(s) > 60 {
		return "", distance
	}
	for _, c := range candidates {
		if d := near.Distance(strings.ToLower(s), c); d < distance {
			best, distance = c, d
		}
	}
	return best, distance
}
