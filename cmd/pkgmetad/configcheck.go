package main

import (
	"cmp"
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/upstream"
)

// configCheck looks at what each value means, and completes the derived ones.
type configCheck struct {
	cfg       *Config
	positions map[any]position // of each value given, by the pointer to it
	folder    string           // that relative paths are relative to
	env       func(string) string
	ps        *problems
}

// problem reports the value that field points to, at the place where it is
// given or else where its section is. Where the decoder had something to say
// of the value already, it stays at that.
func (c *configCheck) problem(field, section any, key, format string, args ...any) {
	at, given := c.positions[field]
	if !given {
		if at, given = c.positions[section]; !given {
			at = position{1, 1}
		}
	} else if slices.ContainsFunc(c.ps.list, func(p Problem) bool { return p.Key == key && p.Line == at.line }) {
		return
	}
	c.ps.add(at, key, format, args...)
}

func (c *configCheck) all() {
	cfg := c.cfg
	c.path(&cfg.Store.Path, &cfg.Store, "store.path", "such as pkgmetad.db")
	between(c, &cfg.Store.LockWait, "store.lock_wait", time.Millisecond, 10*time.Minute)
	between(c, &cfg.Store.KeepDeletions, "store.keep_deletions", time.Hour, 10*365*24*time.Hour)
	if size := cfg.Store.MaxSize; size != 0 && size < 1<<20 {
		c.problem(&cfg.Store.MaxSize, nil, "store.max_size", "is less than 1MiB, too small to work with; write 2GiB, or 0 for no bound")
	}

	if message := badListen(cfg.HTTP.Listen); message != "" {
		c.problem(&cfg.HTTP.Listen, nil, "http.listen", "%s; write host:port, such as 127.0.0.1:8080 or [::1]:8080, or :8080 for all addresses", message)
	}
	if cfg.HTTP.PublicURL != "" {
		c.url(&cfg.HTTP.PublicURL, "http.public_url", "https://packages.example.org")
		cfg.HTTP.PublicURL = strings.TrimRight(cfg.HTTP.PublicURL, "/")
	}
	between(c, &cfg.HTTP.MaxLimit, "http.max_limit", 0, 1_000_000)
	between(c, &cfg.HTTP.MaxConnections, "http.max_connections", 1, 100_000)

	c.path(&cfg.Catalogue.Path, &cfg.Catalogue, "catalogue.path", "such as catalogue.yaml")

	schedule, err := ParseSchedule(cfg.Schedule.Refresh, cfg.Schedule.TimeZone)
	if err != nil {
		c.problem(&cfg.Schedule.Refresh, nil, "schedule.refresh", "%s", err)
	}
	cfg.Schedule.Cron = schedule

	r := &cfg.Refresh
	between(c, &r.StaleAfter, "refresh.stale_after", 0, 365*24*time.Hour)
	between(c, &r.Workers, "refresh.workers", 1, 256)
	between(c, &r.MaxPackages, "refresh.max_packages", 1, 1_000_000)
	between(c, &r.RetryMin, "refresh.retry_min", time.Millisecond, 365*24*time.Hour)
	between(c, &r.RetryMax, "refresh.retry_max", time.Millisecond, 365*24*time.Hour)
	between(c, &r.PendingWait, "refresh.pending_wait", 0, 10*time.Second)
	if r.RetryMax < r.RetryMin {
		field, key := &r.RetryMax, "refresh.retry_max"
		if _, given := c.positions[field]; !given {
			field, key = &r.RetryMin, "refresh.retry_min"
		}
		c.problem(field, r, key, "the shortest delay, %s, is longer than the longest, %s; write retry_min below retry_max", shown(r.RetryMin), shown(r.RetryMax))
	}

	c.url(&cfg.GitHub.BaseURL, "github.base_url", "https://api.github.com/")
	between(c, &cfg.GitHub.Reserve, "github.reserve", 0, 15_000)
	between(c, &cfg.GitHub.Timeout, "github.timeout", time.Millisecond, 10*time.Minute)
	c.token()

	c.url(&cfg.PyPI.BaseURL, "pypi.base_url", "https://pypi.org/")
	between(c, &cfg.PyPI.Timeout, "pypi.timeout", time.Millisecond, 10*time.Minute)
	if !goodContact(cfg.PyPI.Contact) {
		c.problem(&cfg.PyPI.Contact, nil, "pypi.contact", "is neither a mail address nor a URL; write ops@example.org or https://example.org/about")
	}

	c.oneOf(&cfg.Log.Level, "log.level", "trace", "debug", "info", "warn", "error")
	c.oneOf(&cfg.Log.Format, "log.format", "auto", "json", "console")
}

// path makes a required path absolute.
func (c *configCheck) path(field *string, section any, key, example string) {
	switch {
	case *field == "":
		c.problem(field, section, key, "is required; write a file's path, %s", example)
	case strings.ContainsRune(*field, 0):
		c.problem(field, section, key, "has a NUL character; write a file's path, %s", example)
	default:
		*field = c.absolute(*field)
	}
}

func (c *configCheck) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.folder, path)
}

// url checks and completes the address of a service. What holds an @ may hold
// a password, so it is never repeated.
func (c *configCheck) url(field *string, key, example string) {
	if strings.Contains(*field, "@") {
		c.problem(field, nil, key, "must not carry user information; write it like %s", example)
		return
	}
	u, err := upstream.ParseBaseURL(*field)
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // it need not repeat the URL
	}
	if err == nil && u.Hostname() == "" {
		err = errors.New("it names no host")
	}
	if err == nil && u.Port() != "" && !isPort(u.Port()) {
		err = errors.New("its port is not a number up to 65535")
	}
	if err != nil {
		c.problem(field, nil, key, "is not a usable URL: %s; write it like %s", err, example)
		return
	}
	*field = u.String()
}

func (c *configCheck) oneOf(field *string, key string, allowed ...string) {
	if !slices.Contains(allowed, *field) {
		c.problem(field, nil, key, "%s is not known; write one of %s", shortQuote(*field), strings.Join(allowed, ", "))
	}
}

func between[T cmp.Ordered](c *configCheck, field *T, key string, low, high T) {
	if *field < low || *field > high {
		c.problem(field, nil, key, "%s is out of range; write a value from %s to %s", shown(*field), shown(low), shown(high))
	}
}

// shown writes a number, or a duration without the zeros that Go gives it.
func shown(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case time.Duration:
		s := v.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$`)

// badListen says what is wrong with a listen address; "" where nothing is.
func badListen(address string) string {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return shortQuote(address) + " is not an address to listen on"
	case !isPort(port):
		return shortQuote(port) + " is not a port from 0 to 65535"
	case host == "" || hostName.MatchString(host):
		return ""
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return shortQuote(host) + " is not a host"
	}
	return ""
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// goodContact reports whether s can stand in the comment of a User-Agent.
func goodContact(s string) bool {
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
