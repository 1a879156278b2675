package fetcher

import (
	"errors"
	"strings"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/pypi"
)

// Refer returns the function that tells which sources an entry refers to, where
// repository URLs carry the given host: it is what a store.Store is opened with.
// This is the one place where URLs of the catalogue become keys.
func Refer(host string) func(record.Entry) record.References {
	return func(e record.Entry) (refs record.References) {
		refs.Repo, refs.GitHub = key(e.RepoURL, &refs.Problems, func(url string) (record.Key, error) {
			ref, err := github.ParseURL(url, host)
			if errors.Is(err, github.ErrNoURL) {
				return "", errNoURL
			}
			return ref.Key(host), err
		})
		refs.Project, refs.PyPI = key(e.PyPIURL, &refs.Problems, func(url string) (record.Key, error) {
			name, err := pypi.ParseURL(url)
			if errors.Is(err, pypi.ErrNoURL) {
				return "", errNoURL
			}
			return pypi.Key(name), err
		})
		return refs
	}
}

var errNoURL = errors.New("no URL")

// key returns what a URL comes to: a key, or why there is none.
func key(url *string, problems *[]string, parse func(string) (record.Key, error)) (record.Key, record.State) {
	if url == nil || strings.TrimSpace(*url) == "" {
		return "", record.StateNone
	}
	key, err := parse(*url)
	switch {
	case err == nil:
		return key, ""
	case errors.Is(err, errNoURL):
		return "", record.StateNone
	}
	*problems = append(*problems, err.Error())
	return "", record.StateUnsupported
}
