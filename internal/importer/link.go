package importer

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"pkgmetad/internal/record"
)

// origin is the scheme and host of the site that is read, which its links must
// lead to. A nil origin accepts any link.
type origin struct {
	scheme, host string
	anyHost      bool // a link's host is ignored; see [Site.SameHost]
}

// errOtherHost is returned for a link that leads away from the site.
var errOtherHost = errors.New("leads to another host")

// check reports whether u leads to the site. Its scheme may be the other one of http
// and https: a site behind a proxy that terminates TLS often does not know its own.
func (o *origin) check(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("is not an http or https URL")
	case u.User != nil:
		return errors.New("contains a user name or password")
	case o.anyHost, strings.EqualFold(u.Host, o.host), bareHost(u.Scheme, u.Host) != "" && bareHost(u.Scheme, u.Host) == bareHost(o.scheme, o.host):
		return nil
	}
	return fmt.Errorf("%w than %s", errOtherHost, o.host)
}

// quoteLink quotes a link of the source for a message, without any password in it.
func quoteLink(link string) string {
	if u, err := url.Parse(link); err == nil {
		link = u.Redacted()
	}
	return shortQuote(link)
}

// bareHost returns the host without its port if that is the default of the scheme,
// or "" if it is another.
func bareHost(scheme, host string) string {
	host = strings.ToLower(host)
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[scheme]
	host = strings.TrimSuffix(host, defaultPort)
	if (&url.URL{Host: host}).Port() != "" {
		return ""
	}
	return host
}

// id returns the id in a link to an entry of a collection, such as
// https://djangopackages.org/api/v4/categories/1/.
func (o *origin) id(link, collection string) (int, error) {
	u, err := url.Parse(link)
	if err != nil {
		return 0, errors.New("is not a URL")
	}
	if o != nil {
		if err := o.check(u); err != nil {
			return 0, err
		}
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".json")
	folder, last := cutLast(path, "/")
	id, err := strconv.Atoi(last)
	if err != nil || strconv.Itoa(id) != last || id < 1 || id > record.MaxID || !strings.HasSuffix(folder, "/"+collection) {
		return 0, errors.New("is not a link to one of the " + collection)
	}
	return id, nil
}

// slug returns the slug in a link to an entry of a collection. A link of API v3 is a bare path.
func (o *origin) slug(link, collection string) (string, error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", errors.New("is not a URL")
	}
	if u.Scheme != "" || u.Host != "" {
		if err := o.check(u); err != nil {
			return "", err
		}
	}
	folder, slug := cutLast(strings.TrimSuffix(u.Path, "/"), "/")
	if !record.IsSlug(slug) || len(slug) > record.MaxSlug || !strings.HasSuffix(folder, "/"+collection) {
		return "", errors.New("is not a link to one of the " + collection)
	}
	return slug, nil
}

// cutLast splits s at the last sep. Without one, all of s comes after.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:]
}
