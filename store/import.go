package store

import (
	"pkgmetad/internal/record"
	"slices"
	"time"
)

// ImportReport says what an import changed.
type ImportReport struct {
	SyncReport
	Fetched int // packages of which the fetched half was taken over
}

// Import takes over a catalogue as SyncCatalogue does, and with it what another
// site fetched: of each record in recs, by its id, the documented fields of the
// fetched half, Modified, LastFetched and the state of the sources. That half
// stays as it is where it has been fetched here, and not earlier than there. To
// import the same again changes nothing.
func (s *Store) Import(c record.Catalogue, recs []record.Package, now time.Time) (ImportReport, error) {
	fetched := make(map[int]*record.Package, len(recs))
	for i := range recs {
		fetched[recs[i].ID] = &recs[i]
	}
	return s.takeOver(c, fetched, now)
}

// overlay takes over the fetched half of a record of another site, and reports
// whether that changed anything.
func overlay(r, from *record.Package) (changed bool) {
	own := ownAttempt(&r.GitHub) || ownAttempt(&r.PyPI)
	if from.LastFetched.Before(r.LastFetched) || own && !from.LastFetched.After(r.LastFetched) {
		return false
	}
	before := *r
	a, b := &r.Repo, &from.Repo
	a.Stars, a.Forks, a.Description = b.Stars, b.Forks, b.Description
	a.Participants, a.Commits52, a.LastCommit = b.Participants, b.Commits52, b.LastCommit
	r.Project.Version = from.Project.Version
	r.Modified = from.Modified.UTC().Truncate(time.Microsecond)
	r.LastFetched = from.LastFetched.UTC().Truncate(time.Microsecond)
	gitHub, pyPI := overlayStatus(&r.GitHub, &from.GitHub), overlayStatus(&r.PyPI, &from.PyPI)
	return gitHub || pyPI || !record.SameServed(&before, r) || !sameCommits(before.Repo.Commits52, a.Commits52) ||
		!before.Modified.Equal(r.Modified) || !before.LastFetched.Equal(r.LastFetched)
}

// sameCommits tells unknown from an empty list, which are served alike.
func sameCommits(a, b []int) bool { return slices.Equal(a, b) && (a == nil) == (b == nil) }

func ownAttempt(s *record.Status) bool { return !s.LastAttempt.IsZero() && !s.Imported }

// overlay takes over the state of a source that can be asked, where the other
// site's last success is the later one. Its own validators are of older data.
func overlayStatus(s, from *record.Status) (changed bool) {
	if !s.State.Fetchable() || !from.LastSuccess.After(s.LastSuccess) {
		return false
	}
	*s = record.Status{State: from.State, LastAttempt: from.LastAttempt, LastSuccess: from.LastSuccess, NextDue: from.NextDue, Imported: true}
	return true
}
