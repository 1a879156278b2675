package web

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"pkgmetad/internal/record"
)

// webURL returns s if it may be the target of a link: an absolute http or https URL.
// For anything else it returns "", and also for a URL with a user name, which can be
// made to look like a URL of another host.
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

// bare returns a web address without its scheme and a slash at the end.
func bare(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	return strings.TrimSuffix(rest, "/")
}

// breaks splits an address where a line may break: after slashes, and before
// dots and other separators.
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
		return "", false // another host, whose name begins with that of this one
	}
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	path = d.Prefix + rest
	return path, inside(path) == path
}

// inside returns a path that cannot lead to another host: browsers would take what
// follows two slashes for a host.
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

// login matches the logins of people on GitHub. Those of bots differ, and have no
// page.
var login = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// participant is a contributor.
type participant struct {
	Login string
	Href  string // of the GitHub profile, "" for none
}

// participants are linked to their profiles if the repository is on github.com.
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
