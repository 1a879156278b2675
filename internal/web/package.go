package web

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// PackagePage is one package.
type PackagePage struct {
	Clock
	Record   record.Package
	Category Link   // the zero Link for none
	Grids    []Link // in the record's order
	JSON     string // path of the record as JSON, below the prefix
	Status   string // path of the package's status page, below the prefix
}

// Lists that are longer than this are folded.
const (
	shownVersions     = 12
	shownParticipants = 40
)

// Package writes the page of a package.
func Package(w io.Writer, f Frame, p PackagePage) error {
	return render(w, "package", templateData{Frame: f, clock: p.Clock, Section: inPackages, Page: p})
}

func (p PackagePage) Name() string      { return name(&p.Record) }
func (p PackagePage) Chart() *chart     { return newChart(&p.Record) }
func (p PackagePage) Counted() bool     { return p.Record.Counted() }
func (p PackagePage) Sources() []source { return sources(&p.Record) }

// Uncounted says why the number of commits is unknown.
func (p PackagePage) Uncounted() string {
	switch s := p.Record.GitHub.State; {
	case !s.Fetchable():
		return "there is no repository to ask GitHub about"
	case s == record.StateGone, s == record.StateBlocked:
		return "GitHub shows no repository at that address"
	}
	return "GitHub has not provided it yet"
}

// LastRelease is when a release was last uploaded that is not yanked, nil if unknown.
func (p PackagePage) LastRelease() *time.Time { return p.Record.Project.LastRelease() }

// Pythons are the versions of Python that the package's classifiers name, or what else
// tells them; "" if unknown.
func (p PackagePage) Pythons() string {
	r := &p.Record.Project
	if r.Support != nil && len(r.Support.Python) > 0 {
		return minors(r.Support.Python)
	}
	switch {
	case r.Python3 == nil:
		return ""
	case *r.Python3:
		return "3"
	}
	return "2 only"
}

// Djangos are the versions of Django that the package's classifiers name, "" for none.
func (p PackagePage) Djangos() string {
	if s := p.Record.Project.Support; s != nil {
		return minors(s.Django)
	}
	return ""
}

// minors joins versions, without each major one that a minor one of it makes plain.
func minors(versions []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(versions), func(major string) bool {
		return slices.ContainsFunc(versions, func(v string) bool { return strings.HasPrefix(v, major+".") })
	}), ", ")
}

// Maturity is the development status in PyPI's words, "" if unknown.
func (p PackagePage) Maturity() string { return maturity(p.Record.Project.Status) }

func maturity(status int) string {
	words := []string{"", "Planning", "Pre-alpha", "Alpha", "Beta", "Production/stable", "Mature", "Inactive"}
	if status < 0 || status >= len(words) {
		return ""
	}
	return words[status]
}

// Repository and Project are the addresses that the catalogue gives, "" for none.
func (p PackagePage) Repository() string { return text(p.Record.RepoURL) }
func (p PackagePage) Project() string    { return text(p.Record.PyPIURL) }

// Documentation is the address of the documentation from the catalogue or, if it
// has none, from PyPI; "" for none.
func (p PackagePage) Documentation() string {
	return cmp.Or(text(p.Record.DocumentationURL), p.Record.Project.DocumentationURL)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// folded is a list of which only the first items are shown until it is unfolded.
type folded[T any] struct{ Shown, Rest []T }

func fold[T any](all []T, shown int) folded[T] {
	if len(all) <= shown+shown/4 { // a few more do not deserve a fold
		shown = len(all)
	}
	return folded[T]{all[:shown], all[shown:]}
}

// Versions are newest first, as the record has them.
func (p PackagePage) Versions() folded[record.Version] {
	return fold(p.Record.Project.Versions, shownVersions)
}

func (p PackagePage) Participants() folded[participant] {
	return fold(participants(&p.Record), shownParticipants)
}
