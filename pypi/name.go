package pypi

import (
	"regexp"

	"pkgmetad/internal/record"
)

var nameForm = regexp.MustCompile(`^(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$`)

// Normalize returns the form of a project's name that names are compared in
// and asked for (PEP 503): lower case, runs of "-", "_" and "." become one "-".
func Normalize(name string) string {
	return string(appendNormal(nil, []byte(name)))
}

// appendNormal appends the normalised form of a name to b.
func appendNormal(b, name []byte) []byte {
	separated := false // the last byte was a separator
	for _, c := range name {
		separator := c == '-' || c == '_' || c == '.'
		switch {
		case separator && separated:
			continue
		case separator:
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b, separated = append(b, c), separator
	}
	return b
}

// ValidName reports whether name can name a project: ASCII letters and digits,
// with ".", "_" and "-" between them.
func ValidName(name string) bool {
	return nameForm.MatchString(name)
}

// Key returns the key of the project of that name.
func Key(name string) record.Key { return record.ProjectKey(Normalize(name)) }
