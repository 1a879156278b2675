package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pkgmetad/internal/strict"
)

// absolute returns the path that a key names, relative to the file's folder, and warns of
// one that looks as if a shell were to read it.
func (c *check) absolute(path, key string) string {
	if isLiteral(path) {
		c.warn(key, "%s is taken literally: %s", strict.Quote(path), literally)
	}
	return c.under(path)
}

// under returns a path as absolute, relative to the file's folder.
func (c *check) under(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.folder, path)
}

const literally = "neither variables nor ~ are replaced in a path; write it out"

// isLiteral reports whether a shell would make something else of a path, as it was
// written or as absolute made it.
func isLiteral(path string) bool {
	return strings.Contains(path, "$") || strings.HasPrefix(path, "~") || strings.Contains(path, "/~")
}

// literalHint completes the message about a path that is not there.
func literalHint(path string) string {
	if isLiteral(path) {
		return " (" + literally + ")"
	}
	return ""
}

// parent reports a path, absolute by now, whose folder is not there: nothing creates that.
func (c *check) parent(field *string, key string) {
	if !filepath.IsAbs(*field) {
		return // reported already
	}
	folder := filepath.Dir(*field)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.problem(field, nil, key, "there is no folder %q; create it, or name another one%s", folder, literalHint(folder))
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		c.problem(field, nil, key, "%q is not a folder; name one%s", folder, literalHint(folder))
	}
}
