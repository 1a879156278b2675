package github

import (
	"errors"
	"fmt"
	"net/url"
	"pkgmetad/internal/record"
	"strings"
	"unicode"
)

// Ref names a repository.
type Ref struct{ Owner, Name string }

func (r Ref) String() string { return r.Owner + "/" + r.Name }

// Key returns the key of the repository on the host of its URLs.
func (r Ref) Key(host string) record.Key { return record.RepoKey(host, r.Owner, r.Name) }

// IsZero reports whether r names nothing.
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
// repository on github.com.
type UnsupportedError struct {
	URL    string // without user information, query and fragment
	Reason string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("repository URL %q: %s", e.URL, e.Reason)
}

// ParseURL reads a repository URL in the forms that people paste: with any of
// git's schemes or none, as scp writes it (git@github.com:owner/name.git), with
// ".git", a port, user information, or a link to something deep inside. It
// returns [ErrNoURL] for a blank one and an [*UnsupportedError] for one that
// names no repository on github.com.
func ParseURL(raw, _ string) (Ref, error) {
	s := strings.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
	if s == "" {
		return Ref{}, ErrNoURL
	}
	unsupported := func(reason string) (Ref, error) {
		return Ref{}, &UnsupportedError{URL: showURL(s), Reason: reason}
	}
	scheme, authority, tail := splitURL(s)
	if scheme != "" && !gitSchemes[strings.ToLower(scheme)] {
		return unsupported("the scheme is none of http, https, git and ssh")
	}
	host, path := splitHost(scheme, authority, tail)
	switch host {
	case "github.com", "ssh.github.com", "raw.githubusercontent.com", "raw.github.com", "codeload.github.com":
	case "api.github.com":
		if len(path) == 0 || path[0] != "repos" {
			return unsupported("the API address names no repository by its owner and name")
		}
		path = path[1:]
	case "gist.github.com":
		return unsupported("a gist is not a repository with stars and contributors")
	default:
		return unsupported("the host is not github.com")
	}
	switch {
	case len(path) == 0:
		return unsupported("it names no repository")
	case reservedOwners[strings.ToLower(path[0])]:
		return unsupported("it is one of GitHub's own pages, not a repository")
	case len(path) == 1:
		return unsupported("it names an owner but no repository")
	}
	name, _, _ := strings.Cut(path[1], "@") // pip's way to pin a revision
	for len(name) >= 4 && strings.EqualFold(name[len(name)-4:], ".git") {
		name = name[:len(name)-4]
	}
	ref := Ref{path[0], name}
	if !validOwner(ref.Owner) || !validName(ref.Name) {
		return unsupported("the owner or the name has characters that GitHub does not allow")
	}
	return ref, nil
}

var gitSchemes = map[string]bool{
	"http": true, "https": true, "git": true, "ssh": true,
	"git+http": true, "git+https": true, "git+git": true, "git+ssh": true,
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

// splitHost returns the host in lower case, without user, port and "www.", and
// the segments of the path, unescaped.
func splitHost(scheme, authority, tail string) (host string, path []string) {
	if end := strings.IndexAny(tail, "?#"); end >= 0 {
		tail = tail[:end]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host, port, _ := strings.Cut(authority, ":")
	host = strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(host), "."), "www.")
	segments := strings.Split(tail, "/")
	// scp puts the owner where a URL has the port, and people do so in URLs
	// too. An owner may be a number: without a scheme it is one unless owner
	// and name follow.
	follow := len(strings.FieldsFunc(tail, func(r rune) bool { return r == '/' }))
	if strings.Trim(port, "0123456789") != "" || scheme == "" && follow < 2 {
		segments = append([]string{port}, segments...)
	}
	for _, s := range segments {
		if u, err := url.PathUnescape(s); err == nil {
			s = strings.TrimSpace(u)
		}
		if s != "" {
			path = append(path, s)
		}
	}
	return host, path
}

// showURL writes s for an error. What precedes an "@" may be a password, and
// one with a "/" in it is not told from a path: then nothing is shown.
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

// reservedOwners are first segments of paths on github.com that no account has.
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

// clip makes somebody else's text fit for one line of an error.
func clip(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return s
}
