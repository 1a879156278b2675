package web

import (
	"cmp"
	"regexp"

	"pkgmetad/internal/record"
)

// projectName matches the names that PyPI gives to projects.
var projectName = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z._-]*[0-9A-Za-z])?$`)

// Install is the command that installs the package, by the name that PyPI writes; "" where
// pip would find nothing to install. Where there are only pre-releases, pip takes the
// latest of them by itself. Readers paste it into a shell, so that no name is taken that
// PyPI would not give.
func (p PackagePage) Install() string {
	r := &p.Record
	key, _ := r.ProjectKey.Project()
	name := cmp.Or(r.Project.Name, key)
	if !installable(r) || !projectName.MatchString(name) {
		return ""
	}
	return "python -m pip install " + name
}

// installable reports whether PyPI has, as far as is known, a release of the project that
// pip installs.
func installable(rec *record.Package) bool {
	if rec.ProjectKey == "" || rec.PyPI.State == record.StateGone || rec.PyPI.State == record.StateBlocked || rec.Project.Standing.Status == record.ProjectQuarantined {
		return false
	}
	if len(rec.Project.Versions) == 0 {
		return rec.Project.Version != nil // imported, without the list
	}
	return rec.Project.LastRelease() != nil
}
