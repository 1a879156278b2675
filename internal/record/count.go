package record

import "strconv"

// Count writes a number with its noun, for people: "1 package", "2 packages". The plural
// is many.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
