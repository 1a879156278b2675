// Package config reads the configuration file that config.example.yaml documents.
// It fills in defaults, checks every value, and reads the secrets, which the file names
// but does not contain.
package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"time"
	_ "time/tzdata" // the configuration names time zones, and a container may lack their data

	"github.com/robfig/cron/v3"

	"pkgmetad/internal/strict"
)

// Config is the configuration, as config.example.yaml documents it.
// Fields with a yaml tag are the keys of the file; the others are derived.
type Config struct {
	Store     Store     `yaml:"store"`
	HTTP      HTTP      `yaml:"http" reload:"restart"`
	Site      Site      `yaml:"site" reload:"restart"`
	Catalogue Catalogue `yaml:"catalogue"`
	Schedule  Schedule  `yaml:"schedule"`
	Refresh   Refresh   `yaml:"refresh"`
	GitHub    GitHub    `yaml:"github"`
	PyPI      PyPI      `yaml:"pypi"`
	Notify    Notify    `yaml:"notify"`
	Cluster   Cluster   `yaml:"cluster" reload:"restart"`
	Log       Log       `yaml:"log"`

	Warnings []string // about what works but should be fixed in the files, for the log
}

// Store says where the records are kept.
type Store struct {
	Path     string        `yaml:"path" reload:"restart"`      // the bbolt file, absolute once loaded
	LockWait time.Duration `yaml:"lock_wait" reload:"restart"` // how long to wait for another process to release the file; above 0
	MaxSize  ByteSize      `yaml:"max_size" reload:"restart"`  // the file never grows beyond this; 0 for no limit

	KeepDeletions time.Duration `yaml:"keep_deletions"` // how long the feed of changes lists a package that left the catalogue
	Backup        Backup        `yaml:"backup"`
}

// Backup says when the daemon copies the store, and where to.
type Backup struct {
	Folder string `yaml:"folder"` // absolute once loaded; "" for no copies
	Cron   string `yaml:"cron"`   // cron expression
	Keep   int    `yaml:"keep"`   // copies; the oldest beyond them are removed

	Schedule cron.Schedule // Cron in Schedule.TimeZone
}

// HTTP is the read-only API.
type HTTP struct {
	Listen         string         `yaml:"listen"`          // host:port
	PublicURL      string         `yaml:"public_url"`      // as clients see it, without a slash at the end; "" to derive it from each request
	TimeZone       *time.Location `yaml:"time_zone"`       // of the times served
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded headers are trusted
	MaxLimit       int            `yaml:"max_limit"`       // records per page at most; 0 for no limit
	MaxConnections int            `yaml:"max_connections"` // open at once

	MaxConnectionsPerAddress int `yaml:"max_connections_per_address"` // of one address, or behind a trusted proxy requests at once; 0 for no limit

	CrossOrigin bool `yaml:"cross_origin"` // pages of other origins may read the answers
	LogRequests bool `yaml:"log_requests"` // a line in the log for each

	AdminListen string `yaml:"admin_listen"` // host:port of metrics and profiles; "" for none
}

// Site is what the pages say of themselves, as plain text on one line.
type Site struct {
	Name        string `yaml:"name"`        // in the head and the title of every page
	Description string `yaml:"description"` // a sentence, for the first page and for search engines
}

// Catalogue says where the catalogue is.
type Catalogue struct {
	Path       string `yaml:"path"`        // absolute once loaded
	MaxRemoved int    `yaml:"max_removed"` // per cent of the packages that a new catalogue may lack
}

// Schedule says when a pass starts.
type Schedule struct {
	Refresh  string         `yaml:"refresh"`   // cron expression
	TimeZone *time.Location `yaml:"time_zone"` // that Refresh is read in

	Cron cron.Schedule // Refresh in TimeZone
}

// Refresh bounds a pass.
type Refresh struct {
	StaleAfter  time.Duration `yaml:"stale_after"`  // age at which a repository or project is fetched again
	ActiveAfter time.Duration `yaml:"active_after"` // the same of a repository that was pushed to within a week, if that is less; 0: as others
	Workers     int           `yaml:"workers"`      // repositories and projects fetched at once; 0 in a cluster alone: none
	MaxPackages int           `yaml:"max_packages"` // repositories and projects that a pass fetches at most
	RetryMin    time.Duration `yaml:"retry_min"`    // delay after a first failure
	RetryMax    time.Duration `yaml:"retry_max"`    // the delay doubles up to this
	PendingWait time.Duration `yaml:"pending_wait"` // for an answer that GitHub is still computing
}

// GitHub is the upstream for repositories.
type GitHub struct {
	BaseURL   string `yaml:"base_url" reload:"restart"` // ends in a slash once loaded
	URLHost   string `yaml:"url_host" reload:"restart"` // host, optionally with a port, of the repository URLs that this API is asked about; lower case and never "" once loaded
	TokenFile string `yaml:"token_file"`                // absolute once loaded; "" for none

	Credentials []Credential  `yaml:"credentials"` // further ones
	Reserve     int           `yaml:"reserve"`     // requests, and points, of each hourly limit that are left to others
	Timeout     time.Duration `yaml:"timeout"`     // for one request
	Strategy    string        `yaml:"strategy"`    // auto or rest
	APIVersion  APIVersion    `yaml:"api_version"` // sent as X-GitHub-Api-Version

	Token       Secret // empty: none; without any of Credentials requests are anonymous
	TokenSource string // where Token is from, for the log; "" if there is none
}

