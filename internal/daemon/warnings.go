package daemon

import (
	"slices"

	"pkgmetad/fetcher"
	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
)

// Warnings returns a sentence for everything in a configuration and its catalogue that
// works, but not as well as it could. A start logs the same sentences, each when what it
// is about is put in force; those about the URLs of a package once, when it is new or
// changed.
func Warnings(cfg *config.Config, c record.Catalogue) []string {
	all := slices.Concat(settingsWarnings(cfg), hostWarnings(cfg, cfg.HTTP.Listen), catalogue.Warnings(c))
	refer := fetcher.Refer(cfg.GitHub.URLHost)
	for _, e := range c.Packages {
		for _, problem := range refer(e).Problems {
			all = append(all, cannotAsk(e.Slug+": "+problem))
		}
	}
	return all
}

// settingsWarnings are those about the configuration, but for hostWarnings.
func settingsWarnings(cfg *config.Config) []string {
	all := slices.Clone(cfg.Warnings)
	if cfg.Refresh.Workers == 0 { // it asks nobody
		return all
	}
	if cfg.PyPI.Contact == "" {
		all = append(all, "pypi.contact is empty: GitHub and PyPI ask for a contact in the User-Agent, and block who has none first")
	}
	if !cfg.GitHub.HasCredentials() {
		all = append(all, "no GitHub token: GitHub answers 60 requests an hour, about 15 packages; with one (github.token_file or GITHUB_TOKEN) it answers 5000")
	}
	return all
}

// hostWarnings are those about the address that the API listens on: that of the
// configuration, unless systemd gives another one.
func hostWarnings(cfg *config.Config, listen string) []string {
	if w := cfg.HTTP.HostWarning(listen); w != "" {
		return []string{w}
	}
	return nil
}

// cannotAsk completes what a store says of a package whose URL leads nowhere.
func cannotAsk(problem string) string {
	return problem + "; the package is served, and this half of it never fetched"
}

// warnOf logs warnings.
func (r *refresher) warnOf(warnings []string) {
	for _, w := range warnings {
		r.log.Warn().Msg(w)
	}
}
