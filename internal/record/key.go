package record

import "strings"

// Key identifies one source, whatever packages refer to it: a repository as
// "host/owner/name" in lower case ("github.com/django/django"), a project as
// "pypi:name" in PyPI's normalised form ("pypi:django"). "" means no source.
//
// Each URL in the catalogue resolves to a key, and two URLs with the same key
// refer to the same source.
type Key string

const projectPrefix = "pypi:"

// RepoKey returns the key of a repository; host is the host in its URLs.
func RepoKey(host, owner, name string) Key {
	return Key(strings.ToLower(host + "/" + owner + "/" + name))
}

// ProjectKey returns the key of a PyPI project, given its normalised name (PEP 503).
func ProjectKey(name string) Key { return projectPrefix + Key(name) }

// Project returns the normalised name in k, if k is a project's key.
func (k Key) Project() (name string, ok bool) { return strings.CutPrefix(string(k), projectPrefix) }

// Repo returns the parts of k, in lower case, if k is a repository's key.
func (k Key) Repo() (host, owner, name string, ok bool) {
	if _, project := k.Project(); project {
		return "", "", "", false
	}
	host, rest, _ := strings.Cut(string(k), "/")
	owner, name, ok = strings.Cut(rest, "/")
	return host, owner, name, ok
}