// Credential is one of several that GitHub is asked with. One of TokenFile, App and OAuth
// is set.
type Credential struct {
	Name      string `yaml:"name"`       // for the log, status and metrics
	TokenFile string `yaml:"token_file"` // absolute once loaded
	App       App    `yaml:"app"`
	OAuth     OAuth  `yaml:"oauth"`

	Secret Secret // what the file holds: the token, the app's private key (PEM), or the OAuth app's secret; empty for one to leave out
}

// App is an installation of a GitHub App.
type App struct {
	ID           int    `yaml:"id"`
	Installation int    `yaml:"installation"`
	KeyFile      string `yaml:"key_file"` // absolute once loaded
}

// OAuth is an OAuth app.
type OAuth struct {
	ID         string `yaml:"id"`
	SecretFile string `yaml:"secret_file"` // absolute once loaded
}

// Source is the key whose file holds the secret.
func (c Credential) Source() string {
	return "github.credentials[" + c.Name + "]." + c.secretKey()
}

func (c Credential) secretKey() string {
	switch {
	case c.App != App{}:
		return "app.key_file"
	case c.OAuth != OAuth{}:
		return "oauth.secret_file"
	}
	return "token_file"
}

// HasCredentials reports whether GitHub is asked with any credential.
func (g *GitHub) HasCredentials() bool {
	return !g.Token.Empty() || slices.ContainsFunc(g.Credentials, func(c Credential) bool { return !c.Secret.Empty() })
}

// PyPI is the upstream for projects.
type PyPI struct {
	BaseURL string        `yaml:"base_url" reload:"restart"` // ends in a slash once loaded
	Contact string        `yaml:"contact"`                   // mail address or URL for the User-Agent of both clients; "" for none
	Timeout time.Duration `yaml:"timeout"`                   // for one request; the index gets ten times as long

	Concurrency int `yaml:"concurrency"` // requests in flight at once
	Rate        int `yaml:"rate"`        // requests a second; 0 for no limit
	IndexAbove  int `yaml:"index_above"` // projects above which the index tells which of them have changed
}

// Notify says who is told how each pass on schedule ended.
type Notify struct {
	PingURLFile string `yaml:"ping_url_file"` // absolute once loaded; "" for none

	PingURL Secret // an http or https URL; empty: nobody
}

// Log is the log on standard error.
type Log struct {
	Level  string `yaml:"level"`                   // trace, debug, info, warn or error
	Format string `yaml:"format" reload:"restart"` // auto, json or console
}

// Default returns the defaults, which config.example.yaml repeats. The required
// paths have none and are "".
func Default() *Config {
	return &Config{
		Store: Store{
			LockWait: 5 * time.Second, KeepDeletions: 30 * 24 * time.Hour,
			Backup: Backup{Cron: "17 3 * * *", Keep: 7},
		},
		HTTP: HTTP{
			Listen:         "127.0.0.1:8080",
			TimeZone:       time.UTC,
			MaxLimit:       1000,
			MaxConnections: 1000,

			MaxConnectionsPerAddress: 250,

			CrossOrigin: true,
		},
		Site:      Site{Name: "pkgmetad", Description: "Package facts, kept fresh: stars, participants, commits and versions, from GitHub and PyPI."},
		Catalogue: Catalogue{MaxRemoved: 20},
		Schedule:  Schedule{Refresh: "*/5 * * * *", TimeZone: time.UTC},
		Refresh: Refresh{
			StaleAfter:  24 * time.Hour,
			Workers:     8,
			MaxPackages: 10_000,
			RetryMin:    5 * time.Minute,
			RetryMax:    24 * time.Hour,
			PendingWait: 10 * time.Second,
		},
		GitHub: GitHub{BaseURL: "https://api.github.com/", URLHost: publicGitHub, Reserve: 100, Timeout: 30 * time.Second, APIVersion: "2022-11-28", Strategy: "auto"},
		PyPI: PyPI{
			BaseURL: "https://pypi.org/", Timeout: 30 * time.Second,
			Concurrency: 1, Rate: 5, IndexAbove: 3000,
		},
		Log: Log{Level: "info", Format: "auto"},
	}
}

const maxSize = 1 << 20

// Load reads the configuration file at path. env looks up an environment
// variable, as [os.Getenv] does; nil means that there are none. Relative paths in
// the file are relative to the file's folder. The error is a [*strict.FileError]
// that lists every problem. The configuration returned with it is nil, or holds what
// could be read, so that the caller can look for further problems.
func Load(path string, env func(string) string) (*Config, error) {
	var ps strict.Problems
	data := strict.ReadFile(path, maxSize, "a configuration; name the right file", &ps)
	if !ps.Empty() {
		return nil, ps.Err(path, strict.MaxProblems)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		ps.Add(strict.Position{}, "", "the folder that it is in cannot be found: %s", strict.Cause(err))
		return nil, ps.Err(path, strict.MaxProblems)
	}
	return parse(data, folder, env, &ps), ps.Err(path, strict.MaxProblems)
}

// parse returns the configuration in data, or nil if it cannot be read at all.
func parse(data []byte, folder string, env func(string) string, ps *strict.Problems) *Config {
	if env == nil {
		env = func(string) string { return "" }
	}
	c := check{cfg: Default(), positions: make(map[any]strict.Position), folder: folder, env: env, ps: ps}
	if !strict.DecodeYAML(data, c.cfg, strict.Options{
		WhenEmpty: "is empty; start from config.example.yaml", KeyAdvice: secretAdvice, Instead: c.cfg.insteadOfPort, Positions: c.positions,
	}, ps) {
		return nil
	}
	c.all()
	return c.cfg
}
