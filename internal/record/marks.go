package record

import (
	"slices"
	"time"
)

// Mark is a reason to think twice before using a package. One without any is alive.
type Mark string

const (
	MarkGone        Mark = "gone"        // the repository or the project is not there any more, or was taken down
	MarkQuarantined Mark = "quarantined" // PyPI withholds the project as unsafe
	MarkArchived    Mark = "archived"    // the repository is read-only, or no further releases are expected
	MarkDeprecated  Mark = "deprecated"  // another project should be used
	MarkNoRelease   Mark = "no release"  // in the last [ReleaseWithin]
	MarkNoCommit    Mark = "no commit"   // in the last [CommitWithin]
)

const (
	ReleaseWithin = 2 * 365 * 24 * time.Hour // after the last release a package gets [MarkNoRelease]
	CommitWithin  = 365 * 24 * time.Hour     // after the last commit on the default branch it gets [MarkNoCommit]
)

// Marks returns the marks of a package at a time, in the order of the constants. What is
// unknown is no reason for one.
func (p *Package) Marks(now time.Time) (marks []Mark) {
	for _, m := range []struct {
		mark  Mark
		earns bool
	}{
		{MarkGone, isGone(p.GitHub.State) || isGone(p.PyPI.State) && p.Project.Standing.Status != ProjectQuarantined},
		{MarkQuarantined, p.Project.Standing.Status == ProjectQuarantined},
		{MarkArchived, p.Repo.Archived || p.Project.Standing.Status == ProjectArchived},
		{MarkDeprecated, p.Project.Standing.Status == ProjectDeprecated},
		{MarkNoRelease, before(p.Project.LastRelease(), now.Add(-ReleaseWithin))},
		{MarkNoCommit, before(p.Repo.LastCommit, now.Add(-CommitWithin))},
	} {
		if m.earns {
			marks = append(marks, m.mark)
		}
	}
	return marks
}

func isGone(s State) bool { return s == StateGone || s == StateBlocked }

func before(t *time.Time, limit time.Time) bool { return t != nil && t.Before(limit) }

// LastRelease returns when a release was last uploaded that is not yanked, UTC; nil if that
// is unknown.
func (p *Project) LastRelease() (last *time.Time) {
	for _, v := range p.Versions {
		if t := v.Uploaded; t != nil && !v.Yanked && (last == nil || t.After(*last)) {
			last = t
		}
	}
	return last
}

// Released returns when the latest version was uploaded, UTC; nil if that is unknown.
func (p *Project) Released() *time.Time {
	if v := p.latest(); v != nil {
		return v.Uploaded
	}
	return nil
}

// Yanked reports whether the latest version is: where PyPI has no other.
func (p *Project) Yanked() bool {
	v := p.latest()
	return v != nil && v.Yanked
}

func (p *Project) latest() *Version {
	if p.Version == nil {
		return nil
	}
	i := slices.IndexFunc(p.Versions, func(v Version) bool { return v.Version == *p.Version })
	if i < 0 {
		return nil
	}
	return &p.Versions[i]
}
