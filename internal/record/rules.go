package record

import (
	"slices"
	"time"
)

// MaxAhead is further than any due time lies ahead. What is due later than
// that was computed under a clock that was wrong, and counts as due now.
const MaxAhead = 45 * 24 * time.Hour

// IsDue reports whether the source is to be asked at now.
func (s *Status) IsDue(now time.Time) bool {
	return s.State.Fetchable() && (!s.NextDue.After(now) || s.NextDue.After(now.Add(MaxAhead)))
}

// SameServed reports whether the fetched halves of a and b are served alike,
// LastFetched and Modified aside. What is kept beside the documented fields,
// such as the state of the sources, is not part of what is served.
func SameServed(a, b *Package) bool {
	x, y := &a.Repo, &b.Repo
	return x.Stars == y.Stars && x.Forks == y.Forks && x.Description == y.Description &&
		slices.Equal(x.Participants, y.Participants) && slices.Equal(x.Commits52, y.Commits52) &&
		(x.LastCommit == nil) == (y.LastCommit == nil) && (x.LastCommit == nil || x.LastCommit.Equal(*y.LastCommit)) &&
		SameText(a.Project.Version, b.Project.Version)
}

// SameText reports whether a and b are both nil or hold the same text.
func SameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
