package github

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"pkgmetad/internal/record"
)

// Ref is the name of a repository.
type Ref struct{ Owner, Name string }

func (r Ref) String() string { return r.Owner + "/" + r.Name }

// Key returns the key of the repository; host is the one that [ParseURL] was
// given.
func (r Ref) Key(host string) record.Key { return record.RepoKey(host, r.Owner, r.Name) }

// IsZero reports whether r is no name.
func (r Ref) IsZero() bool { return r == Ref{} }

// ParseRef reads "owner/name", GitHub's full_name.
func ParseRef(fullName string) (Ref, error) {
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok || !validOwner(owner) || !validName(name) {
		return Ref{}, fmt.Errorf("%q is not the name of a GitHub repository, which reads owner/name", clip(fullName))
	}
	return Ref{owner, name}, nil
}

// ErrNoURL is what [ParseURL] returns for a blank URL.
var ErrNoURL = errors.New("no repository URL")

// UnsupportedError is what [ParseURL] returns for a URL that names no
// repository on the host asked.
type UnsupportedError struct {
	URL    string // without user information, query and fragment
	Reason string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("repository URL %q: %s", e.URL, e.Reason)
}

// GitHubHost is the host of repository URLs on GitHub itself.
const GitHubHost = "github.com"

// ParseURL reads a repository URL in the forms that people paste: with any of
// git's schemes or none, as scp writes it (git@github.com:owner/name.git), with
// ".git", a port, user information, or a link to something deep inside.
//
// host is the host of the repository URLs that are supported: [GitHubHost], or
// that of a GitHub Enterprise Server, with its port if it is not the usual one.
// What GitHub serves beside it counts as well: the API, raw files, archives.
//
// It returns [ErrNoURL] for a blank URL and an [*UnsupportedError] for one that
// names no repository on host.
func ParseURL(raw, host string) (Ref, error) {
	s := strings.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
	if s == "" {
		return Ref{}, ErrNoURL
	}
	ref, reason := locate(s).repository(host)
	if reason != "" {
		return Ref{}, &UnsupportedError{URL: showURL(s), Reason: reason}
	}
	return ref, nil
}

// repository returns the repository that l names on host, or the reason why it
// names none.
func (l location) repository(host string) (ref Ref, reason string) {
	if l.scheme != "" && !gitSchemes[l.scheme] {
		return ref, "the scheme is none of http, https, git and ssh"
	}
	service, path, found := l.on(host)
	switch {
	case !found && host == GitHubHost:
		return ref, "the host is not github.com"
	case !found:
		return ref, fmt.Sprintf("the host is not %s, the GitHub server that is asked", host)
	case service == "gist":
		return ref, "a gist is not a repository with stars and contributors"
	case service == "api" && (len(path) == 0 || path[0] != "repos"):
		return ref, "the API address names no repository by its owner and name"
	case service == "api":
		path = path[1:]
	}
	switch {
	case len(path) == 0:
		return ref, "it names no repository"
	case reservedOwners[strings.ToLower(path[0])]:
		return ref, "it is one of GitHub's own pages, not a repository"
	case len(path) == 1:
		return ref, "it names an owner but no repository"
	}
	name, _, _ := strings.Cut(path[1], "@") // pip's way to pin a revision
	for len(name) >= 4 && strings.EqualFold(name[len(name)-4:], ".git") {
		name = name[:len(name)-4]
	}
	ref = Ref{path[0], name}
	if !validOwner(ref.Owner) || !validName(ref.Name) {
		return Ref{}, "the owner or the name has characters that GitHub does not allow"
	}
	return ref, ""
}

var gitSchemes = map[string]bool{
	"http": true, "https": true, "git": true, "ssh": true,
	"git+http": true, "git+https": true, "git+git": true, "git+ssh": true,
}

// services are the names before the host, and on an Enterprise Server also the
// first segments of paths on it, under which GitHub serves something else of a
// repository than its pages.
var services = map[string]bool{
	"api": true, "codeload": true, "gist": true, "raw": true, "ssh": true,
	"redirect": true, // update bots link through it, so that no issue is told that it was mentioned
}

// location is where a URL points to.
type location struct {
	scheme string   // in lower case; "" for none
	host   string   // in lower case, without "www."
	port   string   // "" for none
	path   []string // unescaped segments
}

