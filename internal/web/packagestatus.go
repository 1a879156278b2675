package web

import (
	"cmp"
	"io"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// PackageStatusPage is the status of one package.
type PackageStatusPage struct {
	Clock
	status.Package
	Path string // of the package's page, below the prefix
	JSON string // path of the status as JSON, below the prefix
}

// PackageStatus writes the status page of a package.
func PackageStatus(w io.Writer, f Frame, p PackageStatusPage) error {
	return render(w, "packagestatus", templateData{Frame: f, clock: p.Clock, Section: inStatus, Page: p})
}

// Name is the package's title or, where it has none, its slug.
func (p PackageStatusPage) Name() string { return cmp.Or(p.Title, p.Slug) }

// namedSource is a source with what the template shows of it.
type namedSource struct {
	Name string
	status.Source
}

// Sources are those of the package, in the order in which they are shown.
func (p PackageStatusPage) Sources() []namedSource {
	return []namedSource{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}}
}

func (s namedSource) Asked() bool { return s.State.Fetchable() }

// Status is what says where the source stands.
func (s namedSource) Status() record.Status {
	return record.Status{State: s.State, LastAttempt: s.LastAttempt, LastSuccess: s.LastSuccess}
}
