package main

import (
	"net/netip"
	"path/filepath"
	"time"
	_ "time/tzdata" // zones are named in the configuration, and a container may have none

	"github.com/robfig/cron/v3"
)

// Config is the whole configuration, as config.example.yaml documents it.
// Fields with a yaml tag are the keys of the file; the others are derived.
type Config struct {
	Store     StoreConfig     `yaml:"store"`
	HTTP      HTTPConfig      `yaml:"http"`
	Catalogue CatalogueConfig `yaml:"catalogue"`
	Schedule  ScheduleConfig  `yaml:"schedule"`
	Refresh   RefreshConfig   `yaml:"refresh"`
	GitHub    GitHubConfig    `yaml:"github"`
	PyPI      PyPIConfig      `yaml:"pypi"`
	Log       LogConfig       `yaml:"log"`

	Warnings []string // what works, but should be seen to
}

// StoreConfig says where the records are kept.
type StoreConfig struct {
	Path     string        `yaml:"path"`      // the bbolt file, absolute once loaded
	LockWait time.Duration `yaml:"lock_wait"` // how long to wait for another process to let go of it; above 0
	MaxSize  ByteSize      `yaml:"max_size"`  // the file never grows beyond this; 0 for no bound

	KeepDeletions time.Duration `yaml:"keep_deletions"` // how long the feed of changes tells of a package that left the catalogue
}

// HTTPConfig is the read-only API.
type HTTPConfig struct {
	Listen         string         `yaml:"listen"`          // host:port
	PublicURL      string         `yaml:"public_url"`      // as clients see it, without a slash at the end; "" to go by the request
	TimeZone       *time.Location `yaml:"time_zone"`       // of the times served
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded headers count
	MaxLimit       int            `yaml:"max_limit"`       // records a page at most; 0 for no bound
	MaxConnections int            `yaml:"max_connections"` // open at once
}

// CatalogueConfig says where the catalogue is.
type CatalogueConfig struct {
	Path string `yaml:"path"` // absolute once loaded
}

// ScheduleConfig says when a pass starts.
type ScheduleConfig struct {
	Refresh  string         `yaml:"refresh"`   // cron specification
	TimeZone *time.Location `yaml:"time_zone"` // that Refresh is read in

	Cron cron.Schedule // Refresh in TimeZone
}

// RefreshConfig bounds a pass.
type RefreshConfig struct {
	StaleAfter  time.Duration `yaml:"stale_after"`  // age at which a record is asked for again
	Workers     int           `yaml:"workers"`      // packages in flight at once
	MaxPackages int           `yaml:"max_packages"` // packages a pass takes on at most
	RetryMin    time.Duration `yaml:"retry_min"`    // delay after a first failure
	RetryMax    time.Duration `yaml:"retry_max"`    // that the doubling delay stops at
	PendingWait time.Duration `yaml:"pending_wait"` // for an answer that GitHub is still computing
}

// GitHubConfig is the upstream for repositories.
type GitHubConfig struct {
	BaseURL   string        `yaml:"base_url"`   // ends in a slash once loaded
	TokenFile string        `yaml:"token_file"` // absolute once loaded; "" for none
	Reserve   int           `yaml:"reserve"`    // requests of the hourly limit that are left to others
	Timeout   time.Duration `yaml:"timeout"`    // for one request

	Token       Secret // empty: anonymous
	TokenSource string // where Token is from, for a log; "" where there is none
}

// PyPIConfig is the upstream for releases.
type PyPIConfig struct {
	BaseURL string        `yaml:"base_url"` // ends in a slash once loaded
	Contact string        `yaml:"contact"`  // mail address or URL for the User-Agent of both clients; "" for none
	Timeout time.Duration `yaml:"timeout"`  // for one request
}

// LogConfig is the log on standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // trace, debug, info, warn or error
	Format string `yaml:"format"` // auto, json or console
}

// defaultConfig holds every default; config.example.yaml repeats them.
func defaultConfig() *Config {
	return &Config{
		Store: StoreConfig{LockWait: 5 * time.Second, KeepDeletions: 30 * 24 * time.Hour},
		HTTP: HTTPConfig{
			Listen:         "127.0.0.1:8080",
			TimeZone:       time.UTC,
			MaxLimit:       1000,
			MaxConnections: 1000,
		},
		Schedule: ScheduleConfig{Refresh: "*/5 * * * *", TimeZone: time.UTC},
		Refresh: RefreshConfig{
			StaleAfter:  24 * time.Hour,
			Workers:     8,
			MaxPackages: 10_000,
			RetryMin:    5 * time.Minute,
			RetryMax:    24 * time.Hour,
			PendingWait: 10 * time.Second,
		},
		GitHub: GitHubConfig{BaseURL: "https://api.github.com/", Reserve: 100, Timeout: 30 * time.Second},
		PyPI:   PyPIConfig{BaseURL: "https://pypi.org/", Timeout: 30 * time.Second},
		Log:    LogConfig{Level: "info", Format: "auto"},
	}
}

// ConfigError is everything that is wrong with a configuration file.
type ConfigError struct{ FileError }

const maxConfigSize = 1 << 20

// LoadConfig reads the configuration file at path. env looks up an environment
// variable, as [os.Getenv] does; it may be nil for none. Relative paths in the
// file are relative to the file's folder. The error is a [*ConfigError] that
// lists every problem; beside it, the configuration is nil, or what could be
// read of it, to look for more that is wrong.
func LoadConfig(path string, env func(string) string) (*Config, error) {
	var ps problems
	data := readFile(path, maxConfigSize, "a configuration; name the right file", &ps)
	if ps.list != nil {
		return nil, &ConfigError{*ps.report(path, maxProblems)}
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		ps.add(position{}, "", "its folder cannot be told: %s", cause(err))
		return nil, &ConfigError{*ps.report(path, maxProblems)}
	}
	cfg := parseConfig(data, folder, env, &ps)
	if fe := ps.report(path, maxProblems); fe != nil {
		return cfg, &ConfigError{*fe}
	}
	return cfg, nil
}

func parseConfig(data []byte, folder string, env func(string) string, ps *problems) *Config {
	root := parseYAML(data, "is empty; start from config.example.yaml", ps)
	if root == nil {
		return nil
	}
	cfg := defaultConfig()
	positions := make(map[any]position)
	decodeYAML(root, cfg, positions, ps)
	if !isMapping(root) {
		return nil
	}
	if env == nil {
		env = func(string) string { return "" }
	}
	c := configCheck{cfg: cfg, positions: positions, folder: folder, env: env, ps: ps}
	c.all()
	return cfg
}