// on finds l on a host. It returns the service that l belongs to, "" for the
// pages of repositories, and the path within it.
func (l location) on(host string) (service string, path []string, found bool) {
	if strings.Count(host, ":") > 1 && host[0] != '[' {
		host = "[" + host + "]" // as URLs write an IPv6 address
	}
	name, port, _ := cutPort(strings.ToLower(host))
	name = strings.TrimPrefix(name, "www.")
	switch web := strings.TrimPrefix(l.scheme, "git+"); web {
	case "", "http", "https":
		if port != "" && port != l.port { // git and ssh have ports of their own
			return "", nil, false
		}
	}
	if l.host == "raw.githubusercontent.com" && name == GitHubHost {
		return "raw", l.path, true
	}
	if l.host != name {
		service, found = strings.CutSuffix(l.host, "."+name)
		return service, l.path, found && services[service]
	}
	if name == GitHubHost || len(l.path) == 0 || !services[l.path[0]] {
		return "", l.path, true
	}
	if service, path = l.path[0], l.path[1:]; service == "api" && len(path) > 0 { // api/v3
		path = path[1:]
	}
	return service, path, true
}

// locate takes s apart. An owner is told from a port: scp puts the owner after
// the colon (git@host:owner/name), and people do so in URLs too. An owner may
// be a number; without a scheme a number is a port only if an owner and a name
// follow.
func locate(s string) (l location) {
	scheme, authority, tail := splitURL(s)
	l.scheme = strings.ToLower(scheme)
	if end := strings.IndexAny(tail, "?#"); end >= 0 {
		tail = tail[:end]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host, port, colon := cutPort(authority)
	l.host = strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(host), "."), "www.")

	segments := strings.Split(tail, "/")
	follow := len(strings.FieldsFunc(tail, func(r rune) bool { return r == '/' }))
	if strings.Trim(port, "0123456789") != "" || scheme == "" && follow < 2 {
		segments = append([]string{port}, segments...)
		if scheme == "" && colon {
			l.scheme = "ssh" // which is what scp goes by
		}
	} else {
		l.port = port
	}
	for _, s := range segments {
		if u, err := url.PathUnescape(s); err == nil {
			s = strings.TrimSpace(u)
		}
		if s != "" {
			l.path = append(l.path, s)
		}
	}
	return l
}

// cutPort cuts authority at the colon that follows the host, which in the brackets of
// an IPv6 address has some of its own.
func cutPort(authority string) (host, port string, colon bool) {
	address := 0
	if strings.HasPrefix(authority, "[") {
		address = strings.IndexByte(authority, ']') + 1
	}
	host, port, colon = strings.Cut(authority[address:], ":")
	return authority[:address] + host, port, colon
}

// splitURL cuts s into scheme, authority and what follows. It is more lenient
// than url.Parse, which refuses scp's form.
func splitURL(s string) (scheme, authority, tail string) {
	if i := strings.Index(s, "://"); i >= 0 && !strings.ContainsAny(s[:i], "/?#@") {
		scheme, s = s[:i], s[i+3:]
	} else {
		s = strings.TrimPrefix(s, "//")
	}
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	return scheme, s[:end], s[end:]
}

// showURL returns s for use in an error, without secrets. What precedes an "@"
// may be a password; since one may contain a "/", nothing is shown if an "@"
// follows later.
func showURL(s string) string {
	scheme, authority, tail := splitURL(s)
	if scheme != "" {
		scheme += "://"
	}
	if strings.Contains(tail, "@") || strings.Contains(s, "%40") {
		return scheme + "..."
	}
	if end := strings.IndexAny(tail, "?#"); end >= 0 {
		tail = tail[:end]
	}
	return clip(scheme + authority[strings.LastIndexByte(authority, '@')+1:] + tail)
}

// reservedOwners are first segments of paths on github.com that are no account's
// name.
var reservedOwners = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(`about account apps blog codespaces collections contact
		customer-stories dashboard enterprise events explore features gist gists issues join login
		logout marketplace new nonprofit notifications organizations orgs pricing pulls readme
		resources search security sessions settings signup site solutions sponsors stars team topics
		trending users watching`) {
		m[s] = true
	}
	return m
}()

func validOwner(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, nameBytes[:len(nameBytes)-1]) == ""
}

func validName(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, nameBytes) == "" && s != "." && s != ".."
}

// nameBytes are the characters of a repository's name; an owner's has all but
// the last.
const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// clip makes text from elsewhere fit into one line of an error.
func clip(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return s
}
