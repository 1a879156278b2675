package web

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"pkgmetad/internal/record"
)

// webURL returns s where it may be the target of a link: an absolute http or
// https URL. Of anything else it returns "". An address with a user name in
// front of its host is no link either: it reads like another host's.
func webURL(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == utf8.RuneError || unicode.IsControl(r) }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// bare returns a web address as people say it.
func bare(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	return strings.TrimSuffix(rest, "/")
}

// breaks cuts an address where a line may end: behind slashes, and before dots
// and what joins words.
func breaks(s string) (parts []string) {
	from := 0
	for i := 1; i < len(s); i++ {
		if s[i-1] == '/' && s[i] != '/' || s[i-1] != '/' && strings.IndexByte("._?#&=", s[i]) >= 0 {
			parts = append(parts, s[from:i])
			from = i
		}
	}
	return append(parts, s[from:])
}

// To returns the address of a page of this host: path below the prefix. An
// absolute URL, as the API makes them, leads to its path on this host.
func (d templateData) To(path string) string {
	if webURL(path) != "" {
		if u, err := url.Parse(path); err == nil {
			return inside(u.RequestURI())
		}
	}
	return inside(d.Prefix + "/" + strings.TrimLeft(path, "/"))
}

// own returns the path of an absolute URL of this service.
func (d templateData) own(s string) (path string, ok bool) {
	if d.Answer == nil || d.Answer.Base == "" || webURL(s) == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(s, d.Answer.Base)
	if !ok || rest != "" && rest[0] != '/' && rest[0] != '?' && rest[0] != '#' {
		return "", false // of another host whose name begins alike
	}
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	path = d.Prefix + rest
	return path, inside(path) == path
}

// inside returns a path that cannot lead to another host: browsers take what
// follows two slashes for one.
func inside(path string) string {
	if !strings.HasPrefix(path, "/") || len(path) > 1 && (path[1] == '/' || path[1] == '\\') {
		return "/" + strings.TrimLeft(path, `/\`)
	}
	return path
}

// StatusOf returns the address of a package's status page.
func (d templateData) StatusOf(slug string) string {
	return d.To("/status/packages/" + url.PathEscape(slug) + "/")
}

// login is what GitHub lets people be called. Robots are called otherwise, and
// have no page.
var login = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// participant is one who contributed.
type participant struct {
	Login string
	Href  string // "" for none
}

// participants are linked to where the repository is on github.com.
func participants(rec *record.Package) []participant {
	onGitHub := rec.GitHub.State.Fetchable() && rec.RepoURL != nil && strings.Contains(strings.ToLower(*rec.RepoURL), "github.com")
	all := make([]participant, len(rec.Repo.Participants))
	for i, name := range rec.Repo.Participants {
		all[i].Login = name
		if onGitHub && login.MatchString(name) {
			all[i].Href = "https://github.com/" + name
		}
	}
	return all
}
