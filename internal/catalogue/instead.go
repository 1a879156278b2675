package catalogue

import (
	"fmt"
	"path"
	"strings"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

// maxInstead is the longest text, in bytes, that an answer repeats.
const maxInstead = 200

// insteadOfText returns the entry to write in place of a bare text in the list of packages,
// such as a repository's URL or a slug; "" where none can be made of it. Text with an @ may
// hold a password, so it is not repeated.
func insteadOfText(dst any, s strict.Scalar) string {
	if _, ok := dst.(*filePackage); !ok || s.Kind != strict.TextKind || len(s.Text) > maxInstead || strings.ContainsFunc(s.Text, isSpecial) {
		return ""
	}
	if record.IsSlug(s.Text) {
		return fmt.Sprintf("is a slug alone; write the entry - {slug: %q}, with its repo_url and pypi_url to have it fetched", s.Text)
	}
	where, _, _ := strings.Cut(s.Text, "?")
	where, _, _ = strings.Cut(where, "#")
	slug := slugFrom(strings.TrimSuffix(path.Base(where), ".git"))
	if !strings.Contains(where, "/") || slug == "" {
		return ""
	}
	key := "repo_url"
	if strings.Contains(where, "pypi.") {
		key = "pypi_url"
	}
	return fmt.Sprintf("is a URL alone; write the entry - {slug: %q, %s: %q}", slug, key, s.Text)
}

// isSpecial reports whether a character of a text keeps it from being repeated.
func isSpecial(r rune) bool { return r <= ' ' || r > '~' || r == '@' }

// slugFrom returns a slug that is like a name; "" where nothing is left of it.
func slugFrom(name string) string {
	slug := strings.Map(func(r rune) rune {
		if record.IsSlug(string(r)) {
			return r
		}
		return '-'
	}, name)
	return strings.Trim(slug, "-")
}
