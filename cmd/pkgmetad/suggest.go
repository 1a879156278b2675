package main

import (
	"regexp"
	"strings"
)

const noSecrets = "secrets do not belong in this file; use github.token_file, GITHUB_TOKEN or $CREDENTIALS_DIRECTORY/github-token"

var secretName = regexp.MustCompile(`(?i)token|secret|passw|api_?key|credential|private_?key`)

// unknownKey says what to do about a key that is none of its siblings. known
// are the full names of the keys elsewhere.
func unknownKey(key string, siblings, known []string) string {
	near, apart := nearest(key, siblings)
	if secretName.MatchString(key) && apart > 1 {
		return noSecrets
	}
	if apart <= tolerated(key) {
		return "is not a key; did you mean " + near + "?"
	}
	for _, name := range siblings {
		if strings.HasPrefix(name, key+"_") {
			return "is not a key; did you mean " + name + "?"
		}
	}
	for _, name := range known {
		if strings.HasSuffix(name, "."+key) {
			return "is not a key here; did you mean " + name + "?"
		}
	}
	return "is not a key; the keys here are " + strings.Join(siblings, ", ")
}

// tolerated is how many slips still make a likely misspelling of a key.
func tolerated(key string) int {
	if len(key) < 4 {
		return 1
	}
	return max(2, len(key)/3)
}

// nearest returns the candidate with the smallest edit distance to s.
func nearest(s string, candidates []string) (best string, apart int) {
	apart = len(s) + 1
	if len(s) > 60 {
		return "", apart
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), c); d < apart {
			best, apart = c, d
		}
	}
	return best, apart
}

// distance is the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
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
