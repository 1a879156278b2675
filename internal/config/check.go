package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/strict"
	"pkgmetad/internal/upstream"
)

// check validates the values of a configuration, and sets its derived fields.
type check struct {
	cfg       *Config
	positions map[any]strict.Position // of each value given, by the pointer to it
	folder    string                  // the base of relative paths
	env       func(string) string
	ps        *strict.Problems
}

// problem reports the value that field points to, at its position or, if it is not
// given, at that of its section. It does nothing if the decoder has already reported
// the value.
func (c *check) problem(field, section any, key, format string, args ...any) {
	at, given := c.positions[field]
	if given && c.ps.HasOnLine(key, at.Line) {
		return
	}
	if !given {
		at, given = c.positions[section]
	}
	if !given {
		at = strict.Position{Line: 1, Column: 1}
	}
	c.ps.Add(at, key, format, args...)
}

// warn notes what works but should be fixed.
func (c *check) warn(key, format string, args ...any) {
	c.cfg.Warnings = append(c.cfg.Warnings, key+": "+fmt.Sprintf(format, args...))
}

func (c *check) all() {
	c.store()
	c.http()
	c.site()
	c.path(&c.cfg.Catalogue.Path, &c.cfg.Catalogue, "catalogue.path", "such as catalogue.yaml")
	between(c, &c.cfg.Catalogue.MaxRemoved, "catalogue.max_removed", 0, 100)
	c.schedule()
	c.refresh()
	c.github()
	c.pypi()
	c.pingURL()
	c.cluster()
	c.oneOf(&c.cfg.Log.Level, "log.level", "trace", "debug", "info", "warn", "error")
	c.oneOf(&c.cfg.Log.Format, "log.format", "auto", "json", "console")
}

func (c *check) store() {
	s := &c.cfg.Store
	c.path(&s.Path, s, "store.path", "such as pkgmetad.db")
	c.parent(&s.Path, "store.path")
	between(c, &s.LockWait, "store.lock_wait", time.Millisecond, 10*time.Minute)
	between(c, &s.KeepDeletions, "store.keep_deletions", time.Hour, 10*365*24*time.Hour)
	if s.MaxSize != 0 && s.MaxSize < 1<<20 {
		c.problem(&s.MaxSize, nil, "store.max_size", "is less than 1MiB, too small to work with; write 2GiB, or 0 for no limit")
	}
	c.backup()
}

func (c *check) backup() {
	b := &c.cfg.Store.Backup
	if b.Folder != "" {
		c.path(&b.Folder, &c.cfg.Store, "store.backup.folder", "such as backups")
		c.parent(&b.Folder, "store.backup.folder")
	}
	var err error
	if b.Schedule, err = ParseSchedule(b.Cron, c.cfg.Schedule.TimeZone); err != nil {
		c.problem(&b.Cron, nil, "store.backup.cron", "%s", err)
	}
	between(c, &b.Keep, "store.backup.keep", 1, 10_000)
}

func (c *check) http() {
	h := &c.cfg.HTTP
	if err := CheckListen(h.Listen); err != nil {
		c.problem(&h.Listen, nil, "http.listen", "%s", err)
	}
	if h.PublicURL != "" {
		c.url(&h.PublicURL, "http.public_url", "https://packages.example.org")
		h.PublicURL = strings.TrimRight(h.PublicURL, "/")
	}
	c.adminListen()
	between(c, &h.MaxLimit, "http.max_limit", 0, 1_000_000)
	between(c, &h.MaxConnections, "http.max_connections", 1, 100_000)
	between(c, &h.MaxConnectionsPerAddress, "http.max_connections_per_address", 0, 100_000)
}

func (c *check) adminListen() {
	h := &c.cfg.HTTP
	if h.AdminListen == "" {
		return
	}
	const key = "http.admin_listen"
	host, port, _ := net.SplitHostPort(h.AdminListen)
	if err := CheckListen(h.AdminListen); err != nil {
		c.problem(&h.AdminListen, nil, key, "%s, or \"\" for none", err)
	} else if h.AdminListen == h.Listen && port != "0" {
		c.problem(&h.AdminListen, nil, key, "is http.listen; write another port, such as 127.0.0.1:8081")
	} else if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.warn(key, "%s may be reached from other machines, and asks nobody who they are; let only your monitoring reach it, or listen on 127.0.0.1", strict.Quote(h.AdminListen))
	}
}

func (c *check) schedule() {
	s := &c.cfg.Schedule
	var err error
	if s.Cron, err = ParseSchedule(s.Refresh, s.TimeZone); err != nil {
		c.problem(&s.Refresh, nil, "schedule.refresh", "%s", err)
	}
}

