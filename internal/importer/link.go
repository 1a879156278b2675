package importer

import (
	"errors"
	"net/url"
	"pkgmetad/internal/record"
	"strconv"
	"strings"
)

// site is the scheme and host that a source's links lead to. A nil site is any.
type site struct{ scheme, host string }

// owns reports whether u leads to the site. Its scheme may be the other of http
// and https: a site behind a proxy that ends TLS often does not know its own.
func (s *site) owns(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") &&
		(strings.EqualFold(u.Host, s.host) || bareHost(u.Scheme, u.Host) != "" && bareHost(u.Scheme, u.Host) == bareHost(s.scheme, s.host))
}

// bareHost returns the host where its port is the scheme's own, else "".
func bareHost(scheme, host string) string {
	host = strings.ToLower(host)
	own := map[string]string{"http": ":80", "https": ":443"}[scheme]
	host = strings.TrimSuffix(host, own)
	if (&url.URL{Host: host}).Port() != "" {
		return ""
	}
	return host
}

// id returns the id in a link to an entry of a collection, such as
// https://djangopackages.org/api/v4/categories/1/.
func (s *site) id(link, collection string) (int, error) {
	u, err := url.Parse(link)
	if err != nil {
		return 0, errors.New("is no link")
	}
	if s != nil && !s.owns(u) {
		return 0, errors.New("is no link to " + s.host)
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".json")
	folder, last := cutLast(path, "/")
	id, err := strconv.Atoi(last)
	if err != nil || strconv.Itoa(id) != last || id < 1 || id > record.MaxID || !strings.HasSuffix(folder, "/"+collection) {
		return 0, errors.New("is no link to one of its " + collection)
	}
	return id, nil
}

// cutLast splits s at the last sep; all of it comes after one that is not there.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:]
}
