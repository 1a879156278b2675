package record

import (
	"slices"
	"strings"
	"time"
)

// Wins reports whether what was learnt of a source replaces what is stored of
// it: the one rule for a pass, an import, and whoever else writes.
//
//   - The later success wins. An attempt without one never undoes a success that
//     came meanwhile.
//   - Between equals the later attempt wins, then what was fetched here over what
//     another site fetched, then the new over the old.
//   - A time that lies ahead of now was read from a wrong clock and counts as none,
//     so that it cannot keep later answers out.
func Wins(learnt, stored *Source, now time.Time) bool {
	past := func(t time.Time) time.Time {
		if t.After(now) {
			return time.Time{}
		}
		return t
	}
	if c := past(learnt.LastSuccess).Compare(past(stored.LastSuccess)); c != 0 {
		return c > 0
	}
	if c := past(learnt.LastAttempt).Compare(past(stored.LastAttempt)); c != 0 {
		return c > 0
	}
	return !learnt.Imported || stored.Imported || stored.LastSuccess.IsZero()
}

// SameServed reports whether a and b say the same of what is served of a source.
// What is kept beside the documented fields, such as the state of the source, is
// no part of that. This is what "changed" means, wherever something has changed.
func SameServed(a, b *Source) bool {
	x, y := orNothing(a.Repo), orNothing(b.Repo)
	return x.Stars == y.Stars && x.Forks == y.Forks && x.Description == y.Description &&
		slices.Equal(x.Participants, y.Participants) && slices.Equal(x.Commits52, y.Commits52) && sameTime(x.LastCommit, y.LastCommit) &&
		SameText(orNothing(a.Project).Version, orNothing(b.Project).Version)
}

func orNothing[T any](said *T) *T {
	if said == nil {
		return new(T)
	}
	return said
}

// LastFetched returns the time that all of the fetched half of p is at least as
// fresh as: the older of the last successes of its sources. A source that is gone
// or blocked has no say in it, since nothing fresher is to be had. It is zero
// until each of the others has answered once.
//
// It does not go back behind what p has: a source that returns from being gone
// makes nothing staler. Only a time ahead of now, of a clock that was wrong, gives
// way. Where p has come to refer to another source, clear p.LastFetched first.
func LastFetched(p *Package, now time.Time) time.Time {
	var oldest time.Time
	counted := false
	for _, s := range []*Status{&p.GitHub, &p.PyPI} {
		if !s.State.Fetchable() || s.State == StateGone || s.State == StateBlocked {
			continue
		}
		if !counted || s.LastSuccess.Before(oldest) {
			oldest, counted = s.LastSuccess, true
		}
	}
	if oldest.Before(p.LastFetched) && !p.LastFetched.After(now) {
		return p.LastFetched
	}
	return oldest
}

// Follow returns the source that a package refers to once its URL leads to
// another key than that of old. nil stands for no source.
//
// Where the key is the name that GitHub has already given old, the URL has caught
// up with a rename and the data stays. Everything else begins anew: nothing that
// was said of one repository is served under the address of another. What was
// known goes along as Former, for the case that the first answer shows the same
// repository under both names.
func Follow(old *Source, to Key) Source {
	s := Source{Key: to, Status: Status{State: StateNew}}
	if old == nil || old.Repo == nil {
		return s
	}
	if renamed(old.Key, old.Repo.Name) == to {
		s = *old
		s.Key, s.NextDue = to, time.Time{}
		return s
	}
	former := *old.Repo
	s.Former = &former
	return s
}

// renamed returns the key of the repository that is called fullName,
// owner/name, on the host of key.
func renamed(key Key, fullName string) Key {
	host, _, _, _ := key.Repo()
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok {
		return ""
	}
	return RepoKey(host, owner, name)
}

// MaxAhead is further than any due time lies ahead. What is due later than
// that was computed under a clock that was wrong, and counts as due now.
const MaxAhead = 45 * 24 * time.Hour

// IsDue reports whether the source is to be asked at now.
func (s *Status) IsDue(now time.Time) bool {
	return s.State.Fetchable() && (!s.NextDue.After(now) || s.NextDue.After(now.Add(MaxAhead)))
}

// SameEntry reports whether a and b declare the same.
func SameEntry(a, b *Entry) bool {
	return a.ID == b.ID && a.Slug == b.Slug && a.Title == b.Title && a.Category == b.Category &&
		slices.Equal(a.Grids, b.Grids) && a.Created.Equal(b.Created) &&
		SameText(a.RepoURL, b.RepoURL) && SameText(a.PyPIURL, b.PyPIURL) && SameText(a.DocumentationURL, b.DocumentationURL)
}

// SameText reports whether a and b are both nil or hold the same text.
func SameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