func (c *check) refresh() {
	r := &c.cfg.Refresh
	between(c, &r.StaleAfter, "refresh.stale_after", 0, 365*24*time.Hour)
	between(c, &r.ActiveAfter, "refresh.active_after", 0, 365*24*time.Hour)
	c.workers()
	between(c, &r.MaxPackages, "refresh.max_packages", 1, 1_000_000)
	between(c, &r.RetryMin, "refresh.retry_min", time.Millisecond, 365*24*time.Hour)
	between(c, &r.RetryMax, "refresh.retry_max", time.Millisecond, 365*24*time.Hour)
	between(c, &r.PendingWait, "refresh.pending_wait", 0, 10*time.Second)
	if r.RetryMax < r.RetryMin {
		field, key := &r.RetryMax, "refresh.retry_max"
		if _, given := c.positions[field]; !given {
			field, key = &r.RetryMin, "refresh.retry_min"
		}
		c.problem(field, r, key, "the shortest delay, %s, is longer than the longest, %s; write retry_min below retry_max", format(r.RetryMin), format(r.RetryMax))
	}
}

func (c *check) workers() {
	const key = "refresh.workers"
	workers := &c.cfg.Refresh.Workers
	switch {
	case c.hasCluster():
		between(c, workers, key, 0, 256)
	case *workers == 0:
		c.problem(workers, nil, key, "0 is for a host of a cluster, which then serves what other hosts fetch; write a value from 1 to 256")
	default:
		between(c, workers, key, 1, 256)
	}
}

func (c *check) github() {
	g := &c.cfg.GitHub
	base := c.url(&g.BaseURL, "github.base_url", "https://api.github.com/")
	if _, given := c.positions[&g.URLHost]; !given || g.URLHost == "" {
		g.URLHost = urlHost(base)
	} else if host, err := parseHost(g.URLHost); err != nil {
		c.problem(&g.URLHost, nil, "github.url_host", "%s; write the host of the repository URLs alone, such as github.example.org", err)
	} else {
		g.URLHost = host
	}
	between(c, &g.Reserve, "github.reserve", 0, 15_000)
	between(c, &g.Timeout, "github.timeout", time.Millisecond, 10*time.Minute)
	c.oneOf(&g.Strategy, "github.strategy", "auto", "rest")
	c.token()
	c.credentials()
}

func (c *check) pypi() {
	p := &c.cfg.PyPI
	c.url(&p.BaseURL, "pypi.base_url", "https://pypi.org/")
	between(c, &p.Timeout, "pypi.timeout", time.Millisecond, 10*time.Minute)
	between(c, &p.Concurrency, "pypi.concurrency", 1, 64)
	between(c, &p.Rate, "pypi.rate", 0, 1000)
	between(c, &p.IndexAbove, "pypi.index_above", 1, 10_000_000)
	if !isContact(p.Contact) {
		c.problem(&p.Contact, nil, "pypi.contact", "is neither a mail address nor a URL; write ops@example.org or https://example.org/about")
	}
}

// path checks a required path and makes it absolute.
func (c *check) path(field *string, section any, key, example string) {
	switch {
	case *field == "":
		c.problem(field, section, key, "is required; write a file's path, %s", example)
	case strings.ContainsRune(*field, 0):
		c.problem(field, section, key, "has a NUL character; write a file's path, %s", example)
	default:
		*field = c.absolute(*field, key)
	}
}

// url checks and normalises the URL of a service, and returns it; nil if it is not
// valid. A URL with an @ may contain a password, so it is never repeated.
func (c *check) url(field *string, key, example string) *url.URL {
	if strings.Contains(*field, "@") {
		c.problem(field, nil, key, "must not carry user information; write it like %s", example)
		return nil
	}
	u, err := upstream.ParseBaseURL(*field)
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // without the URL
	}
	if err == nil && u.Port() != "" && !isPort(u.Port()) {
		err = errors.New("its port is not a number up to 65535")
	}
	if err != nil {
		c.problem(field, nil, key, "is not a usable URL: %s; write it like %s", err, example)
		return nil
	}
	*field = u.String()
	return u
}

func (c *check) oneOf(field *string, key string, allowed ...string) {
	if !slices.Contains(allowed, *field) {
		c.problem(field, nil, key, "%s is not known; write one of %s", strict.Quote(*field), strings.Join(allowed, ", "))
	}
}

func between[T cmp.Ordered](c *check, field *T, key string, low, high T) {
	if *field < low || *field > high {
		c.problem(field, nil, key, "%s is out of range; write a value from %s to %s", format(*field), format(low), format(high))
	}
}

// format formats a number or a duration.
func format(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case time.Duration:
		return strict.FormatDuration(v)
	}
	return ""
}

// isContact reports whether s is a mail address or a URL that may be put into the
// comment of a User-Agent, or "".
func isContact(s string) bool {
	if s == "" {
		return true
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '(' || r == ')' || r == '\\' }) {
		return false
	}
	if a, err := mail.ParseAddress(s); err == nil && a.Address == s {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
