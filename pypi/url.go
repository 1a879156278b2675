package pypi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// ErrNoURL is the answer of [ParseURL] to an empty or blank address.
var ErrNoURL = errors.New("no PyPI URL given")

// UnsupportedError says why an address names no project on PyPI.
type UnsupportedError struct {
	URL    string // the address, without user information and query
	Reason string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("PyPI URL %q: %s; write it as https://pypi.org/project/NAME/", e.URL, e.Reason)
}

// hosts are the names that PyPI goes or went by.
var hosts = map[string]bool{
	"pypi.org":             true,
	"www.pypi.org":         true,
	"pypi.python.org":      true,
	"pypi.io":              true,
	"www.pypi.io":          true,
	"warehouse.python.org": true,
}

var testHosts = map[string]bool{
	"test.pypi.org":       true,
	"testpypi.python.org": true,
}

// ParseURL reads the project's name out of what people paste: with http, https
// or no scheme, any host that PyPI goes or went by, the paths /project/N/,
// /p/N/, /pypi/N/, /pypi/N/json, /simple/N/, each with a version after the
// name or not, /pypi?name=N&:action=display, or the bare name. It returns the
// name as written; a version is dropped.
//
// The error is [ErrNoURL] for an empty or blank address and an
// [*UnsupportedError] for every other one that names no project.
func ParseURL(raw string) (name string, err error) {
	s := strings.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	if s == "" {
		return "", ErrNoURL
	}
	unsupported := func(reason string) (string, error) {
		return "", &UnsupportedError{URL: redact(s), Reason: reason}
	}

	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case !found || strings.ContainsAny(scheme, "/?#@"): // "://" further on belongs to a query
		rest = strings.TrimPrefix(s, "//")
		host := strings.ToLower(s)
		if strings.ContainsAny(s, "/:?#@") || hosts[host] || testHosts[host] {
			break
		}
		if !ValidName(s) {
			return unsupported("not a valid project name")
		}
		return s, nil
	case !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http"):
		return unsupported("not an http or https address")
	}
	u, perr := url.Parse("https://" + rest)
	if perr != nil {
		return unsupported("not a readable address") // perr may repeat a password
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch port := u.Port(); {
	case testHosts[host]:
		return unsupported("TestPyPI is not PyPI")
	case !hosts[host], port != "" && port != "443" && port != "80":
		return unsupported("not an address of PyPI")
	}
	name = nameIn(u)
	switch {
	case name == "":
		return unsupported("it names no project")
	case !ValidName(name):
		return unsupported("not a valid project name in it")
	}
	return name, nil
}

// nameIn returns where u has a project's name, be it valid or not.
func nameIn(u *url.URL) string {
	parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	section := ""
	if len(parts) > 0 {
		section = strings.ToLower(parts[0])
	}
	if len(parts) > 1 {
		switch section {
		case "project", "p", "pypi", "simple":
			return strings.TrimSpace(parts[1])
		}
		return ""
	}
	if section == "" || section == "pypi" {
		// ";" separates as well, also in the "&amp;" of addresses copied out of HTML.
		q, _ := url.ParseQuery(strings.ReplaceAll(u.RawQuery, ";", "&"))
		return strings.TrimSpace(q.Get("name"))
	}
	return ""
}

// redact cuts user information and query out of an address, readable or not.
// An "@" anywhere may end a password, so nothing before the last one is kept.
func redact(s string) string {
	end := strings.IndexAny(s, "?#")
	at := strings.LastIndexByte(s, '@')
	switch {
	case at >= 0 && end >= 0 && end < at:
		return "…" // no telling which part is harmless
	case end >= 0:
		s = s[:end]
	}
	return oneLine(s[at+1:], 200)
}
