package record

import "strings"

// Key names one source, whatever packages refer to it: a repository as
// "host/owner/name" in lower case ("github.com/django/django"), a project as
// "pypi:name" in PyPI's normalised form ("pypi:django"). "" names none.
//
// A key is what a URL of the catalogue comes to. Two URLs with one key mean the
// same source.
type Key string

const projectPrefix = "pypi:"

// RepoKey returns the key of a repository on the host of its URLs.
func RepoKey(host, owner, name string) Key {
	return Key(strings.ToLower(host + "/" + owner + "/" + name))
}

// ProjectKey returns the key of a project of PyPI by its normalised name (PEP 503).
func ProjectKey(name string) Key { return projectPrefix + Key(name) }

// Project returns the normalised name that k holds, if k is a project's key.
func (k Key) Project() (name string, ok bool) { return strings.CutPrefix(string(k), projectPrefix) }

// Repo returns what k holds, in lower case, if k is a repository's key.
func (k Key) Repo() (host, owner, name string, ok bool) {
	if _, project := k.Project(); project {
		return "", "", "", false
	}
	host, rest, _ := strings.Cut(string(k), "/")
	owner, name, ok = strings.Cut(rest, "/")
	return host, owner, name, ok
}
