package pypi

import (
	"regexp"
	"strings"

	"pkgmetad/internal/record"
)

var (
	nameForm   = regexp.MustCompile(`^(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])$`)
	separators = regexp.MustCompile(`[-_.]+`)
)

// Normalize returns the form of a project's name that names are compared in
// and asked for (PEP 503): lower case, runs of "-", "_" and "." become one "-".
func Normalize(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// ValidName reports whether name can name a project: ASCII letters and digits,
// with ".", "_" and "-" between them.
func ValidName(name string) bool {
	return nameForm.MatchString(name)
}

// Key returns the key of the project of that name.
func Key(name string) record.Key { return record.ProjectKey(Normalize(name)) }
